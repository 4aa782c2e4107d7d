//! What it was measured on, without names or paths.

use crate::Anything;
use std::path::Path;
use std::process::Command;

/// Lines for people; `what` is in that folder.
pub fn describe(what: &str, folder: &Path) -> Anything<Vec<String>> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism()?;
    let meminfo = read("/proc/meminfo");
    let memory: u64 = meminfo
        .lines()
        .find_map(|l| l.strip_prefix("MemTotal:")?.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0);
    let load = read("/proc/loadavg");
    let mut lines = vec![
        format!("{cores} cores, {}", model.trim_start_matches([' ', '\t', ':'])),
        format!("{} MB of memory, Linux {}", memory / 1024, read("/proc/sys/kernel/osrelease").trim()),
    ];
    lines.push(disk(what, folder));
    lines.push(format!(
        "load average of the minute before: {} (others' work counts against every time below)",
        load.split(' ').next().unwrap_or("unknown")
    ));
    Ok(lines)
}

fn disk(what: &str, folder: &Path) -> String {
    let found = Command::new("findmnt").args(["-no", "FSTYPE,SOURCE", "-T"]).arg(folder).output();
    let said = found.map(|found| String::from_utf8_lossy(&found.stdout).into_owned()).unwrap_or_default();
    let mut words = said.split_whitespace();
    let filesystem = words.next().unwrap_or("unknown file system");
    let device = words.next().unwrap_or_default().trim_start_matches("/dev/");
    let kind = match device {
        _ if device.starts_with("vd") => "a virtual disk (virtio)",
        _ if device.starts_with("nvme") => "NVMe",
        _ if device.starts_with("mmcblk") => "an SD card or eMMC",
        _ if device.starts_with("sd") => "a SCSI, SATA or USB disk",
        _ => "a disk of unknown kind",
    };
    format!("{what} on {filesystem}, {kind}")
}

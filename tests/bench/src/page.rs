//! The results page: ratios first, absolute numbers beside them, each aim met or missed.

use crate::callgrind::{Count, ORDERS};
use crate::conversion::Measured;
use crate::system::{Load, Size};
use crate::timing::Figure;
use crate::{Anything, Options};
use std::fmt::Write as _;

/// Everything that one run measured.
pub struct Run<'a> {
    pub options: &'a Options,
    pub machine: Vec<String>,
    pub parsers: Vec<Figure>,
    pub conversion: Measured,
    /// Or why they were not counted.
    pub instructions: Result<Vec<Count>, String>,
    pub loads: Vec<Load>,
    pub size: Size,
}

const HEAD: &str = "# What Orugate costs

Written by `tests/bench/run`; do not edit. Times depend on the machine and on what else it does, so what is compared
was measured in one run, turn by turn, and the ratio is what counts. Instructions were counted by callgrind in the same
program and do not depend on the load. No test asserts any of this.
";

pub fn write(run: &Run<'_>) -> Anything<String> {
    let mut page = HEAD.to_owned();
    let today = jiff::Timestamp::now().to_string();
    let today = today.get(..10).unwrap_or_default();
    writeln!(page, "\nMeasured on {today}, revision {}:\n", run.options.revision)?;
    for line in &run.machine {
        writeln!(page, "- {line}")?;
    }
    if run.options.quick {
        page.push_str("\n**A quick run: few rounds, to see that it works. Do not believe these numbers.**\n");
    }
    aims(&mut page, run)?;
    parsers(&mut page, run)?;
    conversion(&mut page, run)?;
    system(&mut page, run)?;
    Ok(page)
}

/// One aim: what, what it should be, what was measured, whether that is met, and why not.
type Aim = (String, String, String, Option<bool>, &'static str);

fn aims(page: &mut String, run: &Run<'_>) -> Anything<()> {
    page.push_str("\n## Aims\n\n| What | Aim | Measured | |\n|---|---|---|---|\n");
    let ours = run.parsers.first().ok_or("no parser was timed")?;
    let fastest = run.parsers.iter().skip(1).map(|f| f.median).fold(f64::INFINITY, f64::min);
    let (ratio, allocations) = (fastest / ours.median, ours.allocations);
    let conversion = &run.conversion;
    let micros = conversion.figure.median / 1000.0;
    let most = run.loads.last().ok_or("no load was measured")?;
    let megabytes = |kib: u64| kib as f64 / 1024.0;
    let size = run.size.stripped.unwrap_or(run.size.built) as f64 / 1_048_576.0;
    let list: [Aim; 7] = [
        (
            "HL7 index and 12 OBX-5, beside the fastest peer".into(),
            "at least 20 times as fast".into(),
            format!("{ratio:.1} times"),
            Some(ratio >= 20.0),
            "the peer's tree and our index differ by less than that here",
        ),
        ("the same, allocations".into(), "0".into(), show(allocations), allocations.map(|n| n == 0), ""),
        (
            "raw XN-L message to ORU".into(),
            "10 µs".into(),
            format!("{micros:.1} µs for {} results", conversion.results),
            Some(micros <= 10.0),
            "each result is interpreted twice (to decide, to write), hashed for its identity and content, and written as \
             an OBX of some 100 bytes: see the instructions below",
        ),
        (
            "the same, allocations".into(),
            "0".into(),
            show(conversion.figure.allocations),
            conversion.figure.allocations.map(|n| n == 0),
            "",
        ),
        (
            format!("resident memory, {} instruments connected", most.instruments),
            "20 MB".into(),
            format!("{:.1} MB", megabytes(most.memory.connected)),
            Some(most.memory.connected <= 20 * 1024),
            "each port has a thread and a runtime of its own, so that a driver that hangs harms no neighbour",
        ),
        (
            "the same after the load".into(),
            "20 MB".into(),
            format!("{:.1} MB, at most {:.1} MB", megabytes(most.memory.after), megabytes(most.memory.peak)),
            Some(most.memory.after <= 20 * 1024),
            "each port has a thread and a runtime of its own, and what each touched stays with it",
        ),
        (
            if run.size.stripped.is_some() { "program, stripped" } else { "program, not stripped" }.into(),
            "8 MB".into(),
            format!("{size:.1} MB"),
            Some(size <= 8.0),
            "TLS, the time zones and the profiles are inside",
        ),
    ];
    for (what, aim, measured, met, reason) in list {
        let verdict = match met {
            Some(true) => "met".to_owned(),
            Some(false) => format!("**missed**: {reason}"),
            None => "not measured".to_owned(),
        };
        writeln!(page, "| {what} | {aim} | {measured} | {verdict} |")?;
    }
    Ok(())
}

fn parsers(page: &mut String, run: &Run<'_>) -> Anything<()> {
    let ours = run.parsers.first().ok_or("no parser was timed")?;
    page.push_str(
        "\n## HL7: index a message and read its twelve OBX-5\n\n\
         The same message and the same twelve values as text for all. The peers build trees that own their memory; \
         Orugate writes the places of the fields into the caller's buffer and decodes nothing that is not asked for. \
         That is what the gateway needs, and it is less than what the peers give. The peers get text that was checked to \
         be UTF-8 before; Orugate gets bytes. python-hl7 takes its own time, after the others.\n\n\
         | Parser | times ours | median | 10 % to 90 % | allocations | instructions a byte |\n|---|--:|--:|--:|--:|--:|\n",
    );
    for figure in &run.parsers {
        let count = run.instructions.as_ref().ok().and_then(|all| all.iter().find(|c| c.name == figure.name));
        writeln!(
            page,
            "| {} | {:.1} | {:.2} µs | {:.2} to {:.2} µs | {} | {} |",
            figure.name,
            figure.median / ours.median,
            figure.median / 1000.0,
            figure.tenth / 1000.0,
            figure.ninetieth / 1000.0,
            show(figure.allocations),
            count.map_or("not measured".to_owned(), |c| format!("{:.1}", c.instructions / c.bytes as f64)),
        )?;
    }
    Ok(())
}

fn conversion(page: &mut String, run: &Run<'_>) -> Anything<()> {
    let c = &run.conversion;
    writeln!(
        page,
        "\n## A raw message to its ORU\n\nThe function that the gateway calls (`Converter::convert`), with a message as an \
         XN-L sends it: {} bytes in one frame, one tube, {} results; the ORU has {} bytes. No history, one destination. \
         {:.1} µs ({:.1} to {:.1} µs), {} allocations when warm: {:.2} µs a result.\n",
        c.raw,
        c.results,
        c.oru,
        c.figure.median / 1000.0,
        c.figure.tenth / 1000.0,
        c.figure.ninetieth / 1000.0,
        show(c.figure.allocations),
        c.figure.median / 1000.0 / c.results as f64,
    )?;
    match &run.instructions {
        Err(why) => writeln!(page, "Instructions: not measured ({why}).")?,
        Ok(counts) => {
            page.push_str("| Tubes in one message | bytes | instructions | a byte |\n|--:|--:|--:|--:|\n");
            for orders in ORDERS {
                let name = format!("convert-{orders}");
                let Some(count) = counts.iter().find(|count| count.name == name) else { continue };
                let each = count.instructions / count.bytes as f64;
                writeln!(page, "| {orders} | {} | {:.0} | {each:.1} |", count.bytes, count.instructions)?;
            }
        }
    }
    Ok(())
}

fn system(page: &mut String, run: &Run<'_>) -> Anything<()> {
    page.push_str(
        "\n## From the last byte to the ACK and to the engine\n\n\
         The released program as a child; instruments over TCP on this machine, each sending messages of 12 results, a \
         frame a record, as fast as they are acknowledged; the built-in engine, one ORU in flight at a time. Every frame \
         is on the disk before its ACK. \"ACK\" is from the ACK before a frame to its own, so making and writing the frame \
         is inside. \"ORU\" is from the same moment of a message's last frame to its ORU at the engine; when instruments \
         send faster than one ORU at a time is delivered, it is mostly waiting. The disk's own rate is 4 KiB appends to a \
         zero-filled file with fdatasync, just before and just after the load.\n\n\
         | Instruments | messages/s | frames/s beside fdatasync/s | ACK p50, p99 | ORU p50, p99 | fdatasync p50, p99 |\n\
         |--:|--:|--:|--:|--:|--:|\n",
    );
    for load in &run.loads {
        let (before, after) = &load.disk;
        let disk = (before.each_second + after.each_second) / 2.0;
        writeln!(
            page,
            "| {} ({} messages) | {:.1} | {:.2} ({:.0} and {disk:.0}) | {} ms | {} ms | {} ms, then {} ms |",
            load.instruments,
            load.messages,
            load.messages_each_second,
            load.frames_each_second / disk,
            load.frames_each_second,
            pair(load.ack),
            pair(load.oru),
            pair((before.median, before.ninety_ninth)),
            pair((after.median, after.ninety_ninth)),
        )?;
    }
    page.push_str("\n| Instruments | connected | after the load | most |\n|--:|--:|--:|--:|\n");
    for Load { instruments, memory, .. } in &run.loads {
        let [connected, after, peak] =
            [memory.connected, memory.after, memory.peak].map(|kib| format!("{:.1} MB", kib as f64 / 1024.0));
        writeln!(page, "| {instruments} | {connected} | {after} | {peak} |")?;
    }
    let stripped = run.size.stripped.map_or("not measured".to_owned(), |n| format!("{n} bytes"));
    writeln!(page, "\nThe program: {} bytes as built, stripped {stripped}.", run.size.built)?;
    page.push_str(
        "\nNot measured: serial lines, TLS, destinations that answer slowly, ARM boards, SD cards and eMMC, wear.\n",
    );
    Ok(())
}

fn pair((a, b): (f64, f64)) -> String {
    format!("{a:.1}, {b:.1}")
}

fn show(count: Option<u64>) -> String {
    count.map_or("not measured".to_owned(), |n| n.to_string())
}

//! The two bedside devices of the demo, and what can be counted of them from outside.
//!
//! Promises that they answer as long as the demo runs, and that what the engine holds of each is counted from its bytes alone. Leaves
//! out what the values mean.

use crate::clock::Clock;
use crate::config::UdpPlan;
use crate::engine::Engine;
use crate::profiles;
use crate::simulate::{self, Plug, Target};
use jiff::Timestamp;
use orugate_drivers::SHIPPED;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

pub(super) const MONITOR: &str = "monitor-1";
pub(super) const VENTILATOR: &str = "ventilator-1";
pub(super) const DEVICES: [&str; 2] = [MONITOR, VENTILATOR];
pub(super) const MONITOR_PROFILE: &str = "philips-intellivue";
pub(super) const VENTILATOR_PROFILE: &str = "draeger-evita";
/// Bits per second of the ventilator's line.
pub(super) const BAUD: u32 = 19_200;
/// A device whose line is gone tries again after so long.
const AGAIN: Duration = Duration::from_millis(200);
/// A port for the configuration's text; the system gives a free one.
pub(super) const PLACEHOLDER: u16 = 4003;

/// Answered again and again; each `ABCD=` is a value.
const NUMERICS: &str = "\
answer
8501 HR label=00024182 unit=0AA0 access=4228 4182=72
8502 SpO₂ label=00024BB8 unit=0220 access=4228 4BB8=97.5
8503 ABP label=00024A14 unit=0F20 access=4228 4A15=121 4A16=80 4A17=93
8505 awRR label=00025012 unit=0AE0 access=4228 5012=14
8506 Tcore label=00024B60 unit=17A0 access=4228 4B60=37.1
repeat
";
/// Measured values (24), settings (29) and the mode (2A).
const BREATHING: &str = "\
52 8240'Evita 4'04.20:03.00
24 78 5.0
24 7D 22
24 D6 14
24 7E 0.45
29 0B 5.0
2A 0E BIPAP
repeat
";

/// Where the devices are plugged in.
pub(super) struct Ward {
    /// The gateway's port for the monitor, and the monitor's own.
    gateway: SocketAddr,
    monitor: SocketAddr,
}

impl Ward {
    /// With ports that are free now.
    pub(super) fn new() -> std::io::Result<Self> {
        let free = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (gateway, monitor) = (free()?, free()?);
        Ok(Self { gateway: gateway.local_addr()?, monitor: monitor.local_addr()? })
    }

    /// Their part of the configuration.
    pub(super) fn configuration(&self) -> String {
        let (monitor, port) = (self.monitor, self.gateway.port());
        format!(
            r#"[[instrument]]
name = "{MONITOR}"
profile = "{MONITOR_PROFILE}"
mode = "live"
wire = {{ udp = "{monitor}", local_port = {port} }}
send_to = ["engine"]
bedside = {{ interval = "2 s", location = "ICU^1^1^DEMO" }}
[[instrument]]
name = "{VENTILATOR}"
profile = "{VENTILATOR_PROFILE}"
mode = "live"
wire = {{ listen = "127.0.0.1:{PLACEHOLDER}", allow = ["127.0.0.1"] }}
send_to = ["engine"]
bedside = {{ interval = "2 s", location = "ICU^1^1^DEMO" }}
"#
        )
    }

    /// Plays both for ever; why it cannot.
    pub(super) async fn play(&self, ventilator: SocketAddr, clock: &Clock) -> String {
        let now = Timestamp::from_microsecond(clock.utc().0).unwrap_or_default().strftime("%Y%m%d%H%M%S");
        let monitor = format!(
            "monitor model=M8007A serial=DEMO1 version=J.10.26 mac=02:00:00:00:00:01 bed=ICU-1 time={now}\n{NUMERICS}"
        );
        let datagrams = UdpPlan { address: self.gateway, local_port: Some(self.monitor.port()) };
        let connect = Target::Connect(ventilator.to_string());
        tokio::select! {
            why = device(MONITOR_PROFILE, &monitor, Target::Datagrams(datagrams), None, clock) => why,
            why = device(VENTILATOR_PROFILE, BREATHING, connect, Some(BAUD), clock) => why,
        }
    }
}

/// Plays one for ever: a session ends when nobody asks for a while or its line is gone, and the device goes on being there.
async fn device(profile: &str, script: &str, target: Target, pace: Option<u32>, clock: &Clock) -> String {
    let profile = match profiles::find(&SHIPPED, profile) {
        Ok(profile) => profile,
        Err(why) => return why,
    };
    let mut plug = Plug::to(target);
    loop {
        let session = profile.simulator(vec![script.as_bytes().to_vec()], &[]);
        if simulate::play(session, &mut plug, pace, None, clock, &mut |_| {}).await.is_err() {
            super::pause(AGAIN).await;
        }
    }
}

/// How many parameters a device gives, counted from its script.
pub(super) fn parameters(device: &str) -> usize {
    let is_value = |token: &&str| {
        token
            .split_once('=')
            .is_some_and(|(key, _)| key.len() == 4 && key.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let answers = |line: &&str| ["24 ", "29 ", "2A "].iter().any(|command| line.starts_with(command));
    if device == MONITOR {
        NUMERICS.split_whitespace().filter(is_value).count()
    } else {
        BREATHING.lines().filter(answers).count()
    }
}

/// What the engine holds of one device.
#[derive(Debug, Default)]
pub(super) struct AtEngine {
    pub(super) snapshots: u64,
    /// Measurements in them, with and without a value.
    pub(super) values: u64,
    /// Different parameters that had a value.
    pub(super) parameters: usize,
    /// Snapshots that do not begin where the one before ended (OBR-7, OBR-8): something is missing or double.
    pub(super) gaps: u64,
}

impl AtEngine {
    /// For people.
    pub(super) fn words(&self) -> String {
        let Self { snapshots, values, .. } = self;
        format!(
            "{snapshots} snapshot{} at the engine, {values} values",
            if *snapshots == 1 { "" } else { "s" }
        )
    }
}

/// What the engine holds of all devices, and how many results of analyzers.
pub(super) fn at_engine(engine: &Engine) -> (BTreeMap<String, AtEngine>, u64) {
    let (mut devices, mut results) = (BTreeMap::<String, AtEngine>::new(), 0);
    let (mut seen, mut ends) = (BTreeSet::new(), BTreeMap::new());
    for message in engine.messages() {
        let text = String::from_utf8_lossy(&message.bytes).into_owned();
        let segments: Vec<Vec<&str>> = text.split('\r').map(|segment| segment.split('|').collect()).collect();
        let field =
            |segment: &[&str], number: usize| segment.get(number).copied().unwrap_or_default().to_owned();
        let named =
            |name: &'static str| segments.iter().filter(move |segment| segment.first() == Some(&name));
        let is_bedside = segments.first().is_some_and(|msh| field(msh, 11) == "2.6");
        if !is_bedside {
            results += named("OBX").count() as u64;
            continue;
        }
        let Some(obr) = named("OBR").next() else { continue };
        let name = field(obr, 3).split('^').nth(1).unwrap_or_default().to_owned();
        let device = devices.entry(name.clone()).or_default();
        device.snapshots += 1;
        let began = field(obr, 7);
        let before = ends.insert(name.clone(), field(obr, 8));
        device.gaps += u64::from(before.is_some_and(|ended| ended != began));
        // Rows of the tree end in 0.
        for obx in named("OBX").filter(|obx| !field(obx, 4).ends_with(".0")) {
            device.values += 1;
            if !field(obx, 5).is_empty() && seen.insert((name.clone(), field(obx, 3), field(obx, 4))) {
                device.parameters += 1;
            }
        }
    }
    (devices, results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_counted() {
        assert_eq!(DEVICES.map(parameters), [7, 6]);
    }
}

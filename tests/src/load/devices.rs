//! The devices at the bedside and the analyzers beside them.
//!
//! Monitors and ventilators are the drivers' own simulators, played as `orugate simulate` plays them, all on one thread.
//! Analyzers are plain: one message after the other, and when each began.

use super::lock;
use crate::sender::{Sender, invented};
use orugate::clock::Clock;
use orugate::config::UdpPlan;
use orugate::simulate::{Plug, Target, play};
use orugate_drivers::SHIPPED;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender as Tell, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bits per second of a ventilator's line.
const LINE: u32 = 19_200;
/// An analyzer sends a message so often.
pub(super) const EACH: Duration = Duration::from_millis(500);
/// Results in it.
const RESULTS: u64 = 12;

/// A device at the bedside.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The gateway's port, and the monitor's.
    Monitor {
        gateway: SocketAddr,
        monitor: SocketAddr,
    },
    Ventilator {
        at: SocketAddr,
    },
}

impl Device {
    /// Monitors and ventilators with ports that are free now.
    pub(super) fn all(monitors: usize, ventilators: usize) -> io::Result<Vec<Self>> {
        // All held at once, so that none is given twice.
        let udp: Vec<UdpSocket> = (0..monitors.saturating_mul(2))
            .map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<io::Result<_>>()?;
        let tcp: Vec<TcpListener> = (0..ventilators)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<io::Result<_>>()?;
        let mut all = Vec::new();
        for (n, pair) in (1..).zip(udp.chunks_exact(2)) {
            let [gateway, monitor] = pair else { continue };
            let kind = Kind::Monitor { gateway: gateway.local_addr()?, monitor: monitor.local_addr()? };
            all.push(Self { name: format!("monitor-{n:02}"), kind });
        }
        for (n, listener) in (1..).zip(&tcp) {
            let kind = Kind::Ventilator { at: listener.local_addr()? };
            all.push(Self { name: format!("ventilator-{n:02}"), kind });
        }
        Ok(all)
    }

    /// Its part of the configuration.
    pub(super) fn configuration(&self) -> String {
        let (profile, wire) = match &self.kind {
            Kind::Monitor { gateway, monitor } => {
                ("philips-intellivue", format!("{{ udp = \"{monitor}\", local_port = {} }}", gateway.port()))
            }
            Kind::Ventilator { at } => ("rig-ventilator", format!("{{ connect = \"{at}\" }}")),
        };
        let name = &self.name;
        format!(
            "[[instrument]]\nname = \"{name}\"\nprofile = \"{profile}\"\nmode = \"live\"\nwire = {wire}\nsend_to = [\"chart\"]\n\
             bedside = {{ interval = \"1 s\", location = \"ICU^{name}^1^HOSP\" }}\n"
        )
    }

    /// Plays it for ever.
    async fn play(self, number: usize) {
        let clock = Clock::system(0);
        let (profile, script, target, pace) = match self.kind {
            Kind::Monitor { gateway, monitor } => {
                let plan = UdpPlan { address: gateway, local_port: Some(monitor.port()) };
                ("philips-intellivue", monitor_script(number), Target::Datagrams(plan), None)
            }
            Kind::Ventilator { at } => ("draeger-evita", ventilator_script(), Target::Listen(at), Some(LINE)),
        };
        let Some(profile) = SHIPPED.text(profile).and_then(|text| SHIPPED.read(text).ok()) else { return };
        let mut plug = Plug::to(target);
        loop {
            // It ends when nobody asks for a while: a monitor that nobody has found yet, which goes on being there.
            let session = profile.simulator(vec![script.clone().into_bytes()], &[]);
            if play(session, &mut plug, pace, None, &clock, &mut |_| {}).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// What is laid over the shipped profile, so that a ventilator is asked as fast as its line lets it answer.
pub(super) const VENTILATOR_PROFILE: &str = "name = \"rig-ventilator\"\nextends = \"draeger-evita\"\n\
     title = \"A ventilator that is asked as fast as its line lets it answer\"\nevidence = \"manual\"\ncycle = \"0 ms\"\n";

/// A monitor of an intensive care bed: two answers in turn, some twenty numerics each.
fn monitor_script(number: usize) -> String {
    let time = jiff::Timestamp::now().strftime("%Y%m%d%H%M%S");
    let mut script = format!(
        "monitor model=M8007A serial=DE{number:08} version=J.10.26 mac=00:09:FB:01:{:02X}:{:02X} bed=ICU-{number} time={time}\n",
        number / 256,
        number % 256
    );
    for turn in 0..2 {
        let rate = 70 + turn;
        let _ = write!(
            script,
            "answer\n\
             8501 HR label=00024182 unit=0AA0 access=4228 4182={rate}\n\
             8502 SpO₂ label=00024BB8 unit=0220 access=4228 4BB8=97.{turn}\n\
             8503 ABP label=00024A14 unit=0F20 access=4228 4A15=12{turn} 4A16=80 4A17=93\n\
             8504 NBP label=00024A04 unit=0F20 access=F000 at={time} 4A05=118 4A06=76 4A07=90\n\
             8505 Pulse label=80035402 unit=0AA0 access=4228 480A=7{turn}\n\
             8506 Pulse label=00024822 unit=0AA0 access=4228 4822={rate}\n\
             8507 CVP label=00024A47 unit=0F20 access=4228 4A47={turn}\n\
             8508 T1 label=0002F0C7 unit=17A0 access=4228 F0C7=36.8{turn}\n\
             8509 Tcore label=00024B60 unit=17A0 access=4228 4B60=37.{turn}\n\
             850A etCO₂ label=000250B0 unit=0F20 access=4228 50B0=3{turn}\n\
             850B awRR label=00025012 unit=0AE0 access=4228 5012=1{turn}\n\
             850C Tskin label=00024B74 unit=17A0 access=4228 4B74=34.{turn}\n\
             850D CPP label=00025804 unit=0F20 access=4228\n"
        );
    }
    script.push_str("repeat\n");
    script
}

/// A ventilator whose answers fill its line: values of both pages, limits, settings, mode, an alarm.
fn ventilator_script() -> String {
    let mut script = String::from("52 8240'Evita 4'04.20:03.00\n");
    for (command, codes) in [
        ("24", &["78", "7D", "73", "B9", "D6", "7E", "F0", "08", "0B", "82", "88", "EB", "E6", "DB"][..]),
        ("25", &["78", "7D", "73", "B9", "D6", "F0", "88"]),
        ("26", &["78", "7D", "73", "B9", "D6", "F0", "88"]),
        ("29", &["01", "04", "05", "07", "09", "0B", "12", "13", "1D", "2E"]),
    ] {
        for (n, code) in codes.iter().enumerate() {
            let _ = writeln!(script, "{command} {code} {}", 10 + n);
        }
    }
    script.push_str("2B 21 602\n2A 0E BIPAP\n27 20 19 MV LOW\nrepeat\n");
    script
}

/// All devices, until it is dropped.
pub(super) struct Ward {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ward {
    pub(super) fn start(devices: &[Device]) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let devices = devices.to_vec();
        let thread = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            let here = tokio::task::LocalSet::new();
            for (number, device) in (1..).zip(devices) {
                here.spawn_local(device.play(number));
            }
            let _ = here.block_on(&runtime, stopped);
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Two analyzers and the like that send from now on.
pub(super) struct Laboratory {
    /// Samples, and when the ENQ before each was written, microseconds since 1970.
    pub(super) sent: Arc<Mutex<Vec<(String, i64)>>>,
    stops: Vec<Tell<()>>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Laboratory {
    /// One for each address that the gateway listens at.
    pub(super) fn start(at: &[SocketAddr]) -> Self {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (mut stops, mut threads) = (Vec::new(), Vec::new());
        for (n, address) in at.iter().enumerate() {
            let (stop, stopped) = channel();
            let (sent, address) = (sent.clone(), *address);
            stops.push(stop);
            threads.push(std::thread::spawn(move || analyze(n, address, &stopped, &sent)));
        }
        Self { sent, stops, threads }
    }

    /// Lets each finish its message; the first trouble that one had.
    pub(super) fn stop(self) -> io::Result<()> {
        drop(self.stops);
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("an analyzer failed"))??;
        }
        Ok(())
    }
}

fn analyze(
    analyzer: usize,
    address: SocketAddr,
    stopped: &Receiver<()>,
    sent: &Mutex<Vec<(String, i64)>>,
) -> io::Result<()> {
    let clock = Clock::system(0);
    let mut sender = Sender::connect(address)?;
    for n in 0u64.. {
        let sample = format!("L{analyzer}-{n:06}");
        let values: Vec<u64> = (1..=RESULTS).map(|result| result * 1000 + n % 1000).collect();
        let stamp = jiff::Timestamp::now().strftime("%Y%m%d%H%M%S").to_string();
        let records = invented(&sample, &stamp, &values);
        lock(sent).push((sample, clock.utc().0));
        sender.message(&records, &mut |_| {})?;
        match stopped.recv_timeout(EACH) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => break,
        }
    }
    Ok(())
}

/// An address that is free now.
pub(super) fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

//! Commands that need no running service: replay, simulate.

use super::profile::Site;
use super::{Configured, log, runtime};
use crate::capture::{Entry, What, text};
use crate::config::UdpPlan;
use crate::maps::Table;
use crate::replay::{self, Heard, How, Shows};
use crate::simulate::{self, Fault, Plug, Target};
use orugate_driver::Feed;
use orugate_drivers::Catalogue;
use orugate_protocol::text::Charset;
use orugate_protocol::time::Utc;
use std::borrow::Cow;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NO_MESSAGE: u8 = 65;
const IO: u8 = 74;
const USAGE: u8 = 64;
const REFUSED: u8 = 1;
/// An instrument tries for ever; a person at a terminal wants to be told after so many times.
const TRIES: u32 = 3;

pub(super) fn read(file: &Path) -> Result<Vec<u8>, u8> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|b| bytes = b)
    };
    match read {
        Ok(()) => Ok(bytes),
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            Err(IO)
        }
    }
}

/// What a file holds of a line.
pub(super) enum Capture {
    /// A transcript of `orugate capture export`.
    Line(Vec<Entry>),
    /// Bytes, a script or records.
    Plain(Vec<u8>),
}

impl Capture {
    pub(super) fn read(file: &Path) -> Result<Self, u8> {
        let bytes = read(file)?;
        if !text::is_transcript(&bytes) {
            return Ok(Self::Plain(bytes));
        }
        text::read(&bytes).map(Self::Line).map_err(|mistake| {
            eprintln!("{}: {mistake}. docs/capture.md says how such a file is written.", file.display());
            NO_MESSAGE
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Line(entries) => entries.is_empty(),
            Self::Plain(bytes) => bytes.is_empty(),
        }
    }

    /// What the instrument sent, or is said to have sent.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Line(entries) => came(&entries),
            Self::Plain(bytes) => bytes,
        }
    }

    /// As the profile's capture session hears it.
    pub(super) fn heard(&self, profile: &dyn orugate_driver::Profile) -> Heard {
        match self {
            Self::Line(entries) => replay::hear_line(profile, entries),
            Self::Plain(bytes) => replay::hear(profile, &line_bytes(profile, bytes), &[]),
        }
    }
}

/// All that the instrument sent.
pub(super) fn came(entries: &[Entry]) -> Vec<u8> {
    entries.iter().filter(|entry| entry.what == What::In).flat_map(|entry| &entry.bytes).copied().collect()
}

/// What was on the line: a script of it (`<ENQ>`, `<STX>1H|…`), as profiles have it, is text for people.
fn line_bytes<'c>(profile: &dyn orugate_driver::Profile, capture: &'c [u8]) -> Cow<'c, [u8]> {
    match std::str::from_utf8(capture) {
        Ok(text) if text.contains("<STX>") || text.contains("<ENQ>") => profile.example_bytes(text).into(),
        _ => capture.into(),
    }
}

/// A charset by its value in MSH-18, as a destination has it, or by its IANA name.
pub(super) fn charset(typed: &str) -> Result<Charset, String> {
    let by_value = Charset::all().find(|charset| charset.msh_18().eq_ignore_ascii_case(typed));
    by_value.or_else(|| Charset::named(typed)).ok_or_else(|| {
        let all: Vec<_> = Charset::all().map(|charset| format!("{:?}", charset.msh_18())).collect();
        format!("what can stand in MSH-18 is {}", all.join(", "))
    })
}

pub(super) fn replay(
    site: &Site,
    profile: &str,
    file: &Path,
    (charset, shows): (Charset, Shows),
    table: Option<Arc<Table>>,
    mllp: Option<&Path>,
) -> u8 {
    let profile = match site.profile(profile) {
        Ok(site) => site.profile,
        Err(why) => {
            eprintln!("{why}");
            return USAGE;
        }
    };
    let capture = match Capture::read(file) {
        Ok(capture) => capture,
        Err(code) => return code,
    };
    let Ok(runtime) = runtime() else { return IO };
    let now: Utc = runtime.block_on(async { crate::clock::Clock::system(0).utc() });
    let heard = capture.heard(&*profile);
    let (mut text, mut framed) = (String::new(), Vec::new());
    let how = How { charset, table, shows, ..How::at(now) };
    let totals = replay::replay(&*profile, &heard, &how, &mut text, &mut |oru| {
        framed.push(0x0B);
        framed.extend_from_slice(oru);
        framed.extend_from_slice(b"\x1C\r");
    });
    print!("{text}");
    println!(
        "{}, {}: {} in {}, {} held, {} qc, {} not reportable",
        count(totals.messages, "message"),
        count(totals.observations, "observation"),
        totals.sent,
        count(totals.orus, "ORU"),
        totals.held,
        totals.qc,
        totals.not_reportable
    );
    if totals.parked > 0 {
        println!(
            "{} would wait parked, because {} does not have all characters; the note behind each says where.",
            count(totals.parked, "ORU"),
            charset.msh_18()
        );
    }
    if totals.broken > 0 {
        eprintln!(
            "The driver came to no good end with {}: see the hold lines.",
            count(totals.broken, "message")
        );
    }
    if let Some(path) = mllp
        && let Err(error) = std::fs::write(path, framed)
    {
        eprintln!("{}: {error}", path.display());
        return IO;
    }
    if totals.messages == 0 {
        let what = if capture.is_empty() { "The input is empty" } else { "No message was found" };
        let name = if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
        eprintln!(
            "{what}: {name}. A capture holds the line's bytes, or records, one a line. Is it the right profile? \
             orugate profiles lists them; generic-astm reads any ASTM."
        );
        return NO_MESSAGE;
    }
    0
}

/// `orugate simulate`.
#[derive(Debug, clap::Args)]
pub(super) struct Simulate {
    #[command(flatten)]
    configured: Configured,
    /// The profile whose instrument is played: a name, or a profile's file
    #[arg(long, short, value_name = "NAME")]
    profile: String,
    /// Connect to this TCP address
    #[arg(long, group = "wire", value_name = "HOST:PORT")]
    connect: Option<String>,
    /// Listen on this TCP address for one connection
    #[arg(long, group = "wire", value_name = "IP:PORT")]
    listen: Option<std::net::SocketAddr>,
    /// Use this serial port
    #[arg(long, group = "wire", value_name = "DEVICE")]
    serial: Option<PathBuf>,
    /// Exchange UDP datagrams with this address: that of the box, with the local_port of its wire
    #[arg(long, group = "wire", value_name = "IP:PORT")]
    udp: Option<std::net::SocketAddr>,
    /// With --udp: the port at this end, which is that in the box's wire
    #[arg(long, requires = "udp", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    local_port: Option<u16>,
    /// Bits per second: the serial port's rate [there: 9600], and the pace on any other wire [there: none]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    baud: Option<u32>,
    /// A fault to make once, may be given several times: flip-bit:2 or another of the list in --help
    ///
    /// The first number is the frame, from 1; without frames, the record. A byte is counted from the frame's STX, which is 0;
    /// without one it is the tenth. docs/faults.md says what comes of each.
    ///
    ///   flip-bit:2, flip-bit:2:9:7  a bit of a byte is wrong
    ///   lose-byte:2, lose-byte:2:0  a byte is lost
    ///   double-byte:2:0             a byte comes twice
    ///   insert:2:0:5                a byte with this code, here an ENQ, comes before one
    ///   lose-lf:2, lose-tail:2      a frame without its LF, without its CR LF
    ///   lose-start:2                a frame without its STX and number
    ///   checksum:2, number:2:5      another checksum, another number
    ///   lose-frame:2, twice:2       a frame is lost, comes twice at once
    ///   repeat:2                    a frame comes again although its ACK was heard
    ///   lose-ack:2                  a frame comes again at once, as after a NAK
    ///   lose-reply:2, lose-reply:0  the reply is waited for in vain; 0 is that to ENQ
    ///   stall:2:40                  silence for 40 seconds in the middle of a frame
    ///   disconnect:2                the line breaks after the ACK of a frame
    ///   cut:500                     the line breaks after 500 bytes
    ///   restart:2, silence:2        a bedside device begins anew, says nothing any more
    ///   stream:2                    bytes of its realtime stream stand in a frame
    ///   refuse:74                   it refuses the command with this code
    ///   overtake:2                  a frame arrives after the next one, as datagrams may
    ///   clock:2:60                  its clock is set forward by a minute
    ///   deny:3                      it denies a connection so many times
    #[arg(long = "fault", value_name = "FAULT", verbatim_doc_comment)]
    faults: Vec<Fault>,
    /// Send all messages so many times
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Captures or files of records; without one the profile's own examples are sent
    files: Vec<PathBuf>,
}

pub(super) fn simulate(catalogue: &Catalogue, arguments: Simulate) -> u8 {
    log("warn");
    let profile = match Site::of(catalogue, &arguments.configured.config).profile(&arguments.profile) {
        Ok(site) => site.profile,
        Err(why) => {
            eprintln!("{why}");
            return USAGE;
        }
    };
    let mut messages = Vec::new();
    for file in &arguments.files {
        match Capture::read(file) {
            Ok(capture) => messages.push(capture.into_bytes()),
            Err(code) => return code,
        }
    }
    if messages.is_empty() {
        messages = profile.common().examples.iter().map(|e| e.input.clone().into_bytes()).collect();
    }
    let messages: Vec<Vec<u8>> = (0..arguments.times).flat_map(|_| messages.iter().cloned()).collect();
    let target = match (arguments.connect, arguments.listen, arguments.serial, arguments.udp) {
        (Some(address), _, _, _) => Target::Connect(address),
        (_, Some(address), _, _) => Target::Listen(address),
        (_, _, Some(path), _) => Target::Serial(path, arguments.baud.unwrap_or(9600)),
        (_, _, _, Some(address)) => Target::Datagrams(UdpPlan { address, local_port: arguments.local_port }),
        _ => {
            eprintln!("Say where the instrument is plugged in: --connect, --listen, --serial or --udp.");
            return USAGE;
        }
    };
    let Ok(runtime) = runtime() else { return IO };
    let total = messages.len();
    let session = profile.simulator(messages, &arguments.faults);
    let played = runtime.block_on(async {
        let clock = crate::clock::Clock::system(0);
        let mut plug = Plug::to(target);
        let mut tell = |line: &str| println!("{line}");
        simulate::play(session, &mut plug, arguments.baud, Some(TRIES), &clock, &mut tell).await
    });
    match played {
        Ok(()) => {
            match (profile.feed(), total) {
                (Feed::Bedside { .. }, _) => {
                    println!("The simulated device has told all it had, to whoever asked.")
                }
                (Feed::Results, 1) => println!("The message was sent and acknowledged."),
                (Feed::Results, _) => println!("All {total} messages were sent and acknowledged."),
            }
            0
        }
        Err(error) if error.kind() == ErrorKind::ConnectionAborted => {
            eprintln!(
                "Given up: the other side does not take it. Look at its log, the profile and what is sent."
            );
            REFUSED
        }
        Err(error) => {
            eprintln!(
                "The wire failed: {error}. Is the other side there? The gateway's own view: orugate status"
            );
            IO
        }
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

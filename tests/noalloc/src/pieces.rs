//! Every public entrance of the protocol crate, one function each.
//!
//! **To add one**: write a function that takes bytes, calls the entrance, and returns a number that depends on the
//! answer; add it to [`PIECES`]. Buffers belong on the stack.

use core::fmt::Write as _;
use orugate_protocol::astm::link::{Event, FrameEnd, Link, Settings, encode_frame};
use orugate_protocol::astm::record::{Records, Walker};
use orugate_protocol::text::{Charset, Delimiters, Escapes, Text};
use orugate_protocol::time::{DeviceTime, Tick};

/// Takes bytes, and returns something that could not be known without doing the work.
pub(crate) type Piece = fn(&[u8]) -> usize;

/// What is called.
pub(crate) const PIECES: &[Piece] = &[text, device_time, tick, link, records];

/// What it is called with: bytes that lead past the first check of each piece.
pub(crate) const INPUTS: &[&[u8]] = &[
    b"",
    b"20261123093159+0100",
    b" 5.40&S&mg&X41& ",
    b"\x021H|\\^&|||Invented^1|||||||P|LIS2-A2|20261123093159\r\x03A1\r\n",
    b"\x0BMSH|^~\\&|GW|LAB|||20261123093159||ORU^R01^ORU_R01|1|T|2.5.1\rOBX|1|ST|A||x\\F\\y||||||F\r\x1C\r",
    b"H|\\^&\rP|1\rO|1|S-1||^^^GLU\rR|1|^^^GLU|5.40|mmol/L\rL|1|N\r",
];

/// Counts what is written to it.
struct Count(usize);

impl core::fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0 = self.0.wrapping_add(text.len());
        Ok(())
    }
}

fn text(input: &[u8]) -> usize {
    let mut count = Count(0);
    for charset in [Charset::Ascii, Charset::Latin1, Charset::Utf8] {
        let text = Text::new(input, charset, Escapes::Astm(Delimiters::default()));
        let _ = write!(count, "{} {:?}", text.trimmed(), text.undecodable());
    }
    count.0
}

fn device_time(input: &[u8]) -> usize {
    let mut count = Count(0);
    let _ = match DeviceTime::parse(input) {
        Ok(time) => write!(count, "{time} {time:?}"),
        Err(error) => write!(count, "{error:?}"),
    };
    count.0
}

fn tick(input: &[u8]) -> usize {
    let later = Tick::from_micros(1).after(core::time::Duration::from_secs(input.len() as u64));
    usize::try_from(later.since(Tick::ZERO).as_secs()).unwrap_or(0)
}

/// Both roles of a LIS01 line: a message of our own is offered while the peer says `input`.
fn link(input: &[u8]) -> usize {
    let mut count = Count(0);
    let mut line: Link<[u8; 256], &[u8]> = Link::new(Settings::default(), [0; 256]);
    let _ = line.offer(b"H|\\^&\rL|1|N\r");
    let mut now = Tick::ZERO;
    let mut rest = input;
    for _ in 0..200 {
        while let Some(out) = line.transmit(now) {
            count.0 = count.0.wrapping_add(out.len());
            line.sent(now);
        }
        let (taken, event) = line.receive(now, rest);
        rest = rest.get(taken..).unwrap_or_default();
        let nothing = event.is_none() && taken == 0;
        let frame = event.and_then(|event| said(event, &mut count));
        if let Some(id) = frame {
            line.accept(now, id);
        }
        if nothing {
            let Some(deadline) = line.deadline() else { break };
            let _ = write!(count, "{deadline}");
            now = deadline.at;
            let frame = line.handle_deadline(now).and_then(|event| said(event, &mut count));
            if let Some(id) = frame {
                line.refuse(now, id);
            }
        }
    }
    let _ = line.disconnect();
    let mut frame = [0; 64];
    count.0.wrapping_add(encode_frame(1, input, FrameEnd::Etx, &mut frame).unwrap_or_default())
}

fn said(event: Event<'_>, count: &mut Count) -> Option<orugate_protocol::astm::link::FrameId> {
    let _ = write!(count, "{event} {event:?}");
    match event {
        Event::Frame(frame) => Some(frame.id),
        _ => None,
    }
}

fn records(input: &[u8]) -> usize {
    let mut count = Count(0);
    let mut walker = Walker::new();
    for record in Records::new(input) {
        let _ = write!(count, "{:?} {:?}", record.view(), walker.place(&record));
        for component in
            record.fields().flat_map(|field| field.repeats()).flat_map(|repeat| repeat.components())
        {
            let _ = write!(count, "{} {:?}", component.text(Charset::Latin1), component.time());
        }
    }
    count.0
}

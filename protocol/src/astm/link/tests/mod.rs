//! A bench for one link: a script goes in, a transcript comes out, and an `expect!` holds it.
//!
//! Script lines: `> bytes` the peer sends; `accept`, `late`, `interrupt`, `refuse` for the held (or, with `late` and `late-refuse`,
//! which must send nothing, the last held) frame; `offer text`; `withdraw`; `busy`, `free`; `+ms` time passes, deadlines are handled as they come;
//! `? ` shows the next deadline; `disconnect`. In bytes, `<ENQ>` is a control character and `{1:text:ETX}` a frame.
//! Transcript lines: the script, `<` what the link sends, `!` its events, `.` how much it has not taken.

mod bytes;
mod damage;
mod deviations;
mod receive;
mod send;
mod states;
mod world;

use super::*;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

pub(super) type Bench = Link<Vec<u8>, Vec<u8>>;

pub(super) fn link(settings: Settings) -> Bench {
    Link::new(settings, vec![0; 1024])
}

/// `<CR>` to bytes, `{1:text:ETX}` to a frame.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '<' {
            let (name, after) = rest[1..].split_once('>').expect("<NAME>");
            let byte = (0..=255).find(|b| crate::ascii::name(*b) == Some(name));
            out.push(byte.unwrap_or_else(|| u8::from_str_radix(name, 16).expect("a name or hex")));
            rest = after;
        } else if c == '{' {
            let (body, after) = rest[1..].split_once('}').expect("{frame}");
            let (number, body) = body.split_once(':').expect("number");
            let (text, end) = body.rsplit_once(':').expect("end");
            let end = if end == "ETX" { FrameEnd::Etx } else { FrameEnd::Etb };
            let mut frame = vec![0; body.len() + OVERHEAD];
            let n = encode_frame(number.parse().unwrap(), &bytes(text), end, &mut frame).unwrap();
            out.extend_from_slice(&frame[..n]);
            rest = after;
        } else {
            out.extend(c.to_string().bytes());
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Bytes to a line of text.
pub(super) fn shown(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|b| match crate::ascii::name(*b) {
            Some(name) => format!("<{name}>"),
            None => char::from(*b).to_string(),
        })
        .collect()
}

pub(super) struct Run {
    pub(super) link: Bench,
    pub(super) now: Tick,
    pub(super) unread: Vec<u8>,
    pub(super) held: Option<FrameId>,
    pub(super) log: String,
}

impl Run {
    pub(super) fn new(settings: Settings) -> Self {
        Self { link: link(settings), now: Tick::ZERO, unread: Vec::new(), held: None, log: String::new() }
    }

    fn note(&mut self, line: &str) {
        self.log.push_str(line);
        self.log.push('\n');
    }

    /// Lets the link send and read until it does neither.
    pub(super) fn pump(&mut self) {
        loop {
            while let Some(out) = self.link.transmit(self.now) {
                let line = format!("  < {}", shown(out));
                self.link.sent(self.now);
                self.note(&line);
            }
            let (taken, event) = self.link.receive(self.now, &self.unread);
            let told = event.map(|event| {
                if let Event::Frame(frame) = event {
                    self.held = Some(frame.id);
                }
                format!("  ! {event}")
            });
            self.unread.drain(..taken);
            match told {
                Some(line) => self.note(&line),
                None if taken == 0 => break,
                None => {}
            }
        }
        if !self.unread.is_empty() {
            self.note(&format!("  . {} bytes not taken", self.unread.len()));
        }
    }

    pub(super) fn pass(&mut self, until: Tick) {
        while let Some(deadline) = self.link.deadline().filter(|d| d.at <= until) {
            self.now = self.now.max(deadline.at);
            let line = format!("  @{} {deadline}", self.now.micros() / 1000);
            self.note(&line);
            if let Some(event) = self.link.handle_deadline(self.now) {
                let line = format!("  ! {event}");
                if let Event::Frame(frame) = event {
                    self.held = Some(frame.id);
                }
                self.note(&line);
            }
            self.pump();
        }
        self.now = until;
    }

    pub(super) fn step(&mut self, line: &str) {
        self.note(line);
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            ">" => self.unread.extend(bytes(rest)),
            "accept" | "late" | "interrupt" | "refuse" | "late-refuse" => {
                let id = self.held.expect("a frame was held");
                let sent = match word {
                    "interrupt" => self.link.accept_and_interrupt(self.now, id),
                    "refuse" | "late-refuse" => self.link.refuse(self.now, id),
                    _ => self.link.accept(self.now, id),
                };
                assert_eq!(sent, !word.starts_with("late"), "{}", self.log);
            }
            "offer" => self.link.offer(bytes(rest)).unwrap(),
            "withdraw" => {
                let line = self.link.withdraw().map_or("  nothing".into(), |m| format!("  {}", shown(&m)));
                self.note(&line);
            }
            "busy" => self.link.set_busy(true),
            "free" => self.link.set_busy(false),
            "?" => {
                let line = self
                    .link
                    .deadline()
                    .map_or("  no deadline".into(), |d| format!("  at {}: {d}", d.at.micros() / 1000));
                self.note(&line);
            }
            "disconnect" => {
                self.unread.clear();
                if let Some(line) = self.link.disconnect().map(|event| format!("  ! {event}")) {
                    self.note(&line);
                }
            }
            _ => match line.strip_prefix('+') {
                Some(ms) => self.pass(self.now.after(Duration::from_millis(ms.parse().unwrap()))),
                None => panic!("no such step: {line}"),
            },
        }
        self.pump();
    }
}

/// Runs a script, one step a line, and compares its transcript.
pub(super) fn check(settings: Settings, script: &str, expect: &expect_test::Expect) {
    let mut run = Run::new(settings);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        run.step(line);
    }
    expect.assert_eq(&run.log);
}

pub(super) fn instrument() -> Settings {
    Settings { role: Role::Instrument, ..Settings::default() }
}

//! Monitors, and what others wrote in their place, that keep to the interface in their own way: each associates and delivers, or is told of.
//!
//! What such a monitor says is built here from the interface's description, not with the driver's own code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

mod common;

use common::{MIB, Rig, SCRIPT, Stage, UDP, profile};
use orugate_driver::time::Tick;
use orugate_driver::{Channel, Deadline, Input, Instrument, Outbox, Output, Session, State};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
enum Accept {
    /// Extended polls, one second.
    Usual,
    /// Ten seconds between two polls, no list of extensions, longer units than the interface allows.
    Slow,
    /// A hundred seconds; lengths in BER's long form.
    Slower,
    /// No terms at all.
    Bare,
    /// Its length says more than comes.
    Cut,
}

#[derive(Clone, Copy, PartialEq)]
enum Created {
    Confirmed,
    /// It wants no confirmation.
    Alone,
    /// Each second again, confirmed or not.
    Again,
    /// Nothing is in it.
    Empty,
    /// The list stands there without the object's name.
    Nameless,
    Never,
}

#[derive(Clone, Copy, PartialEq)]
enum Answers {
    /// Extended polls, each second; and single ones.
    Both,
    /// Extended polls alone, three times a second.
    Often,
    /// Single polls alone; an extended one is not answered.
    Single,
    /// Single polls for values alone.
    Values,
    /// Every poll is answered with numerics, once, as if it were a single one.
    Numerics,
}

#[derive(Clone, Copy, PartialEq)]
enum Number {
    Echo,
    Own,
    Zero,
}

#[derive(Clone, Copy, PartialEq)]
enum Parts {
    /// An answer is one result.
    One,
    /// A first part, no last one, and an empty end.
    First,
    /// A first and a last part, and an empty end.
    Two,
}

#[derive(Clone, Copy)]
struct How {
    accept: Accept,
    created: Created,
    answers: Answers,
    number: Number,
    parts: Parts,
    /// The class is left open.
    open: bool,
    /// The monitor's relative time stands still.
    stands: bool,
    /// Behind each unit stands something more.
    more: bool,
    /// The list of attributes is the other way round.
    turned: bool,
    /// Waves come besides.
    waves: bool,
}

const USUAL: How = How {
    accept: Accept::Usual,
    created: Created::Confirmed,
    answers: Answers::Both,
    number: Number::Echo,
    parts: Parts::One,
    open: false,
    stands: false,
    more: false,
    turned: false,
    waves: false,
};

fn words(all: &[u16]) -> Vec<u8> {
    all.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn counted(head: &[u16], inside: &[u8]) -> Vec<u8> {
    let mut bytes = words(head);
    bytes.extend(u16::try_from(inside.len()).unwrap().to_be_bytes());
    bytes.extend(inside);
    bytes
}

/// A unit of data export.
fn unit(kind: u16, inside: &[u8]) -> Vec<u8> {
    [vec![0xE1, 0, 0, 2], counted(&[kind], inside)].concat()
}

fn listed(attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let inside: Vec<u8> = attributes.iter().flat_map(|(id, value)| counted(&[*id], value)).collect();
    counted(&[u16::try_from(attributes.len()).unwrap()], &inside)
}

/// Text of a number of characters, filled up with zeros.
fn text(words: &str, most: usize) -> Vec<u8> {
    let mut inside: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
    inside.resize(most * 2, 0);
    counted(&[], &inside)
}

fn accept(how: Accept) -> Vec<u8> {
    if how == Accept::Bare {
        return vec![0x0E, 4, 0x05, 0x08, 0x13, 0x01];
    }
    let period: u32 = match how {
        Accept::Slow => 80_000,
        Accept::Slower => 800_000,
        _ => 8000,
    };
    let mut support = Vec::new();
    for word in [0x8000_0000, period, 1456, 1456, u32::MAX, 0x6000_0000] {
        support.extend(word.to_be_bytes());
    }
    let mut extension = vec![0x88, 0, 0, 0];
    extension.extend([0; 4]);
    support.extend(match how {
        Accept::Slow => Vec::new(),
        Accept::Slower => vec![0; 4],
        _ => listed(&[(0xF001, extension)]),
    });
    let objects = counted(&[1], &words(&[1, 0x21, 0, 1]));
    let mut user = Vec::new();
    for word in [0x8000_0000u32, 0x4000_0000, 0, 0x0080_0000, 0x2000_0000, 0] {
        user.extend(word.to_be_bytes());
    }
    user.extend(listed(&[(1, support), (0x0102, objects)]));
    let mut inside = vec![0x31, 0x80, 0xA0, 0x80, 0xBE, 0x80, 0x28, 0x80, 0x02, 0x01, 0x02, 0x81];
    if how == Accept::Slower {
        inside.extend([0x82, 0]);
    }
    inside.push(u8::try_from(user.len()).unwrap());
    inside.extend(user);
    inside.extend([0; 16]);
    let mut body =
        vec![0x05, 0x08, 0x13, 0x01, 0x00, 0x16, 0x01, 0x02, 0x80, 0x00, 0x14, 0x02, 0x00, 0x02, 0xC1];
    body.push(u8::try_from(inside.len()).unwrap());
    body.extend(inside);
    let len = u8::try_from(body.len()).unwrap();
    [vec![0x0E, if how == Accept::Cut { len + 9 } else { len }], body].concat()
}

fn created(how: Created) -> Vec<u8> {
    let object = words(&[0x21, 0, 0]);
    let names = [counted(&[], b"MD PNP"), counted(&[], b"ICE TEST ONE")].concat();
    let attributes = listed(&[(0x0928, names), (0x091E, text("BED-9", 8))]);
    let info = match how {
        Created::Empty => vec![0; 4],
        Created::Nameless => attributes,
        _ => [object.clone(), attributes].concat(),
    };
    let body = [object, vec![0, 0, 0x48, 0x47], counted(&[0x0D06], &info)].concat();
    unit(1, &counted(&[0, u16::from(how != Created::Alone)], &body))
}

/// What numerics there are.
fn objects(turned: bool) -> [Vec<u8>; 2] {
    let value = |physio: u16, unit: u16, value: u32| {
        [words(&[physio, 0, unit]), value.to_be_bytes().to_vec()].concat()
    };
    let object = |handle: u16, mut attributes: Vec<(u16, Vec<u8>)>| {
        if turned {
            attributes.reverse();
        }
        [words(&[handle]), listed(&attributes)].concat()
    };
    let compound = [value(0x4A15, 0x0F20, 120), value(0x4A16, 0x0F20, 80)].concat();
    [
        object(
            1,
            vec![
                (0x0950, value(0x4182, 0x0AA0, 72)),
                (0x0927, text("HR", 8)),
                (0x0924, vec![0, 2, 0x41, 0x82]),
            ],
        ),
        object(2, vec![(0x094B, counted(&[2], &compound))]),
    ]
}

struct Odd {
    how: How,
    out: Outbox,
    now: Tick,
    next: Option<Tick>,
    /// The extended poll that is answered: invoke and poll numbers.
    subscribed: Option<(u16, u16)>,
    sequence: u16,
    own: u16,
    serial: bool,
}

impl Odd {
    fn say(&mut self, mut unit: Vec<u8>) {
        if self.how.more {
            unit.extend([0; 6]);
        }
        let bytes = if self.serial { framed(&unit) } else { unit };
        self.out.send(Channel(1), bytes);
    }

    fn tell(&mut self) {
        if self.how.created != Created::Never {
            self.say(created(self.how.created));
        }
    }

    fn answer(&mut self, (invoke, poll): (u16, u16), class: u16, group: u16, extended: bool) {
        self.own = self.own.wrapping_add(1);
        let poll = match self.how.number {
            Number::Echo => poll,
            Number::Own => self.own,
            Number::Zero => 0,
        };
        let time = if self.how.stands { 0 } else { u32::try_from(self.now.micros() / 125).unwrap() };
        let numerics = class == 6 || self.how.answers == Answers::Numerics;
        let class = match (numerics, self.how.open) {
            (true, true) => 0,
            (true, false) => 6,
            _ => class,
        };
        let whole = |objects: &[Vec<u8>]| {
            let mut reply = words(&[poll]);
            if extended {
                reply.extend(self.sequence.to_be_bytes());
            }
            reply.extend(time.to_be_bytes());
            reply.extend([0xFF; 8]);
            reply.extend(words(&[1, class, group]));
            let context = counted(&[0, u16::try_from(objects.len()).unwrap()], &objects.concat());
            reply.extend(if objects.is_empty() { vec![0; 4] } else { counted(&[1], &context) });
            let action = if extended { 0xF13B } else { 0x0C16 };
            counted(&[invoke, 7], &[words(&[0x21, 0, 0]), counted(&[action], &reply)].concat())
        };
        let all = if numerics { objects(self.how.turned).to_vec() } else { Vec::new() };
        let linked = |state: u8, count: u8, objects: &[Vec<u8>]| {
            unit(5, &[vec![state, count], whole(objects)].concat())
        };
        let units = match self.how.parts {
            Parts::Two if numerics => {
                vec![linked(1, 1, &all[..1]), linked(3, 2, &all[1..]), unit(2, &whole(&[]))]
            }
            Parts::First if numerics => vec![linked(1, 1, &all), unit(2, &whole(&[]))],
            _ => vec![unit(2, &whole(&all))],
        };
        units.into_iter().for_each(|unit| self.say(unit));
        if self.how.waves {
            let mut reply = words(&[9, 9, 0, 9, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 1, 9, 0]);
            reply.extend([0; 4]);
            let body = [words(&[0x21, 0, 0]), counted(&[0xF13B], &reply)].concat();
            self.say(unit(5, &[vec![1, 1], counted(&[77, 7], &body)].concat()));
        }
    }

    fn heard(&mut self, unit: &[u8]) {
        let word = |at: usize| u16::from_be_bytes([unit[at], unit[at + 1]]);
        match unit[0] {
            0x0D => {
                self.say(accept(self.how.accept));
                self.tell();
                self.next = Some(self.now.after(Duration::from_millis(334)));
            }
            // A release is answered without what the interface puts into it.
            0x09 => {
                self.subscribed = None;
                self.say(vec![0x0A, 0, 0, 0]);
            }
            0xE1 if word(4) == 1 => {
                let (numbers, action) = ((word(8), word(28)), word(24));
                let (class, group) = (word(32), word(34));
                match (self.how.answers, action) {
                    (Answers::Single | Answers::Values, 0xF13B) | (Answers::Often, 0x0C16) => {}
                    (Answers::Values, _) if group == 0 => {}
                    (Answers::Numerics, _) => self.answer(numbers, class, group, false),
                    (_, 0xF13B) => {
                        self.subscribed = Some(numbers);
                        self.sequence = 0;
                    }
                    _ => self.answer(numbers, class, group, false),
                }
            }
            _ => {}
        }
    }
}

/// A frame of the serial port, with a checksum that is reckoned bit by bit.
fn framed(unit: &[u8]) -> Vec<u8> {
    let inside = counted(&[0x1101], unit);
    let mut sum = 0xFFFFu16;
    for byte in &inside {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x8408 } else { sum >> 1 };
        }
    }
    let mut frame = vec![0xC0];
    for byte in inside.iter().chain(&(!sum).to_le_bytes()) {
        if [0xC0, 0xC1, 0x7D].contains(byte) {
            frame.extend([0x7D, byte ^ 0x20]);
        } else {
            frame.push(*byte);
        }
    }
    frame.push(0xC1);
    frame
}

/// Of one frame.
fn opened(frame: &[u8]) -> Vec<u8> {
    let (mut plain, mut escaped) = (Vec::new(), false);
    for byte in &frame[1..frame.len() - 1] {
        match byte {
            0x7D => escaped = true,
            _ => plain.push(if std::mem::take(&mut escaped) { byte ^ 0x20 } else { *byte }),
        }
    }
    plain[4..plain.len() - 2].to_vec()
}

impl Session for Odd {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Bytes(_, bytes) if self.serial => self.heard(&opened(bytes)),
            Input::Bytes(_, bytes) => self.heard(bytes),
            Input::Deadline => {
                let often = self.how.answers == Answers::Often;
                self.next = Some(now.after(Duration::from_millis(if often { 334 } else { 1000 })));
                if let Some(numbers) = self.subscribed {
                    self.answer(numbers, 6, 0, true);
                    self.sequence =
                        if self.how.number == Number::Zero { 0 } else { self.sequence.wrapping_add(1) };
                }
                if self.how.created == Created::Again {
                    self.tell();
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        let last = Output::Wait(self.next.map(|at| Deadline { at, why: "until the next answer" }));
        self.out.next().unwrap_or(last)
    }
}

fn rig(toml: &str, how: How) -> Rig {
    let mut rig = Rig::new(toml, SCRIPT, &[]);
    rig.client = profile(toml).session(&Instrument::default());
    rig.stage = Stage::default();
    rig.said.clear();
    rig.monitor = Some(Box::new(Odd {
        how,
        out: Outbox::default(),
        now: Tick::ZERO,
        next: None,
        subscribed: None,
        sequence: 0,
        own: 0,
        serial: toml == MIB,
    }));
    rig.open();
    rig
}

#[test]
fn monitors_that_keep_to_it_in_their_own_way_associate_and_deliver() {
    // How; the seconds until values are there; a word of each note that may come.
    let pulse = How {
        created: Created::Alone,
        answers: Answers::Often,
        number: Number::Zero,
        open: true,
        stands: true,
        ..USUAL
    };
    let serial = How {
        accept: Accept::Slow,
        created: Created::Empty,
        answers: Answers::Numerics,
        number: Number::Own,
        ..USUAL
    };
    let table: &[(&str, How, f64, &[&str])] = &[
        ("usual", USUAL, 1.0, &[]),
        (
            "a pulse oximeter of an open platform: no numbers, no clock, no class, nothing to confirm",
            pulse,
            1.0,
            &[],
        ),
        ("every poll is answered with numerics, numbers of its own, ten seconds", serial, 1.0, &[]),
        ("waves besides", How { waves: true, ..USUAL }, 1.0, &[]),
        ("bytes behind each unit", How { more: true, ..USUAL }, 1.0, &["behind the unit"]),
        ("attributes in another order", How { turned: true, ..USUAL }, 1.0, &[]),
        ("two parts", How { parts: Parts::Two, ..USUAL }, 1.0, &[]),
        ("a first part alone", How { parts: Parts::First, ..USUAL }, 9.0, &["not all of them arrived"]),
        ("a hundred seconds between two polls", How { accept: Accept::Slower, ..USUAL }, 1.0, &[]),
        ("an accept without terms", How { accept: Accept::Bare, ..USUAL }, 1.0, &["cannot be read"]),
        ("an accept that is shorter than it says", How { accept: Accept::Cut, ..USUAL }, 1.0, &[]),
        ("created again and again", How { created: Created::Again, ..USUAL }, 1.0, &[]),
        ("created without a name", How { created: Created::Nameless, ..USUAL }, 1.0, &[]),
        ("never created", How { created: Created::Never, ..USUAL }, 6.0, &["told nothing of it"]),
        (
            "never created, no clock",
            How { created: Created::Never, stands: true, ..USUAL },
            6.0,
            &["told nothing of it"],
        ),
        (
            "single polls alone",
            How { answers: Answers::Single, ..USUAL },
            20.0,
            &["each answer is asked for", "no numerics"],
        ),
        (
            "single polls for values alone",
            How { answers: Answers::Values, ..USUAL },
            26.0,
            &["each answer is asked for", "no numerics"],
        ),
        (
            "single polls, numbers of its own",
            How { accept: Accept::Slow, number: Number::Own, answers: Answers::Single, ..USUAL },
            1.0,
            &[],
        ),
        ("extended polls, the number always 0", How { number: Number::Zero, ..USUAL }, 1.0, &[]),
        ("extended polls, a clock that stands", How { stands: true, ..USUAL }, 1.0, &[]),
        ("extended polls, the class left open", How { open: true, ..USUAL }, 1.0, &[]),
    ];
    for toml in [UDP, MIB] {
        for (name, how, seconds, told) in table {
            let mut rig = rig(toml, *how);
            let wire = if toml == UDP { "UDP" } else { "MIB" };
            rig.run(*seconds);
            for minute in 0..15 {
                let items = rig.items(toml);
                for row in [
                    "0002-4182 147842 [HR] 72 264864 [bpm]",
                    "0002-4a15 150037 [ABP-sys] 120",
                    "0002-4a16 150038 [ABP-dia] 80",
                ] {
                    assert!(
                        items.contains(row),
                        "{name}, {wire}, minute {minute}: {items}\n{:?} {:?}",
                        rig.stage.states,
                        rig.stage.notes
                    );
                }
                rig.run(60.0);
                // What stands is new: an answer of the last seconds.
                let newest = rig.stage.current.values().map(|(at, _)| *at).max().unwrap();
                assert!(rig.now.since(newest) <= Duration::from_secs(6), "{name}, {wire}");
            }
            let mut notes = rig.stage.notes.iter();
            assert!(
                notes.all(|note| told.iter().any(|word| note.contains(word))),
                "{name}, {wire}: {:?}",
                rig.stage.notes
            );
            assert_eq!(rig.stage.states.last(), Some(&State::Talking), "{name}, {wire}");
            assert_eq!(rig.stage.forgotten, 0, "{name}, {wire}");
            let named = !matches!(how.created, Created::Never | Created::Empty);
            assert_eq!(
                rig.items(toml).contains("[MD PNP] [ICE TEST ONE]"),
                named,
                "{name}, {wire}: {}",
                rig.items(toml)
            );
            rig.give(Input::Stop);
            assert!(rig.done, "{name}, {wire}");
        }
    }
}

#[test]
fn a_clock_that_stands_makes_nothing_old() {
    let how = How { number: Number::Zero, stands: true, ..USUAL };
    let mut rig = rig(UDP, how);
    rig.run(10.0);
    let kept = rig.stage.current.values().map(|(at, _)| *at).max().unwrap();
    assert!(rig.now.since(kept) <= Duration::from_secs(2), "{kept:?}");
}

/// It breaks off whatever is asked for, in as many bytes as it likes.
struct Gruff {
    out: Outbox,
    says: &'static [u8],
    asked: usize,
}

impl Session for Gruff {
    fn handle(&mut self, _: Tick, input: Input<'_>) {
        if let Input::Bytes(_, [0x0D, ..]) = input {
            self.asked += 1;
            self.out.send(Channel(1), self.says.to_vec());
        }
    }

    fn poll(&mut self) -> Output<'_> {
        self.out.next().unwrap_or(Output::Wait(None))
    }
}

#[test]
fn who_refuses_or_breaks_off_is_told_of_and_asked_again_with_longer_waits() {
    // A refusal, an abort, one that is shorter than it says, one of two bytes.
    for (says, why) in [
        (&[0x0Cu8, 2, 0, 0][..], "another client"),
        (&[0x19, 4, 0x11, 0x01, 0x03, 0xC1], "breaks each association off"),
        (&[0x19, 0x2E, 0x11, 0x01, 0x03, 0xC1], "breaks each association off"),
        (&[0x19, 0], "breaks each association off"),
    ] {
        let mut rig = Rig::new(UDP, SCRIPT, &[]);
        rig.client = profile(UDP).session(&Instrument::default());
        rig.stage = Stage::default();
        rig.said.clear();
        rig.monitor = Some(Box::new(Gruff { out: Outbox::default(), says, asked: 0 }));
        rig.open();
        rig.run(600.0);
        let Some(State::Refused(said)) = rig.stage.states.last() else { panic!("{:?}", rig.stage.states) };
        assert!(said.contains(why), "{said}");
        assert!((9..=30).contains(&rig.said.len()), "{says:?}: {}", rig.said.len());
        assert_eq!(rig.stage.lost, 0);
        // Then it lets somebody in.
        rig.monitor = Some(profile(UDP).simulator(vec![SCRIPT.into()], &[]));
        rig.open_monitor();
        rig.run(70.0);
        assert_eq!(rig.stage.states.last(), Some(&State::Talking));
        assert!(rig.items(UDP).contains("[HR] 72"));
    }
}

#[test]
fn an_association_without_numerics_says_so_until_they_come() {
    let how = How { answers: Answers::Often, ..USUAL };
    let mut rig = rig(UDP, how);
    rig.deaf = Box::new(|n| n > 1);
    rig.client = profile(UDP).session(&Instrument::default());
    rig.stage = Stage::default();
    rig.said.clear();
    // What is asked for after the association is lost on the way: it is held by what it says of itself again and again.
    rig.monitor = Some(Box::new(Odd {
        how: How { created: Created::Again, ..how },
        out: Outbox::default(),
        now: rig.now,
        next: None,
        subscribed: None,
        sequence: 0,
        own: 0,
        serial: false,
    }));
    rig.open();
    rig.run(30.0);
    let Some(State::Refused(said)) = rig.stage.states.last() else { panic!("{:?}", rig.stage.states) };
    assert!(said.contains("no numerics"), "{said}");
}

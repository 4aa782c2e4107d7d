//! A profile, checked and made ready: patterns read, names resolved to places, words that live as long as the process.
//!
//! Promises: what a profile names exists in one of its lines, and what contradicts itself is told with its line; after that
//! nothing can fail. Leaves out reading lines, which is [`seen`](crate::seen)'s.

use crate::clock::Format;
use crate::frame::{Check, Form, Framing, Kind};
use crate::pattern::Pattern;
use crate::profile::{AlarmWord, CheckForm, CheckKind, FeedWord, KindWord, LinesProfile, MarkWord};
use crate::script;
use orugate_driver::report::{Alarm, KnownFlag, Marks, Priority, Side};
use orugate_driver::text::Charset;
use orugate_driver::{Common, Interned, ProfileError, Slot, intern, parse_profile};
use std::time::Duration;

/// By the profile's text.
static PLANS: Interned<Plan> = Interned::new();

/// Everything that a session and an interpreter need.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) common: Common,
    pub(crate) feed: Feed,
    pub(crate) charset: Charset,
    pub(crate) system: &'static str,
    pub(crate) framing: Framing,
    pub(crate) quiet: Duration,
    pub(crate) poll: Option<Poll>,
    pub(crate) reply: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) mds: u32,
    pub(crate) manufacturer: &'static str,
    pub(crate) model: &'static str,
    pub(crate) lines: Vec<Line>,
    pub(crate) fields: Vec<Field>,
    pub(crate) marks: Vec<Mark>,
    /// Words of alarms, and how urgent each is; `None`: it is none.
    pub(crate) alarms: Vec<(Vec<u8>, Option<Priority>)>,
    /// A value with its flags and unit.
    pub(crate) value: Option<Value>,
    pub(crate) absent: Vec<Vec<u8>>,
    pub(crate) notes: Vec<(&'static str, Vec<Vec<u8>>)>,
    pub(crate) flags: &'static [KnownFlag<'static>],
    pub(crate) panel: (&'static str, &'static str),
    pub(crate) control_prefixes: Vec<(Vec<u8>, &'static str)>,
    pub(crate) suspects: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    Results,
    Bedside { stale_after: Duration },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) send: Vec<u8>,
    pub(crate) every: Duration,
    pub(crate) retry: Duration,
}

/// What stands in a value's place.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) pattern: Pattern,
    pub(crate) value: usize,
    pub(crate) flags: Option<usize>,
    pub(crate) unit: Option<usize>,
}

/// A kind of line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) pattern: Pattern,
    pub(crate) skip: bool,
    pub(crate) split: Split,
    pub(crate) time: Option<(Source, Format)>,
    /// Fields of it, by their number, and where each is.
    pub(crate) fields: Vec<(usize, Source)>,
    pub(crate) marks: Vec<(usize, Source)>,
    pub(crate) notes: Vec<(usize, Source)>,
    pub(crate) serial: Option<Source>,
    pub(crate) version: Option<Source>,
    pub(crate) id: Option<Source>,
    pub(crate) kind: Option<Source>,
    pub(crate) run: Option<Source>,
    pub(crate) operator: Option<Source>,
    /// Places of which something is made, or of which it is said that nothing is.
    pub(crate) accounted: Vec<Source>,
}

/// How a part of a line is split into values.
#[derive(Debug)]
pub(crate) enum Split {
    None,
    Keys { of: usize, between: u8, assign: u8 },
    Columns { of: usize, between: u8, count: Option<usize> },
    Repeat { of: usize, pattern: Pattern, code: usize, value: usize, unit: Option<usize> },
}

/// Where something is in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Part(usize),
    /// From 0.
    Column(usize),
    Key(Vec<u8>),
    /// By the code of a repeated one.
    Row(Vec<u8>),
    /// A word without a value among keys.
    Words,
}

/// A value.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) from: String,
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) mdc: u32,
    pub(crate) unit: &'static str,
    pub(crate) unit_mdc: u32,
    pub(crate) trim: Vec<u8>,
    pub(crate) once: bool,
    pub(crate) kind: KindWord,
    pub(crate) label: &'static str,
    pub(crate) none: Vec<Vec<u8>>,
}

/// What the device says of the validity of values.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) test: Test,
    pub(crate) marks: Marks,
    pub(crate) why: &'static str,
    /// Of these fields; all when empty.
    pub(crate) fields: Vec<usize>,
    pub(crate) alarm: Option<Alarm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Bit(u32),
    Word(Vec<u8>),
    Is(Vec<u8>),
    Ends(Vec<u8>),
}

impl Plan {
    /// The plan of a profile's text, made once.
    pub(crate) fn read(text: &str) -> Result<&'static Self, ProfileError> {
        PLANS.of(text, || {
            let common = parse_profile(text)?;
            let profile: LinesProfile =
                toml::from_str(text).map_err(|e| ProfileError::from_toml(text, &e))?;
            make(common, profile)
                .map_err(|(near, message)| ProfileError { line: line_of(text, &near), message })
        })
    }

    /// The slot of a kind of line.
    pub(crate) fn slot(line: usize) -> Slot {
        Slot(u16::try_from(line).unwrap_or(u16::MAX).min(Slot::COUNT - 1))
    }
}

/// What is wrong, and text that stands in its line.
type Wrong = (String, String);

fn line_of(text: &str, near: &str) -> Option<usize> {
    let quoted = toml::Value::String(near.to_owned()).to_string();
    let found = text.lines().position(|line| line.contains(&quoted) || line.contains(&format!("'{near}'")));
    let found = found.or_else(|| text.lines().position(|line| line.trim_start().starts_with(near)));
    found.map(|line| line.saturating_add(1))
}

fn wrong<T>(near: &str, message: impl Into<String>) -> Result<T, Wrong> {
    Err((near.to_owned(), message.into()))
}

fn bytes(text: &str) -> Result<Vec<u8>, Wrong> {
    script::bytes(text).map_err(|message| (text.to_owned(), message))
}

fn byte(text: &str) -> Result<u8, Wrong> {
    match bytes(text)?.as_slice() {
        [byte] => Ok(*byte),
        _ => wrong(text, format!("`{text}` is not one byte")),
    }
}

fn pattern(text: &str) -> Result<Pattern, Wrong> {
    Pattern::read(text).map_err(|message| (text.to_owned(), message))
}

fn make(common: Common, profile: LinesProfile) -> Result<Plan, Wrong> {
    if profile.driver != "lines" {
        return wrong("driver", format!("driver is `{}`, but this is the driver `lines`", profile.driver));
    }
    let feed = match (profile.feed, profile.stale_after) {
        (FeedWord::Bedside, Some(wait)) => Feed::Bedside { stale_after: wait.0 },
        (FeedWord::Bedside, None) => {
            return wrong(
                "feed",
                "feed = \"bedside\" needs stale_after, about three lines or questions, such as \"5 s\"",
            );
        }
        (FeedWord::Results, None) => Feed::Results,
        (FeedWord::Results, Some(_)) => return wrong("stale_after", "stale_after says nothing for results"),
    };
    let bedside = feed != Feed::Results;
    let Some(charset) = Charset::named(&profile.charset) else {
        return wrong("charset", format!("`{}` is no charset that is known here", profile.charset));
    };
    let framing = framing(&profile)?;
    let fields = fields(&profile, bedside)?;
    let marks = profile.mark.iter().map(|mark| mark_of(mark, &fields)).collect::<Result<Vec<_>, _>>()?;
    if profile.line.is_empty() {
        return wrong("line", "there is no kind of line");
    }
    let lines = profile.line.iter().map(|line| line_plan(&profile, line)).collect::<Result<Vec<_>, _>>()?;
    resolved(&profile, &lines)?;
    if let (Some(_), true) | (None, false) = (&profile.sample.id, bedside) {
        return wrong("feed", "results need sample.id, and a bedside device has none");
    }
    let value = profile.value.as_deref().map(value_of).transpose()?;
    let all = |texts: &[String]| texts.iter().map(|text| text.clone().into_bytes()).collect::<Vec<_>>();
    let flags: Vec<KnownFlag<'static>> = profile
        .flag
        .iter()
        .map(|flag| KnownFlag {
            code: intern(&flag.code),
            hl7: flag.hl7.as_deref().map(intern),
            meaning: intern(&flag.meaning),
        })
        .collect();
    let poll = match &profile.poll {
        None => None,
        Some(poll) => Some(Poll {
            send: bytes(&poll.send)?,
            every: poll.every.0,
            retry: poll.retry.map_or(poll.every.0, |wait| wait.0),
        }),
    };
    let reply = match &profile.reply {
        Some(_) if bedside => {
            return wrong("[reply]", "reply is for results; what a bedside device says is not acknowledged");
        }
        None => None,
        Some(reply) => Some((bytes(&reply.stored)?, bytes(reply.refused.as_deref().unwrap_or_default())?)),
    };
    Ok(Plan {
        feed,
        charset,
        system: intern(&profile.coding_system.0),
        framing,
        quiet: profile.frame.quiet.map_or(Duration::from_secs(10), |wait| wait.0),
        poll,
        reply,
        mds: profile.device.mds,
        manufacturer: intern(&profile.device.manufacturer),
        model: intern(&profile.device.model),
        lines,
        fields,
        marks,
        alarms: alarm_words(&profile.alarms),
        value,
        absent: all(&profile.absent),
        notes: profile.note.iter().map(|note| (intern(&note.label), all(&note.none))).collect(),
        flags: Vec::leak(flags),
        panel: (intern(&profile.sample.panel), intern(&profile.sample.panel_name)),
        control_prefixes: profile
            .qc
            .id_prefixes
            .iter()
            .map(|prefix| {
                (prefix.clone().into_bytes(), intern(&format!("the sample id begins with {prefix}")))
            })
            .collect(),
        suspects: all(&profile.qc.suspects),
        common,
    })
}

fn framing(profile: &LinesProfile) -> Result<Framing, Wrong> {
    let frame = &profile.frame;
    let end = bytes(&frame.end)?;
    if end.is_empty() {
        return wrong("end", "frame.end names no byte");
    }
    if !(2..=Slot::MOST).contains(&frame.most) {
        return wrong("most", format!("frame.most is {}; it is 2 to {}", frame.most, Slot::MOST));
    }
    let check = frame.check.map(|check| Check {
        kind: match check.kind {
            CheckKind::Sum => Kind::Sum,
            CheckKind::Xor => Kind::Xor,
        },
        form: match check.form {
            CheckForm::Byte => Form::Byte,
            CheckForm::Hex => Form::Hex,
        },
        with_start: check.with_start,
        with_end: check.with_end,
    });
    let start = frame.start.as_deref().map(byte).transpose()?;
    Ok(Framing { start, end, check, most: frame.most })
}

fn fields(profile: &LinesProfile, bedside: bool) -> Result<Vec<Field>, Wrong> {
    let mut fields: Vec<Field> = Vec::new();
    for field in &profile.field {
        let code = field.code.as_deref().unwrap_or(&field.from);
        if fields.iter().any(|other| other.code == code) {
            return wrong(code, format!("the code `{code}` stands twice; a code is one value's"));
        }
        let measured = matches!(field.kind, KindWord::Measured | KindWord::Calculated | KindWord::Set);
        if field.mdc != 0 && !measured {
            return wrong(&field.from, format!("`{code}` has an MDC code, but is no value"));
        }
        if !bedside
            && (field.mdc != 0 || field.unit_mdc != 0 || field.once || field.kind != KindWord::Measured)
        {
            return wrong(
                &field.from,
                format!("`{code}`: mdc, unit_mdc, once and kind are for bedside devices"),
            );
        }
        fields.push(Field {
            from: field.from.clone(),
            code: intern(code),
            name: intern(&field.name),
            mdc: field.mdc,
            unit: intern(&field.unit),
            unit_mdc: field.unit_mdc,
            trim: field.trim.clone().into_bytes(),
            once: field.once,
            kind: field.kind,
            label: intern(&field.label),
            none: field.none.iter().map(|text| text.clone().into_bytes()).collect(),
        });
    }
    Ok(fields)
}

fn alarm_words(words: &crate::profile::AlarmWords) -> Vec<(Vec<u8>, Option<Priority>)> {
    let of = [
        (&words.none, None),
        (&words.low, Some(Priority::Low)),
        (&words.medium, Some(Priority::Medium)),
        (&words.high, Some(Priority::High)),
    ];
    of.into_iter()
        .flat_map(|(texts, meaning)| texts.iter().map(move |text| (text.clone().into_bytes(), meaning)))
        .collect()
}

fn mark_of(mark: &crate::profile::Mark, fields: &[Field]) -> Result<Mark, Wrong> {
    let near = if mark.why.is_empty() { "[[mark]]" } else { &mark.why };
    let text = |text: &String| text.clone().into_bytes();
    let test = match (mark.bit, &mark.word, &mark.is, &mark.ends) {
        (Some(bit), None, None, None) => Test::Bit(bit),
        (None, Some(word), None, None) => Test::Word(text(word)),
        (None, None, Some(is), None) => Test::Is(text(is)),
        (None, None, None, Some(ends)) => Test::Ends(text(ends)),
        _ => return wrong(near, "a mark has one of bit, word, is and ends"),
    };
    let marks = mark.marks.iter().fold(Marks::NONE, |all, word| {
        all | match word {
            MarkWord::Invalid => Marks::INV,
            MarkWord::Questionable => Marks::QUES,
            MarkWord::NotAvailable => Marks::NAV,
            MarkWord::Calibrating => Marks::CAL,
            MarkWord::Test => Marks::TEST,
            MarkWord::Demo => Marks::DEMO,
            MarkWord::Early => Marks::EARLY,
            MarkWord::Busy => Marks::BUSY,
            MarkWord::Off => Marks::OFF,
            MarkWord::Over => Marks::OVER,
            MarkWord::Under => Marks::UNDER,
            MarkWord::AlarmsOff => Marks::ALINH,
        }
    });
    let mut of = Vec::new();
    for from in &mark.fields {
        match fields.iter().position(|field| field.from == *from) {
            Some(field) => of.push(field),
            None => return wrong(near, format!("a mark is about `{from}`, which is no field")),
        }
    }
    let side = |word| match word {
        AlarmWord::Low => Side::Low,
        AlarmWord::High => Side::High,
        AlarmWord::Unknown => Side::Unknown,
    };
    let alarm = mark.alarm.map(|word| Alarm { side: side(word), priority: Priority::Unknown });
    if marks == Marks::NONE && alarm.is_none() {
        return wrong(near, "a mark says nothing: it has neither marks nor an alarm");
    }
    Ok(Mark { test, marks, why: intern(&mark.why), fields: of, alarm })
}

fn line_plan(profile: &LinesProfile, line: &crate::profile::Line) -> Result<Line, Wrong> {
    let own = pattern(&line.pattern)?;
    let part = |name: &str| {
        own.part(name)
            .ok_or_else(|| (name.to_owned(), format!("there is no part `{name}` in `{}`", line.pattern)))
    };
    let split = match (&line.keys, &line.columns, &line.repeat) {
        (None, None, None) => Split::None,
        (Some(keys), None, None) => {
            Split::Keys { of: part(&keys.of)?, between: byte(&keys.between)?, assign: byte(&keys.assign)? }
        }
        (None, Some(columns), None) => Split::Columns {
            of: part(&columns.of)?,
            between: byte(&columns.between)?,
            count: columns.count.as_deref().map(part).transpose()?,
        },
        (None, None, Some(repeat)) => {
            let each = pattern(&repeat.pattern)?;
            let (code, value) = (each.part("code"), each.part("value"));
            let (Some(code), Some(value)) = (code, value) else {
                return wrong(&repeat.pattern, "a repeated pattern has the parts {code} and {value}");
            };
            let unit = each.part("unit");
            Split::Repeat { of: part(&repeat.of)?, pattern: each, code, value, unit }
        }
        _ => return wrong(&line.pattern, "a line has one of keys, columns and repeat"),
    };
    let first = line.columns.as_ref().map_or(1, |columns| columns.first);
    let source = |from: &str| -> Option<Source> {
        if line.skip {
            return None;
        }
        if let Some(part) = own.part(from) {
            return Some(Source::Part(part));
        }
        match &split {
            Split::None => None,
            Split::Keys { .. } if from.is_empty() => Some(Source::Words),
            Split::Keys { .. } => script::bytes(from).ok().map(Source::Key),
            Split::Columns { .. } => from.parse::<usize>().ok()?.checked_sub(first).map(Source::Column),
            Split::Repeat { .. } => Some(Source::Row(from.as_bytes().to_vec())),
        }
    };
    let maybe = |from: &Option<String>| from.as_deref().and_then(source);
    let sample = &profile.sample;
    // A part by itself, never a key of any name: only a pattern says for certain that it is there.
    let time = match &line.time {
        None => None,
        Some(time) => {
            let format = Format::read(&time.format).map_err(|message| (time.format.clone(), message))?;
            let Some(from) = source(&time.from) else {
                return wrong(&time.from, format!("there is no `{}` in `{}`", time.from, line.pattern));
            };
            Some((from, format))
        }
    };
    let numbered = |from: &mut dyn Iterator<Item = &String>| -> Vec<(usize, Source)> {
        from.enumerate().filter_map(|(n, from)| Some((n, source(from)?))).collect()
    };
    let fields = numbered(&mut profile.field.iter().map(|field| &field.from));
    let marks = numbered(&mut profile.mark.iter().map(|mark| &mark.from));
    let notes = numbered(&mut profile.note.iter().map(|note| &note.from));
    let known = numbered(&mut profile.known.iter().map(|known| &known.from));
    let (serial, version) = (maybe(&profile.device.serial), maybe(&profile.device.version));
    let (id, kind, run) = (maybe(&sample.id), maybe(&sample.kind), maybe(&sample.run));
    let operator = maybe(&sample.operator);
    let lists = [&fields, &marks, &notes, &known];
    let mut accounted: Vec<Source> = lists.into_iter().flatten().map(|(_, source)| source.clone()).collect();
    accounted.extend([&serial, &version, &id, &kind, &run, &operator].into_iter().flatten().cloned());
    accounted.extend(time.as_ref().map(|(source, _)| source.clone()));
    Ok(Line {
        pattern: own.clone(),
        skip: line.skip,
        split,
        time,
        fields,
        marks,
        notes,
        serial,
        version,
        id,
        kind,
        run,
        operator,
        accounted,
    })
}

/// Whether a line has a place.
type Has = fn(&Line) -> bool;

/// Every name is somewhere.
fn resolved(profile: &LinesProfile, lines: &[Line]) -> Result<(), Wrong> {
    let somewhere = |is: &dyn Fn(&Line) -> bool| lines.iter().any(is);
    for (n, field) in profile.field.iter().enumerate() {
        if !somewhere(&|line| line.fields.iter().any(|(own, _)| *own == n)) {
            return wrong(&field.from, format!("there is no `{}` in any line", field.from));
        }
    }
    for (n, mark) in profile.mark.iter().enumerate() {
        if !somewhere(&|line| line.marks.iter().any(|(own, _)| *own == n)) {
            return wrong(&mark.from, format!("there is no `{}` in any line", mark.from));
        }
    }
    for (n, note) in profile.note.iter().enumerate() {
        if !somewhere(&|line| line.notes.iter().any(|(own, _)| *own == n)) {
            return wrong(&note.from, format!("there is no `{}` in any line", note.from));
        }
    }
    let places: [(_, Has); 6] = [
        (&profile.device.serial, |line| line.serial.is_some()),
        (&profile.device.version, |line| line.version.is_some()),
        (&profile.sample.id, |line| line.id.is_some()),
        (&profile.sample.kind, |line| line.kind.is_some()),
        (&profile.sample.run, |line| line.run.is_some()),
        (&profile.sample.operator, |line| line.operator.is_some()),
    ];
    for (from, has) in places {
        if let Some(from) = from
            && !lines.iter().any(has)
        {
            return wrong(from, format!("there is no `{from}` in any line"));
        }
    }
    for (line, own) in profile.line.iter().zip(lines).filter(|(_, own)| !own.skip) {
        let split = |n: usize| match &own.split {
            Split::None => false,
            Split::Keys { of, .. } | Split::Repeat { of, .. } => *of == n,
            Split::Columns { of, count, .. } => *of == n || *count == Some(n),
        };
        let used = |n: usize| split(n) || own.accounted.contains(&Source::Part(n));
        if let Some((_, name)) = own.pattern.names().iter().enumerate().find(|(n, _)| !used(*n)) {
            let sentence =
                "is used by nothing; name it _ if it says nothing, or say in [[known]] why it goes nowhere";
            return wrong(&line.pattern, format!("the part `{name}` {sentence}"));
        }
    }
    Ok(())
}

fn value_of(text: &str) -> Result<Value, Wrong> {
    let pattern = pattern(text)?;
    let Some(value) = pattern.part("value") else {
        return wrong(text, "the pattern of values has no part {value}");
    };
    Ok(Value { value, flags: pattern.part("flags"), unit: pattern.part("unit"), pattern })
}

//! The first pass over a bedside device's message: what each measurement is and what becomes of it.

use super::{Rules, Task, interval, zones};
use crate::config::{Absent, Nobodys};
use crate::convert::{Keyed, SiteZone};
use crate::records::Measured;
use orugate_driver::{StoredMessage, snapshot};
use orugate_protocol::report::{
    At, Device, Group, Item, Marks, Measurement, Note, NoteKind, Reading, ReportSink, Shown,
};
use orugate_protocol::time::Utc;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// Without a time of the device, the same value so long after it was received is the same measurement, in microseconds.
const SAME: i64 = 120_000_000;
/// A device time may be so far ahead of the snapshot's end, in microseconds.
const AHEAD: i64 = 5_000_000;
/// And so far behind it.
const BEHIND: i64 = 24 * 3600 * 1_000_000;

/// Where one measurement goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    /// With its value.
    Sent,
    /// Without one, because of these marks besides its own.
    Absent(Marks, &'static str),
    /// Nowhere, by the site's policy.
    Left,
    /// Nowhere: a text of it cannot be decoded.
    Unreadable,
    /// Nowhere: sent before.
    Repeat,
    /// Nowhere: another message of the same interval was sent.
    Superseded,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    /// What it is: the same in each message.
    pub(super) key: u64,
    pub(super) going: Going,
    /// When it was measured, by the gateway's clock.
    pub(super) at: Utc,
    /// It is made now and then.
    pub(super) once: bool,
}

/// What a message says.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) all: Vec<Fact>,
    pub(super) counts: Measured,
    pub(super) once: Vec<(u64, i64)>,
    pub(super) elsewhere: Option<Cow<'static, str>>,
    pub(super) clock: Option<Shown>,
    /// It was pushed, so that what it does not hold may be in another one.
    pub(super) is_pushed: bool,
    /// Of which bed or device it is, when it was pushed.
    pub(super) source: u64,
    /// Where in charts its values stand: what is pushed at its source, a snapshot at its PV1-3 and PID-3.
    pub(super) addressed: u64,
    /// Alarms in it, which go nowhere.
    alarms: u32,
    /// A time of the device's that cannot be right was taken for the time of receipt.
    pub(super) odd_times: u32,
    keyed: Keyed,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            counts: Measured::default(),
            once: Vec::new(),
            elsewhere: None,
            clock: None,
            is_pushed: false,
            source: 0,
            addressed: 0,
            alarms: 0,
            odd_times: 0,
            keyed: Keyed::new(&[0; 16]),
        }
    }
}

impl Facts {
    pub(super) fn clear(&mut self, keyed: Keyed) {
        let (mut all, mut once) = (std::mem::take(&mut self.all), std::mem::take(&mut self.once));
        all.clear();
        once.clear();
        *self = Self { all, once, keyed, ..Self::default() };
    }

    /// Whether something that stands has a place in both.
    pub(super) fn shares(&self, before: &Self) -> bool {
        let stands = |fact: &&Fact| !fact.once;
        let mut here = self.all.iter().filter(stands);
        here.any(|fact| before.all.iter().filter(stands).any(|had| had.key == fact.key))
    }

    /// Something stands in it until the next one.
    pub(super) fn stands(&self) -> bool {
        self.all.iter().any(|fact| !fact.once && fact.going != Going::Superseded)
    }

    /// Another message of this interval was sent: of this one only what is made now and then goes.
    pub(super) fn supersede(&mut self) {
        for fact in self.all.iter_mut().filter(|fact| !fact.once) {
            fact.going = Going::Superseded;
        }
        self.count();
    }

    /// What the message before had a value of and this one would leave out goes once as absent.
    pub(super) fn take_back(&mut self, before: &Self) {
        for fact in self.all.iter_mut().filter(|fact| fact.going == Going::Left) {
            if before.all.iter().any(|had| had.key == fact.key && had.going == Going::Sent && !had.once) {
                fact.going = Going::Absent(Marks::NAV, "the device does not give it any more");
            }
        }
        self.count();
    }

    /// Places of what it had a value of, but for what a later message lists.
    pub(super) fn had<'f>(&'f self, later: Option<&'f Self>) -> impl Iterator<Item = usize> + use<'f> {
        let had = self.all.iter().enumerate().filter(|(_, fact)| fact.going == Going::Sent && !fact.once);
        let listed = move |key: u64| later.is_some_and(|later| later.all.iter().any(|here| here.key == key));
        had.filter(move |(_, fact)| !listed(fact.key)).map(|(place, _)| place)
    }

    /// Nothing of it goes anywhere.
    pub(super) fn leave_all(&mut self) {
        for fact in &mut self.all {
            fact.going = Going::Unreadable;
            fact.key = 0;
        }
        self.once.clear();
        self.count();
    }

    fn count(&mut self) {
        let withdrawn = self.counts.withdrawn;
        self.counts = Measured { left: self.alarms, withdrawn, ..Measured::default() };
        for fact in &self.all {
            let count = match fact.going {
                Going::Sent => &mut self.counts.sent,
                Going::Absent(..) => &mut self.counts.absent,
                Going::Left | Going::Unreadable => &mut self.counts.left,
                Going::Repeat => &mut self.counts.repeat,
                Going::Superseded => &mut self.counts.superseded,
            };
            *count = count.saturating_add(1);
        }
    }
}

/// Collects the facts of one message.
pub(super) struct Collector<'c, 'a> {
    facts: &'c mut Facts,
    rules: &'a Rules,
    once: &'a [(u64, i64)],
    zone: SiteZone<'a>,
    ended: Utc,
    group: [u128; 2],
    /// A time in words.
    time: &'c mut String,
}

impl<'c, 'a> Collector<'c, 'a> {
    pub(super) fn new(
        facts: &'c mut Facts,
        time: &'c mut String,
        task: &Task<'a>,
        message: &StoredMessage<'a>,
    ) -> Self {
        facts.is_pushed = snapshot::read(message.raw).is_err();
        Self {
            facts,
            rules: task.rules,
            once: task.once,
            zone: zones(task),
            ended: interval(message).1,
            group: [0; 2],
            time,
        }
    }

    fn device(&mut self, device: &Device<'_>) {
        self.group = [0; 2];
        self.facts.clock = device.clock.or(self.facts.clock);
        self.facts.addressed = if self.facts.is_pushed {
            self.facts.source = source(self.facts.keyed, device);
            self.facts.source
        } else {
            address(self.facts.keyed, self.rules, device)
        };
        if self.facts.elsewhere.is_none() {
            self.facts.elsewhere = self.rules.elsewhere(device);
        }
    }

    fn group(&mut self, group: &Group<'_>) {
        self.group = [group.vmd_place.into(), group.channel_place.into()];
    }

    fn measurement(&mut self, measurement: &Measurement<'_>) {
        let mut keyed = self.facts.keyed;
        let [vmd, channel] = self.group;
        if self.facts.is_pushed {
            keyed.number(self.facts.source.into());
        }
        keyed.number(vmd).number(channel).str(measurement.code.system).text(&measurement.code.id);
        keyed.text(&measurement.label);
        let key = half(&keyed);
        let at = self.at(measurement);
        let going = self.going(measurement, keyed);
        self.facts.all.push(Fact { key, going, at, once: measurement.once });
    }

    fn going(&mut self, measurement: &Measurement<'_>, mut keyed: Keyed) -> Going {
        if measurement.undecodable().is_some() {
            return Going::Unreadable;
        }
        if measurement.once {
            let timed = if let At::Device(time) = measurement.at {
                self.time.clear();
                let _ = write!(self.time, "{time:?}");
                keyed.str(self.time);
                true
            } else {
                false
            };
            match &measurement.value {
                Reading::Absent => keyed.number(0),
                Reading::Number(text) | Reading::Words(text) | Reading::Coded(_, text) => keyed.text(text),
            };
            let hash = half(&keyed);
            let received = measurement.received.0;
            let stale = i64::try_from(self.rules.stale_after.as_micros()).unwrap_or(i64::MAX);
            let same = |(known, when): &(u64, i64)| {
                *known == hash && (timed || received.saturating_sub(*when).abs() <= SAME.max(stale))
            };
            if self.once.iter().chain(&self.facts.once).any(same) {
                if !timed {
                    // As long as the device goes on showing it, it is the one that it was.
                    self.facts.once.push((hash, received));
                }
                return Going::Repeat;
            }
            let going = self.by_marks(measurement);
            if going == Going::Sent {
                self.facts.once.push((hash, received));
            }
            return going;
        }
        let age = u64::try_from(self.ended.0.saturating_sub(measurement.received.0)).unwrap_or(0);
        if Duration::from_micros(age) > self.rules.stale_after {
            return self.absent(Marks::NAV, "it was not renewed");
        }
        self.by_marks(measurement)
    }

    fn by_marks(&self, measurement: &Measurement<'_>) -> Going {
        if measurement.marks.nobodys() {
            return match self.rules.nobodys {
                Nobodys::Omit => Going::Left,
                Nobodys::Flag if !measurement.marks.without_value() => Going::Sent,
                Nobodys::Flag | Nobodys::X => Going::Absent(Marks::NONE, ""),
            };
        }
        if measurement.marks.without_value() {
            return self.absent(Marks::NONE, "");
        }
        if measurement.value == Reading::Absent {
            let said = measurement.marks.any(Marks::OVER | Marks::UNDER);
            return self.absent(if said { Marks::NONE } else { Marks::NI }, "");
        }
        Going::Sent
    }

    const fn absent(&self, marks: Marks, why: &'static str) -> Going {
        match self.rules.absent {
            Absent::X => Going::Absent(marks, why),
            Absent::Omit => Going::Left,
        }
    }

    /// When it was measured, by the gateway's clock. A time of the device's counts from what its clock showed in the same
    /// message; one that cannot be right is the time of receipt.
    fn at(&mut self, measurement: &Measurement<'_>) -> Utc {
        let received = measurement.received;
        let at = match measurement.at {
            At::Received => return received,
            At::Before(before) => {
                let before = i64::try_from(before.as_micros()).unwrap_or(i64::MAX);
                return Utc(received.0.saturating_sub(before));
            }
            At::Device(time) => {
                let off = self.facts.clock.and_then(|shown| {
                    Some(shown.received.0.saturating_sub(self.zone.instant(&shown.device)?.0))
                });
                self.zone.instant(&time).map(|at| Utc(at.0.saturating_add(off.unwrap_or(0))))
            }
        };
        let sane = |at: &Utc| {
            at.0 <= self.ended.0.saturating_add(AHEAD) && at.0 >= self.ended.0.saturating_sub(BEHIND)
        };
        at.filter(sane).unwrap_or_else(|| {
            self.facts.odd_times = self.facts.odd_times.saturating_add(1);
            received
        })
    }
}

impl<'m> ReportSink<'m> for Collector<'_, '_> {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Device(device) => self.device(&device),
            Item::Group(group) => self.group(&group),
            Item::Measurement(measurement) => self.measurement(&measurement),
            Item::End(_) => self.facts.count(),
            _ => {}
        }
    }

    fn note(&mut self, note: Note<'m>) {
        self.facts.alarms = self.facts.alarms.saturating_add(u32::from(note.kind == NoteKind::Alarm));
    }
}

/// Of which bed or device a pushed message is: a central station pushes for many.
pub(super) fn source(mut keyed: Keyed, device: &Device<'_>) -> u64 {
    keyed.number(device.eui64.unwrap_or(0).into()).text(&device.location.trimmed());
    of_unit(&mut keyed, device);
    half(&keyed)
}

/// Where a snapshot's values go: who keeps them by bed, or by patient, does not hear of them at the next one.
fn address(mut keyed: Keyed, rules: &Rules, device: &Device<'_>) -> u64 {
    let location = rules.location(device);
    keyed.str(location);
    if location.is_empty() {
        keyed.text(&device.location.trimmed());
        of_unit(&mut keyed, device);
    }
    if rules.send_patient {
        keyed.text(&device.patient.trimmed());
    }
    half(&keyed)
}

/// Two units may have beds of the same name.
fn of_unit(keyed: &mut Keyed, device: &Device<'_>) {
    let (unit, room) = (device.unit.trimmed(), device.room.trimmed());
    if !unit.is_empty() || !room.is_empty() {
        keyed.text(&unit).text(&room);
    }
}

fn half(keyed: &Keyed) -> u64 {
    // The upper half of a hash is one as well.
    u64::try_from(keyed.finish() >> 64).unwrap_or(0)
}

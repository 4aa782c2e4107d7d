//! What damage touches, as far as what is left can tell: by the numbers that were given before and behind it, and by
//! records that name what is not there. Names instruments and destinations, never a patient or a sample.

use super::{Archive, Message, Named, Way};
use orugate_journal::{DamageKind, Spot};
use std::collections::{BTreeMap, BTreeSet};

/// What one damage touches.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Touched {
    /// Nothing was lost by it.
    pub nothing: bool,
    /// Records of it have numbers from here, most of them.
    pub from: u64,
    /// To before this; `None` when nothing comes behind it.
    pub to: Option<u64>,
    /// It was written after this time, milliseconds since 1970.
    pub after: Option<u64>,
    /// And before that.
    pub before: Option<u64>,
    /// Messages that are named elsewhere, and none of whose bytes are there.
    pub messages_lost: Vec<u64>,
    /// Messages of whose bytes a part is not there, with their instruments.
    pub messages_in_part: Vec<(u64, String)>,
    /// Messages that nothing says the outcome of, although later ones of their instrument have theirs.
    pub without_outcome: Vec<(u64, String)>,
    /// ORUs that are named elsewhere and are not there.
    pub orus_lost: Vec<u64>,
    /// ORUs without an answer, although later ones for their destination have theirs.
    pub without_answer: Vec<(u64, String)>,
    /// Holds that are named elsewhere and are not there.
    pub holds_lost: Vec<u64>,
    /// Instruments that were heard just before and just behind it.
    pub instruments: BTreeSet<String>,
    /// Destinations for which ORUs were made just before and just behind it.
    pub destinations: BTreeSet<String>,
}

/// What `spot` touches, by all that was read.
#[must_use]
pub fn touched(archive: &Archive, spot: &Spot) -> Touched {
    let nothing = matches!(spot.damage.kind, DamageKind::HeaderCopy | DamageKind::Identity);
    if nothing {
        return Touched { nothing, ..Touched::default() };
    }
    let from = spot.before.map_or(0, |before| before.next_sequence);
    let to = spot.after.map(|after| after.commit);
    let end = to.unwrap_or(u64::MAX);
    let within = |number: u64| (from..end).contains(&number);
    let missing = |wanted| {
        let all = archive.missing().filter(move |(number, named)| *named == wanted && within(*number));
        all.map(|(number, _)| number).collect::<Vec<_>>()
    };
    let parts = |(number, message): (&u64, &Message)| {
        // The beginning of a message may also have been given back, and then it is settled.
        let cut =
            !message.begins && within(*number) || message.complete.is_none() && message.is_interpreted();
        (cut && !message.chunks.is_empty()).then(|| (*number, message.instrument.to_string()))
    };
    let before = archive.messages.range(..end);
    let (mut instruments, mut destinations) = (BTreeSet::new(), BTreeSet::new());
    let heard = |message: (&u64, &Message)| {
        (!message.1.instrument.is_empty()).then(|| message.1.instrument.to_string())
    };
    instruments.extend(archive.messages.range(..from).rev().find_map(heard));
    instruments.extend(archive.messages.range(from..).find_map(heard));
    let made = |oru: (&u64, &super::Made)| oru.1.destination.to_string();
    destinations.extend(archive.orus.range(..from).next_back().map(made));
    destinations.extend(archive.orus.range(from..).next().map(made));
    let touched = Touched {
        nothing,
        from,
        to,
        after: spot.before.and_then(|before| before.time).map(|time| time.0),
        before: spot.after.and_then(|after| after.time).map(|time| time.0),
        messages_lost: missing(Named::Message),
        messages_in_part: before.filter_map(parts).collect(),
        without_outcome: without_outcome(archive, end),
        orus_lost: missing(Named::Oru),
        without_answer: without_answer(archive, end),
        holds_lost: missing(Named::Hold),
        instruments: BTreeSet::new(),
        destinations: BTreeSet::new(),
    };
    let named = |pairs: &[(u64, String)]| pairs.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>();
    instruments.extend(named(&touched.messages_in_part));
    instruments.extend(named(&touched.without_outcome));
    destinations.extend(named(&touched.without_answer));
    Touched { instruments, destinations, ..touched }
}

/// The last message of each instrument that was interpreted.
fn last_interpreted(archive: &Archive) -> BTreeMap<&str, u64> {
    let interpreted = archive.messages.iter().filter(|(_, message)| message.is_interpreted());
    interpreted.map(|(number, message)| (&*message.instrument, *number)).collect()
}

fn without_outcome(archive: &Archive, end: u64) -> Vec<(u64, String)> {
    let last = last_interpreted(archive);
    let unread = archive.messages.range(..end).filter(|(number, message)| {
        !message.is_interpreted()
            && message.orus.is_empty()
            && message.complete.is_some()
            && last.get(&*message.instrument).is_some_and(|last| last > *number)
    });
    unread.map(|(number, message)| (*number, message.instrument.to_string())).collect()
}

fn without_answer(archive: &Archive, end: u64) -> Vec<(u64, String)> {
    let answered = archive.orus.iter().filter(|(_, oru)| matches!(oru.standing, Way::Delivered(_)));
    let last: BTreeMap<&str, u64> = answered.map(|(number, oru)| (&*oru.destination, *number)).collect();
    let overtaken = archive.orus.range(..end).filter(|(number, oru)| {
        oru.standing == Way::Waiting && last.get(&*oru.destination).is_some_and(|last| last > *number)
    });
    overtaken.map(|(number, oru)| (*number, oru.destination.to_string())).collect()
}

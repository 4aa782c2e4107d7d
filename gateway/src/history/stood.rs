//! How a destination stands to an ORU, and what it got with it: by the records of the ORU.
//!
//! Promises that `None` is said only when a record says that the destination has not got it and never will. An ORU that is
//! settled and was never parked was acknowledged, for what ends its wait otherwise has a record that is found here. An engine that
//! refused an ORU has said that it does not have it. Leaves out ORUs that were given back: those count as acknowledged.

use crate::records::{
    Delivery, DeliveryResult, Dropped, Meta, NeverSent, Oru, ParkedSettled, Sending, Stood,
};
use crate::store::Store;
use orugate_journal::Record;
use orugate_protocol::hl7::reader::{Entry, Message};
use orugate_protocol::text::{Charset, Escapes, Text};

/// So many records of one ORU are looked at, the newest: it is parked and sent again by hand, one at a time.
const RECORDS: usize = 64;
/// A person gives up a destination some times in the life of a box.
const DROPPED: usize = 256;
/// An ORU goes in another's place once for each charset that somebody tries.
const ANEW: usize = 16;
/// The longest value that a remark shows, characters.
const SHOWN: usize = 200;

pub(super) fn of(store: &Store, mut oru: u64, destination: &str) -> Option<Stood> {
    for _ in 0..ANEW {
        if store.state().queue(destination).is_some_and(|queue| queue.waiting.contains_key(&oru)) {
            return Some(Stood::Waiting);
        }
        let is_parked = store.state().queue(destination).is_some_and(|queue| queue.parked.contains_key(&oru));
        let told = Told::of(&store.of_oru(oru, RECORDS));
        let given_up = if told.refused { None } else { Some(Stood::Unknown) };
        match told.last {
            _ if is_parked => return Some(if told.refused { Stood::Parked } else { Stood::Unknown }),
            Last::Anew(new) => oru = new,
            Last::GivenUp => return given_up,
            Last::Parked(at) if dropped(store, destination, |d| oru <= d.upto && d.at >= at) => {
                return given_up;
            }
            Last::Made(at)
                if dropped(store, destination, |d| {
                    d.at >= at && oru <= d.upto && d.waited_from.is_some_and(|from| from <= oru)
                }) =>
            {
                return None;
            }
            // Parked and not any more: an answer came late.
            Last::Parked(_) | Last::Made(_) | Last::Nothing => return Some(Stood::Delivered),
        }
    }
    Some(Stood::Unknown)
}

/// What an ORU's own records say.
struct Told {
    /// Its destination has said that it does not take it, or no byte of it was sent.
    refused: bool,
    last: Last,
}

enum Last {
    Nothing,
    /// It was made, or sent again by a person; when.
    Made(i64),
    Parked(i64),
    GivenUp,
    Anew(u64),
}

impl Told {
    /// From its records, the newest first.
    fn of(records: &[Record]) -> Self {
        let mut told = Self { refused: false, last: Last::Nothing };
        for record in records.iter().rev() {
            let record = record.as_ref();
            let (version, meta) = (record.meta_version, record.meta);
            match record.kind.0 {
                Oru::KIND => {
                    if let (Some(oru), Last::Nothing) = (Oru::decode(version, meta), &told.last) {
                        told.last = Last::Made(oru.at);
                    }
                }
                NeverSent::KIND => told.refused = true,
                Delivery::KIND => {
                    let delivery = Delivery::decode(version, meta);
                    if let Some(Delivery { at, result: DeliveryResult::Parked(_), .. }) = delivery {
                        told.refused |= !record.payload.is_empty();
                        told.last = Last::Parked(at);
                    }
                }
                ParkedSettled::KIND => {
                    if let Some(settled) = ParkedSettled::decode(version, meta) {
                        told.last = match settled.how {
                            Sending::Again => Last::Made(settled.at),
                            Sending::Anew(new) => Last::Anew(new),
                            Sending::Superseded | Sending::Discarded(_) => Last::GivenUp,
                        };
                        // What happens after it goes again, its next records say.
                        told.refused &= !matches!(settled.how, Sending::Again);
                    }
                }
                _ => {}
            }
        }
        told
    }
}

fn dropped(store: &Store, destination: &str, so: impl Fn(&Dropped) -> bool) -> bool {
    store.dropped(DROPPED).iter().any(|dropped| dropped.destination == destination && so(dropped))
}

/// Adds value and unit of an OBX, counted from 0, as text.
pub(super) fn value(store: &Store, mut oru: u64, obx: usize, into: &mut String) {
    let mut records = store.of_oru(oru, RECORDS);
    for _ in 0..ANEW {
        let Last::Anew(new) = Told::of(&records).last else { break };
        oru = new;
        records = store.of_oru(oru, RECORDS);
    }
    let is_it = |record: &&Record| record.as_ref().kind.0 == Oru::KIND && record.sequence().0 == oru;
    let Some(record) = records.iter().find(is_it) else { return };
    let before = into.len();
    if shown(record.payload(), obx, into).is_none() {
        into.truncate(before);
    }
}

fn shown(oru: &[u8], obx: usize, into: &mut String) -> Option<()> {
    // MSH is ASCII in every charset here, and MSH-18 says which it is.
    let msh = oru.split(|byte| *byte == b'\r').next()?;
    let named = msh.split(|byte| *byte == b'|').nth(17).unwrap_or_default();
    let charset = Charset::all().find(|charset| charset.msh_18().as_bytes() == named)?;
    let text = Text::new(oru, charset, Escapes::None).to_string();
    let mut index = vec![Entry::default(); Message::entries_for(text.as_bytes())];
    let message = Message::index(text.as_bytes(), &mut index).ok()?;
    let segment = message.segments().filter(|segment| segment.is("OBX")).nth(obx)?;
    let value = segment.field(5);
    let parts = value.components().flat_map(|part| part.chars(Charset::Utf8));
    let characters = parts.map_while(Result::ok).map(|c| if c.is_control() { ' ' } else { c });
    into.extend(characters.take(SHOWN));
    let unit = segment.field(6).component(1);
    if !unit.is_empty() {
        into.push(' ');
        into.extend(unit.chars(Charset::Utf8).map_while(Result::ok).filter(|c| !c.is_control()).take(SHOWN));
    }
    (!value.is_empty()).then_some(())
}

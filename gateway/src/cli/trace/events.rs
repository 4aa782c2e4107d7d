//! What happened to a message, in time order.

use super::model::{Event, Hold, Moment, Oru};
use super::story::Story;
use crate::records::{Sending, Settlement, VerificationAct};
use crate::words::count;

pub(super) fn of(story: &Story<'_>, orus: &[Oru], holds: &[Hold]) -> Vec<Event> {
    let mut events = Vec::new();
    let records = story.records;
    let mut add = |at: i64, what, words: String, actor: Option<&String>, reason: Option<&String>| {
        let reason = reason.filter(|_| story.private).cloned();
        events.push(Event { at: Moment(at), what, words, actor: actor.cloned(), reason });
    };
    let last = records.chunks.values().next_back();
    if let Some((first, _)) = records.chunks.values().next() {
        add(first.received, "received", format!("{} begins to send", first.instrument), None, None);
    }
    if let Some((chunk, _)) = last.filter(|(chunk, _)| chunk.end.is_some()) {
        let words = match chunk.end {
            Some(true) => "the message is whole; all of it is on flash and acknowledged",
            _ => "the message broke off; what came of it is on flash",
        };
        add(chunk.received, "ended", words.to_owned(), None, None);
    }
    for outcome in records.outcomes.values() {
        let of = &outcome.provenance;
        let after =
            outcome.released.map(|hold| format!(" after the release of hold {hold}")).unwrap_or_default();
        let words = format!(
            "interpreted{after}: {}, by version {}, profile {} ({}), configuration {}{}",
            count(outcome.dispositions.len() as u64, "result", "results"),
            of.software,
            of.profile,
            of.profile_hash,
            of.config_hash,
            of.maps.iter().map(|(name, hash)| format!(", map {name} ({hash})")).collect::<String>()
        );
        add(outcome.at, "interpreted", words, None, None);
    }
    for hold in holds {
        let results = match hold.observations.len() {
            0 => "the whole message".to_owned(),
            n => count(n as u64, "result", "results"),
        };
        add(hold.since.0, "held", format!("{results} held in {}: {}", hold.hold, hold.reason), None, None);
    }
    for settled in records.settled.values().filter(|s| holds.iter().any(|hold| hold.hold == s.hold)) {
        let (what, how, reason) = match &settled.how {
            Settlement::Released if records.was_redriven(settled) => {
                ("redriven", "redriven: interpreted again with the configuration of then", None)
            }
            Settlement::Released => ("released", "released", None),
            Settlement::Discarded(reason) => ("discarded", "discarded", Some(reason)),
            Settlement::Superseded => ("superseded", "overtaken by a later report", None),
        };
        let sample = match story.entered(settled.hold).filter(|_| what == "released") {
            Some(sample) if story.private => format!(" as sample {sample}, which the person entered"),
            Some(_) => " with a sample id that the person entered".to_owned(),
            None => String::new(),
        };
        let words = format!("hold {}: {how}{sample}", settled.hold);
        add(settled.at, what, words, Some(&settled.actor), reason);
    }
    let ended = |hold: u64, at: i64| records.settled.values().any(|s| (s.hold, s.at) == (hold, at));
    for redriven in records.redriven.values().filter(|r| holds.iter().any(|hold| hold.hold == r.hold)) {
        if !ended(redriven.hold, redriven.at) {
            let words = format!("hold {}: redriven, and it waits as before", redriven.hold);
            add(redriven.at, "redriven", words, Some(&redriven.actor), None);
        }
    }
    for oru in orus {
        let results = count(oru.results.into(), "result", "results");
        let words = format!("{} made for {}: {results}", oru.msh_10, oru.destination);
        add(oru.made.0, "made", words, None, None);
        for answer in &oru.answers {
            let (what, words) = match (&answer.code, &answer.parked) {
                (Some(code), _) => {
                    ("acknowledged", format!("{} acknowledged {} with {code}", oru.destination, oru.msh_10))
                }
                (None, why) => {
                    ("parked", format!("{} parked: {}", oru.msh_10, why.as_deref().unwrap_or_default()))
                }
            };
            add(answer.at.0, what, words, None, None);
        }
    }
    for settled in records.parked.values().filter(|s| orus.iter().any(|oru| oru.oru == s.oru)) {
        let (what, how, reason) = match &settled.how {
            Sending::Again => ("sent-again", "to be sent again".to_owned(), None),
            Sending::Anew(new) => ("made-anew", format!("made anew as {new}"), None),
            Sending::Superseded => ("superseded", "overtaken by a later report".to_owned(), None),
            Sending::Discarded(reason) => ("given-up", "given up".to_owned(), Some(reason)),
        };
        add(settled.at, what, format!("ORU {}: {how}", settled.oru), Some(&settled.actor), reason);
    }
    for dropped in records.dropped.values() {
        let gone = |oru: &&Oru| oru.destination == dropped.destination && oru.oru <= dropped.upto;
        if orus.iter().filter(gone).any(|oru| oru.state == "given-up") {
            let words = format!("all that waited for {} given up", dropped.destination);
            add(dropped.at, "dropped", words, Some(&dropped.actor), Some(&dropped.reason));
        }
    }
    for compared in records.compared.values() {
        if let VerificationAct::Said { observation, answer, .. } = compared.act
            && story.has_observation(observation)
        {
            let words = format!(
                "compared with the analyzer's screen: {} (result {observation}, verification {})",
                answer.words(),
                compared.session
            );
            add(compared.at, "compared", words, Some(&compared.actor), None);
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

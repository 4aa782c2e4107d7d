//! A person's decision on an ORU that waits parked: again, or not any more.
//!
//! Promises: what an engine may have seen goes again byte by byte, under its own MSH-10; what was never sent, because its
//! destination's charset lacked a character, goes in the charset that the destination has now, under a new MSH-10 where
//! the bytes differ. A report that a later one overtook is not sent: old values never follow new ones. Only this
//! thread decides, so that no outcome comes between the look at the past and the decision.

use super::{JournalNumbers, Worker};
use crate::convert::{Numbers as _, Past as _, Sent, Which, recode};
use crate::history::History;
use crate::records::{Disposition, Fate, Oru, Outcome, ParkedSettled, Sending};
use crate::state::Made;
use crate::store::Entry;
use orugate_journal::{Location, Reserved};
use orugate_protocol::text::Charset;

/// What came of sending a parked ORU again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resent {
    /// It waits for delivery already.
    Waits,
    /// The same bytes are on their way.
    Again,
    /// It is on its way in the charset that its destination has now (MSH-18), under this number.
    Anew(u64, &'static str),
    /// A later report brought all of its results with other content; it is settled as superseded.
    Superseded,
}

/// What a parked ORU would have overwritten.
enum Later {
    Nothing,
    /// So many of its results, of so many.
    Some(usize, usize),
    Everything,
}

/// Why an ORU waits parked that a charset cannot express; also what is said when that is still so.
pub(super) fn lacking(destination: &str, segment: &str, field: usize, charset: Charset) -> String {
    format!(
        "{segment}-{field} has a character that {destination}'s charset, {}, does not have, so it was not sent. Set \
         destination {destination}'s charset to one that has it and that the engine reads, charset = \"UNICODE \
         UTF-8\" for instance; then orugate reload, then orugate parked send",
        charset.msh_18()
    )
}

impl Worker {
    pub(super) fn send_parked(&self, oru: u64, actor: String) -> Result<Resent, String> {
        let Some((made, at)) = self.parked(oru)? else { return Ok(Resent::Waits) };
        let name = &*made.destination;
        let lineup = self.lineup.get();
        let Some(reached) = lineup.destination(name) else {
            return Err(format!(
                "The configuration no longer names the destination {name}. Put it back, then: orugate reload"
            ));
        };
        match self.later(oru, &made).map_err(|()| {
            format!("Not sent: what is known of message {oru} for {name} cannot be read from the journal. Send the sample again from the instrument.")
        })? {
            Later::Nothing => {}
            Later::Everything => {
                self.settle_parked(oru, actor, Sending::Superseded, Vec::new())?;
                return Ok(Resent::Superseded);
            }
            Later::Some(overtaken, all) => {
                let instrument = made.origin.as_ref().map_or("its instrument", |origin| &*origin.instrument);
                return Err(format!(
                    "Not sent: {overtaken} of the {all} results of message {oru} for {name} came again later with \
                     other content, and the old must not follow the new. Send the sample again from {instrument}; \
                     then: orugate parked discard {oru} --reason \"sent again\""
                ));
            }
        }
        if !made.never_sent {
            self.settle_parked(oru, actor, Sending::Again, Vec::new())?;
            return Ok(Resent::Again);
        }
        let kept = self
            .store
            .read(at, |state| state.oru_at(oru))
            .ok()
            .and_then(|kept| String::from_utf8(kept).ok())
            .ok_or_else(|| format!("Not sent: message {oru} for {name} cannot be read from the journal. Send the sample again from the instrument."))?;
        let charset = reached.plan.charset;
        if charset == Charset::Utf8 {
            self.settle_parked(oru, actor, Sending::Again, Vec::new())?;
            return Ok(Resent::Anew(oru, charset.msh_18()));
        }
        let mut numbers = JournalNumbers { store: &self.store, reserved: Vec::new() };
        let reserved = numbers.next().and_then(|number| numbers.take(number));
        let reserved: Reserved = reserved.ok_or("Not sent: the journal gives no number now. Ask again.")?;
        let number = reserved.get().0;
        let control_id = format!("{}{number:016}", lineup.plan.gateway.id);
        let body = recode(&kept, charset, &control_id).map_err(|place| {
            format!("Still parked: {}.", lacking(name, &place.segment, place.field, charset))
        })?;
        let meta = Oru {
            destination: name.to_owned(),
            message: made.message,
            group: made.group,
            observations: made.observations,
            at: self.clock.stamp().0,
        };
        let new = Entry::with_payload(&meta, body).numbered(reserved);
        self.settle_parked(oru, actor, Sending::Anew(number), vec![new])?;
        Ok(Resent::Anew(number, charset.msh_18()))
    }

    pub(super) fn discard_parked(&self, oru: u64, reason: String, actor: String) -> Result<(), String> {
        match self.parked(oru)? {
            Some(_) => self.settle_parked(oru, actor, Sending::Discarded(reason), Vec::new()),
            None => Err(format!("Message {oru} waits for delivery; only a parked one can be discarded.")),
        }
    }

    /// What is known of a parked ORU, and where it is; `None` when it waits for delivery.
    fn parked(&self, oru: u64) -> Result<Option<(Made, Location)>, String> {
        let state = self.store.state();
        let nothing =
            || format!("There is no parked message {oru}. Those that are parked: orugate parked list");
        let made = state.made(oru).ok_or_else(nothing)?;
        let queue = state.queue(&made.destination).ok_or_else(nothing)?;
        Ok(queue.parked.get(&oru).map(|(waiting, _)| (made.clone(), waiting.at)))
    }

    /// What later reports brought of its results with other content, or with another run in their place. The same content
    /// again overtakes nothing: a destination that suppresses resends did not get it.
    fn later(&self, oru: u64, made: &Made) -> Result<Later, ()> {
        let Some(origin) = &made.origin else { return Err(()) };
        let outcome: Outcome =
            self.store.read_meta(origin.outcome, |state| state.outcome_at(oru)).ok().flatten().ok_or(())?;
        let written = outcome.towards.iter().flat_map(|towards| &towards.orus);
        // One that was made in another's place has what that one has, and so have all that were made in a group together.
        let written = written.clone().find(|(number, _)| *number == oru).map(|(_, written)| written);
        let mut sent: Vec<&Disposition> =
            outcome.dispositions.iter().filter(|d| d.fate == Fate::Sent).collect();
        match written {
            Some(written) => sent.retain(|d| written.iter().any(|(at, _)| *at == d.observation)),
            None => sent = sent.into_iter().skip(origin.sent.start).take(origin.sent.len()).collect(),
        }
        // However old: this ORU waited as long.
        let history = History::new(&self.store, self.clock.stamp(), i64::MIN);
        let overtaken = sent.iter().filter(|d| self.is_overtaken(d, &outcome, made, &history)).count();
        Ok(match overtaken {
            0 => Later::Nothing,
            n if n == sent.len() => Later::Everything,
            n => Later::Some(n, sent.len()),
        })
    }

    fn is_overtaken(&self, of: &Disposition, outcome: &Outcome, made: &Made, history: &History<'_>) -> bool {
        let Some(identity) = of.identity else { return false };
        let series = Which::Series(of.series, i64::MIN);
        // Outcomes of the message's other specimens have it too, but only those of its own have what came later.
        outcome.specimens.iter().any(|specimen| {
            let later = |which| {
                let had = [
                    history.at(*specimen, which, &made.destination),
                    history.parked(*specimen, which, &made.destination),
                ];
                had.into_iter().flatten().map(|had| had.sent).filter(|later| later.message > made.message)
            };
            let same = |later: &Sent| (later.content, later.is_final) == (of.content, of.is_final);
            let in_place = |later: &Sent| (later.filler, later.sub_id) == (of.filler, of.sub_id);
            later(Which::Run(identity)).any(|later| !same(&later))
                || later(series).any(|later| later.identity != identity && in_place(&later))
        })
    }

    fn settle_parked(
        &self,
        oru: u64,
        actor: String,
        how: Sending,
        mut entries: Vec<Entry>,
    ) -> Result<(), String> {
        let settled = ParkedSettled { oru, actor, at: self.clock.stamp().0, how };
        entries.push(Entry::new(&settled));
        let _ = self
            .store
            .append_wait(entries, self.time())
            .map_err(|error| format!("Nothing was changed: {error}."))?;
        let how = match settled.how {
            Sending::Again => "it goes again",
            Sending::Anew(_) => "it goes in another charset, under a new number",
            Sending::Superseded => "it is superseded by a later report",
            Sending::Discarded(_) => "it is discarded",
        };
        tracing::info!(oru, actor = %settled.actor, "parked message: {how}");
        Ok(())
    }
}

//! What is asked about holds: all of them or one, to release, redrive or discard one.
//!
//! Promises answers that say what became of the results and what to type next, without a sample id or a value. Decides
//! nothing itself: that is the interpretation thread's.

use super::{Admin, HoldView, Response, seconds};
use crate::convert::{HoldReason, commands};
use crate::interpret::{Order, Redriven, Released, no_hold};
use crate::words::count;

impl Admin {
    /// Open holds, the oldest first.
    pub(super) fn holds(&self, only: Option<u64>) -> Vec<HoldView> {
        let now = self.clock.reckoned().0;
        let state = self.store.state();
        let wanted = state.holds().filter(|(number, _)| only.is_none_or(|only| only == *number));
        let mut holds: Vec<HoldView> = wanted
            .map(|(hold, open)| HoldView {
                hold,
                instrument: open.hold.instrument.clone(),
                reason: open.hold.reason.clone(),
                sentence: open.hold.sentence.clone(),
                codes: open.hold.observations.iter().map(|(_, code)| code.clone()).collect(),
                age: seconds(now - open.hold.at),
                message: open.hold.message,
                since: open.hold.at,
                results: open.hold.observations.len(),
                rest: open.hold.rest_from.is_some(),
                overtaken: open.overtaken,
                fix: HoldReason::of(&open.hold.reason).map(|reason| reason.fix().to_owned()),
                commands: commands(&open.hold.reason, &hold.to_string()),
            })
            .collect();
        holds.sort_by_key(|hold| (hold.since, hold.hold));
        holds
    }

    pub(super) fn hold(&self, hold: u64) -> Response {
        match self.holds(Some(hold)) {
            holds if holds.is_empty() => Response::Refused(no_hold(hold)),
            holds => Response::Holds(holds),
        }
    }

    pub(super) async fn release(
        &self,
        hold: u64,
        sample: Option<String>,
        anyway: bool,
        actor: &str,
    ) -> Response {
        let sample = match sample.as_deref().map(sample_id) {
            None => None,
            Some(Ok(sample)) => Some(sample),
            Some(Err(why)) => return Response::Refused(why),
        };
        let actor = actor.to_owned();
        match self.ask_worker(|reply| Order::Release { hold, sample, anyway, actor, reply }).await {
            Ok(Released { sent: 0, held: 0, superseded: 1.. }) => Response::Done(format!(
                "Hold {hold} is settled as superseded: a later message brought these results."
            )),
            Ok(Released { sent, held: 0, .. }) => {
                Response::Done(format!("Hold {hold} is released: {}.", on_their_way(sent)))
            }
            Ok(Released { sent, held, .. }) => Response::Done(format!(
                "Hold {hold} was interpreted again: {}, {held} held anew. See: orugate holds list",
                on_their_way(sent)
            )),
            Err(why) => Response::Refused(why),
        }
    }

    pub(super) async fn redrive(&self, hold: u64, actor: &str) -> Response {
        let actor = actor.to_owned();
        match self.ask_worker(|reply| Order::Redrive { hold, actor, reply }).await {
            Ok(Redriven::Waits(sentence)) => {
                Response::Waits(format!("Hold {hold} waits as before. {sentence}"))
            }
            Ok(Redriven::Settled(Released { sent: 0, held: 0, superseded: 1.. })) => Response::Done(format!(
                "Hold {hold} is settled as superseded: a later message brought these results."
            )),
            Ok(Redriven::Settled(Released { sent, held: 0, superseded })) => {
                let later = match superseded {
                    0 => String::new(),
                    n => format!(", {} came again later", count(n as u64, "result", "results")),
                };
                Response::Done(format!("Hold {hold} is settled: {}{later}.", on_their_way(sent)))
            }
            Ok(Redriven::Settled(Released { sent, held, .. })) => Response::Waits(format!(
                "Hold {hold} is settled: {}; {} for another reason or in part. See: orugate holds list",
                on_their_way(sent),
                count(held as u64, "result is held anew", "results are held anew"),
            )),
            Err(why) => Response::Refused(why),
        }
    }

    pub(super) async fn discard(&self, hold: u64, reason: String, actor: &str) -> Response {
        if reason.trim().is_empty() {
            return Response::Refused("Discarding needs a reason, which is kept for whoever asks later: orugate holds discard HOLD --reason \"…\"".to_owned());
        }
        let actor = actor.to_owned();
        match self.ask_worker(|reply| Order::Discard { hold, reason, actor, reply }).await {
            Ok(()) => Response::Done(format!("Hold {hold} is discarded. Its raw bytes stay in the journal.")),
            Err(why) => Response::Refused(why),
        }
    }
}

/// A sample id that a person typed. An empty one would send a result that belongs to nobody.
fn sample_id(typed: &str) -> Result<String, String> {
    let sample = typed.trim();
    if sample.is_empty() {
        return Err("The sample id is empty. Read it from the tube: orugate holds release HOLD --sample ID"
            .to_owned());
    }
    if sample.chars().any(char::is_control) {
        return Err(
            "The sample id holds a control character; type it as it is printed on the tube.".to_owned()
        );
    }
    Ok(sample.to_owned())
}

fn on_their_way(results: usize) -> String {
    match results {
        0 => "no result of it is sent".to_owned(),
        1 => "1 result is on its way".to_owned(),
        n => format!("{n} results are on their way"),
    }
}

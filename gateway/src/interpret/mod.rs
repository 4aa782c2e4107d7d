//! The interpretation thread: stored messages become outcomes, one at a time, in the order they ended.
//!
//! It reads a message from the journal, converts it, and appends one atomic batch: the ORUs, the holds, and a
//! disposition for each observation. Until that batch is on flash nothing is sent. A driver that panics on a message
//! costs that message a hold, not the gateway its service; a message that three processes began and did not finish is
//! not tried again.

mod bedside;
mod gone;
mod holds;
mod outcome;
mod parked;
mod target;
mod thread;

pub use gone::GivenUp;
pub use holds::{Redriven, Released, no_hold};
pub use parked::Resent;
pub use target::{OwnedPcd, OwnedTarget, OwnedUnknown};
pub use thread::Handle;

use crate::clock::{Clock, Trust};
use crate::convert::{Clocks, HoldReason, Numbers, Proof, Release, Reruns, Rules, Setting, Target, Task};
use crate::history::History;
use crate::lineup::{Current, Lineup};
use crate::maps::Table;
use crate::records::{Analyzer, Attempt, ClockAccepted, Hold, Outcome, Provenance, clock_quality};
use crate::state::Message;
use crate::store::{Entry, Store};
use crate::words::duration;
use jiff::tz::TimeZone;
use orugate_driver::{Feed, Interpreter, StoredMessage};
use orugate_journal::{AppendError, Lane, Reserved, UnixMillis};
use orugate_protocol::time::{ClockQuality, Tick, Utc};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use thread::Hand;

/// After so many attempts that a process did not survive, a message is held untouched.
const ATTEMPTS: u32 = 3;
/// So long after a start messages wait for what was sent before to be read. Then they go on with what is known.
pub const PAST_BY: Duration = Duration::from_secs(600);
/// What a person is told meanwhile.
const PAST_UNKNOWN: &str =
    "What was sent before is still being read from the journal. Ask again in a minute.";
/// What a person is told who asks for something that makes an ORU while results wait for the clock.
fn clock_unset(left: Duration) -> String {
    format!(
        "This box's clock is not set, and results wait for it. Set it (timedatectl), or ask again in {}.",
        duration(i64::try_from(left.as_secs()).unwrap_or(i64::MAX).saturating_add(1))
    )
}
/// What the thread must know about one instrument; owned, so that it outlives any configuration.
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Turns its messages into reports.
    pub interpreter: Box<dyn Interpreter>,
    /// Where its results go.
    pub targets: Vec<OwnedTarget>,
    /// Its maps.
    pub table: Option<Arc<Table>>,
    /// With what it is interpreted.
    pub provenance: Provenance,
    /// What becomes of another run of a test on one specimen.
    pub reruns: Reruns,
    /// How long after it another run is one.
    pub rerun_within: Duration,
    /// The zone of its clock.
    pub zone: TimeZone,
    /// How far its clock may be off.
    pub clock_limit: Duration,
    /// What the site knows of it and its samples.
    pub rules: Rules,
    /// What its profile's own evidence asks for.
    pub asked: Asked,
    /// What it feeds.
    pub feed: Feed,
    /// What the site says of a bedside device.
    pub bedside: Option<crate::bedside::Rules>,
}

impl Subject {
    /// Whether it is a bedside device.
    #[must_use]
    pub const fn is_bedside(&self) -> bool {
        matches!(self.feed, Feed::Bedside { .. })
    }
}

/// What is asked of an instrument before its results go out, by the evidence of its profile and its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: the profile is proven.
    Nothing,
    /// Nothing, for what goes out is marked as a test.
    NothingInTest,
    /// That persons have compared what was sent with the analyzer's screen.
    Proof,
}

/// What others tell the thread.
pub enum Order {
    /// Look for pending messages.
    Look,
    /// A person releases a hold.
    Release {
        /// The hold.
        hold: u64,
        /// The sample id that the person entered.
        sample: Option<String>,
        /// Also when the site's rule for sample ids refuses it.
        anyway: bool,
        /// Who.
        actor: String,
        /// Told when it is done: how many observations were sent and how many are still held, or why not.
        reply: Box<dyn FnOnce(Result<Released, String>) + Send>,
    },
    /// A person has a hold interpreted again with the configuration that is in force.
    Redrive {
        /// The hold.
        hold: u64,
        /// Who.
        actor: String,
        /// Told when it is done, or why not.
        reply: Box<dyn FnOnce(Result<Redriven, String>) + Send>,
    },
    /// A person throws a hold away.
    Discard {
        /// The hold.
        hold: u64,
        /// Why.
        reason: String,
        /// Who.
        actor: String,
        /// Told when it is done, or why not.
        reply: Box<dyn FnOnce(Result<(), String>) + Send>,
    },
    /// A person sends a parked ORU again.
    Send {
        /// The ORU.
        oru: u64,
        /// Who.
        actor: String,
        /// Told when it is done, or why not.
        reply: Box<dyn FnOnce(Result<Resent, String>) + Send>,
    },
    /// A person takes a parked ORU out of its queue.
    Withdraw {
        /// The ORU.
        oru: u64,
        /// Why.
        reason: String,
        /// Who.
        actor: String,
        /// Told when it is done, or why not.
        reply: Box<dyn FnOnce(Result<(), String>) + Send>,
    },
    /// A person gives up all that waits for a destination that is gone.
    Drop {
        /// The destination.
        destination: String,
        /// Why.
        reason: String,
        /// Who.
        actor: String,
        /// Told when it is done, or why not.
        reply: Box<dyn FnOnce(Result<GivenUp, String>) + Send>,
    },
    /// A person says that the clock is right although the journal has a later time.
    AcceptClock {
        /// Who.
        actor: String,
        /// Told when it is done, or why not.
        reply: Box<dyn FnOnce(Result<(), String>) + Send>,
    },
    /// End the thread after the message at hand.
    Stop,
}

/// What the thread tells the port of an instrument.
pub type Told = Arc<dyn Fn(&str, Tell<'_>) + Send + Sync>;

/// Something about an instrument's message.
pub enum Tell<'a> {
    /// It asks for orders.
    Query(&'a str),
    /// A note of the interpreter.
    Note {
        /// The same for all of its kind.
        kind: &'a str,
        /// In words.
        sentence: &'a str,
    },
    /// What became of one message.
    Done {
        /// Observations sent.
        sent: usize,
        /// Observations held.
        held: usize,
    },
}

/// What the thread works on.
pub struct Worker {
    /// Journal and fold.
    pub store: Store,
    /// Clocks.
    pub clock: Clock,
    /// The instruments, and what they share.
    pub lineup: Current,
    /// Who hears about queries and notes.
    pub told: Told,
    /// When this process began.
    pub began: Tick,
}

struct JournalNumbers<'s> {
    store: &'s Store,
    reserved: Vec<Reserved>,
}

impl Numbers for JournalNumbers<'_> {
    fn next(&mut self) -> Option<u64> {
        let reserved = self.store.reserve()?;
        let number = reserved.get().0;
        self.reserved.push(reserved);
        Some(number)
    }
}

impl JournalNumbers<'_> {
    fn take(&mut self, number: u64) -> Option<Reserved> {
        let at = self.reserved.iter().position(|r| r.get().0 == number)?;
        Some(self.reserved.swap_remove(at))
    }
}

impl Worker {
    /// Works until told to stop, or until another thread has the work.
    fn run(&self, hand: &mut Hand, orders: &Receiver<Order>) {
        loop {
            self.work_off(hand);
            hand.open.fetch_sub(1, Ordering::AcqRel);
            // Its orders end with it, also those that wait already: another thread has the work.
            if hand.overtaken {
                return;
            }
            match orders.recv() {
                Ok(Order::Look) => {}
                Ok(Order::Release { reply, .. }) if !self.knows_the_past() => {
                    reply(Err(PAST_UNKNOWN.to_owned()));
                }
                Ok(Order::Send { reply, .. }) if !self.knows_the_past() => {
                    reply(Err(PAST_UNKNOWN.to_owned()));
                }
                Ok(Order::Redrive { reply, .. }) if !self.knows_the_past() => {
                    reply(Err(PAST_UNKNOWN.to_owned()));
                }
                Ok(Order::Release { hold, sample, anyway, actor, reply }) => {
                    reply(match self.clock.trust() {
                        Trust::Waits(left) => Err(clock_unset(left)),
                        Trust::Good | Trust::Doubted => {
                            self.release(hand, hold, sample.as_deref(), anyway, &actor)
                        }
                    });
                }
                Ok(Order::Redrive { hold, actor, reply }) => reply(match self.clock.trust() {
                    Trust::Waits(left) => Err(clock_unset(left)),
                    Trust::Good | Trust::Doubted => self.redrive(hand, hold, &actor),
                }),
                Ok(Order::Discard { hold, reason, actor, reply }) => {
                    reply(self.discard(hold, reason, actor));
                }
                Ok(Order::Send { oru, actor, reply }) => reply(self.send_parked(oru, actor)),
                Ok(Order::Withdraw { oru, reason, actor, reply }) => {
                    reply(self.discard_parked(oru, reason, actor));
                }
                Ok(Order::Drop { destination, reason, actor, reply }) => {
                    reply(self.drop_destination(destination, reason, actor));
                }
                Ok(Order::AcceptClock { actor, reply }) => reply(self.accept_clock(actor)),
                Ok(Order::Stop) | Err(_) => return,
            }
        }
    }

    /// Interprets all that waits, oldest first. Stops at a message whose outcome could not be stored: it stays
    /// pending, and the next order tries again.
    fn work_off(&self, hand: &mut Hand) {
        loop {
            // Results go before what is taken again a minute later.
            while let Some((number, message)) = self.next(hand) {
                match self.interpret(hand, number, &message) {
                    Ok(()) => {}
                    Err(Undone::Overtaken) => return,
                    Err(Undone::Unstored(error)) => {
                        if let Some(before) = hand.unstored.again(self.clock.tick(), Lane::Results) {
                            tracing::error!(number, %error, before,
                                "the outcome of a message could not be stored; it stays in the queue and is tried again");
                        }
                        return;
                    }
                }
            }
            if hand.overtaken || matches!(self.clock.trust(), Trust::Waits(_)) {
                return;
            }
            match self.observe(hand) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    if let Some(before) = hand.unstored.again(self.clock.tick(), Lane::Snapshots) {
                        tracing::error!(%error, before,
                            "what came of bedside devices' messages could not be stored; they stay in the queue and are tried again");
                    }
                    return;
                }
            }
        }
    }

    /// Whether what was sent before can be asked for: without it a correction would go out as new.
    fn knows_the_past(&self) -> bool {
        self.store.knows_the_past() || self.clock.tick().since(self.began) >= PAST_BY
    }

    /// The oldest message that waits, but for instruments whose driver has not come back from an older one.
    fn next(&self, hand: &Hand) -> Option<(u64, Message)> {
        // All is stored and acknowledged meanwhile. What waits for its clock is looked for again every few seconds.
        if !self.knows_the_past() || matches!(self.clock.trust(), Trust::Waits(_)) {
            return None;
        }
        let lineup = self.lineup.get();
        let bedside = |name: &str| lineup.subject(name).is_some_and(Subject::is_bedside);
        let state = self.store.state();
        let mut waiting = state.pending().filter_map(|number| Some((number, state.message(number)?)));
        let (number, message) = waiting
            .find(|(_, message)| !bedside(&message.instrument) && !hand.must_wait(&message.instrument))?;
        Some((number, message.clone()))
    }

    fn interpret(&self, hand: &mut Hand, number: u64, message: &Message) -> Result<(), Undone> {
        let trouble = match self.first_time(hand, number, message) {
            Ok(_) => return Ok(()),
            Err(Trouble::Append(AppendError::TooLarge { .. })) => Trouble::Whole(
                HoldReason::TooLarge.code(),
                "What came of this message does not fit into one batch of the journal. Send it to the maker.",
            ),
            Err(trouble) => trouble,
        };
        match trouble {
            Trouble::Append(error) => Err(Undone::Unstored(error)),
            Trouble::Overtaken => Err(Undone::Overtaken),
            Trouble::Whole(reason, sentence) => {
                self.hold_whole(number, message, reason, sentence).map_err(Undone::Unstored)
            }
        }
    }

    fn first_time(&self, hand: &mut Hand, number: u64, message: &Message) -> Result<Released, Trouble> {
        // One configuration from the first byte of a message to its outcome.
        let lineup = self.lineup.get();
        let Some(subject) = lineup.subject(&message.instrument) else {
            return Err(Trouble::whole(HoldReason::Unconfigured));
        };
        if !self.may_try(hand, Lane::Results, number)? {
            return Err(Trouble::Whole(
                HoldReason::DriverFault.code(),
                "The gateway died three times with this message at hand. Send the message to the maker.",
            ));
        }
        self.convert(hand, &lineup, subject, number, message, None).map(|kept| kept.released)
    }

    /// The clock ran ahead once, so that the journal has times that are still to come.
    fn accept_clock(&self, actor: String) -> Result<(), String> {
        let accepted =
            ClockAccepted { at: self.clock.acceptable()?.0, actor, newest: self.store.state().newest() };
        let stored = self.store.append_wait(vec![Entry::new(&accepted)], None);
        let _ = stored.map_err(|error| format!("Not accepted: {error}."))?;
        tracing::warn!(actor = %accepted.actor, "a person says that the clock is right, although the journal has a later time");
        Ok(())
    }

    /// Reads, converts and stores one message, or the part of it that a hold names.
    fn convert(
        &self,
        hand: &mut Hand,
        lineup: &Lineup,
        subject: &Subject,
        number: u64,
        message: &Message,
        act: Option<&Act<'_>>,
    ) -> Result<Kept, Trouble> {
        let (raw, ends) = self.bytes(number, message).ok_or(Trouble::whole(HoldReason::JournalDamage))?;
        let stored = stored(&raw, &ends, message);
        let targets: Vec<Target<'_>> =
            subject.targets.iter().map(|target| target.borrowed(&subject.name)).collect();
        let proofs = self.proofs(subject);
        let setting = Setting {
            proof: proofs.as_deref().map_or(Proof::NotAsked, Proof::By),
            instrument: &subject.name,
            destinations: &targets,
            gateway: &lineup.plan.gateway.id,
            zone: &subject.zone,
            site_zone: &lineup.plan.gateway.timezone,
            key: self.store.journal().identity().hash_key(),
            rules: &subject.rules,
            reruns: subject.reruns,
            rerun_within: i64::try_from(subject.rerun_within.as_micros()).unwrap_or(i64::MAX),
            table: subject.table.as_deref(),
        };
        let release = act.map(|a| Release {
            sample: a.sample,
            observations: &a.observations,
            rest_from: a.open.rest_from,
            overruled: a.overruled(),
        });
        let mut numbers = JournalNumbers { store: &self.store, reserved: Vec::new() };
        let now = self.clock.stamp();
        // A copy: the state is not held while a driver works.
        let seen = self.store.state().device_clock(&subject.name).to_vec();
        let pause = hand.pause();
        let looking = |begins| pause.looking(begins);
        let history = self.history(lineup, now, &looking);
        let task = Task {
            interpreter: &*subject.interpreter,
            message: stored,
            number,
            setting,
            past: &history,
            now,
            clocks: Clocks {
                doubted: self.clock.trust() == Trust::Doubted,
                until: Some(Utc(message.until)),
                seen: &seen,
                limit: i64::try_from(subject.clock_limit.as_micros()).ok(),
            },
            release,
        };
        if let Err(unfit) = hand.begin(number, &message.instrument) {
            return Err(Trouble::Whole(HoldReason::DriverFault.code(), unfit.sentence()));
        }
        let converter = &mut hand.converter;
        let converted = catch_unwind(AssertUnwindSafe(|| {
            converter.convert(&task, &mut numbers);
        }));
        if !hand.end() {
            return Err(Trouble::Overtaken);
        }
        if converted.is_err() {
            // The panic's own text may hold a name; only its place was logged by the hook.
            return Err(Trouble::whole(HoldReason::DriverFault));
        }
        let conversion = hand.converter.conversion();
        if conversion.starved {
            return Err(Trouble::Append(AppendError::Busy));
        }
        let outcome = outcome::Batch {
            worker: self,
            subject,
            number,
            message,
            conversion,
            now,
            zone: subject.zone.clone(),
        };
        Ok(outcome.store(&mut numbers, act)?)
    }

    /// Whether a message may be given to its driver: not when three processes began it and did not finish. Of one that an earlier
    /// process left, this is written down first.
    fn may_try(&self, hand: &mut Hand, lane: Lane, number: u64) -> Result<bool, AppendError> {
        // A journal that did not take the outcome is no death: one attempt for each thread, however often it tries.
        if hand.attempted.contains(&number) {
            return Ok(true);
        }
        // Not in the match: the look at the state would last through it, while the journal's thread needs the state to
        // say that the attempt is stored.
        let attempts = self.store.state().attempts(number);
        match attempts {
            None => Ok(true),
            Some(ATTEMPTS..) => Ok(false),
            Some(_) => {
                let attempt = vec![Entry::new(&Attempt { message: number })];
                let _ = self.store.append_wait_in(lane, attempt, None)?;
                hand.attempted.insert(number);
                Ok(true)
            }
        }
    }

    /// All of a message, and where each of its pieces ends; `None` when it cannot be read back.
    fn bytes(&self, number: u64, message: &Message) -> Option<(Vec<u8>, Vec<u32>)> {
        let (mut raw, mut ends) = (Vec::new(), Vec::with_capacity(message.chunks.len()));
        for (piece, at) in &message.chunks {
            let payload = self.store.read(*at, |state| state.piece(number, *piece));
            let told =
                payload.inspect_err(|error| tracing::error!(number, %error, "a chunk cannot be read back"));
            raw.extend_from_slice(&told.ok()?);
            ends.push(u32::try_from(raw.len()).unwrap_or(u32::MAX));
        }
        Some((raw, ends))
    }

    /// One hold for a message of which nothing more can be said.
    fn hold_whole(
        &self,
        number: u64,
        message: &Message,
        reason: &str,
        sentence: &str,
    ) -> Result<(), AppendError> {
        let at = self.clock.stamp().0;
        let hold = Hold {
            message: number,
            instrument: message.instrument.to_string(),
            reason: reason.to_owned(),
            sentence: sentence.to_owned(),
            observations: Vec::new(),
            rest_from: Some(0),
            at,
        };
        let outcome = Outcome {
            message: number,
            instrument: message.instrument.to_string(),
            at,
            provenance: self
                .lineup
                .get()
                .subject(&message.instrument)
                .map(|s| s.provenance.clone())
                .unwrap_or_default(),
            ..Outcome::default()
        };
        let _ = self.store.append_wait(vec![Entry::new(&hold), Entry::new(&outcome)], self.time())?;
        tracing::warn!(instrument = %message.instrument, number, reason, "held: {sentence}");
        Ok(())
    }

    /// The analyzers for which an instrument's profile is proven; `None` where that is not asked.
    fn proofs(&self, subject: &Subject) -> Option<Vec<Analyzer>> {
        let of = &subject.provenance;
        let state = (subject.asked == Asked::Proof).then(|| self.store.state())?;
        let maps = of.map_hash();
        let proofs = state.verifications().proofs(&subject.name, &of.profile_hash, &maps);
        Some(proofs.map(|(_, analyzer)| analyzer.clone()).collect())
    }

    /// What was sent until now. A clock that is not set tells no age.
    fn history<'s>(&'s self, lineup: &Lineup, now: Utc, looking: &'s dyn Fn(bool)) -> History<'s> {
        let keep = i64::try_from(lineup.plan.journal.keep_keys.as_micros()).unwrap_or(i64::MAX);
        let believed = self.clock.quality() != ClockQuality::Unset;
        let horizon = if believed { now.0.saturating_sub(keep) } else { i64::MIN };
        History::new(&self.store, now, horizon).watched(looking)
    }

    /// The time for the journal's lower bound, while the clock can be believed.
    fn time(&self) -> Option<UnixMillis> {
        let believed = self.clock.quality() != ClockQuality::Unset;
        believed.then(|| UnixMillis(u64::try_from(self.clock.utc().0 / 1000).unwrap_or(0)))
    }
}

/// A message as the journal holds it.
fn stored<'m>(raw: &'m [u8], ends: &'m [u32], message: &Message) -> StoredMessage<'m> {
    StoredMessage {
        raw,
        chunk_ends: ends,
        complete: message.complete.unwrap_or(false),
        received: Utc(message.received),
        clock: clock_quality(message.clock),
    }
}

/// A person's act on a hold.
struct Act<'a> {
    hold: u64,
    /// The hold as it is.
    open: &'a Hold,
    /// Its observations.
    observations: Vec<u32>,
    sample: Option<&'a str>,
    /// It is released by the person's knowledge, not only interpreted again.
    release: bool,
    actor: &'a str,
}

impl Act<'_> {
    /// The reason that does not hold any more.
    fn overruled(&self) -> Option<&str> {
        self.release.then_some(&*self.open.reason)
    }
}

/// What a conversion left in the journal.
struct Kept {
    released: Released,
    /// The hold of a redrive that is as it was.
    unchanged: bool,
}

/// Why a message has no outcome yet.
enum Trouble {
    /// The journal did not take it.
    Append(AppendError),
    /// Nothing more can be said of the message: reason and sentence of a hold.
    Whole(&'static str, &'static str),
    /// It took so long that another thread has the work now; this one is to end.
    Overtaken,
}

/// Why a message waits on.
enum Undone {
    /// The journal did not take what came of it.
    Unstored(AppendError),
    /// Another thread has the work now.
    Overtaken,
}

impl Trouble {
    const fn whole(reason: HoldReason) -> Self {
        Self::Whole(reason.code(), reason.sentence())
    }
}

impl From<AppendError> for Trouble {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

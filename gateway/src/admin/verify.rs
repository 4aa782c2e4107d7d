//! What is asked about verifications: which there are, how one stands, and to keep what a person said.
//!
//! Promises that one thing is decided at a time, so that none is answered while it ends; and that an answer is on flash before
//! it is confirmed. Who said it is whom the kernel tells. What was shown and said comes from the command, which can read the
//! journal, and is kept as it is; nothing of it is given out here.

use super::{Admin, Response, UNANSWERED};
use crate::lineup::Lineup;
use crate::records::{
    Analyzer, Answer, Shows, Verification, VerificationAct, VerificationScope, clock_number,
};
use crate::state::{Heard, Session};
use crate::store::Entry;
use orugate_journal::{UnixMillis, Urgency};
use orugate_protocol::time::ClockQuality;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tokio::sync::oneshot;

/// The longest that is kept of what was shown and said at once.
pub const EVIDENCE: usize = 24 << 10;

/// What the command line asks about verifications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum VerifyRequest {
    /// All of them.
    List,
    /// How one stands.
    Show {
        /// Its number.
        session: u64,
    },
    /// Begin one.
    Begin {
        /// The instrument's name.
        instrument: String,
        /// The name that the person gave.
        name: String,
        /// What is to be seen besides a control, a blank and a calibration.
        wanted: Vec<Shows>,
    },
    /// What a person said of a result.
    Say {
        /// The session.
        session: u64,
        /// The name that the person gave.
        name: String,
        /// The message.
        message: u64,
        /// The result's place in it.
        observation: u32,
        /// The answer.
        answer: Answer,
        /// What the result shows besides itself.
        shows: Vec<Shows>,
        /// What was shown and said, as JSON.
        evidence: String,
    },
    /// Why something cannot be seen.
    Excuse {
        /// The session.
        session: u64,
        /// The name that the person gave.
        name: String,
        /// What.
        item: Shows,
        /// Why.
        words: String,
    },
    /// End it.
    End {
        /// The session.
        session: u64,
        /// The name that the person gave.
        name: String,
        /// What was not verified, as JSON.
        evidence: String,
    },
}

/// How a verification stands. No value and no sample id is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationView {
    /// Its number.
    pub session: u64,
    /// Of what it is.
    pub scope: VerificationScope,
    /// When it began, in microseconds since 1970.
    pub at: i64,
    /// Who began it.
    pub actor: String,
    /// The analyzer that was answered for.
    pub analyzer: Option<Analyzer>,
    /// When it ended.
    pub ended: Option<i64>,
    /// For which analyzer it proves the profile.
    pub proof: Option<Analyzer>,
    /// Results that are as on the screen.
    pub same: usize,
    /// Results that are not.
    pub differ: usize,
    /// Results that were not compared.
    pub skipped: usize,
    /// What was seen.
    pub seen: BTreeSet<Shows>,
    /// What cannot be seen, with a reason.
    pub excused: BTreeSet<Shows>,
    /// What is missing for a proof, as clauses.
    pub missing: Vec<String>,
    /// Messages that cannot be answered for.
    pub strange: u32,
    /// The messages since, while it is open.
    pub messages: Vec<HeardView>,
}

/// A message of an open session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardView {
    /// Its number.
    pub message: u64,
    /// Who sent it.
    pub analyzer: Analyzer,
    /// Observations that went out.
    pub sent: BTreeSet<u32>,
    /// Observations that are no patient's.
    pub qc: BTreeSet<u32>,
    /// Observations in holds.
    pub held: u32,
    /// Observations that are not reportable.
    pub not_reportable: u32,
    /// ORUs of it that a destination acknowledged.
    pub acknowledged: u32,
    /// The last answers.
    pub said: Vec<(u32, Answer)>,
}

impl Admin {
    pub(super) async fn verify(&self, request: VerifyRequest, actor: &str) -> Response {
        // Until it is stored nobody else decides.
        let _one = self.verifying.lock().await;
        match request {
            VerifyRequest::List => {
                let state = self.store.state();
                let all = state.verifications().all();
                Response::Verifications(all.map(|(number, session)| view(number, session, false)).collect())
            }
            VerifyRequest::Show { session } => match self.session(session) {
                Ok(of) => Response::Verifications(vec![view(session, &of, true)]),
                Err(why) => Response::Refused(why),
            },
            VerifyRequest::Begin { instrument, name, wanted } => {
                self.begin_verification(&instrument, name, wanted, actor).await
            }
            VerifyRequest::Say { session, name, message, observation, answer, shows, evidence } => {
                let takes = self.session(session).and_then(|of| of.takes(message, observation, answer));
                let act = VerificationAct::Said { message, observation, answer, shows };
                self.keep(session, name, actor, takes.map(|()| act), evidence).await
            }
            VerifyRequest::Excuse { session, name, item, words } => {
                let act = match self.session(session) {
                    Ok(of) if !of.is_open() => Err(over(session)),
                    Ok(_) if words.trim().is_empty() => {
                        Err(format!("Say why {} cannot be seen: why {} WORDS", item.words(), item.word()))
                    }
                    Ok(of) if !of.scope.wanted.contains(&item) => {
                        Err(format!("{} is not on the list of this verification.", item.word()))
                    }
                    Ok(_) => Ok(VerificationAct::Excused(item)),
                    Err(why) => Err(why),
                };
                self.keep(session, name, actor, act, words).await
            }
            VerifyRequest::End { session, name, evidence } => {
                let act = match self.session(session) {
                    Ok(of) if !of.is_open() => Err(over(session)),
                    Ok(of) => Ok(VerificationAct::Ended { proof: of.verdict().ok() }),
                    Err(why) => Err(why),
                };
                self.keep(session, name, actor, act, evidence).await
            }
        }
    }

    fn session(&self, number: u64) -> Result<Session, String> {
        let session = self.store.state().verifications().get(number).cloned();
        session.ok_or_else(|| {
            format!("There is no verification {number}. Those that there are: orugate verify list")
        })
    }

    async fn begin_verification(
        &self,
        instrument: &str,
        name: String,
        wanted: Vec<Shows>,
        actor: &str,
    ) -> Response {
        let lineup = self.lineup.get();
        let Some(scope) = self.scope(&lineup, instrument, wanted) else {
            let names: Vec<&str> = lineup.instruments.iter().map(|served| &*served.plan.name).collect();
            return Response::Refused(format!(
                "The running configuration has no instrument {instrument}. It has: {}.",
                names.join(", ")
            ));
        };
        let open = self.store.state().verifications().open(instrument).map(|(number, _)| number);
        if let Some(open) = open {
            return Response::Refused(format!(
                "Verification {open} of {instrument} is open. Go on with it: orugate verify session {instrument}"
            ));
        }
        let Some(number) = self.store.reserve() else {
            return Response::Refused("The journal takes nothing now. See: orugate status".to_owned());
        };
        let session = number.get().0;
        let began = Verification {
            session,
            at: self.clock.stamp().0,
            actor: actor.to_owned(),
            name,
            act: VerificationAct::Began(Box::new(scope)),
        };
        match self.store_verification(Entry::new(&began).numbered(number)).await {
            Ok(()) => match self.session(session) {
                Ok(of) => Response::Verifications(vec![view(session, &of, true)]),
                Err(why) => Response::Refused(why),
            },
            Err(why) => Response::Refused(why),
        }
    }

    fn scope(&self, lineup: &Lineup, instrument: &str, mut wanted: Vec<Shows>) -> Option<VerificationScope> {
        let served = lineup.instrument(instrument)?;
        let of = lineup.subject(instrument)?.provenance.clone();
        wanted.extend([Shows::Control, Shows::Blank, Shows::Calibration]);
        wanted.sort_unstable();
        wanted.dedup();
        Some(VerificationScope {
            instrument: instrument.to_owned(),
            mode: served.mode().to_owned(),
            map_hash: of.map_hash(),
            profile: of.profile,
            profile_hash: of.profile_hash,
            evidence: served.plan.profile.common().evidence.to_string(),
            software: of.software,
            config_hash: of.config_hash,
            gateway: lineup.plan.gateway.id.clone(),
            site: lineup.plan.gateway.facility.clone(),
            journal: hex(self.store.journal().identity().journal()),
            clock: clock_number(self.clock.quality()),
            wanted,
        })
    }

    /// Keeps what was said, and answers with how the session stands then.
    async fn keep(
        &self,
        session: u64,
        name: String,
        actor: &str,
        act: Result<VerificationAct, String>,
        payload: String,
    ) -> Response {
        let act = match act {
            Ok(act) => act,
            Err(why) => return Response::Refused(why),
        };
        if payload.len() > EVIDENCE {
            return Response::Refused(format!(
                "That is more than {} KiB, and was not kept. Say it in fewer words.",
                EVIDENCE >> 10
            ));
        }
        let said = Verification { session, at: self.clock.stamp().0, actor: actor.to_owned(), name, act };
        match self.store_verification(Entry::with_payload(&said, payload.into_bytes())).await {
            Ok(()) => match self.session(session) {
                Ok(of) => Response::Verifications(vec![view(session, &of, true)]),
                Err(why) => Response::Refused(why),
            },
            Err(why) => Response::Refused(why),
        }
    }

    async fn store_verification(&self, entry: Entry) -> Result<(), String> {
        let (done, stored) = oneshot::channel();
        let believed = self.clock.quality() != ClockQuality::Unset;
        let at = believed.then(|| UnixMillis(u64::try_from(self.clock.utc().0 / 1000).unwrap_or(0)));
        self.store.append(vec![entry], Urgency::Now, at, move |result| {
            let _ = done.send(result.map(drop));
        });
        let stored = stored.await.map_err(|_| UNANSWERED.to_owned())?;
        // Whether a profile is proven is shown at once.
        self.look();
        stored.map_err(|error| format!("It is not noted: {error}. Say it again. See: orugate status"))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn over(session: u64) -> String {
    format!("Verification {session} is over. Begin another: orugate verify session INSTRUMENT")
}

/// How a session stands; `whole` with its messages.
fn view(number: u64, session: &Session, whole: bool) -> VerificationView {
    let said = |message: u64| {
        let of = session.said.range((message, 0)..=(message, u32::MAX));
        of.map(|((_, observation), (answer, _))| (*observation, *answer)).collect()
    };
    let heard = |(message, heard): (&u64, &Heard)| HeardView {
        message: *message,
        analyzer: heard.analyzer.clone(),
        sent: heard.sent.clone(),
        qc: heard.qc.clone(),
        held: heard.held,
        not_reportable: heard.not_reportable,
        acknowledged: heard.acknowledged,
        said: said(*message),
    };
    VerificationView {
        session: number,
        scope: session.scope.clone(),
        at: session.at,
        actor: session.actor.clone(),
        analyzer: session.analyzer.clone(),
        ended: session.ended.as_ref().map(|ended| ended.at),
        proof: session.proof().cloned(),
        same: session.answered(Answer::Same),
        differ: session.answered(Answer::Differs),
        skipped: session.answered(Answer::Skipped),
        seen: session.seen(),
        excused: session.excused.clone(),
        missing: if session.is_open() { session.verdict().err().unwrap_or_default() } else { Vec::new() },
        strange: session.strange,
        messages: if whole { session.heard.iter().map(heard).collect() } else { Vec::new() },
    }
}

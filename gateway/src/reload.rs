//! Another configuration for a gateway that runs.
//!
//! Promises: nothing that was acknowledged is lost or doubled by it; what did not change is not touched; what began
//! anew has finished what was open, or given it up as a stop would; and whatever fails on the way, the rest of the
//! configuration is in force. In this order: ports and forwarders that change or go end (so that an address is free
//! before another one takes it), what removed instruments have sent is worked off with the old configuration, the new
//! lineup takes its place at one moment, and what is new begins. Messages of other instruments that are stored and not
//! interpreted at that moment get the new configuration; each outcome says which.
//!
//! What needs a restart stays as it is and is a condition until then. The ORUs of a destination that is removed stay
//! in the journal, under its name, and are a condition too. Leaves out reading files.

use crate::conditions::{Code, Condition, Fault};
use crate::config::{CapturePlan, Difference, InstrumentPlan, Plan, Subject, Takes, WirePlan};
use crate::interpret::Order;
use crate::lineup::{Lineup, Served};
use crate::port::unheard;
use crate::records::{Abandoned, Reconfigured};
use crate::run::Gateway;
use crate::status::{Line, PortStatus};
use crate::store::Entry;
use crate::tls::Peer;
use orugate_journal::{AppendError, Urgency};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Reloads that may wait for the one that is being made.
pub const WAITING: usize = 4;
/// How long the messages of removed instruments are waited for; what is left then becomes a hold that says why.
const WORK_OFF: Duration = Duration::from_secs(10);

/// Somebody asks for a reload.
pub struct Request {
    /// Who (`uid 1000`).
    pub actor: String,
    /// Only what would change is asked for; nothing is applied.
    pub only_plan: bool,
    /// Told what came of it: what was applied, or what is wrong with the new configuration.
    pub reply: oneshot::Sender<Result<Applied, String>>,
}

/// What came of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// All that differs. What needs a restart is not in force.
    pub difference: Difference,
    /// What could not be begun: sentences. It is tried again by itself.
    pub failed: Vec<String>,
    /// Hash of the configuration as the journal has it from now on.
    pub config: String,
}

impl Gateway {
    /// Applies a plan, but for what needs a restart. `actor` is who asks. A second reload waits for the first.
    ///
    /// May be dropped on the way when the gateway is to stop: what ends then still ends.
    pub async fn reload(&self, plan: Plan, actor: &str) -> Applied {
        let mut crew = self.crew.lock().await;
        let before = self.lineup.get();
        let difference = Difference::between(&before.plan, &plan);
        let mut config = plan.hash.to_string();
        if difference.for_restart().next().is_some() {
            let since = before.config.rsplit('+').next().unwrap_or_default();
            config = format!("{config}+{since}");
        }
        let plan = plan.as_reloaded(&before.plan);
        let anew = |subject: Subject| difference.takes(&subject) == Some(Takes::Connection);
        let ports: Vec<&str> = before.instruments.iter().map(|i| &*i.plan.name).collect();
        let ports: Vec<&str> =
            ports.into_iter().filter(|name| anew(Subject::Instrument((*name).to_owned()))).collect();
        let forwarders: Vec<&str> = before.destinations.iter().map(|d| &*d.plan.name).collect();
        let forwarders: Vec<&str> =
            forwarders.into_iter().filter(|name| anew(Subject::Destination((*name).to_owned()))).collect();
        // First, because a full journal takes nothing of what follows.
        self.store.journal().set_max_size(plan.journal.max_size);
        self.store.journal().set_keep(plan.journal.keep());
        self.store.journal().set_snapshots_size(plan.journal.snapshots_size);
        self.base.recorder.set_keep(plan.journal.keep_raw);
        for instrument in &plan.instruments {
            let _ = self.base.recorder.tap(&instrument.name, plan.capture.ring(instrument));
        }
        tokio::join!(self.base.ports.close(&ports), crew.end(&forwarders));
        // A thread that was given up may live on with its TLS; it is nobody's trouble any more.
        ports.iter().for_each(|name| self.base.tls.forget(name, Peer::Instrument));
        forwarders.iter().for_each(|name| self.base.tls.forget(name, Peer::Engine));
        self.close(&ports).await;
        let gone = ports.iter().filter(|name| !plan.instruments.iter().any(|i| i.name == **name));
        self.work_off(&gone.copied().collect::<Vec<_>>()).await;
        self.journal(&Reconfigured {
            at: self.base.clock.stamp().0,
            actor: actor.to_owned(),
            config: config.clone(),
        })
        .await;

        // From here to the new lineup nothing waits, so nobody sees a half of it.
        let mut failed = Vec::new();
        let mut instruments = Vec::with_capacity(plan.instruments.len());
        for instrument in &plan.instruments {
            let served = before.instrument(&instrument.name);
            instruments.push(match served {
                Some(served) if !ports.contains(&&*instrument.name) => {
                    let mut served = served.clone();
                    served.plan = instrument.clone();
                    served
                }
                _ => {
                    let status = served.map(|served| served.status.clone()).unwrap_or_default();
                    self.begin(instrument, &plan.capture, status, &mut failed)
                }
            });
        }
        let mut destinations = Vec::with_capacity(plan.destinations.len());
        for destination in &plan.destinations {
            destinations.push(match before.destination(&destination.name) {
                Some(reached) if !forwarders.contains(&&*destination.name) => {
                    let mut reached = reached.clone();
                    reached.plan = destination.clone();
                    reached
                }
                _ => crew.forward(&self.base, &plan, destination),
            });
        }
        self.lineup.set(Lineup::new(plan, config.clone(), instruments, destinations));
        self.worker.give(Order::Look);
        self.say(&difference, actor);
        Applied { difference, failed, config }
    }

    /// What a reload with this plan would change.
    #[must_use]
    pub fn difference(&self, plan: &Plan) -> Difference {
        Difference::between(&self.lineup.get().plan, plan)
    }

    /// A configuration was to be applied and is wrong; what is in force stays. `why` names the mistakes.
    pub fn rejected(&self, why: &str, actor: &str) {
        let first = why.lines().next().unwrap_or_default();
        let more = why.lines().count().saturating_sub(2);
        let more = if more > 0 { format!(" And {more} more.") } else { String::new() };
        let condition = Condition {
            code: Code::ConfigRejected,
            subject: String::new(),
            fault: Fault::Operator,
            since: 0,
            text: format!("The new configuration ({actor}) is wrong, the old one goes on: {first}.{more}"),
            next: "See all mistakes: orugate check. Correct them, then: orugate reload".to_owned(),
        };
        self.admin.conditions.replace("reload-rejected", self.base.clock.reckoned(), vec![condition]);
    }

    fn say(&self, difference: &Difference, actor: &str) {
        if difference.is_empty() {
            tracing::info!(actor, "reloaded; nothing differs");
        }
        for change in &difference.changes {
            tracing::info!(actor, "reloaded: {change}; {}", change.takes);
        }
        let waits: Vec<String> = difference.for_restart().map(ToString::to_string).collect();
        let condition = (!waits.is_empty()).then(|| Condition {
            code: Code::ConfigRestart,
            subject: String::new(),
            fault: Fault::Operator,
            since: 0,
            text: format!("The configuration is in force but for this: {}.", waits.join("; ")),
            next: "Restart when it suits: systemctl restart orugate".to_owned(),
        });
        let now = self.base.clock.reckoned();
        self.admin.conditions.replace("reload-restart", now, condition.into_iter().collect());
        self.admin.conditions.replace("reload-rejected", now, Vec::new());
        self.base.tls.tell(&self.admin.conditions);
        self.admin.look();
    }

    /// Opens an instrument's port. When it cannot be listened for, the port tries again by itself.
    fn begin(
        &self,
        plan: &InstrumentPlan,
        capture: &CapturePlan,
        status: Arc<PortStatus>,
        failed: &mut Vec<String>,
    ) -> Served {
        let mut setup = self.base.setup(plan, capture, status.clone());
        let mut heard = Line::Starting;
        if let WirePlan::Listen { bind, .. } = &plan.wire {
            match setup.wires.listen(*bind) {
                Ok(listener) => setup.listener = Some(listener),
                Err(error) => heard = Line::Deaf(unheard(*bind, &error)),
            }
        }
        let served = Served::new(plan, &setup);
        if let Err(error) = self.base.ports.open(setup) {
            heard = Line::Down(format!("no thread could be made for it: {error}; restart the service"));
        }
        if let Line::Deaf(why) | Line::Down(why) = &heard {
            tracing::error!(instrument = %plan.name, "{why}");
            failed.push(format!("{}: {why}", plan.name));
        }
        status.line(heard, self.base.clock.reckoned());
        served
    }

    /// Ends the messages that ports left open: nothing will go on with them.
    async fn close(&self, ports: &[&str]) {
        let open = {
            let state = self.store.state();
            let of_these = |number: &u64| {
                state.message(*number).is_some_and(|m| ports.iter().any(|name| **name == *m.instrument))
            };
            state.open_messages().into_iter().filter(of_these).collect::<Vec<_>>()
        };
        for message in open {
            // A journal that is full does not take it now; the ports ask again.
            if !self.journal(&Abandoned { message }).await {
                self.base.ports.end_message(message);
            }
        }
    }

    /// Waits until what these instruments have sent is interpreted.
    async fn work_off(&self, instruments: &[&str]) {
        let mut applied = self.store.applied();
        let unread = || instruments.iter().any(|name| self.store.state().unread(name).next().is_some());
        let worked_off = timeout(WORK_OFF, async {
            while unread() {
                self.worker.give(Order::Look);
                if applied.changed().await.is_err() {
                    return;
                }
            }
        });
        if worked_off.await.is_err() {
            tracing::warn!(
                ?instruments,
                "messages of removed instruments wait still; each becomes a hold that says so"
            );
        }
    }

    /// True when it is stored.
    async fn journal<M: crate::records::Meta>(&self, meta: &M) -> bool {
        let (done, stored) = oneshot::channel();
        self.store.append(vec![Entry::new(meta)], Urgency::Now, None, move |result| {
            let _ = done.send(result.map(drop));
        });
        let stored: Result<(), AppendError> = stored.await.unwrap_or(Err(AppendError::Stopped));
        if let Err(error) = &stored {
            tracing::error!(%error, "the reload could not be written into the journal");
        }
        stored.is_ok()
    }
}

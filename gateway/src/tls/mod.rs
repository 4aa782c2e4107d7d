//! TLS on wires and towards engines.
//!
//! Promises: who is at the other end is decided by files of the site alone, never by the system's authorities; files
//! that are replaced are used from the next connection on, files that cannot be used leave the last good ones in
//! their place and are a condition; a peer that the new files no longer allow says and hears not one byte more; every
//! refusal is a sentence that says whose fault it is and what to do. Nothing here keeps a gateway from starting: an
//! instrument is served although an engine's authority cannot be read.
//!
//! Leaves out TLS 1.1 and older, resumption, early data, ALPN, renegotiation, OCSP and fetching anything.
//!
//! rustls bounds what it keeps of a connection: 64 KiB of a handshake, one record of 16 KiB that comes in, 64 KiB that
//! go out.

mod dates;
mod facts;
mod files;
mod listener;
mod provider;
mod stream;
mod trouble;
mod verifier;

pub use files::{Finding, Weight};
pub use provider::provider;
pub use trouble::{Peer, Trouble, What};

use crate::clock::Clock;
use crate::conditions::{Code, Condition, Conditions, Fault};
use crate::config::{Loaded, Mistake, TlsPlan, TlsSide};
use crate::status::PortStatus;
use crate::wire::{Connecting, Listener, Wire, Wires};
use arc_swap::ArcSwapOption;
use files::{Dated, Files, Stamp};
use orugate_protocol::time::Tick;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use verifier::Verifier;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What was found in the files of every `tls` table: what makes the configuration wrong, and what is worth a warning.
/// A file that is not here is a warning, because a configuration may be checked on another machine.
#[must_use]
pub fn check(loaded: &Loaded, clock: &Clock) -> (Vec<Mistake>, Vec<Mistake>) {
    let (mut wrong, mut warnings) = (Vec::new(), Vec::new());
    for typed in &loaded.tls {
        let found = match Set::load(&typed.plan) {
            Ok((_, remarks, dated)) => {
                let late = dates::findings(&dated, files::ca_key(&typed.plan), clock).into_iter();
                remarks.into_iter().map(|f| (f.key, f.message, f.weight)).chain(late).collect()
            }
            Err(faults) => faults.into_iter().map(|f| (f.key, f.message, f.weight)).collect::<Vec<_>>(),
        };
        for (key, message, weight) in found {
            let list = if weight == Weight::Wrong { &mut wrong } else { &mut warnings };
            list.extend(typed.finding(key, message));
        }
    }
    (wrong, warnings)
}

/// All TLS of one gateway. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Tls {
    clock: Clock,
    users: Arc<Mutex<Vec<Known>>>,
}

/// A user in the list. One that nothing configures any more may live on in a connection, or in a thread that does not
/// come back: its files are looked at still, so that it is judged by them, but it is nobody's trouble.
#[derive(Debug)]
struct Known {
    user: Weak<User>,
    configured: bool,
}

impl Tls {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, users: Arc::default() }
    }

    /// Reads the files of a plan and looks after them for as long as the user lives. It takes the place of one of the
    /// same name.
    #[must_use]
    pub fn user(&self, name: &str, peer: Peer, plan: &TlsPlan) -> Arc<User> {
        let user = Arc::new(User {
            name: name.into(),
            peer,
            plan: plan.clone(),
            clock: self.clock.clone(),
            set: ArcSwapOption::empty(),
            looking: Mutex::default(),
            told: Mutex::new(Told { stamps: files::stamps(plan), ..Told::default() }),
            open: AtomicUsize::new(0),
        });
        let faults = user.load();
        for finding in &faults {
            tracing::error!(name, "{}", finding.message);
        }
        user.told().faults = faults;
        self.forget(name, peer);
        self.users().push(Known { user: Arc::downgrade(&user), configured: true });
        user
    }

    /// The instrument or destination is no longer configured, or is about to begin anew.
    pub fn forget(&self, name: &str, peer: Peer) {
        for known in self.users().iter_mut() {
            let is = known.user.upgrade().is_some_and(|user| user.peer == peer && *user.name == *name);
            known.configured &= !is;
        }
    }

    fn users(&self) -> MutexGuard<'_, Vec<Known>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wires whose connections are TLS by this plan; without one, the wires themselves.
    #[must_use]
    pub fn wires(
        &self,
        name: &str,
        peer: Peer,
        plan: Option<&TlsPlan>,
        wires: &Arc<dyn Wires>,
    ) -> Arc<dyn Wires> {
        match plan {
            Some(plan) => Arc::new(Secured { wires: wires.clone(), user: self.user(name, peer, plan) }),
            None => wires.clone(),
        }
    }

    /// A listener whose connections are TLS by this plan; without one, the listener itself. Whom it refuses is told in
    /// the port's status.
    #[must_use]
    pub fn listener(
        &self,
        name: &str,
        plan: Option<&TlsPlan>,
        allow: &[crate::config::Allow],
        listener: Arc<dyn Listener>,
        status: &Arc<PortStatus>,
    ) -> Arc<dyn Listener> {
        let Some(plan) = plan else { return listener };
        let user = self.user(name, Peer::Instrument, plan);
        Arc::new(listener::Secured::new(listener, user, allow.to_vec(), status.clone()))
    }

    /// Looks at all files once and gives the conditions that come of it. A file that has changed is read when it was
    /// the same at two looks, so that none is read half written.
    pub fn look(&self, conditions: &Conditions) {
        let users: Vec<Arc<User>> = {
            let mut users = self.users();
            users.retain(|known| known.user.strong_count() > 0);
            users.iter().filter_map(|known| known.user.upgrade()).collect()
        };
        for user in &users {
            user.look();
        }
        let configured: Vec<Arc<User>> = {
            let users = self.users();
            users.iter().filter(|known| known.configured).filter_map(|known| known.user.upgrade()).collect()
        };
        let all = configured.iter().flat_map(|user| user.conditions()).collect();
        conditions.replace("tls", self.clock.utc(), all);
    }

    /// [`look`](Self::look)s every few seconds until `stop` is true.
    pub async fn watch(self, conditions: Conditions, mut stop: watch::Receiver<bool>) {
        let mut every = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = every.tick() => {}
            }
            let (tls, conditions) = (self.clone(), conditions.clone());
            // Files may lie on a disk that is slow today.
            let _ = tokio::task::spawn_blocking(move || tls.look(&conditions)).await;
        }
    }
}

/// One destination's or instrument's TLS: its plan, the last good contents of its files, and what went wrong last.
#[derive(Debug)]
pub struct User {
    name: Arc<str>,
    peer: Peer,
    plan: TlsPlan,
    clock: Clock,
    set: ArcSwapOption<Set>,
    /// Held by who looks at files, for as long as a disk takes; never by a connection.
    looking: Mutex<()>,
    /// Held for a moment, never while a file is read.
    told: Mutex<Told>,
    /// Connections.
    open: AtomicUsize,
}

/// Contents of files that fit together.
#[derive(Debug)]
struct Set {
    verifier: Arc<Verifier>,
    own: Option<Arc<CertifiedKey>>,
    provider: Arc<CryptoProvider>,
    dated: Vec<Dated>,
}

#[derive(Debug, Default)]
struct Told {
    stamps: Vec<Stamp>,
    /// The files changed since they were read.
    changed: bool,
    faults: Vec<Finding>,
    /// Why there was no connection last; `None` when the peer has taken one since.
    trouble: Option<Trouble>,
    /// The last handshake, of a connection that is open and on which the peer may still refuse.
    shaken: Option<Tick>,
    /// Of the certificates that the peer showed last.
    peer: Vec<Dated>,
}

impl Set {
    fn load(plan: &TlsPlan) -> Result<(Self, Vec<Finding>, Vec<Dated>), Vec<Finding>> {
        let provider = provider();
        let mut files = files::read(plan, &provider)?;
        let verifier = Verifier::new(plan, &mut files, &provider).map_err(|fault| vec![fault])?;
        let Files { own, dated, remarks, .. } = files;
        let set = Self { verifier: Arc::new(verifier), own, provider, dated: dated.clone() };
        Ok((set, remarks, dated))
    }
}

impl User {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = files::stamps(&self.plan);
        let before = {
            let mut told = self.told();
            if stamps != told.stamps {
                (told.stamps, told.changed) = (stamps, true);
                return;
            }
            if !told.changed && told.faults.is_empty() {
                return;
            }
            told.changed = false;
            told.faults.is_empty()
        };
        let faults = self.load();
        if faults.is_empty() {
            tracing::info!(name = &*self.name, again = !before, "new certificate files are in use");
        }
        self.told().faults = faults;
    }

    /// Gives what keeps the files from being used; it leaves the last good set in its place.
    fn load(&self) -> Vec<Finding> {
        match Set::load(&self.plan) {
            Ok((set, remarks, _)) => {
                let last = self.set.load();
                let worse = last.as_ref().map(|last| dates::worse(&last.dated, &set.dated, &self.clock));
                match worse.filter(|worse| !worse.is_empty()) {
                    Some(worse) => worse,
                    None => {
                        for remark in remarks {
                            tracing::warn!(name = &*self.name, "{}", remark.message);
                        }
                        self.set.store(Some(Arc::new(set)));
                        Vec::new()
                    }
                }
            }
            Err(faults) => faults,
        }
    }

    fn trouble(&self, what: What) -> Trouble {
        let trouble = Trouble { peer: self.peer, what };
        let mut told = self.told();
        (told.trouble, told.shaken) = (Some(trouble.clone()), None);
        trouble
    }

    /// A handshake came to nothing. While an instrument is connected, somebody else's vain knocking is a note in its
    /// status and no trouble of its own.
    fn knocked(&self, what: What) -> Trouble {
        if self.plan.side == TlsSide::Server && self.open.load(Ordering::Relaxed) > 0 {
            return Trouble { peer: self.peer, what };
        }
        self.trouble(what)
    }

    /// The set to use now.
    fn current(&self) -> Result<Arc<Set>, Trouble> {
        self.set.load_full().ok_or_else(|| {
            let message = self.told().faults.first().map(|fault| fault.message.clone());
            self.trouble(What::Files(message.unwrap_or_else(|| "no certificate files".to_owned())))
        })
    }

    fn conditions(&self) -> Vec<Condition> {
        let mut told = self.told();
        if told.shaken.is_some_and(|at| self.clock.tick().since(at) >= stream::REFUSAL) {
            (told.trouble, told.shaken) = (None, None);
        }
        let name = &*self.name;
        let subject = self.peer.subject(name);
        let set = self.set.load();
        let mut all = Vec::new();
        if let Some(fault) = told.faults.first() {
            let (code, stays) = if set.is_some() {
                (Code::CertificateRejected, "The last good files stay in use.")
            } else {
                (Code::TlsFailed, "Without them there is no connection; what is stored waits on flash.")
            };
            all.push(Condition {
                code,
                subject: subject.clone(),
                fault: Fault::Operator,
                since: 0,
                text: format!("{name}: {}. {stays}", fault.message),
                next: "Put it right; the files are looked at again every few seconds.".to_owned(),
            });
        }
        let dated = set.iter().flat_map(|set| &set.dated).chain(&told.peer);
        all.extend(dates::conditions(name, self.peer, dated, &self.clock));
        // Files that cannot be used are told above.
        let told = told.trouble.as_ref().filter(|t| !matches!(t.what, What::Files(_)));
        if let Some(trouble) = told {
            let clock = matches!(trouble.what, What::Clock { .. });
            all.push(Condition {
                code: if clock { Code::ClockUnset } else { Code::TlsFailed },
                subject,
                fault: trouble.fault(),
                since: 0,
                text: format!("{name}: {}.", trouble.text()),
                next: sentence(&trouble.next()),
            });
        }
        all
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let stop = if text.ends_with(['?', '.']) { "" } else { "." };
    first.into_iter().chain(letters).chain(stop.chars()).collect()
}

/// Wires whose outgoing connections are TLS.
#[derive(Debug)]
struct Secured {
    wires: Arc<dyn Wires>,
    user: Arc<User>,
}

impl Wires for Secured {
    fn serial(&self, plan: &crate::config::SerialPlan) -> io::Result<Box<dyn Wire>> {
        self.wires.serial(plan)
    }

    fn listen(&self, bind: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        self.wires.listen(bind)
    }

    fn connect(&self, address: &str, within: Duration) -> Connecting {
        let (wire, user) = (self.wires.connect(address, within), self.user.clone());
        Box::pin(async move { Ok(user.connect(wire.await?).await?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PeerId;
    use orugate_protocol::time::Utc;

    fn plan(side: TlsSide) -> TlsPlan {
        TlsPlan {
            side,
            ca: None,
            allowed: vec![PeerId::Sha256([7; 32])],
            own: None,
            crl: None,
            min_version: crate::config::TlsVersion::default(),
        }
    }

    fn subjects(tls: &Tls) -> Vec<String> {
        let conditions = Conditions::default();
        tls.look(&conditions);
        conditions.list().into_iter().map(|c| c.subject).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_of_an_engine_ends_when_a_connection_is_older_than_a_refusal_takes() {
        let tls = Tls::new(Clock::starting_at(Utc(0)));
        let user = tls.user("engine", Peer::Engine, &plan(TlsSide::Client("engine.example".to_owned())));
        let late = Duration::from_millis(1);
        user.trouble(What::HungUp);
        user.told().shaken = Some(tls.clock.tick());
        tokio::time::advance(stream::REFUSAL.saturating_sub(late)).await;
        assert_eq!(subjects(&tls), ["destination engine"]);
        tokio::time::advance(late).await;
        assert_eq!(subjects(&tls), [""; 0]);

        // It refuses on the connection: its age says nothing any more.
        user.told().shaken = Some(tls.clock.tick());
        user.trouble(What::WantsCertificate);
        tokio::time::advance(stream::REFUSAL).await;
        assert_eq!(subjects(&tls), ["destination engine"]);
    }

    #[tokio::test]
    async fn a_strangers_handshake_is_trouble_only_while_the_instrument_is_not_connected() {
        let tls = Tls::new(Clock::starting_at(Utc(0)));
        let user = tls.user("analyzer", Peer::Instrument, &plan(TlsSide::Server));
        user.open.store(1, Ordering::Relaxed);
        user.knocked(What::Plain);
        user.open.store(0, Ordering::Relaxed);
        assert_eq!(subjects(&tls), [""; 0], "nor when it has gone");
        user.knocked(What::Plain);
        assert_eq!(subjects(&tls), ["instrument analyzer"]);
    }

    #[tokio::test]
    async fn what_is_no_longer_configured_is_nobodys_trouble_however_long_a_thread_keeps_it() {
        let tls = Tls::new(Clock::starting_at(Utc(0)));
        let side = || plan(TlsSide::Client("x.example".to_owned()));
        let instrument = tls.user("x", Peer::Instrument, &side());
        let engine = tls.user("x", Peer::Engine, &side());
        instrument.trouble(What::HungUp);
        engine.trouble(What::HungUp);
        assert_eq!(subjects(&tls), ["destination x", "instrument x"]);
        tls.forget("x", Peer::Instrument);
        assert_eq!(subjects(&tls), ["destination x"]);
        let anew = tls.user("x", Peer::Engine, &side());
        assert_eq!(subjects(&tls), [""; 0]);
        anew.trouble(What::HungUp);
        assert_eq!(subjects(&tls), ["destination x"]);
    }
}

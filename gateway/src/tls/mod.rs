//! TLS on wires and towards engines.
//!
//! Promises: who is at the other end is decided by files of the site alone, never by the system's authorities; files
//! that are replaced are used from the next connection on, files that cannot be used leave the last good ones in
//! their place and are a condition; files that do not answer, because their mount hangs, hold up nobody else; a peer that the new files no longer allow says and hears not one byte more; every
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
mod gate;
mod listener;
mod provider;
mod stream;
mod trouble;
mod user;
mod verifier;

pub use files::{Finding, Weight};
pub use provider::provider;
pub(crate) use provider::sha256;
pub use trouble::{Peer, Trouble, What};
pub use user::User;

use crate::clock::Clock;
use crate::conditions::Conditions;
use crate::config::{Loaded, Mistake, TlsPlan};
use crate::wire::{Connecting, Listener, Wire, Wires};
use arc_swap::ArcSwapOption;
use gate::{ANSWER, Gate, send_out};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use user::Set;

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
    /// How long the files of one user may take.
    answer: Duration,
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
        Self { clock, users: Arc::default(), answer: ANSWER }
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
            gate: Gate::new(self.answer),
            told: Mutex::default(),
            open: AtomicUsize::new(0),
        });
        send_out(&user, User::gate, User::begin);
        if user.gate.is_late() {
            tracing::error!(name, "{}", user.late());
        }
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

    /// A listener whose connections are TLS by this plan; without one, the listener itself. Whom it refuses it says.
    #[must_use]
    pub fn listener(
        &self,
        name: &str,
        plan: Option<&TlsPlan>,
        allow: &[crate::config::Allow],
        listener: Arc<dyn Listener>,
    ) -> Arc<dyn Listener> {
        let Some(plan) = plan else { return listener };
        let user = self.user(name, Peer::Instrument, plan);
        Arc::new(listener::Secured::new(listener, user, allow.to_vec()))
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
            send_out(user, User::gate, User::look);
        }
        self.tell(conditions);
    }

    /// Gives the conditions that come of what is known; looks at no file.
    pub fn tell(&self, conditions: &Conditions) {
        let configured: Vec<Arc<User>> = {
            let users = self.users();
            users.iter().filter(|known| known.configured).filter_map(|known| known.user.upgrade()).collect()
        };
        let all = configured.iter().flat_map(|user| user.conditions()).collect();
        conditions.replace("tls", self.clock.reckoned(), all);
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

    fn udp(&self, plan: &crate::config::UdpPlan) -> io::Result<Box<dyn Wire>> {
        self.wires.udp(plan)
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
    use crate::conditions::Code;
    use crate::config::{PeerId, TlsSide};
    use orugate_protocol::time::Utc;
    use std::sync::atomic::Ordering;

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

    #[tokio::test]
    async fn files_that_never_answer_hold_up_no_others_and_are_used_when_they_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        // To open it ends when somebody writes, as on a mount that hangs and comes back.
        let made = std::process::Command::new("mkfifo").arg(file("hung.pem")).status().unwrap();
        assert!(made.success());
        let with = |name: &str| TlsPlan {
            ca: Some(file(name)),
            ..plan(TlsSide::Client("engine.example".to_owned()))
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();

        let clock = Clock::starting_at(Utc(1_780_000_000_000_000));
        let tls = Tls::new(clock.clone());
        let hurried = Tls { answer: Duration::from_millis(1), ..tls.clone() };
        let hung = hurried.user("hung", Peer::Engine, &with("hung.pem"));
        let good = tls.user("good", Peer::Engine, &with("good.pem"));
        assert!(good.current().is_err());
        std::fs::write(file("good.pem"), &pem).unwrap();
        let conditions = Conditions::default();
        // The second look reads what has come to rest.
        (0..3).for_each(|_| tls.look(&conditions));
        assert!(good.current().is_ok());
        let told = conditions.list();
        assert_eq!(told.len(), 1, "{told:?}");
        let says = format!("hung: reading {} comes to no end;", file("hung.pem").display());
        assert!(told[0].text.starts_with(&says), "{}", told[0].text);
        assert_eq!(told[0].code, Code::TlsFailed);

        std::fs::write(file("hung.pem"), &pem).unwrap();
        assert!(hung.gate.settles(Duration::from_secs(20)));
        assert!(hung.current().is_ok());
        assert!(hung.conditions().is_empty(), "{:?}", hung.conditions());
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

//! One user of TLS: the files of its plan as they were good last, and what keeps new ones from being used.

use super::files::{self, Dated, Files, Finding, Stamp};
use super::gate::Gate;
use super::trouble::{Peer, Trouble, What};
use super::verifier::Verifier;
use super::{dates, provider, stream};
use crate::clock::Clock;
use crate::conditions::{Code, Condition, Fault};
use crate::config::{TlsPlan, TlsSide};
use arc_swap::ArcSwapOption;
use orugate_protocol::time::Tick;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One destination's or instrument's TLS: its plan, the last good contents of its files, and what went wrong last.
#[derive(Debug)]
pub struct User {
    pub(super) name: Arc<str>,
    pub(super) peer: Peer,
    pub(super) plan: TlsPlan,
    pub(super) clock: Clock,
    pub(super) set: ArcSwapOption<Set>,
    /// Who looks at files passes it; a connection never does.
    pub(super) gate: Gate,
    /// Held for a moment, never while a file is read.
    pub(super) told: Mutex<Told>,
    /// Connections.
    pub(super) open: AtomicUsize,
}

/// Contents of files that fit together.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) verifier: Arc<Verifier>,
    pub(super) own: Option<Arc<CertifiedKey>>,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) dated: Vec<Dated>,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) stamps: Vec<Stamp>,
    /// The files changed since they were read.
    pub(super) changed: bool,
    pub(super) faults: Vec<Finding>,
    /// Why there was no connection last; `None` when the peer has taken one since.
    pub(super) trouble: Option<Trouble>,
    /// The last handshake, of a connection that is open and on which the peer may still refuse.
    pub(super) shaken: Option<Tick>,
    /// Of the certificates that the peer showed last.
    pub(super) peer: Vec<Dated>,
}

impl Set {
    pub(super) fn load(plan: &TlsPlan) -> Result<(Self, Vec<Finding>, Vec<Dated>), Vec<Finding>> {
        let provider = provider();
        let mut files = files::read(plan, &provider)?;
        let verifier = Verifier::new(plan, &mut files, &provider).map_err(|fault| vec![fault])?;
        let Files { own, dated, remarks, .. } = files;
        let set = Self { verifier: Arc::new(verifier), own, provider, dated: dated.clone() };
        Ok((set, remarks, dated))
    }
}

impl User {
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The first look.
    pub(super) fn begin(&self) {
        let stamps = files::stamps(&self.plan);
        let faults = self.load();
        for finding in &faults {
            tracing::error!(name = &*self.name, "{}", finding.message);
        }
        let mut told = self.told();
        (told.stamps, told.faults) = (stamps, faults);
    }

    /// What is said of files that do not answer.
    pub(super) fn late(&self) -> String {
        let files: Vec<String> =
            files::all(&self.plan).iter().map(|file| file.display().to_string()).collect();
        format!("reading {} comes to no end; is it on a network share that hangs?", files.join(", "))
    }

    pub(super) fn look(&self) {
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
    pub(super) fn load(&self) -> Vec<Finding> {
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

    pub(super) fn trouble(&self, what: What) -> Trouble {
        let trouble = Trouble { peer: self.peer, what };
        let mut told = self.told();
        (told.trouble, told.shaken) = (Some(trouble.clone()), None);
        trouble
    }

    /// A handshake came to nothing. While an instrument is connected, somebody else's vain knocking is a note in its
    /// status and no trouble of its own.
    pub(super) fn knocked(&self, what: What) -> Trouble {
        if self.plan.side == TlsSide::Server && self.open.load(Ordering::Relaxed) > 0 {
            return Trouble { peer: self.peer, what };
        }
        self.trouble(what)
    }

    /// The set to use now.
    pub(super) fn current(&self) -> Result<Arc<Set>, Trouble> {
        self.set.load_full().ok_or_else(|| {
            let message = self.told().faults.first().map(|fault| fault.message.clone());
            self.trouble(What::Files(message.unwrap_or_else(|| self.late())))
        })
    }

    pub(super) fn conditions(&self) -> Vec<Condition> {
        let mut told = self.told();
        if told.shaken.is_some_and(|at| self.clock.tick().since(at) >= stream::REFUSAL) {
            (told.trouble, told.shaken) = (None, None);
        }
        let name = &*self.name;
        let subject = self.peer.subject(name);
        let set = self.set.load();
        let mut all = Vec::new();
        let fault = if self.gate.is_late() {
            let next =
                "Free the share or its mount, or name files on this machine's own disk and: orugate reload.";
            Some((self.late(), next))
        } else {
            let next = "Put it right; the files are looked at again every few seconds.";
            told.faults.first().map(|fault| (format!("{}.", fault.message), next))
        };
        if let Some((fault, next)) = fault {
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
                text: format!("{name}: {fault} {stays}"),
                next: next.to_owned(),
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

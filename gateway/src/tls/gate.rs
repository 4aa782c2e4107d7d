//! Looks at files that may never end, since a mount that hangs keeps whoever reads from it.
//!
//! Promises that nobody waits longer than [`ANSWER`] for one owner's files, and that an owner has at most one thread
//! out: while it is, no other is sent. A thread that comes back late has done its work all the same. Nothing ends a
//! thread from outside, so one that never comes back stays until the process ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long files may take before the others' turn comes: a slow disk needs a tenth of it.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// Says whether a thread is out for its owner.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    patience: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Out,
    /// Out, and nobody waits for it any more.
    Late,
}

impl Gate {
    pub(super) const fn new(patience: Duration) -> Self {
        Self { state: Mutex::new(State::Free), changed: Condvar::new(), patience }
    }

    /// Files have not answered in time, and still do not.
    pub(super) fn is_late(&self) -> bool {
        *self.state() == State::Late
    }

    /// Waits until no thread is out; false when that takes longer than `limit`.
    #[cfg(test)]
    pub(super) fn settles(&self, limit: Duration) -> bool {
        let wait = self.changed.wait_timeout_while(self.state(), limit, |state| *state != State::Free);
        *wait.unwrap_or_else(PoisonError::into_inner).0 == State::Free
    }

    /// A thread goes out; false when one is out and stays so.
    fn leave(&self) -> bool {
        let wait = self.changed.wait_timeout_while(self.state(), self.patience, |state| *state == State::Out);
        let (mut state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        let free = *state == State::Free;
        *state = if free { State::Out } else { State::Late };
        free
    }

    fn wait(&self) {
        let wait = self.changed.wait_timeout_while(self.state(), self.patience, |state| *state == State::Out);
        let (mut state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if *state == State::Out {
            *state = State::Late;
        }
    }

    fn back(&self) {
        *self.state() = State::Free;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work` for the owner, on a thread of its own. Comes back when that is done or its gate says that it is late.
pub(super) fn send_out<T: Send + Sync + 'static>(
    owner: &Arc<T>,
    gate: fn(&T) -> &Gate,
    work: impl FnOnce(&T) + Send + 'static,
) {
    if !gate(owner).leave() {
        return;
    }
    let there = owner.clone();
    let life = move || {
        // A panic has said so; the next look tries again.
        let _ = catch_unwind(AssertUnwindSafe(|| work(&there)));
        gate(&there).back();
    };
    match std::thread::Builder::new().name("tls-files".to_owned()).spawn(life) {
        Ok(_) => gate(owner).wait(),
        Err(error) => {
            tracing::error!(%error, "no thread could be made to look at TLS files; it is tried again");
            gate(owner).back();
        }
    }
}

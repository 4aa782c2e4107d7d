//! A profile's words that live as long as the process, each distinct text once: report items name them without a copy, and
//! a profile that is read again for years needs no more memory.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

static STRINGS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The same text, for ever.
pub(crate) fn intern(text: &str) -> &'static str {
    // A set of references is whole whenever its lock is free, whatever its last holder did.
    let mut known = STRINGS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(text) {
        return found;
    }
    let leaked: &'static str = String::leak(text.to_owned());
    known.insert(leaked);
    leaked
}

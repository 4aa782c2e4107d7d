//! Strings and plans that live as long as the process.
//!
//! Report items name rules and places by `&'static str`, so that they can go into journals and counters without a copy, and
//! sessions borrow what was made of a profile. Both come from profiles, of which a site has a handful: each distinct text is
//! leaked once and found again when it is read again, so reloading a configuration for years needs no more memory than its
//! variants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

static STRINGS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The same text, for ever.
pub fn intern(text: &str) -> &'static str {
    // A set of references is whole whenever its lock is free, whatever its last holder did.
    let mut known = STRINGS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(text) {
        return found;
    }
    let leaked: &'static str = String::leak(text.to_owned());
    known.insert(leaked);
    leaked
}

/// What is made of texts, each once.
#[derive(Debug)]
pub struct Interned<T: 'static>(Mutex<BTreeMap<&'static str, &'static T>>);

impl<T: 'static> Interned<T> {
    /// Nothing yet.
    #[must_use]
    #[allow(clippy::new_without_default)] // It is a static.
    pub const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// What was made of this text, or is made now.
    ///
    /// # Errors
    /// As `make`.
    pub fn of<E>(&self, text: &str, make: impl FnOnce() -> Result<T, E>) -> Result<&'static T, E> {
        let find = || self.0.lock().unwrap_or_else(PoisonError::into_inner).get(text).copied();
        if let Some(found) = find() {
            return Ok(found);
        }
        // Made outside the lock: making it interns strings, and two threads at once only make it twice.
        let made: &'static T = Box::leak(Box::new(make()?));
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(intern(text)).or_insert(made))
    }
}

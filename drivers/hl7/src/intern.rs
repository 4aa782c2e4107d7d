//! Strings and profiles that live as long as the process: report items and sessions borrow from them.
//!
//! Each distinct text is leaked once and found again when it is read again, so reloading a configuration for years needs no
//! more memory than its variants.

use crate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

static STRINGS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
static PLANS: Mutex<BTreeMap<&'static str, &'static Plan>> = Mutex::new(BTreeMap::new());

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

/// The plan of a profile's text, made once.
pub(crate) fn intern_plan<E>(text: &str, make: impl FnOnce() -> Result<Plan, E>) -> Result<&'static Plan, E> {
    let find = || PLANS.lock().unwrap_or_else(PoisonError::into_inner).get(text).copied();
    if let Some(found) = find() {
        return Ok(found);
    }
    // Made outside the lock: two threads at once only make it twice.
    let plan: &'static Plan = Box::leak(Box::new(make()?));
    Ok(PLANS.lock().unwrap_or_else(PoisonError::into_inner).entry(intern(text)).or_insert(plan))
}

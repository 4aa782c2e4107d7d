//! A profile's words and its plan live as long as the process, each distinct text once: report items name them without a
//! copy, and a profile that is read again for years needs no more memory.

use crate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

static PLANS: Mutex<BTreeMap<&'static str, &'static Plan>> = Mutex::new(BTreeMap::new());
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

/// The plan of a profile's text, made once.
pub(crate) fn intern_plan<E>(text: &str, make: impl FnOnce() -> Result<Plan, E>) -> Result<&'static Plan, E> {
    let find = || PLANS.lock().unwrap_or_else(PoisonError::into_inner).get(text).copied();
    if let Some(found) = find() {
        return Ok(found);
    }
    // Made outside the lock: making it interns words, and two threads at once only make it twice.
    let plan: &'static Plan = Box::leak(Box::new(make()?));
    Ok(PLANS.lock().unwrap_or_else(PoisonError::into_inner).entry(intern(text)).or_insert(plan))
}

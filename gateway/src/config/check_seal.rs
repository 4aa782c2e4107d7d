//! The table `seal` of `[journal]`: from [`SealFile`] to [`SealPlan`].
//!
//! Promises that no key is beside what it seals, as far as paths tell, and keeps the place of each key ([`TypedSeal`]), so
//! that what is wrong with a file can be told where the file was named. Leaves out opening the files.

use super::check::Scope;
use super::check_tls::file_or_credential;
use super::file::{At, SealFile};
use super::mistakes::{Findings, Mistake};
use super::plan::SealPlan;
use super::plan_tls::FileOrCredential;
use std::path::Path;

/// A `seal` table with the places of its keys.
#[derive(Clone, Debug)]
pub struct TypedSeal {
    /// In the order of [`SealPlan::all`].
    places: Vec<Mistake>,
}

impl TypedSeal {
    /// A finding about the key of this number in [`SealPlan::all`].
    #[must_use]
    pub fn finding(&self, number: usize, message: String) -> Option<Mistake> {
        Some(Mistake { message, ..self.places.get(number)?.clone() })
    }
}

pub(super) fn plan(
    typed: &SealFile,
    journal: Option<&Path>,
    scope: &Scope<'_>,
    out: &mut Findings,
) -> Option<SealPlan> {
    let mut places = Vec::new();
    let mut take = |name: &str, typed: &At<String>, out: &mut Findings| {
        places.push(scope.at(name, typed, String::new()));
        let from = file_or_credential(scope, name, typed, out)?;
        if let (FileOrCredential::File(path), Some(journal)) = (&from, journal)
            && path.starts_with(journal)
        {
            out.wrong(scope.at(name, typed, beside(&from)));
        }
        Some(from)
    };
    let hint = "write \"credential:NAME\" or a file; orugate journal new-key FILE makes one";
    let key = scope.need(out, "key", typed.key.as_ref(), hint).and_then(|typed| take("key", typed, out));
    let previous = typed.previous.iter().flat_map(|list| &list.value);
    let previous = previous.filter_map(|typed| take("previous", typed, out)).collect();
    out.seal = Some(TypedSeal { places });
    Some(SealPlan { key: key?, previous })
}

/// What is wrong with a key in the journal's own folder.
pub(crate) fn beside(from: &FileOrCredential) -> String {
    format!(
        "{from} is in the journal's folder: whoever takes the journal would have its key too. Keep it elsewhere, best \
         as a systemd credential"
    )
}

//! The profiles that ship with this program, for configurations and for the command line.

use crate::config::{FoundProfile, ProfileFault, Profiles};
use orugate_driver::Profile;
use std::sync::Arc;

/// The registry's profiles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shipped;

impl Profiles for Shipped {
    fn find(&self, name: &str) -> Result<FoundProfile, ProfileFault> {
        let text = orugate_drivers::profile_text(name).ok_or(ProfileFault::Unknown)?;
        let profile = orugate_drivers::read_profile(text).map_err(ProfileFault::Broken)?;
        Ok(FoundProfile::new(Arc::from(profile), text))
    }

    fn names(&self) -> Vec<String> {
        orugate_drivers::names().map(str::to_owned).collect()
    }
}

/// One shipped profile, or the reason why not with the nearest names.
///
/// # Errors
/// A sentence for a person.
pub fn find(name: &str) -> Result<Box<dyn Profile>, String> {
    let Some(text) = orugate_drivers::profile_text(name) else {
        let names: Vec<&str> = orugate_drivers::names().collect();
        return Err(format!("There is no profile {name}. There are: {}.", names.join(", ")));
    };
    orugate_drivers::read_profile(text).map_err(|error| format!("The profile {name} is broken: {error}."))
}

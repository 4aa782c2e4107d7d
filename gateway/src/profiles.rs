//! A catalogue's profiles, for configurations and for the command line.

use crate::config::{FoundProfile, ProfileFault, Profiles};
use orugate_driver::Profile;
use orugate_drivers::Catalogue;
use std::sync::Arc;

impl Profiles for Catalogue {
    fn find(&self, name: &str) -> Result<FoundProfile, ProfileFault> {
        let text = self.text(name).ok_or(ProfileFault::Unknown)?;
        let profile = self.read(text).map_err(ProfileFault::Broken)?;
        Ok(FoundProfile::new(Arc::from(profile), text))
    }

    fn names(&self) -> Vec<String> {
        Self::names(self).map(str::to_owned).collect()
    }
}

/// One profile, or the reason why not, with those that there are.
///
/// # Errors
/// A sentence for a person.
pub fn find(catalogue: &Catalogue, name: &str) -> Result<Box<dyn Profile>, String> {
    let Some(text) = catalogue.text(name) else {
        let names: Vec<&str> = catalogue.names().collect();
        return Err(format!("There is no profile {name}. There are: {}.", names.join(", ")));
    };
    catalogue.read(text).map_err(|error| format!("The profile {name} is broken: {error}."))
}

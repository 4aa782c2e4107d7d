//! The drivers and profiles that ship with Orugate: two literal lists, so that one look says what there is.
//!
//! A custom build writes a list of its own beside these.

use orugate_driver::{Driver, Profile, ProfileError, parse_profile};

/// All drivers.
pub static DRIVERS: &[&dyn Driver] = &[&orugate_astm::ASTM];

/// All profiles: name and TOML text.
pub static PROFILES: &[(&str, &str)] = &[
    ("generic-astm", include_str!("../../profiles/generic-astm.toml")),
    ("horiba-yumizen", include_str!("../../profiles/horiba-yumizen.toml")),
    ("roche-cobas-c", include_str!("../../profiles/roche-cobas-c.toml")),
    ("sysmex-xn-l", include_str!("../../profiles/sysmex-xn-l.toml")),
];

/// The names of all profiles, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, _)| *name)
}

/// The text of a profile of this name.
#[must_use]
pub fn profile_text(name: &str) -> Option<&'static str> {
    PROFILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The profile of this name; `None` when there is none. A profile in the list that cannot be read is a mistake that
/// a test finds.
#[must_use]
pub fn find_profile(name: &str) -> Option<Box<dyn Profile>> {
    read_profile(profile_text(name)?).ok()
}

/// Reads any profile's text with the driver that it names.
///
/// # Errors
/// [`ProfileError`] with the place of the first mistake.
pub fn read_profile(text: &str) -> Result<Box<dyn Profile>, ProfileError> {
    let common = parse_profile(text)?;
    match DRIVERS.iter().find(|driver| driver.name() == common.driver) {
        Some(driver) => driver.profile(text),
        None => {
            let known: Vec<_> = DRIVERS.iter().map(|driver| driver.name()).collect();
            let message = format!("there is no driver `{}`; there are: {}", common.driver, known.join(", "));
            let line = text.lines().position(|line| line.trim_start().starts_with("driver"));
            Err(ProfileError { line: line.map(|line| line.saturating_add(1)), message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_can_be_read_and_has_its_name_and_examples() {
        for (name, text) in PROFILES {
            let profile = read_profile(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(profile.common().name, *name);
            assert!(profile.common().examples.len() >= 2, "{name}");
            assert!(find_profile(name).is_some());
        }
        let sorted: Vec<_> = names().collect();
        assert!(sorted.is_sorted());
        assert!(find_profile("none").is_none());
    }

    #[test]
    fn an_unknown_driver_is_said_with_its_line() {
        let text = "name = \"x\"\ndriver = \"telex\"\ntitle = \"\"\nevidence = \"described\"\n";
        let error = read_profile(text).err().unwrap();
        assert_eq!(error.to_string(), "line 2: there is no driver `telex`; there are: astm");
    }
}

//! The drivers and profiles that ship with Orugate: two literal lists, so that one look says what there is.
//!
//! A custom build has a [`Catalogue`] of its own: `gateway/examples/custom.rs`.

use orugate_driver::{Driver, Profile, ProfileError, parse_profile};

/// Drivers, and profiles as name and TOML text.
#[derive(Clone, Copy)]
pub struct Catalogue {
    /// All drivers.
    pub drivers: &'static [&'static dyn Driver],
    /// All profiles, sorted by name.
    pub profiles: &'static [(&'static str, &'static str)],
}

/// What ships.
pub static SHIPPED: Catalogue = Catalogue {
    drivers: &[
        &orugate_astm::ASTM,
        &orugate_dri::DRI,
        &orugate_hl7::HL7,
        &orugate_intellivue::INTELLIVUE,
        &orugate_lines::LINES,
        &orugate_medibus::MEDIBUS,
    ],
    profiles: &[
        ("abbott-afinion", include_str!("../../profiles/abbott-afinion.toml")),
        ("abbott-alinity", include_str!("../../profiles/abbott-alinity.toml")),
        ("abbott-architect", include_str!("../../profiles/abbott-architect.toml")),
        ("abbott-m2000", include_str!("../../profiles/abbott-m2000.toml")),
        ("arkray-spotchem-el", include_str!("../../profiles/arkray-spotchem-el.toml")),
        ("bd-epicenter", include_str!("../../profiles/bd-epicenter.toml")),
        ("beckman-access", include_str!("../../profiles/beckman-access.toml")),
        ("beckman-dxh", include_str!("../../profiles/beckman-dxh.toml")),
        ("biorad-ih", include_str!("../../profiles/biorad-ih.toml")),
        ("cepheid-genexpert", include_str!("../../profiles/cepheid-genexpert.toml")),
        ("cepheid-genexpert-hl7", include_str!("../../profiles/cepheid-genexpert-hl7.toml")),
        ("draeger-evita", include_str!("../../profiles/draeger-evita.toml")),
        ("draeger-infinity-v500", include_str!("../../profiles/draeger-infinity-v500.toml")),
        ("draeger-medibus", include_str!("../../profiles/draeger-medibus.toml")),
        ("draeger-primus-apollo", include_str!("../../profiles/draeger-primus-apollo.toml")),
        ("draeger-savina", include_str!("../../profiles/draeger-savina.toml")),
        ("erba-xl", include_str!("../../profiles/erba-xl.toml")),
        ("euroimmun-analyzer", include_str!("../../profiles/euroimmun-analyzer.toml")),
        ("ge-dri", include_str!("../../profiles/ge-dri.toml")),
        ("generic-astm", include_str!("../../profiles/generic-astm.toml")),
        ("hl7-oul-r22", include_str!("../../profiles/hl7-oul-r22.toml")),
        ("hl7-pcd01", include_str!("../../profiles/hl7-pcd01.toml")),
        ("hologic-panther", include_str!("../../profiles/hologic-panther.toml")),
        ("horiba-abx-micros", include_str!("../../profiles/horiba-abx-micros.toml")),
        ("horiba-pentra", include_str!("../../profiles/horiba-pentra.toml")),
        ("horiba-pentra-400", include_str!("../../profiles/horiba-pentra-400.toml")),
        ("horiba-yumizen", include_str!("../../profiles/horiba-yumizen.toml")),
        ("immucor-echo", include_str!("../../profiles/immucor-echo.toml")),
        ("maccura-i", include_str!("../../profiles/maccura-i.toml")),
        ("masimo-ascii1", include_str!("../../profiles/masimo-ascii1.toml")),
        ("mindray-bc", include_str!("../../profiles/mindray-bc.toml")),
        ("mindray-benevision", include_str!("../../profiles/mindray-benevision.toml")),
        ("mindray-bs", include_str!("../../profiles/mindray-bs.toml")),
        ("mindray-bs-hl7", include_str!("../../profiles/mindray-bs-hl7.toml")),
        ("mindray-cl", include_str!("../../profiles/mindray-cl.toml")),
        ("nellcor-n395", include_str!("../../profiles/nellcor-n395.toml")),
        ("nihon-kohden-hl7", include_str!("../../profiles/nihon-kohden-hl7.toml")),
        ("nonin-ascii", include_str!("../../profiles/nonin-ascii.toml")),
        ("ortho-vitros", include_str!("../../profiles/ortho-vitros.toml")),
        ("philips-hl7", include_str!("../../profiles/philips-hl7.toml")),
        ("philips-intellivue", include_str!("../../profiles/philips-intellivue.toml")),
        ("philips-intellivue-mib", include_str!("../../profiles/philips-intellivue-mib.toml")),
        ("puritan-bennett-840", include_str!("../../profiles/puritan-bennett-840.toml")),
        ("radiometer-abl80", include_str!("../../profiles/radiometer-abl80.toml")),
        ("radiometer-aqt90", include_str!("../../profiles/radiometer-aqt90.toml")),
        ("roche-cobas-c", include_str!("../../profiles/roche-cobas-c.toml")),
        ("roche-cobas-modular", include_str!("../../profiles/roche-cobas-modular.toml")),
        ("roche-cobas-u411", include_str!("../../profiles/roche-cobas-u411.toml")),
        ("roche-cobas-x800-hl7", include_str!("../../profiles/roche-cobas-x800-hl7.toml")),
        ("siemens-centaur", include_str!("../../profiles/siemens-centaur.toml")),
        ("siemens-dca-vantage", include_str!("../../profiles/siemens-dca-vantage.toml")),
        ("siemens-immulite", include_str!("../../profiles/siemens-immulite.toml")),
        ("snibe-maglumi", include_str!("../../profiles/snibe-maglumi.toml")),
        ("sysmex-cs", include_str!("../../profiles/sysmex-cs.toml")),
        ("sysmex-un", include_str!("../../profiles/sysmex-un.toml")),
        ("sysmex-xn-l", include_str!("../../profiles/sysmex-xn-l.toml")),
        ("sysmex-xp", include_str!("../../profiles/sysmex-xp.toml")),
        ("thermo-indiko", include_str!("../../profiles/thermo-indiko.toml")),
        ("werfen-acl-top", include_str!("../../profiles/werfen-acl-top.toml")),
    ],
};

impl Catalogue {
    /// The names of all profiles.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.profiles.iter().map(|(name, _)| *name)
    }

    /// The text of a profile of this name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'static str> {
        self.profiles.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Reads any profile's text with the driver that it names.
    ///
    /// # Errors
    /// [`ProfileError`] with the place of the first mistake.
    pub fn read(&self, text: &str) -> Result<Box<dyn Profile>, ProfileError> {
        let common = parse_profile(text)?;
        match self.drivers.iter().find(|driver| driver.name() == common.driver) {
            Some(driver) => driver.profile(text),
            None => {
                let known: Vec<_> = self.drivers.iter().map(|driver| driver.name()).collect();
                let message =
                    format!("there is no driver `{}`; there are: {}", common.driver, known.join(", "));
                let line = text.lines().position(|line| line.trim_start().starts_with("driver"));
                Err(ProfileError { line: line.map(|line| line.saturating_add(1)), message })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_can_be_read_and_has_its_name_and_examples() {
        for (name, text) in SHIPPED.profiles {
            let profile = SHIPPED.read(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(profile.common().name, *name);
            assert!(profile.common().examples.len() >= 2, "{name}");
        }
        let sorted: Vec<_> = SHIPPED.names().collect();
        assert!(sorted.is_sorted());
        assert!(SHIPPED.text("none").is_none());
    }

    #[test]
    fn an_unknown_driver_is_said_with_its_line() {
        let text = "name = \"x\"\ndriver = \"telex\"\ntitle = \"\"\nevidence = \"described\"\n";
        let error = SHIPPED.read(text).err().unwrap();
        assert_eq!(
            error.to_string(),
            "line 2: there is no driver `telex`; there are: astm, dri, hl7, intellivue, lines, medibus"
        );
    }
}

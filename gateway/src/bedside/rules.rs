//! What a site says of a bedside device: where it stands, who it is, and what becomes of what is no value.

use crate::config::{Absent, Nobodys};
use orugate_protocol::report::Device;
use std::borrow::Cow;
use std::time::Duration;

/// What the site says of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Snapshots are taken at each end of such an interval; of what is pushed, the first in it is sent.
    pub interval: Duration,
    /// What was not renewed for so long is no value any more.
    pub stale_after: Duration,
    /// PV1-3 of the place where it always stands; empty for none.
    pub location: String,
    /// The device's own words for a bed, with its unit or room before a `/` where beds of several have the same name, and PV1-3 of it.
    pub beds: Vec<(String, String)>,
    /// Its EUI-64, when it sends none; one that it sends must be the same.
    pub device_id: Option<u64>,
    /// Its model, as it names itself.
    pub model: Option<String>,
    /// Its serial number, as it says it.
    pub serial: Option<String>,
    /// What becomes of what has no value.
    pub absent: Absent,
    /// What becomes of demonstration, test and calibration values.
    pub nobodys: Nobodys,
    /// The patient id that the device sends goes along.
    pub send_patient: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            stale_after: Duration::from_secs(10),
            location: String::new(),
            beds: Vec::new(),
            device_id: None,
            model: None,
            serial: None,
            absent: Absent::default(),
            nobodys: Nobodys::default(),
            send_patient: false,
        }
    }
}

impl Rules {
    /// Why the device is not the one, or not where, the site says; a clause that holds nothing of a patient.
    pub(super) fn elsewhere(&self, device: &Device<'_>) -> Option<Cow<'static, str>> {
        if let (Some(configured), Some(said)) = (self.device_id, device.eui64)
            && configured != said
        {
            let why = format!("the device says that it is {said:016X}, and {configured:016X} is configured");
            return Some(why.into());
        }
        for (what, configured, said) in
            [("model", &self.model, device.model), ("serial number", &self.serial, device.serial)]
        {
            let Some(configured) = configured.as_deref() else { continue };
            if !said.trimmed().is_empty() && !said.trimmed().reads(configured) {
                let why = format!("the device says another {what} than {configured}, which is configured");
                return Some(why.into());
            }
        }
        let label = device.location.trimmed();
        if self.beds.is_empty() || label.is_empty() || self.bed(device).is_some() {
            return None;
        }
        Some("the device says a bed that is not in `beds`".into())
    }

    /// PV1-3 for what the device says; empty for its own words.
    pub(super) fn location(&self, device: &Device<'_>) -> &str {
        self.bed(device).unwrap_or(&self.location)
    }

    fn bed(&self, device: &Device<'_>) -> Option<&str> {
        let (unit, room, label) = (device.unit.trimmed(), device.room.trimmed(), device.location.trimmed());
        if label.is_empty() {
            return None;
        }
        let within = |said: &str| {
            let both = said.split_once('/').is_some_and(|(a, b)| unit.reads(a) && room.reads(b));
            both || unit.reads(said) || room.reads(said)
        };
        let whole =
            |said: &str| said.rsplit_once('/').is_some_and(|(of, bed)| label.reads(bed) && within(of));
        let found = self.beds.iter().find(|(said, _)| whole(said));
        let found = found.or_else(|| self.beds.iter().find(|(said, _)| label.reads(said)));
        found.map(|(_, location)| location.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_protocol::text::Text;

    #[test]
    fn beds_of_the_same_name_are_told_apart_by_their_unit_or_room() {
        let beds = [("ICU/5", "ICU^1^5"), ("CCU/5", "CCU^2^5"), ("OR/2/1", "OR^2^1"), ("7", "W^^7")];
        let beds = beds.map(|(said, location)| (said.to_owned(), location.to_owned())).to_vec();
        let rules = Rules { beds, ..Rules::default() };
        for ((unit, room, bed), found) in [
            (("ICU", "", "5"), Some("ICU^1^5")),
            (("CCU", "", "5"), Some("CCU^2^5")),
            (("OR", "2", "1"), Some("OR^2^1")),
            (("OR", "3", "1"), None),
            (("", "", "5"), None),
            (("ICU", "", "7"), Some("W^^7")),
        ] {
            let device = Device {
                unit: Text::plain(unit),
                room: Text::plain(room),
                location: Text::plain(bed),
                ..Device::default()
            };
            assert_eq!(rules.bed(&device), found, "{unit} {room} {bed}");
            assert_eq!(rules.elsewhere(&device).is_some(), found.is_none(), "{unit} {room} {bed}");
        }
    }
}

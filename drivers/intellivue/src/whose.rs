//! Who is measured, where, and by which monitor, as far as a session must notice that it is another one.

use crate::pdu::Attributes;
use crate::value::{id, mode};

/// Who is measured, where, by which monitor, and in what mode it is; as the monitor's bytes say it.
#[derive(Debug, Default)]
pub(crate) struct Whose {
    pub(crate) patient: Option<Vec<u8>>,
    pub(crate) bed: Option<Vec<u8>>,
    pub(crate) serial: Option<Vec<u8>>,
    pub(crate) mode: Option<Vec<u8>>,
}

impl Whose {
    pub(crate) fn of_monitor(attributes: Attributes<'_>) -> Self {
        let said = |id| attributes.find(id).map(<[u8]>::to_vec);
        let mode = attributes.find(id::MODE).and_then(|mode| mode.first_chunk()).map(|mode| {
            let kinds = mode::DEMO | mode::SERVICE | mode::STANDBY;
            (u16::from_be_bytes(*mode) & kinds).to_be_bytes().to_vec()
        });
        Self { patient: None, bed: said(id::BED), serial: said(id::PRODUCTION), mode }
    }

    /// It says itself that it measures nobody.
    pub(crate) fn is_standby(&self) -> bool {
        let mode = self.mode.as_deref().and_then(<[u8]>::first_chunk);
        mode.is_some_and(|mode| u16::from_be_bytes(*mode) & mode::STANDBY != 0)
    }

    /// The id and the names, and the number that the monitor gives each admission: nothing of it goes on, but another one is somebody
    /// else.
    pub(crate) fn of_patient(attributes: Attributes<'_>) -> Option<Self> {
        let said = [id::PATIENT, id::PATIENT_INSIDE, id::GIVEN, id::FAMILY].map(|id| attributes.find(id));
        let patient = said.iter().flatten().flat_map(|value| value.iter().copied()).collect();
        Some(Self { patient: Some(patient), ..Self::default() })
    }
}

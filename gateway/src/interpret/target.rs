//! A destination as interpretation takes it: owned, so that it outlives any configuration, and lent to a conversion.

use crate::convert::{Corrections, Target};
use orugate_protocol::oru::Route;
use orugate_protocol::pcd;
use orugate_protocol::text::Charset;

/// One destination of an instrument.
pub struct OwnedTarget {
    /// Its index in the plan.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// MSH-3.
    pub sending_application: String,
    /// MSH-4.
    pub sending_facility: String,
    /// MSH-5.
    pub receiving_application: String,
    /// MSH-6.
    pub receiving_facility: String,
    /// MSH-11.
    pub processing: char,
    /// MSH-15 and MSH-16.
    pub acknowledgment: (&'static str, &'static str),
    /// What it reads, and MSH-18.
    pub charset: Charset,
    /// Where the sample id goes.
    pub sample_id_in: orugate_protocol::oru::SampleIdIn,
    /// `<5` as SN.
    pub structured_numeric: bool,
    /// Patient id field, authority, kind.
    pub patient: Option<(orugate_protocol::oru::PatientField, String, String)>,
    /// A record is stricter than a LIS.
    pub record: bool,
    /// What a correction becomes.
    pub corrections: Corrections,
    /// Resends are not sent again.
    pub suppress_resends: bool,
    /// What is its own in messages of bedside devices; `None` where none names it.
    pub pcd: Option<OwnedPcd>,
}

/// What is a destination's own in messages of bedside devices.
#[derive(Clone, Debug, Default)]
pub struct OwnedPcd {
    /// MSH-3.2.
    pub sending_id: Option<u64>,
    /// MSH-21.
    pub profile: String,
    /// MSH-15 and MSH-16.
    pub acknowledgment: (&'static str, &'static str),
    /// What PID is when no patient id goes along.
    pub unknown_patient: OwnedUnknown,
    /// Authority and kind of the patient id that a device sends.
    pub patient: Option<(String, String)>,
    /// OBX-18 stands in each row.
    pub device_on_rows: bool,
}

/// What PID is when nobody knows the patient.
#[derive(Clone, Debug, Default)]
pub enum OwnedUnknown {
    /// There is none.
    NoSegment,
    /// A name of unknown type and no id.
    NoId,
    /// A text that is no patient's and names the device.
    #[default]
    Device,
}

/// CX.5 of a text in PID-3 that names a device: table 0203 has no code for one, and this for what is not specified.
const DEVICE: &str = "U";

impl OwnedTarget {
    /// As conversion takes it.
    pub(crate) fn borrowed<'a>(&'a self, instrument: &'a str) -> Target<'a> {
        Target {
            index: self.index,
            name: &self.name,
            route: Route {
                sending_application: &self.sending_application,
                sending_facility: &self.sending_facility,
                receiving_application: &self.receiving_application,
                receiving_facility: &self.receiving_facility,
                processing: self.processing,
                acknowledgment: self.acknowledgment,
                charset: self.charset,
                sample_id_in: self.sample_id_in,
                structured_numeric: self.structured_numeric,
                patient: self.patient.as_ref().map(|(field, authority, kind)| {
                    orugate_protocol::oru::PatientId { field: *field, authority, kind }
                }),
            },
            record: self.record,
            corrections: self.corrections,
            suppress_resends: self.suppress_resends,
            pcd: self.pcd.as_ref().map(|own| pcd::Route {
                sending_application: &self.sending_application,
                sending_id: own.sending_id,
                sending_facility: &self.sending_facility,
                receiving_application: &self.receiving_application,
                receiving_facility: &self.receiving_facility,
                processing: self.processing,
                acknowledgment: own.acknowledgment,
                profile: &own.profile,
                charset: self.charset,
                unknown_patient: match own.unknown_patient {
                    OwnedUnknown::NoSegment => pcd::UnknownPatient::NoSegment,
                    OwnedUnknown::NoId => pcd::UnknownPatient::NoId,
                    OwnedUnknown::Device => pcd::UnknownPatient::Marked {
                        id: instrument,
                        authority: &self.sending_application,
                        kind: DEVICE,
                    },
                },
                patient: own.patient.as_ref().map(|(authority, kind)| (&**authority, &**kind)),
                patient_class: 'U',
                device_on_rows: own.device_on_rows,
            }),
        }
    }
}

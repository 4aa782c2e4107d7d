//! The standard's names for the fields of each record type (LIS02 2.5).
//!
//! Promises: every field that LIS02 defines has an accessor of its name; each is cheap to call and gives the field as
//! it came, or its code where the standard lists codes. The raw field of a code is `record().field(n)`.
//!
//! Leaves out: what vendors made of the fields; that is a profile's business.

use super::codes::{
    ActionCode, CommentSource, CommentType, ProcessingId, QueryStatus, ReportType, ResultStatus,
    TerminationCode,
};
use super::field::Field;
use super::records::{Record, RecordType};

/// One accessor: a field, or its code when a type is named.
macro_rules! accessor {
    ($letter:literal $n:literal $name:ident $what:literal) => {
        #[doc = concat!($letter, ".", $n, ": ", $what, ".")]
        #[must_use]
        pub fn $name(&self) -> Field<'a> {
            self.0.field($n)
        }
    };
    ($letter:literal $n:literal $name:ident $what:literal $code:ident) => {
        #[doc = concat!($letter, ".", $n, ": ", $what, ".")]
        #[must_use]
        pub fn $name(&self) -> $code<'a> {
            $code::of(self.0.field($n))
        }
    };
}

/// All views, and the [`View`] that holds any of them.
macro_rules! views {
    ($($(#[$doc:meta])* $view:ident $kind:ident $letter:literal {
        $($n:literal $name:ident $what:literal $(=> $code:ident)?;)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $view<'a>(Record<'a>);

            impl<'a> $view<'a> {
                /// The view of a record of this type, or `None` for a record of another.
                #[must_use]
                pub fn of(record: Record<'a>) -> Option<Self> {
                    (record.kind() == RecordType::$kind).then_some(Self(record))
                }

                /// The record itself.
                #[must_use]
                pub const fn record(&self) -> Record<'a> {
                    self.0
                }

                $(accessor! { $letter $n $name $what $($code)? })*
            }
        )*

        /// A record as what it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum View<'a> {
            $($(#[$doc])* $kind($view<'a>),)*
            /// A record of no type that LIS02 defines.
            Other(Record<'a>),
        }

        impl<'a> View<'a> {
            pub(super) const fn of(record: Record<'a>) -> Self {
                match record.kind() {
                    $(RecordType::$kind => Self::$kind($view(record)),)*
                    RecordType::Other(_) => Self::Other(record),
                }
            }
        }

        impl RecordType {
            /// The fields that LIS02 defines for this type, type letter aside: number and accessor name, ascending.
            /// For whoever shows a record to people.
            #[must_use]
            pub const fn field_names(self) -> &'static [(usize, &'static str)] {
                match self {
                    $(Self::$kind => &[$(($n, stringify!($name)),)*],)*
                    Self::Other(_) => &[],
                }
            }
        }
    };
}

views! {
    /// H: who speaks, to whom, how and when.
    Header Header "H" {
        2 delimiter_definition "repeat, component and escape delimiter; does not split";
        3 message_control_id "message control id";
        4 access_password "access password";
        5 sender "sender name or id (often name^software version^serial)";
        6 sender_address "sender street address";
        7 reserved "reserved";
        8 sender_telephone "sender telephone number";
        9 sender_characteristics "characteristics of sender";
        10 receiver_id "receiver id";
        11 comment "comment or special instructions";
        12 processing_id "processing id" => ProcessingId;
        13 version "version of the standard";
        14 message_time "date and time of the message";
    }
    /// P: whose specimen it is.
    Patient Patient "P" {
        2 sequence "sequence number";
        3 practice_patient_id "patient id that the practice assigned";
        4 laboratory_patient_id "patient id that the laboratory assigned";
        5 patient_id_3 "patient id no. 3";
        6 name "patient name (last^first^middle^suffix^title)";
        7 mothers_maiden_name "mother's maiden name";
        8 birth_date "birth date";
        9 sex "sex (M, F, U)";
        10 race "race or ethnic origin";
        11 address "address (street^city^state^postal code^country)";
        12 reserved "reserved";
        13 telephone "telephone number";
        14 attending_physician_id "attending physician id";
        15 special_1 "special field 1";
        16 special_2 "special field 2";
        17 height "height (number^unit)";
        18 weight "weight (number^unit)";
        19 diagnosis "known or suspected diagnosis";
        20 medications "active medications";
        21 diet "diet";
        22 practice_1 "practice field 1";
        23 practice_2 "practice field 2";
        24 admission_and_discharge "admission and discharge dates";
        25 admission_status "admission status";
        26 location "location";
        27 diagnostic_code_nature "nature of alternative diagnostic code and classifiers";
        28 diagnostic_code "alternative diagnostic code and classification";
        29 religion "religion";
        30 marital_status "marital status";
        31 isolation_status "isolation status";
        32 language "language";
        33 hospital_service "hospital service";
        34 hospital_institution "hospital institution";
        35 dosage_category "dosage category";
    }
    /// O: which specimen, and which tests on it.
    Order Order "O" {
        2 sequence "sequence number";
        3 specimen_id "specimen id";
        4 instrument_specimen_id "instrument specimen id";
        5 universal_test_id "universal test id (id^name^type^local code...), repeats";
        6 priority "priority (S, A, R, C, P), repeats";
        7 requested_time "date and time when ordered";
        8 collection_time "date and time of collection";
        9 collection_end_time "date and time when collection ended";
        10 collection_volume "collection volume (number^unit)";
        11 collector_id "collector id";
        12 action_code "action code" => ActionCode;
        13 danger_code "danger code";
        14 clinical_information "relevant clinical information";
        15 received_time "date and time when the specimen was received";
        16 specimen_descriptor "specimen descriptor (type^source)";
        17 ordering_physician "ordering physician";
        18 physician_telephone "physician's telephone number";
        19 user_1 "user field 1";
        20 user_2 "user field 2";
        21 laboratory_1 "laboratory field 1";
        22 laboratory_2 "laboratory field 2";
        23 reported_time "date and time when results were reported or last modified";
        24 instrument_charge "instrument charge to the computer system";
        25 instrument_section_id "instrument section id";
        26 report_type "report type" => ReportType;
        27 reserved "reserved";
        28 collection_location "location or ward of specimen collection";
        29 nosocomial_infection "nosocomial infection flag";
        30 specimen_service "specimen service";
        31 specimen_institution "specimen institution";
    }
    /// R: one result.
    ResultRecord Result "R" {
        2 sequence "sequence number";
        3 universal_test_id "universal test id (id^name^type^local code...)";
        4 value "data or measurement value (value^interpretation...)";
        5 units "units";
        6 reference_ranges "reference ranges (low to high^name), repeats";
        7 abnormal_flags "abnormal flags, repeats; vendors extend the list, so they are left as text";
        8 abnormality_nature "nature of abnormality testing (A, S, R, N)";
        9 status "result status" => ResultStatus;
        10 normative_change_date "date of change of normative values or units";
        11 operator "operator (performer^verifier)";
        12 started_time "date and time when the test was started";
        13 completed_time "date and time when the test was completed";
        14 instrument_id "instrument id";
    }
    /// C: a remark on the record before it.
    Comment Comment "C" {
        2 sequence "sequence number";
        3 source "comment source" => CommentSource;
        4 text "comment text";
        5 comment_type "comment type" => CommentType;
    }
    /// Q: asks for orders or results.
    Query Query "Q" {
        2 sequence "sequence number";
        3 starting_range_id "starting range id (patient^specimen), repeats, or ALL";
        4 ending_range_id "ending range id";
        5 universal_test_id "universal test id, or ALL";
        6 time_limits_nature "nature of request time limits (S specimen date, R result date)";
        7 begin_time "beginning of the time asked for";
        8 end_time "end of the time asked for";
        9 physician_name "requesting physician's name";
        10 physician_telephone "requesting physician's telephone number";
        11 user_1 "user field 1";
        12 user_2 "user field 2";
        13 status "request information status" => QueryStatus;
    }
    /// L: the message ends here, and why.
    Terminator Terminator "L" {
        2 sequence "sequence number, always 1";
        3 termination_code "termination code" => TerminationCode;
    }
    /// M: manufacturer information; all fields but the first two are the vendor's.
    Manufacturer Manufacturer "M" {
        2 sequence "sequence number";
    }
    /// S: results exchanged for comparison between laboratories.
    Scientific Scientific "S" {
        2 sequence "sequence number";
        3 analytical_method "analytical method";
        4 instrumentation "instrumentation";
        5 reagents "reagents";
        6 units_of_measure "units of measure";
        7 quality_control "quality control";
        8 specimen_descriptor "specimen descriptor";
        9 reserved "reserved";
        10 container "container";
        11 specimen_id "specimen id";
        12 analyte "analyte";
        13 result "result";
        14 result_units "result units";
        15 collection_time "collection date and time";
        16 result_time "result date and time";
        17 preprocessing_steps "analytical preprocessing steps";
        18 diagnosis "patient diagnosis";
        19 birth_date "patient birth date";
        20 sex "patient sex";
        21 race "patient race";
    }
}

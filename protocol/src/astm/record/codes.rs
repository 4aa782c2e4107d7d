//! Coded fields of LIS02 as enums that lose nothing.
//!
//! Promises: a code that is not in the standard's list keeps its bytes and is never taken for one that is; an empty
//! field is told apart from a code that means the default. Spaces around a code do not count; its case does, since
//! vendors give lower-case letters meanings of their own.
//!
//! Leaves out: fields with several repeats. These read as `Unknown`; take each repeat to `of` instead.

use super::field::Field;

/// Defines one coded field.
macro_rules! code {
    ($(#[$doc:meta])* $name:ident { $($letter:literal $variant:ident $meaning:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name<'a> {
            $(#[doc = concat!("`", $letter, "`: ", $meaning, ".")] $variant,)+
            /// Something else, without the spaces around it.
            Unknown(&'a [u8]),
            /// Nothing, or only spaces.
            Absent,
        }

        impl<'a> $name<'a> {
            /// The code in a field or one repeat of it.
            #[must_use]
            pub fn of(field: Field<'a>) -> Self {
                let code = field.trimmed().bytes();
                $(if code == $letter.as_bytes() {
                    return Self::$variant;
                })+
                if code.is_empty() { Self::Absent } else { Self::Unknown(code) }
            }
        }
    };
}

code! {
    /// H.12, what the message is for. Anything but production must not reach a patient's record.
    ProcessingId {
        "P" Production "production, patients' results",
        "T" Training "training",
        "D" Debugging "debugging",
        "Q" QualityControl "quality control or regulatory",
    }
}

code! {
    /// O.12, what is to be done with the order.
    ActionCode {
        "C" Cancel "cancel the tests named",
        "A" Add "add the tests to an existing specimen",
        "N" New "new order on a new specimen",
        "P" Pending "specimen pending",
        "L" Reserved "reserved",
        "X" InProcess "specimen or test in process",
        "Q" QualityControl "treat the specimen as quality control",
    }
}

code! {
    /// O.26, what kind of report the order record is part of.
    ReportType {
        "O" Order "order, asks for the tests",
        "C" Correction "correction of results sent before",
        "P" Preliminary "preliminary results",
        "F" Final "final results",
        "X" Cancelled "order cannot be done, cancelled",
        "I" Pending "pending in the instrument",
        "Y" NoOrder "no order on record for this test",
        "Z" NoPatient "no record of this patient",
        "Q" QueryResponse "response to a query",
    }
}

code! {
    /// R.9, status of the result.
    ResultStatus {
        "C" Correction "correction of a result sent before",
        "P" Preliminary "preliminary",
        "F" Final "final",
        "X" CannotBeDone "cannot be done, cancelled",
        "I" Pending "pending in the instrument",
        "S" Partial "partial",
        "M" MicLevel "minimum inhibitory concentration level",
        "R" PreviouslyTransmitted "transmitted before",
        "N" NewOrderInformation "has the information to run a new order",
        "Q" QueryResponse "answer to an outstanding query",
        "V" Verified "verified by the operator",
        "W" Questionable "validity is questionable",
    }
}

code! {
    /// C.3, who made the comment.
    CommentSource {
        "P" Practice "the practice",
        "L" InformationSystem "the laboratory's information system",
        "I" Instrument "the instrument",
    }
}

code! {
    /// C.5, what the comment is.
    CommentType {
        "G" Generic "free text",
        "T" TestName "name of a test",
        "P" Positive "positive test",
        "N" Negative "negative test",
        "I" InstrumentFlag "flag of the instrument",
    }
}

code! {
    /// Q.13, which results or orders are asked for.
    QueryStatus {
        "C" Corrected "corrected results",
        "P" Preliminary "preliminary results",
        "F" Final "final results",
        "X" Cancelled "results that cannot be done",
        "I" Pending "pending results",
        "S" Partial "partial results",
        "M" MicLevel "minimum inhibitory concentration levels",
        "R" Resend "resend what was sent before",
        "A" Abort "abort the last query",
        "N" NewOnly "new or edited results only",
        "O" Orders "orders and demographics only, no results",
        "D" Demographics "demographics only",
    }
}

code! {
    /// L.3, why the message ends.
    TerminationCode {
        "N" Normal "normal",
        "T" SenderAborted "the sender aborted",
        "R" ReceiverAborted "the receiver asked to abort",
        "E" SystemError "unknown system error",
        "Q" QueryError "error in the last request for information",
        "I" NoInformation "no information from the last query",
        "F" QueryDone "the last query is answered",
    }
}

impl TerminationCode<'_> {
    /// True for `N` and for an empty field, which LIS02 reads as `N`.
    #[must_use]
    pub const fn is_normal(self) -> bool {
        matches!(self, Self::Normal | Self::Absent)
    }
}

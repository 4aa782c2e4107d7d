//! LIS02-A2 (ASTM E1394) records: checked views over the text of one message, without a copy.
//!
//! Promises: every byte that is no record terminator belongs to exactly one [`Record`]; every [`Record`] and
//! [`Field`] knows its [`Span`](crate::span::Span) from the first byte of the text that [`Records::new`] was given;
//! accessors cannot fail, what is not there is empty. Nothing is rejected for its order, its length or its letter.
//!
//! Leaves out: framing ([`super::link`] removes it), what a value means, which characters a charset allows (see
//! [`Field::text`]), and dialects that put a raw delimiter into a field after an escape character (Mindray's `&|`):
//! LIS02 encodes delimiters as letters, so a raw delimiter always splits.
//!
//! Splitting knows the message's charset: in GB18030, Big5 and Shift_JIS the second byte of a character may be a
//! delimiter's, see [`Charset::find`](crate::text::Charset::find). None of them hides a line end or the letters of a
//! record's type.
//!
//! Field numbers count as the standard does: 1 is the type letter, so R.4 is the value of a result.
//!
//! ```
//! use orugate_protocol::astm::record::{Records, ResultStatus, View};
//!
//! let message = b"H|\\^&\rP|1\rO|1|S-1\rR|1|^^^GLU^1|  5.1|mmol/L||N||F\rL|1|N\r";
//! let results: Vec<_> = Records::new(message)
//!     .filter_map(|record| match record.view() {
//!         View::Result(r) => Some((r.universal_test_id().component(4).bytes(), r.value().trimmed(), r.status())),
//!         _ => None,
//!     })
//!     .collect();
//! let [(code, value, status)] = results[..] else { unreachable!() };
//! assert_eq!((code, value.bytes(), status), (&b"GLU"[..], &b"5.1"[..], ResultStatus::Final));
//! assert_eq!(&message[value.span().start as usize..value.span().end as usize], b"5.1");
//! ```

mod codes;
mod field;
mod header;
mod records;
mod views;
mod walk;

pub use codes::{
    ActionCode, CommentSource, CommentType, ProcessingId, QueryStatus, ReportType, ResultStatus,
    TerminationCode,
};
pub use field::{Field, Pieces};
pub use header::{HeaderError, HeaderProblem, Role, parse_header};
pub use records::{DelimiterSource, Record, RecordType, Records};
pub use views::{
    Comment, Header, Manufacturer, Order, Patient, Query, ResultRecord, Scientific, Terminator, View,
};
pub use walk::{Parent, Place, SequenceGap, Walker};

//! Verifications: what a profile's examples show, what a person was shown and said, and the report of it.
//!
//! Promises that a report is made of the session's own records and of nothing else: written again, it has the same content,
//! wherever the journal is and whatever else was given back. Leaves out asking (`cli/verify`) and deciding
//! (`state/verifications.rs`).

mod csv;
mod evidence;
mod html;
mod report;
mod shows;

pub use evidence::{Closing, Evidence, Left, Read, Sent, cut};
pub use report::{By, Line, Report, gather, sha256};
pub use shows::{Coverage, ExampleRun, coverage, shows_of};

//! Placeholder.

pub mod forward;

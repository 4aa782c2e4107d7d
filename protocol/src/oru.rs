//! ORU.

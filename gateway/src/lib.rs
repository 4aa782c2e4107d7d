//! Orugate: the gateway beside the instrument. See `ARCHITECTURE.md` for the way of one byte.
#![forbid(unsafe_code)]

pub mod admin;
pub mod clock;
pub mod config;
pub mod convert;
pub mod interpret;
pub mod port;
pub mod receipts;
pub mod replay;
pub mod records;
pub mod state;
pub mod status;
pub mod store;
pub mod wire;

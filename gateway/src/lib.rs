//! Orugate: the gateway beside the instrument. See `ARCHITECTURE.md` for the way of one byte.
#![forbid(unsafe_code)]

pub mod admin;
pub mod apart;
pub mod archive;
pub mod cli;
pub mod clock;
pub mod conditions;
pub mod config;
pub mod convert;
mod crew;
pub mod demo;
pub mod dryrun;
pub mod engine;
pub mod forward;
pub mod interpret;
pub mod lineup;
pub mod looks;
pub mod notes;
pub mod port;
pub mod ports;
pub mod profiles;
pub mod pulse;
pub mod receipts;
pub mod records;
pub mod reload;
pub mod replay;
pub mod run;
pub mod seal;
mod secret;
pub mod simulate;
pub mod state;
pub mod status;
pub mod store;
pub mod systemd;
pub mod tls;
pub mod wire;
pub mod words;

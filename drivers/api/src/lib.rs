//! The contract between a driver and the gateway, modelled on quinn-proto and str0m: no IO, no clock; time is an
//! argument.
//!
//! A driver is three things. A [`Session`] turns what happens on a wire into what to do about it. An
//! [`Interpreter`] turns one stored message into report items. A [`Profile`] is TOML data that fits both to one
//! instrument model. The gateway owns sockets, ports, clocks, files and threads; a driver owns none.
//!
//! # The loop
//! Every [`Session::handle`] is followed by [`Session::poll`] until it returns [`Output::Wait`] or [`Output::Done`],
//! before the next `handle`. Bytes that [`Output::Send`] and [`Output::Store`] lend are copied before the next call.
//!
//! # The promise
//! A session asks for data to be kept with [`Output::Store`]. It may acknowledge that data to the instrument only
//! when [`Input::Stored`] with the same ticket comes back, which the gateway makes from a journal receipt after a
//! sync. [`Input::Refused`] means that it is not on flash and never will be: the instrument must be told so.
//!
//! # Bedside devices
//! What a device says again and again is not stored each time. A session says what is current ([`Output::Current`]), and
//! the gateway makes one message ([`snapshot`]) of all that stands at the end of each interval. Sessions know no interval,
//! and interpreters no message before this one.
//!
//! This crate stays 0.x until drivers exist outside this repository; its public enums are `#[non_exhaustive]`.
#![forbid(unsafe_code)]

mod fault;
mod intern;
mod interpreter;
mod outbox;
mod profile;
mod scrub;
mod session;
pub mod snapshot;

pub use fault::SimulatedFault;
pub use intern::{Interned, intern};
pub use interpreter::{Fault, FrameSeen, Instrument, Interpreter, Piece, Scratch, StoredMessage};
pub use orugate_protocol::{report, span, text, time};
pub use outbox::Outbox;
pub use profile::{
    Common, CommonQc, Draft, Driver, Evidence, Example, Feed, Profile, ProfileError, QcProof, UnitSaid,
    UsualFlow, UsualLine, parse_profile,
};
pub use scrub::{StandIns, scrub_by_rule};
pub use session::{
    Answer, Channel, Chunk, Deadline, Input, LineSettings, MessageEnd, Note, NoteKind, Output, Parity, Peer,
    Reason, Session, Slot, State, Stored, Ticket, TrafficFault,
};

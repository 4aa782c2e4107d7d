//! A conversion outside of the gateway, on a thread that can be left behind: for replays and dry runs.
//!
//! Promises what `interpret/thread.rs` does for the gateway: a driver that panics or comes to no end costs its message
//! and no other. A message may take as long as in the gateway; after [`STRIKES`] that came to no end the rest is not
//! given to the driver, since each lost thread costs a core until the command ends.

use crate::convert::{Conversion, Converter, HoldReason, NoPast, Numbers, Setting, Target, Task};
use crate::interpret::OwnedTarget;
use crate::pulse::step_back;
use crate::replay::Message;
use jiff::tz::TimeZone;
use orugate_driver::{Interpreter, StoredMessage};
use orugate_protocol::time::{ClockQuality, Utc};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long a message may take, unless a test says otherwise.
pub const MESSAGE: Duration = crate::run::MESSAGE;
/// Messages with which the driver may come to no end.
const STRIKES: u32 = 2;

/// Runs something on a thread of its own; why it gave nothing.
///
/// # Errors
/// [`Broken`]; when it is late, the thread is left behind.
pub fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Broken> {
    let ((begun, thread), (done, result)) = (channel(), channel());
    let life = move || {
        let _ = begun.send(rustix::thread::gettid());
        let worked = catch_unwind(AssertUnwindSafe(work));
        let _ = done.send(worked.map_err(|_| Broken::Panic));
    };
    if std::thread::Builder::new().name("apart".to_owned()).spawn(life).is_err() {
        return Err(Broken::NoThread);
    }
    match result.recv_timeout(limit) {
        Ok(worked) => worked,
        Err(RecvTimeoutError::Timeout) => {
            if let Ok(thread) = thread.try_recv() {
                step_back(thread);
            }
            Err(Broken::NoEnd)
        }
        Err(RecvTimeoutError::Disconnected) => Err(Broken::Panic),
    }
}

/// Why a message gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The driver panicked.
    Panic,
    /// The driver came to no end with it.
    NoEnd,
    /// The driver came to no end with others before, so it was not given this one.
    NotGiven,
    /// The system gives no thread.
    NoThread,
}

impl Broken {
    /// What happened and what to do.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Panic => HoldReason::DriverFault.sentence(),
            Self::NoEnd => {
                "The driver came to no end with this message; the gateway would hold it. Send the capture to the \
                 maker. The next message goes on."
            }
            Self::NotGiven => {
                "The driver came to no end with two messages before, so this one was not given to it. Send the \
                 capture to the maker."
            }
            Self::NoThread => "The system gives no thread for it. Free memory, then try again.",
        }
    }
}

/// All that is the same for the messages of one capture.
pub struct Scene {
    /// The instrument's name.
    pub instrument: String,
    /// Where its results go.
    pub targets: Vec<OwnedTarget>,
    /// The gateway's four characters.
    pub gateway: String,
    /// The zone of the instrument's clock.
    pub zone: TimeZone,
    /// The time of now, and when each message was received.
    pub now: Utc,
    /// ORUs are numbered from 1; otherwise all have 0.
    pub numbered: bool,
}

/// Converts the messages of one capture.
pub struct Apart {
    scene: Arc<Scene>,
    interpreter: Arc<dyn Interpreter>,
    converter: Converter,
    last: u64,
    limit: Duration,
    strikes: u32,
}

impl Apart {
    /// With this interpreter; a message may take `limit`.
    #[must_use]
    pub fn new(scene: Scene, interpreter: Box<dyn Interpreter>, limit: Duration) -> Self {
        Self {
            scene: Arc::new(scene),
            interpreter: interpreter.into(),
            converter: Converter::default(),
            last: 0,
            limit,
            strikes: 0,
        }
    }

    /// What all messages have in common.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// Converts one message.
    ///
    /// # Errors
    /// Why it gave nothing; the next one can be tried.
    pub fn convert(&mut self, message: &Message) -> Result<Conversion<'_>, Broken> {
        if self.strikes >= STRIKES {
            return Err(Broken::NotGiven);
        }
        let (scene, interpreter, message) = (self.scene.clone(), self.interpreter.clone(), message.clone());
        let mut converter = std::mem::take(&mut self.converter);
        let mut numbers = Counter { last: self.last, numbered: scene.numbered };
        let converted = within(self.limit, move || {
            convert(&scene, &*interpreter, &message, &mut converter, &mut numbers);
            (converter, numbers.last)
        });
        self.strikes += u32::from(converted.as_ref().err() == Some(&Broken::NoEnd));
        (self.converter, self.last) = converted?;
        Ok(self.converter.conversion())
    }
}

struct Counter {
    last: u64,
    numbered: bool,
}

impl Numbers for Counter {
    fn next(&mut self) -> Option<u64> {
        self.last += u64::from(self.numbered);
        Some(self.last)
    }
}

fn convert(
    scene: &Scene,
    interpreter: &dyn Interpreter,
    message: &Message,
    converter: &mut Converter,
    numbers: &mut Counter,
) {
    let targets: Vec<Target<'_>> = scene.targets.iter().map(OwnedTarget::borrowed).collect();
    let task = Task {
        interpreter,
        message: StoredMessage {
            raw: &message.raw,
            chunk_ends: &message.chunk_ends,
            complete: message.complete,
            received: scene.now,
            clock: ClockQuality::Synchronised,
        },
        number: 0,
        setting: Setting {
            instrument: &scene.instrument,
            destinations: &targets,
            gateway: &scene.gateway,
            zone: &scene.zone,
            key: &[0; 16],
        },
        past: &NoPast,
        now: scene.now,
        release: None,
    };
    converter.convert(&task, numbers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn what_comes_to_no_end_is_left_behind_and_what_panics_is_told_apart() {
        let (end, wait) = sync_channel::<()>(0);
        let late = within(Duration::from_millis(1), move || wait.recv());
        assert_eq!(late.err(), Some(Broken::NoEnd));
        drop(end);
        let panics = within(MESSAGE, || assert!(std::hint::black_box(false)));
        assert_eq!(panics.err(), Some(Broken::Panic));
        assert_eq!(within(MESSAGE, || 7), Ok(7));
    }
}

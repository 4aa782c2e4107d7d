//! Conversions outside of the gateway, on a thread that can be left behind: for replays and dry runs.
//!
//! Promises what `interpret/thread.rs` does for the gateway: a driver that panics or comes to no end costs its message
//! and no other. A message may take as long as in the gateway; after [`STRIKES`] that came to no end the rest is not
//! given to the driver, since each lost thread costs a core until the command ends. One thread with one converter
//! serves a whole capture; only one that does not come back has a successor.

use crate::bedside::{self, Observation, Observer, Told};
use crate::convert::{
    Clocks, Conversion, Converter, HoldReason, NoPast, Numbers, Proof, Release, Reruns, Rules, Setting,
    Target, Task,
};
use crate::interpret::OwnedTarget;
use crate::maps::Table;
use crate::pulse::step_back;
use crate::replay::Message;
use jiff::tz::TimeZone;
use orugate_driver::{Interpreter, StoredMessage};
use orugate_protocol::time::{ClockQuality, Utc};
use rustix::process::Pid;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long a message may take, unless a test says otherwise.
pub const MESSAGE: Duration = crate::run::MESSAGE;
/// Messages with which the driver may come to no end.
const STRIKES: u32 = 2;

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
    /// The zone of the gateway's own times.
    pub site_zone: TimeZone,
    /// The time of now, and when each message was received.
    pub now: Utc,
    /// ORUs are numbered from 1; otherwise all have 0.
    pub numbered: bool,
    /// For hashes: a journal's, to compare with what is in it.
    pub key: [u8; 16],
    /// What becomes of another run in the same message.
    pub reruns: Reruns,
    /// What the site knows of the instrument; nothing where it is only explained what was sent.
    pub rules: Rules,
    /// The instrument's maps.
    pub table: Option<Arc<Table>>,
    /// What the site says of it, when it is a bedside device.
    pub bedside: Option<bedside::Rules>,
}

/// What a conversion in the past was about, so that it can be made again.
#[derive(Clone, Debug, Default)]
pub struct AsThen {
    /// The sample id that a person entered.
    pub sample: Option<String>,
    /// Only these observations were sent.
    pub observations: Vec<u32>,
    /// The reason of the hold that a person released, by its code.
    pub overruled: Option<String>,
}

/// Converts the messages of one capture.
pub struct Apart {
    scene: Arc<Scene>,
    interpreter: Arc<dyn Interpreter>,
    limit: Duration,
    /// The thread; none before the first message and after one that came to no end.
    hand: Option<Hand>,
    /// What the last message left behind: here between two messages, with the thread during one.
    tools: Option<Tools>,
    last: u64,
    strikes: u32,
}

/// What messages are converted with, and what must be known of those before.
#[derive(Default)]
struct Tools {
    converter: Converter,
    observer: Observer,
    /// A bedside device's last message.
    previous: Vec<Message>,
    once: Vec<(u64, i64)>,
    /// What became of its measurements.
    told: Vec<Told>,
}

/// The thread, seen from outside. It ends when this is dropped, once it is out of its driver.
struct Hand {
    work: Sender<Work>,
    done: Receiver<Result<(Tools, u64), Broken>>,
    id: Receiver<Pid>,
}

/// A message and what it is converted with.
struct Work {
    message: Message,
    then: Option<AsThen>,
    tools: Tools,
    last: u64,
}

impl Apart {
    /// With this interpreter; a message may take `limit`.
    #[must_use]
    pub fn new(scene: Scene, interpreter: Box<dyn Interpreter>, limit: Duration) -> Self {
        Self {
            scene: Arc::new(scene),
            interpreter: interpreter.into(),
            limit,
            hand: None,
            tools: None,
            last: 0,
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
        self.work(message, None).map(|tools| tools.converter.conversion())
    }

    /// Observes one message of a bedside device; the one before it is what the last call had.
    ///
    /// # Errors
    /// As [`convert`](Self::convert).
    pub fn observe(&mut self, message: &Message) -> Result<Observation<'_>, Broken> {
        self.work(message, None).map(|tools| tools.observer.observation())
    }

    /// What became of each measurement of the message that was observed last.
    #[must_use]
    pub fn told(&self) -> &[Told] {
        self.tools.as_ref().map_or(&[], |tools| &tools.told)
    }

    /// Converts one message as it was done before, whatever was sent in between.
    ///
    /// # Errors
    /// As [`convert`](Self::convert).
    pub fn again(&mut self, message: &Message, then: AsThen) -> Result<Conversion<'_>, Broken> {
        self.work(message, Some(then)).map(|tools| tools.converter.conversion())
    }

    fn work(&mut self, message: &Message, then: Option<AsThen>) -> Result<&Tools, Broken> {
        if self.strikes >= STRIKES {
            return Err(Broken::NotGiven);
        }
        let hand = match self.hand.take() {
            Some(hand) => hand,
            None => Hand::start(self.scene.clone(), self.interpreter.clone())?,
        };
        let tools = self.tools.take().unwrap_or_default();
        let converted =
            hand.convert(Work { message: message.clone(), then, tools, last: self.last }, self.limit);
        match converted {
            Err(Broken::NoEnd) => self.strikes += 1,
            _ => self.hand = Some(hand),
        }
        let (tools, last) = converted?;
        self.last = last;
        Ok(self.tools.insert(tools))
    }
}

impl Hand {
    fn start(scene: Arc<Scene>, interpreter: Arc<dyn Interpreter>) -> Result<Self, Broken> {
        let ((work, given), (end, done), (begun, id)) = (channel::<Work>(), channel(), channel());
        let life = move || {
            let _ = begun.send(rustix::thread::gettid());
            for Work { message, then, mut tools, last } in given {
                let mut numbers = Counter { last, numbered: scene.numbered };
                let converted = catch_unwind(AssertUnwindSafe(|| match &scene.bedside {
                    Some(rules) => observe(&scene, rules, &*interpreter, &message, &mut tools, &mut numbers),
                    None => {
                        let converter = &mut tools.converter;
                        convert(&scene, &*interpreter, &message, then.as_ref(), converter, &mut numbers);
                    }
                }));
                // What a panic leaves in the converter is nobody's message.
                let converted = converted.map(|()| (tools, numbers.last)).map_err(|_| Broken::Panic);
                if end.send(converted).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("apart".to_owned()).spawn(life);
        thread.map(|_| Self { work, done, id }).map_err(|_| Broken::NoThread)
    }

    fn convert(&self, work: Work, limit: Duration) -> Result<(Tools, u64), Broken> {
        if self.work.send(work).is_err() {
            return Err(Broken::Panic);
        }
        self.done.recv_timeout(limit).unwrap_or_else(|error| match error {
            RecvTimeoutError::Disconnected => Err(Broken::Panic),
            RecvTimeoutError::Timeout => {
                if let Ok(thread) = self.id.try_recv() {
                    step_back(thread);
                }
                Err(Broken::NoEnd)
            }
        })
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

fn observe(
    scene: &Scene,
    rules: &bedside::Rules,
    interpreter: &dyn Interpreter,
    message: &Message,
    tools: &mut Tools,
    numbers: &mut Counter,
) {
    fn stored(message: &Message, received: Utc) -> StoredMessage<'_> {
        StoredMessage {
            raw: &message.raw,
            chunk_ends: &message.chunk_ends,
            complete: message.complete,
            received,
            clock: ClockQuality::Synchronised,
        }
    }
    let targets: Vec<Target<'_>> =
        scene.targets.iter().map(|target| target.borrowed(&scene.instrument)).collect();
    let mut task = bedside::Task {
        interpreter,
        message: stored(message, scene.now),
        previous: &[],
        instrument: &scene.instrument,
        targets: &targets,
        gateway: &scene.gateway,
        zone: &scene.zone,
        site_zone: &scene.site_zone,
        key: &scene.key,
        rules,
        once: &tools.once,
        now: scene.now,
    };
    let of = tools.observer.source(&task);
    // Of what is pushed each is shown, also several of one interval.
    let standing = if of.is_some() { Vec::new() } else { std::mem::take(&mut tools.previous) };
    let previous: Vec<_> = standing
        .iter()
        .map(|previous| bedside::Previous { number: 0, message: stored(previous, scene.now) })
        .collect();
    task.previous = &previous;
    let (stands, once) = {
        let observation = tools.observer.observe(&task, numbers);
        (observation.stands, observation.once.to_vec())
    };
    tools.told = tools.observer.tell(&task);
    tools.once.extend(once);
    tools.previous = if stands { vec![message.clone()] } else { standing };
}

fn convert(
    scene: &Scene,
    interpreter: &dyn Interpreter,
    message: &Message,
    then: Option<&AsThen>,
    converter: &mut Converter,
    numbers: &mut Counter,
) {
    let release = then.map(|then| Release {
        sample: then.sample.as_deref(),
        observations: &then.observations,
        rest_from: None,
        // What was held then is in no list; what holds by the order itself was overruled if it was sent.
        overruled: Some(then.overruled.as_deref().unwrap_or(HoldReason::Cancelled.code())),
    });
    let targets: Vec<Target<'_>> =
        scene.targets.iter().map(|target| target.borrowed(&scene.instrument)).collect();
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
            site_zone: &scene.site_zone,
            key: &scene.key,
            reruns: scene.reruns,
            rerun_within: i64::MAX,
            rules: &scene.rules,
            // A dry run shows what would be sent.
            proof: Proof::NotAsked,
            table: scene.table.as_deref(),
        },
        past: &NoPast,
        now: scene.now,
        clocks: Clocks::default(),
        release,
    };
    converter.convert(&task, numbers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_driver::{Fault, Scratch};
    use orugate_protocol::report::ReportSink;
    use std::sync::Mutex;
    use std::thread::ThreadId;

    /// Says on which thread it was called; panics with `P`, and waits with `W` until the sender is dropped.
    struct Driver {
        called: Sender<ThreadId>,
        wait: Mutex<Receiver<()>>,
    }

    impl Interpreter for Driver {
        fn interpret<'m>(
            &self,
            message: &StoredMessage<'m>,
            _: &mut Scratch<'m>,
            _: &mut dyn ReportSink<'m>,
        ) -> Result<(), Fault> {
            let _ = self.called.send(std::thread::current().id());
            assert!(message.raw != b"P");
            if message.raw == b"W" {
                let _ = self.wait.lock().unwrap().recv();
            }
            Ok(())
        }
    }

    #[test]
    fn one_thread_serves_a_capture_and_only_one_that_does_not_come_back_has_a_successor() {
        let (called, calls) = channel();
        let (end, wait) = channel();
        let scene = Scene {
            instrument: "rig".to_owned(),
            targets: Vec::new(),
            gateway: "TEST".to_owned(),
            zone: TimeZone::UTC,
            site_zone: TimeZone::UTC,
            now: Utc(0),
            numbered: true,
            key: [0; 16],
            reruns: Reruns::All,
            rules: Rules::default(),
            table: None,
            bedside: None,
        };
        let mut apart = Apart::new(scene, Box::new(Driver { called, wait: Mutex::new(wait) }), MESSAGE);
        let mut convert = |text: &str, limit: Duration| {
            apart.limit = limit;
            let message = Message { raw: text.into(), chunk_ends: vec![1], complete: true };
            let broken = apart.convert(&message).err();
            (broken, (broken != Some(Broken::NotGiven)).then(|| calls.recv_timeout(MESSAGE).unwrap()))
        };
        let short = Duration::from_millis(1);
        let (good, first) = convert("1", MESSAGE);
        assert_eq!(good, None);
        assert_eq!(convert("P", MESSAGE), (Some(Broken::Panic), first));
        assert_eq!(convert("2", MESSAGE), (None, first));
        assert_eq!(convert("W", short), (Some(Broken::NoEnd), first));
        let (good, second) = convert("3", MESSAGE);
        assert_eq!((good, second == first), (None, false));
        assert_eq!(convert("4", MESSAGE), (None, second));
        assert_eq!(convert("W", short), (Some(Broken::NoEnd), second));
        assert_eq!(convert("5", MESSAGE), (Some(Broken::NotGiven), None));
        drop(end);
    }
}

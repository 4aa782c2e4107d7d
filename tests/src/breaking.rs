//! A driver that breaks in every way there is, on messages that ask for it, until it is mended.
//!
//! It is the generic profile, or another one. Its session breaks on bytes that hold `SESSION-PANICS`, `SESSION-LOOPS` or
//! `SESSION-ASKS-ON`; its interpreter on a value of 666 (a panic that names a patient), 777 (it gives up after all) or
//! 999 (it comes to no end), as the profile's devices write it.

use orugate_driver::report::ReportSink;
use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Common, Fault, Feed, Input, Instrument, Interpreter, Output, Profile, Scratch, Session,
    SimulatedFault, StoredMessage,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The profile.
pub struct Breaking {
    sound: Arc<dyn Profile>,
    mended: Arc<AtomicBool>,
    on: [&'static [u8]; 3],
}

impl Breaking {
    /// It breaks until `mended` is true.
    ///
    /// # Panics
    /// When there is no generic profile.
    #[must_use]
    #[allow(clippy::expect_used)] // A test that cannot begin has failed.
    pub fn new(mended: Arc<AtomicBool>) -> Self {
        let sound = orugate::profiles::find(&orugate_drivers::SHIPPED, "generic-astm");
        Self { sound: sound.expect("the generic profile").into(), mended, on: [b"|666|", b"|777|", b"|999|"] }
    }

    /// An Evita that breaks so on a PEEP of these.
    ///
    /// # Panics
    /// When there is no such profile.
    #[must_use]
    #[allow(clippy::expect_used)] // A test that cannot begin has failed.
    pub fn ventilator(mended: Arc<AtomicBool>) -> Self {
        let sound = orugate::profiles::find(&orugate_drivers::SHIPPED, "draeger-evita");
        Self {
            sound: sound.expect("the Evita's profile").into(),
            mended,
            on: [b"78 666", b"78 777", b"78 999"],
        }
    }
}

impl Profile for Breaking {
    fn common(&self) -> &Common {
        self.sound.common()
    }
    fn session(&self, instrument: &Instrument) -> Box<dyn Session> {
        let (sound, mended) = (self.sound.session(instrument), self.mended.clone());
        Box::new(BreakingSession { sound, mended, asks_on: None })
    }
    fn simulator(&self, messages: Vec<Vec<u8>>, faults: &[SimulatedFault]) -> Box<dyn Session> {
        self.sound.simulator(messages, faults)
    }
    fn example_bytes(&self, input: &str) -> Vec<u8> {
        self.sound.example_bytes(input)
    }
    fn interpreter(&self) -> Box<dyn Interpreter> {
        let (sound, mended, on) = (self.sound.interpreter(), self.mended.clone(), self.on);
        Box::new(BreakingInterpreter { sound, mended, on })
    }
    fn feed(&self) -> Feed {
        self.sound.feed()
    }
    fn capture_session(&self) -> Box<dyn Session> {
        self.sound.capture_session()
    }
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

struct BreakingSession {
    sound: Box<dyn Session>,
    mended: Arc<AtomicBool>,
    asks_on: Option<Channel>,
}

impl Session for BreakingSession {
    #[allow(clippy::panic)] // What it is for.
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        if let Input::Bytes(channel, bytes) = input
            && !self.mended.load(Ordering::Relaxed)
        {
            assert!(!holds(bytes, b"SESSION-PANICS"), "a panic that names TEST^PATIENT");
            while holds(bytes, b"SESSION-LOOPS") && !self.mended.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            self.asks_on = holds(bytes, b"SESSION-ASKS-ON").then_some(channel);
        }
        self.sound.handle(now, input);
    }

    fn poll(&mut self) -> Output<'_> {
        match self.asks_on {
            Some(channel) => Output::Send(channel, b"?"),
            None => self.sound.poll(),
        }
    }
}

struct BreakingInterpreter {
    sound: Box<dyn Interpreter>,
    mended: Arc<AtomicBool>,
    on: [&'static [u8]; 3],
}

impl Interpreter for BreakingInterpreter {
    #[allow(clippy::panic)] // What it is for.
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let broken = !self.mended.load(Ordering::Relaxed);
        let [panics, gives_up, no_end] = self.on;
        if broken && holds(message.raw, panics) {
            panic!("a panic that names TEST^PATIENT");
        }
        while holds(message.raw, no_end) && !self.mended.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        let told = self.sound.interpret(message, scratch, sink);
        if broken && holds(message.raw, gives_up) {
            return Err(Fault::Structure { offset: 7, what: "the rest cannot be read" });
        }
        told
    }
}

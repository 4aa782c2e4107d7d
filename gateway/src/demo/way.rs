//! The way of each message as lines on the screen, from the gateway's own trace events.
//!
//! One line when a message has come to rest on flash, with its frames and its ORU, and one when the engine has
//! acknowledged that ORU; between them what the gateway warns of. Leaves out notes on the content of messages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Prints, with the time since the demo began.
#[derive(Clone)]
pub(super) struct Way {
    origin: tokio::time::Instant,
    seen: Arc<Mutex<Messages>>,
}

/// What is known of messages that were not told yet.
#[derive(Default)]
struct Messages {
    /// Frames stored, by the number of their message.
    frames: BTreeMap<u64, u64>,
    /// ORUs and their results, by the number of their message.
    ready: BTreeMap<u64, Vec<(u64, u64)>>,
    /// ORUs whose line was printed.
    told: BTreeSet<u64>,
    /// ORUs that were acknowledged sooner than their line was printed: the engine is quick.
    early: BTreeSet<u64>,
}

/// Prints what the gateway's trace says of messages from now on, and its warnings.
#[allow(clippy::disallowed_methods)] // The demonstration's stop watch.
pub(super) fn listen() -> Way {
    let way = Way { origin: tokio::time::Instant::now(), seen: Arc::default() };
    let _ = tracing_subscriber::registry().with(way.clone()).try_init();
    way
}

impl Way {
    /// Prints a line.
    pub(super) fn say(&self, line: &str) {
        println!("{line}");
    }

    #[allow(clippy::disallowed_methods)] // The demonstration's stop watch.
    fn elapsed(&self) -> Duration {
        tokio::time::Instant::now().duration_since(self.origin)
    }

    /// Prints a line of what happened to whom, and when.
    pub(super) fn happened(&self, who: &str, what: &str) {
        println!("{:>6.2} s  {who:<14} {what}", self.elapsed().as_secs_f32());
    }

    fn interpreted(&self, messages: &mut Messages, fields: &Fields) {
        let frames = messages.frames.remove(&fields.number).unwrap_or_default();
        let orus = messages.ready.remove(&fields.number).unwrap_or_default();
        let outcome = match orus.as_slice() {
            [] if fields.observations > 0 => {
                format!("{}, nothing for the engine", results(fields.observations))
            }
            [] => "no result in it".to_owned(),
            orus => {
                let orus =
                    orus.iter().map(|(oru, observations)| format!("{} in ORU {oru}", results(*observations)));
                orus.collect::<Vec<_>>().join(", ")
            }
        };
        self.happened(&fields.instrument, &format!("message of {frames:>2} frames; {outcome}"));
        for (oru, _) in orus {
            messages.told.insert(oru);
            if messages.early.remove(&oru) {
                self.delivered(oru);
            }
        }
    }

    fn delivered(&self, oru: u64) {
        self.happened("engine", &format!("acknowledges ORU {oru}: delivered"));
    }
}

fn results(count: u64) -> String {
    format!("{count} result{}", if count == 1 { "" } else { "s" })
}

impl<S: Subscriber> Layer<S> for Way {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        if !meta.target().starts_with("orugate") {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        // Held while printing, so that lines of two threads keep their order.
        let mut messages = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match (meta.target(), fields.message.as_str()) {
            ("orugate::way", "stored") => *messages.frames.entry(fields.number).or_default() += 1,
            ("orugate::way", "ready") => {
                messages.ready.entry(fields.number).or_default().push((fields.oru, fields.observations));
            }
            ("orugate::way", "delivered") if messages.told.contains(&fields.oru) => {
                self.delivered(fields.oru)
            }
            ("orugate::way", "delivered") => {
                messages.early.insert(fields.oru);
            }
            (_, "interpreted") => self.interpreted(&mut messages, &fields),
            // Notes on content come by this way; they are not this story.
            ("orugate::run", _) if *meta.level() > Level::ERROR => {}
            (_, message) if *meta.level() <= Level::WARN => {
                let who = if fields.instrument.is_empty() { &fields.destination } else { &fields.instrument };
                self.happened(who, message);
            }
            _ => {}
        }
    }
}

/// The fields that the demo shows.
#[derive(Default)]
struct Fields {
    message: String,
    instrument: String,
    destination: String,
    number: u64,
    oru: u64,
    observations: u64,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "number" => self.number = value,
            "oru" => self.oru = value,
            "observations" => self.observations = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let slot = match field.name() {
            "message" => &mut self.message,
            "instrument" => &mut self.instrument,
            "destination" => &mut self.destination,
            _ => return,
        };
        *slot = format!("{value:?}").trim_matches('"').to_owned();
    }
}

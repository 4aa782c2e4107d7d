//! The way of each message as lines on the screen, from the gateway's own trace events.

use std::fmt;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Prints, with the time since the demo began.
#[derive(Clone, Copy)]
pub(super) struct Way {
    origin: tokio::time::Instant,
}

/// Prints what the gateway's trace says of messages from now on, and its warnings.
#[allow(clippy::disallowed_methods)] // The demonstration's stop watch.
pub(super) fn listen() -> Way {
    let way = Way { origin: tokio::time::Instant::now() };
    let _ = tracing_subscriber::registry().with(way).try_init();
    way
}

impl Way {
    /// Prints a line.
    pub(super) fn say(&self, line: &str) {
        println!("{line}");
    }

    #[allow(clippy::disallowed_methods)] // The demonstration's stop watch.
    fn elapsed(self) -> Duration {
        tokio::time::Instant::now().duration_since(self.origin)
    }
}

impl<S: Subscriber> Layer<S> for Way {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        if !meta.target().starts_with("orugate") {
            return;
        }
        let mut seen = Seen::default();
        event.record(&mut seen);
        let line = match (meta.target(), seen.message.as_str()) {
            ("orugate::way", "stored") if seen.last == "true" => {
                "last frame on flash, then ACK; the message is whole".to_owned()
            }
            ("orugate::way", "stored") => "frame on flash, then ACK".to_owned(),
            ("orugate::way", "ready") => {
                format!("{} results in ORU {}, on flash", seen.observations, seen.oru)
            }
            ("orugate::way", "delivered") => format!("ORU {} acknowledged by the engine", seen.oru),
            ("orugate::way", _) => return,
            (_, message) if *meta.level() <= Level::WARN => message.to_owned(),
            _ => return,
        };
        let who = if seen.instrument.is_empty() { seen.destination } else { seen.instrument };
        println!("{:>7.3}s  {who:<14} {line}", self.elapsed().as_secs_f32());
    }
}

/// The fields that the demo shows.
#[derive(Default)]
struct Seen {
    message: String,
    instrument: String,
    destination: String,
    oru: String,
    observations: String,
    last: String,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let slot = match field.name() {
            "message" => &mut self.message,
            "instrument" => &mut self.instrument,
            "destination" => &mut self.destination,
            "oru" => &mut self.oru,
            "observations" => &mut self.observations,
            "last" => &mut self.last,
            _ => return,
        };
        *slot = format!("{value:?}").trim_matches('"').to_owned();
    }
}

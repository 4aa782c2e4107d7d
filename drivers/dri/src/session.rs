//! The gateway's end of a monitor's computer interface.
//!
//! Promises: it asks for displayed values when a channel opens and asks again for ever while none come; it keeps each good
//! record of values and notes each damage with its place; a monitor that fell silent is forgotten; when the gateway stops,
//! the monitor is told to send no more. It asks for data only. Leaves out curves and trends, which it skips, and the
//! network's records, which name patients.

use crate::frame::{Damage, Deframer, Heard};
use crate::profile::Settings;
use crate::record::{ALARM_STATUS, AUXILIARY, Main, Record};
use crate::request;
use crate::slots::{self, Fresh};
use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Deadline, Input, Outbox, Output, Reason, Session, State as Standing, TrafficFault,
};
use std::time::Duration;

/// A monitor that is told to stop has so long until we go.
const FAREWELL: Duration = Duration::from_secs(2);
/// Lists of alarms that may stay out before the last one does not hold any more.
const ALARMS_MISSED: u8 = 3;

/// A session.
pub(crate) struct DriSession {
    settings: Settings,
    out: Outbox,
    deframer: Deframer,
    state: State,
    channel: Option<Channel>,
    /// Where in the channel's bytes the last record ended, for notes that are of no record.
    heard: u64,
    /// Which sets of classes stand in their slots: bit n for set n.
    standing: u16,
    fresh: Fresh,
    /// The last record of values, whose repeat says nothing.
    last: Vec<u8>,
    alarms: Alarms,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Asked, and nothing came yet.
    Asked {
        again: Tick,
        /// It was said already that nothing comes.
        said: bool,
        /// Bytes that had come when it was asked.
        from: u64,
    },
    Hearing {
        silent: Tick,
    },
    /// Told to stop.
    Leaving {
        until: Tick,
    },
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alarms {
    /// Not asked for: the site does not want them, or the monitor is too old.
    Unasked,
    Asked {
        again: Tick,
        missed: u8,
    },
}

impl DriSession {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            out: Outbox::default(),
            deframer: Deframer::new(),
            state: State::Closed,
            channel: None,
            heard: 0,
            standing: 0,
            fresh: Fresh::default(),
            last: Vec::new(),
            alarms: Alarms::Unasked,
        }
    }

    fn opened(&mut self, now: Tick, channel: Channel) {
        if let Some(old) = self.channel.replace(channel) {
            self.lost_channel();
            self.out.close(old, Reason::Finished);
        }
        if matches!(self.state, State::Leaving { .. } | State::Gone) {
            return;
        }
        self.ask(now, false);
    }

    fn ask(&mut self, now: Tick, said: bool) {
        let Some(channel) = self.channel else { return };
        if !said {
            self.out.state(Standing::Connecting);
        }
        self.out.send(channel, request::displayed(self.settings.seconds));
        if self.settings.times {
            self.out.send(channel, request::auxiliary(self.settings.seconds));
        }
        self.state = State::Asked { again: now.after(self.settings.patience()), said, from: self.heard };
    }

    fn lost_channel(&mut self) {
        let Self { deframer, out, .. } = self;
        deframer.end(&mut |heard| {
            if let Heard::Damage { at, what } = heard {
                note(out, at, what);
            }
        });
        self.forget();
        self.heard = 0;
    }

    /// Nothing that was heard holds any more.
    fn forget(&mut self) {
        self.standing = 0;
        self.fresh = Fresh::default();
        self.last.clear();
        self.alarms = Alarms::Unasked;
    }

    fn bytes(&mut self, now: Tick, channel: Channel, bytes: &[u8]) {
        let mut deframer = std::mem::replace(&mut self.deframer, Deframer::empty());
        deframer.bytes(bytes, &mut |heard| match heard {
            Heard::Record { at, raw, record } => self.record(now, channel, at, raw, &Record::new(record)),
            Heard::Damage { at, what } => note(&mut self.out, at, what),
        });
        self.deframer = deframer;
        self.heard = self.heard.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    fn record(&mut self, now: Tick, channel: Channel, at: u64, raw: &[u8], record: &Record<'_>) {
        if !matches!(self.state, State::Asked { .. } | State::Hearing { .. }) {
            return;
        }
        let values = record.main() == Main::Physiological;
        let alarms = record.has(Main::Alarm, ALARM_STATUS) && record.level() >= slots::ALARM_LEVEL;
        if (values || alarms) && !record.is_whole() {
            let sentence = "the parts of a record are not where its header says; it was thrown away";
            return self.out.say(sentence, true, at);
        }
        let classes = record.displayed_classes();
        if classes != 0 {
            self.displayed(now, channel, raw, record, classes);
        } else if record.has(Main::Physiological, AUXILIARY) {
            self.out.current(channel, slots::TIMES, raw);
        } else if alarms {
            self.out.current(channel, slots::ALARMS, raw);
            if let Alarms::Asked { missed, .. } = &mut self.alarms {
                *missed = 0;
            }
        }
    }

    fn displayed(&mut self, now: Tick, channel: Channel, raw: &[u8], record: &Record<'_>, classes: u8) {
        if raw == self.last {
            return;
        }
        self.last.clear();
        self.last.extend_from_slice(raw);
        if !matches!(self.state, State::Hearing { .. }) {
            self.out.state(Standing::Talking);
        }
        self.state = State::Hearing { silent: now.after(self.settings.silence) };
        // A class that comes in another company than before must not stand twice.
        for other in 1..16u8 {
            let bit = 1u16.wrapping_shl(other.into());
            if other != classes && other & classes != 0 && self.standing & bit != 0 {
                self.standing &= !bit;
                self.out.forget(channel, slots::displayed(other));
            }
        }
        self.standing |= 1u16.wrapping_shl(classes.into());
        self.out.current(channel, slots::displayed(classes), raw);
        if let Some(fresh) = Fresh::of(record) {
            let last = std::mem::replace(&mut self.fresh, fresh);
            if fresh.has_more_than(&last) {
                self.out.taken(channel, raw);
            }
        }
        if self.settings.alarms && self.alarms == Alarms::Unasked && record.level() >= slots::ALARM_LEVEL {
            self.ask_alarms(now, 0);
        }
    }

    fn ask_alarms(&mut self, now: Tick, missed: u8) {
        let Some(channel) = self.channel else { return };
        if missed == ALARMS_MISSED {
            self.out.forget(channel, slots::ALARMS);
        }
        self.out.send(channel, request::alarms());
        let missed = missed.saturating_add(1);
        self.alarms = Alarms::Asked { again: now.after(self.settings.interval()), missed };
    }

    fn due(&mut self, now: Tick) {
        match self.state {
            State::Asked { again, said, from } if again <= now => {
                if !said {
                    let sentence = if self.heard > from {
                        "bytes come, and no values; the monitor is asked again. Compare rate and parity with the monitor's: 8 data bits \
                         and even parity, 19200 baud or, on newer ones, 115200"
                    } else {
                        "the monitor sends nothing; it is asked again. Look at the cable (RTS and CTS must reach the monitor, or be \
                         bridged there), at 19200 baud with even parity, and at the monitor's computer interface"
                    };
                    self.out.say(sentence, false, self.heard);
                }
                self.ask(now, true);
            }
            State::Hearing { silent } if silent <= now => {
                self.out.say("the monitor fell silent; it is asked again", false, self.heard);
                if let Some(channel) = self.channel {
                    self.out.forget_all(channel);
                }
                self.out.state(Standing::Silent);
                self.forget();
                self.ask(now, true);
            }
            State::Leaving { until } if until <= now => self.state = State::Gone,
            _ => {}
        }
        if let (State::Hearing { .. }, Alarms::Asked { again, missed }) = (self.state, self.alarms)
            && again <= now
        {
            self.ask_alarms(now, missed);
        }
    }

    fn stop(&mut self, now: Tick) {
        let Some(channel) = self.channel else {
            self.state = State::Gone;
            return;
        };
        self.out.send(channel, request::displayed(0));
        if self.settings.times {
            self.out.send(channel, request::auxiliary(0));
        }
        self.state = State::Leaving { until: now.after(FAREWELL) };
    }

    fn deadline(&self) -> Option<Deadline> {
        let own = match self.state {
            State::Closed | State::Gone => None,
            State::Asked { again, .. } => Some(Deadline { at: again, why: "the monitor's first values" }),
            State::Hearing { silent } => Some(Deadline { at: silent, why: "the monitor's next values" }),
            State::Leaving { until } => Some(Deadline { at: until, why: "the request to stop" }),
        };
        let alarms = match (self.state, self.alarms) {
            (State::Hearing { .. }, Alarms::Asked { again, .. }) => {
                Some(Deadline { at: again, why: "the next look at the monitor's alarms" })
            }
            _ => None,
        };
        own.into_iter().chain(alarms).min_by_key(|deadline| deadline.at)
    }
}

impl Session for DriSession {
    fn handle(&mut self, now: Tick, input: Input<'_>) {
        match input {
            Input::Opened(channel, _) => self.opened(now, channel),
            Input::Bytes(channel, bytes) if self.channel == Some(channel) => self.bytes(now, channel, bytes),
            Input::Closed(channel) if self.channel == Some(channel) => {
                self.channel = None;
                self.lost_channel();
                let leaving = matches!(self.state, State::Leaving { .. } | State::Gone);
                self.state = if leaving { State::Gone } else { State::Closed };
            }
            Input::Sent(channel) if self.channel == Some(channel) => {
                if matches!(self.state, State::Leaving { .. }) {
                    self.state = State::Gone;
                }
            }
            Input::Deadline => self.due(now),
            Input::Stop => self.stop(now),
            _ => {}
        }
    }

    fn poll(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            return if self.state == State::Gone { Output::Done } else { Output::Wait(self.deadline()) };
        }
        self.out.next().unwrap_or(Output::Wait(None))
    }
}

/// Tells a damage: where it began, and whether a record was lost by it.
fn note(out: &mut Outbox, at: u64, what: Damage) {
    let plain = |sentence| TrafficFault { sentence, expected: None, found: None };
    let (what, lost) = match what {
        Damage::Joined(count) => (
            TrafficFault {
                sentence: "bytes before the first record were ignored",
                expected: None,
                found: Some(count),
            },
            false,
        ),
        Damage::Stray(count) => (
            TrafficFault {
                sentence: "bytes that are fewer than a record were ignored",
                expected: None,
                found: Some(count),
            },
            false,
        ),
        Damage::Checksum(expected, found) => (
            TrafficFault {
                sentence: "a record's checksum is wrong; it was thrown away",
                expected: Some(expected.into()),
                found: Some(found.into()),
            },
            true,
        ),
        Damage::Length(expected, found) => (
            TrafficFault {
                sentence: "a record has another length than it says; it was thrown away",
                expected: Some(expected),
                found: Some(found),
            },
            true,
        ),
        Damage::Long => (plain("a record does not end; its bytes were thrown away"), true),
        Damage::Broken => (plain("a record was broken off"), true),
        Damage::Cut => (plain("the line ended in the middle of a record"), true),
    };
    out.note(what, lost, at);
}

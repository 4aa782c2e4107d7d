//! The instruments outside the machine: three models on three connections, and what each says.
//!
//! Promises that a message cut in the middle is sometimes sent again from its beginning, as analyzers do, and sometimes
//! never, as when somebody clears their memory; and that now and then nobody read the barcode, so that its results
//! must be held. All that is said is invented.

use crate::ledger::Ledger;
use crate::plan::Random;
use orugate_protocol::astm::link::FrameEnd;
use orugate_tests::sender::Sender;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender as Tell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How an instrument builds its messages; the order is that of vm/orugate.template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// Any analyzer: a record in each frame.
    Generic,
    /// Sysmex XN-L: the barcode within O.4, all in frames of 240 bytes.
    Haematology,
    /// Roche cobas: the barcode in O.3, frames of 97 bytes.
    Chemistry,
}

impl Model {
    pub(crate) const ALL: [Self; 3] = [Self::Generic, Self::Haematology, Self::Chemistry];

    const fn letter(self) -> char {
        match self {
            Self::Generic => 'G',
            Self::Haematology => 'H',
            Self::Chemistry => 'C',
        }
    }

    fn records(self, sample: &str, results: &[(String, String)]) -> Vec<String> {
        let stamp = "20261122101500";
        let (header, order) = match self {
            Self::Generic => ("RIG^1", format!("O|1|{sample}||^^^ALL|R||||||N||||||||||||||F")),
            Self::Haematology => (
                "XN-350^00-01^0001^^^^SN-0001",
                format!("O|1||^^{sample:>15}^B|^^^^{}|||||||N||||||||||||||F", results[0].0),
            ),
            Self::Chemistry => ("RIG^Roche^c311^1", format!("O|1|{sample}|1^1^1||R||||||N||||||||||||||F")),
        };
        let mut records = vec![format!("H|\\^&|||{header}|||||||P|1|{stamp}"), "P|1".to_owned(), order];
        for (number, (code, value)) in (1..).zip(results) {
            let test = match self {
                Self::Generic => format!("^^^{code}"),
                Self::Haematology => format!("^^^^{code}^1"),
                Self::Chemistry => format!("^^^{code}/"),
            };
            records.push(format!("R|{number}|{test}|{value}|mmol/L||N||F||||{stamp}"));
        }
        records.push("L|1|N".to_owned());
        records
    }

    const fn frame(self) -> Option<usize> {
        match self {
            Self::Generic => None,
            Self::Haematology => Some(240),
            Self::Chemistry => Some(97),
        }
    }
}

/// A frame's text, how it ends, and the codes of the results whose last byte is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    text: String,
    end: FrameEnd,
    codes: Vec<String>,
}

/// Cuts records into frames of so many bytes, or one for each record.
fn frames(records: &[String], results: &[(String, String)], longest: Option<usize>) -> Vec<Frame> {
    let texts: Vec<String> = records.iter().map(|record| format!("{record}\r")).collect();
    let pieces: Vec<String> = match longest {
        None => texts.clone(),
        Some(longest) => {
            let all = texts.concat();
            all.as_bytes().chunks(longest).map(|c| String::from_utf8_lossy(c).into_owned()).collect()
        }
    };
    // Where each result's CR is; the three records before them are header, patient and order.
    let mut end = 0;
    let ends: Vec<usize> = texts
        .iter()
        .map(|text| {
            end += text.len();
            end
        })
        .collect();
    let last = pieces.len();
    let mut at = 0;
    (1..)
        .zip(pieces)
        .map(|(number, text)| {
            let from = at;
            at += text.len();
            let within = |end: &usize| (from + 1..=at).contains(end);
            let ended = results.iter().zip(&ends[3..]).filter(|(_, end)| within(end));
            let codes = ended.map(|((code, _), _)| code.clone()).collect();
            let end = if longest.is_some() && number < last { FrameEnd::Etb } else { FrameEnd::Etx };
            Frame { text, end, codes }
        })
        .collect()
}

/// One instrument; it lives through all cuts.
pub(crate) struct Instrument {
    model: Model,
    random: Random,
    number: u64,
    /// The message that was being sent when the power went, if the instrument is to send it again.
    again: Option<Vec<Frame>>,
    ledger: Arc<Mutex<Ledger>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instrument {
    pub(crate) fn new(model: Model, seed: u64, ledger: Arc<Mutex<Ledger>>) -> Self {
        let random = Random::new(seed, u64::from(u32::from(model.letter())));
        Self { model, random, number: 0, again: None, ledger }
    }

    fn next(&mut self) -> Vec<Frame> {
        if let Some(frames) = self.again.take() {
            return frames;
        }
        self.number += 1;
        let name = format!("{}{}", self.model.letter(), self.number);
        let sample = if self.random.below(25) == 0 { String::new() } else { format!("S{name}") };
        let count = 1 + self.random.below(6);
        let results: Vec<(String, String)> = (1..=count)
            .map(|n| (format!("K{name}N{n}"), format!("{}", 1 + self.random.below(999_999))))
            .collect();
        let mut ledger = lock(&self.ledger);
        for (code, value) in &results {
            ledger.offer(code, &sample, value);
        }
        drop(ledger);
        frames(&self.model.records(&sample, &results), &results, self.model.frame())
    }

    /// Sends messages until told to stop, whatever happens to the connection; `first` hears of each first ACK.
    pub(crate) fn send(&mut self, address: SocketAddr, stop: &AtomicBool, first: &Tell<()>) {
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut sender) = Sender::connect(address) else {
                pause(Duration::from_millis(5));
                continue;
            };
            let mut told = false;
            while !stop.load(Ordering::Relaxed) {
                let message = self.next();
                let texts: Vec<_> = message.iter().map(|frame| (frame.text.clone(), frame.end)).collect();
                let ledger = self.ledger.clone();
                let begun = Cell::new(false);
                // The first frame is asked for when the ENQ was answered.
                let texts = texts.into_iter().inspect(|_| {
                    if !begun.replace(true) {
                        lock(&ledger).begin(message.iter().flat_map(|frame| &frame.codes));
                    }
                });
                let sent = sender.frames(texts, &mut |index| {
                    lock(&ledger).acknowledge(&message[index].codes);
                    if !told {
                        told = true;
                        // Nobody listens any more once the cycle has begun.
                        let _ = first.send(());
                    }
                });
                if sent.is_ok() {
                    // The tube carrier moves on; without it the journal of 200 cycles would be large.
                    pause(Duration::from_millis(self.random.below(30)));
                    continue;
                }
                let begun = begun.get();
                if begun {
                    lock(&self.ledger).broken += 1;
                }
                // Without an answer the instrument has all reason to send it again.
                if !begun || self.random.below(2) == 0 {
                    lock(&self.ledger).again += u64::from(begun);
                    self.again = Some(message);
                }
                pause(Duration::from_millis(5));
                break;
            }
        }
    }
}

/// The instruments' own pace.
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_belongs_to_the_frame_with_its_last_byte() {
        let results: Vec<_> = (1..=6).map(|n| (format!("KC1N{n}"), format!("{n}"))).collect();
        for model in Model::ALL {
            let frames = frames(&model.records("SC1", &results), &results, model.frame());
            let mut text = String::new();
            let whole = |text: &str, code: &str| {
                let mut records = text.split_inclusive('\r').filter(|record| record.starts_with("R|"));
                records.any(|record| record.contains(code) && record.ends_with('\r'))
            };
            for frame in &frames {
                assert!(frame.codes.iter().all(|code| !whole(&text, code)), "{model:?}");
                text.push_str(&frame.text);
                assert!(frame.codes.iter().all(|code| whole(&text, code)), "{model:?}");
            }
            let codes: Vec<_> = frames.iter().flat_map(|frame| frame.codes.clone()).collect();
            assert_eq!(codes, results.iter().map(|(code, _)| code.clone()).collect::<Vec<_>>(), "{model:?}");
            assert_eq!(text, model.records("SC1", &results).join("\r") + "\r");
        }
    }
}

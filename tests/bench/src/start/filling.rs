//! A journal with many messages in it, made of the gateway's own records through the gateway's own store, in batches so large
//! that it takes minutes. Every message is invented: eight analyzers that say one thing each a second look like that, not a laboratory.
//!
//! Promises: each message has its chunk, its ORU, its outcome and its delivery, so nothing waits; its sample id is its number.
//! Leaves out holds, repeats, corrections and messages of several frames.

use crate::Anything;
use orugate::convert::Keyed;
use orugate::records::{Chunk, Delivery, DeliveryResult, Disposition, Fate, Oru, Outcome, Provenance};
use orugate::store::{Entry, Store};
use orugate_journal::{AppendError, Reservation, UnixMillis};
use orugate_tests::sender::invented;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Results in a message.
pub const RESULTS: u32 = 14;
/// Messages in a batch: it has to fit into one commit.
const BATCH: u64 = 200;
/// Batches on their way to the disk.
const AHEAD: usize = 4;
/// How long the store may be busy with what it has.
const PATIENCE: Duration = Duration::from_secs(60);
const STAMP: &str = "20261122093407";

/// The sample id of a message.
pub fn sample(number: u64) -> String {
    format!("S{number:09}")
}

/// Appends so many messages, the last of which came `now` (microseconds since 1970) and one a second before it.
pub fn fill(store: &Store, messages: u64, now: i64) -> Anything<()> {
    let (done, settled) = sync_channel(AHEAD);
    let mut ahead = 0;
    let mut next = 0;
    while next < messages {
        let end = messages.min(next + BATCH);
        let mut entries = Vec::new();
        // A message has two numbers of its own.
        let mut numbers = reserve(store, u32::try_from(2 * (end - next))?)?;
        for number in next..end {
            let age = i64::try_from(messages - number)? * 1_000_000;
            message(store, number, now - age, &mut numbers, &mut entries)?;
        }
        if ahead == AHEAD {
            wait(&settled)?;
            ahead -= 1;
        }
        let done = done.clone();
        let at = now - i64::try_from(messages - end)? * 1_000_000;
        let at = Some(UnixMillis(u64::try_from(at / 1000)?));
        store.append(entries, orugate_journal::Urgency::Now, at, move |result| {
            let _ = done.send(result.map(drop));
        });
        ahead += 1;
        if next % 100_000 == 0 {
            eprintln!("{next} of {messages} messages");
        }
        next = end;
    }
    (0..ahead).try_for_each(|_| wait(&settled))
}

fn wait(settled: &Receiver<Result<(), AppendError>>) -> Anything<()> {
    Ok(settled.recv()??)
}

fn message(
    store: &Store,
    number: u64,
    at: i64,
    numbers: &mut Reservation,
    entries: &mut Vec<Entry>,
) -> Anything<()> {
    let keyed = || Keyed::new(store.journal().identity().hash_key());
    let sample = sample(number);
    let values: Vec<u64> = (1..=u64::from(RESULTS)).map(|test| test * 1000 + number % 997).collect();
    let instrument = format!("rig-{:02}", number % 8);
    let (first, oru) = numbers.next().zip(numbers.next()).ok_or("too few numbers")?;
    let (message, sent) = (first.get().0, oru.get().0);
    let chunk = Chunk {
        instrument: instrument.clone(),
        message,
        first: true,
        end: Some(true),
        received: at,
        clock: 2,
    };
    let raw = invented(&sample, STAMP, &values).join("\r").into_bytes();
    entries.push(Entry::with_payload(&chunk, raw).numbered(first));
    let meta =
        Oru { destination: "engine".to_owned(), message, group: 0, observations: RESULTS, at: at + 2000 };
    entries.push(Entry::with_payload(&meta, hl7(sent, &sample, &values).into_bytes()).numbered(oru));
    let disposition = |(observation, value): (u32, &u64)| Disposition {
        observation,
        identity: Some(keyed().str(&sample).number(observation.into()).finish()),
        content: keyed().str(&value.to_string()).finish(),
        is_final: true,
        filler: 1,
        fate: Fate::Sent,
        test: 1,
        series: 1,
        sub_id: 0,
        ran: None,
    };
    entries.push(Entry::new(&Outcome {
        message,
        instrument,
        at: at + 2000,
        provenance: Provenance {
            software: env!("CARGO_PKG_VERSION").to_owned(),
            profile: "generic-astm".to_owned(),
            profile_hash: "0f1e2d3c4b5a6978".to_owned(),
            config_hash: "8796a5b4c3d2e1f0".to_owned(),
        },
        dispositions: (0..).zip(&values).map(disposition).collect(),
        fillers: vec![(keyed().str(&sample).finish(), 1)],
        specimens: vec![keyed().str(&sample).finish()],
        ..Outcome::default()
    }));
    let delivery = Delivery { oru: sent, at: at + 9000, result: DeliveryResult::Delivered("AA".to_owned()) };
    let answer = format!(
        "MSH|^~\\&|ENGINE|HOSP|ORUGATE|LAB|{STAMP}||ACK^R01^ACK|{number}|P|2.5.1\rMSA|AA|TEST{sent}\r"
    );
    entries.push(Entry::with_payload(&delivery, answer.into_bytes()));
    Ok(())
}

/// An ORU as the gateway makes them, about.
fn hl7(number: u64, sample: &str, values: &[u64]) -> String {
    let mut text = format!(
        "MSH|^~\\&|ORUGATE|LAB|ENGINE|HOSP|{STAMP}+0000||ORU^R01^ORU_R01|TEST{number}|P|2.5.1|||AL|NE|||||\r\
         PID|1||{sample}-P^^^LAB^MR\rOBR|1|{sample}|{sample}-1^ORUGATE|ALL^^L|||{STAMP}||||||||||||||||||F\r"
    );
    for (index, value) in (1..).zip(values) {
        text.push_str(&format!(
            "OBX|{index}|NM|T{index}^^L||{value}|mmol/L^mmol/L^UCUM|1000-20000|N|||F|||{STAMP}+0000||||RIG^1|{STAMP}+0000\r"
        ));
    }
    text.push_str(&format!("SPM|1|{sample}||SER^Serum^HL70487|||||||P^Patient^HL70369|||||||{STAMP}\r"));
    text
}

/// The journal gives numbers only below what is durable; its writer raises that in a moment.
fn reserve(store: &Store, count: u32) -> Anything<Reservation> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Ok(numbers) = store.journal().reserve(count) {
            return Ok(numbers);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("the journal gives no numbers".into())
}

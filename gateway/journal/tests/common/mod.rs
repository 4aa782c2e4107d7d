//! What the journal's tests share: small segments, records that know what they should contain.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod ledger;
pub(crate) mod settled;

use orugate_journal::model::ModelDisk;
use orugate_journal::{
    Batch, Journal, KeyRing, Kind, Lane, NewRecord, Options, Recovery, SealKey, Seq, UnixMillis, Urgency,
};

pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

pub(crate) fn small() -> Options {
    Options { segment_size: 32 << 10, max_size: 8 << 20, max_commit: 16 << 10, ..Options::default() }
}

/// [`small`], with a key for each number; the first is for new segments.
pub(crate) fn sealed(keys: &[u8]) -> Options {
    let mut keys = keys.iter().map(|key| SealKey::new([*key; 32].into()).unwrap());
    let ring = keys.next().map(|current| KeyRing::new(current, keys.collect()));
    Options { keys: ring, ..small() }
}

pub(crate) fn create(disk: &ModelDisk) -> Journal {
    Journal::create(disk.clone(), NOW, small()).unwrap()
}

pub(crate) fn record(text: &str) -> NewRecord {
    NewRecord::new(Kind(7), 1, b"meta".to_vec(), text.as_bytes().to_vec())
}

pub(crate) fn batch(texts: &[&str]) -> Batch {
    let mut batch = Batch::new(Lane::Results, Urgency::Now, record(texts[0]));
    texts[1..].iter().for_each(|text| batch.push(record(text)));
    batch
}

/// Opens and gives back the payloads in the order of the visit.
pub(crate) fn open(disk: &ModelDisk) -> (Journal, Recovery, Vec<(Seq, String)>) {
    let mut seen = Vec::new();
    let (journal, recovery) = Journal::open(disk.clone(), small(), &mut |record| {
        seen.push((record.sequence, String::from_utf8_lossy(record.payload).into_owned()));
    })
    .unwrap();
    (journal, recovery, seen)
}

pub(crate) fn texts(seen: &[(Seq, String)]) -> Vec<&str> {
    seen.iter().map(|(_, text)| text.as_str()).collect()
}

/// The only segment of the lane.
pub(crate) fn segments(disk: &ModelDisk, lane: Lane) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.starts_with(lane.name())).collect()
}

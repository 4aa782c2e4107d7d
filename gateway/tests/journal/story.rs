//! A journal with one of everything in it, made as the gateway makes it. All patients and samples are invented.

use orugate::records::{
    Abandoned, Attempt, Chunk, Delivery, DeliveryResult, Disposition, Dropped, Fate, Hold, HoldSettled, Life,
    Meta, NeverSent, Oru, Outcome, ParkedSettled, Provenance, Reconfigured, Restored, Sending, Settlement,
};
use orugate_journal::model::ModelDisk;
use orugate_journal::{
    Batch, Journal, Keeper, KeyRing, Kind, Lane, Location, NewRecord, Options, RecordRef, Reserved, SealKey,
    Storage, Term, UnixMillis, Urgency,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 2026-11-25T06:00:00Z.
pub(crate) const NOW: u64 = 1_795_586_400_000;
/// In every message, so that a test can look for it where it must not be.
pub(crate) const PATIENT: &str = "TESTPATIENT^INVENTED";
/// As [`PATIENT`].
pub(crate) const SAMPLE: &str = "S-INVENTED-4711";
/// The published key of the sealed golden journal, and of all sealed ones here.
pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The key before that one, in the golden journal with several.
pub(crate) const OLD_KEY: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

fn old_key() -> SealKey {
    SealKey::new(std::array::from_fn::<u8, 32, _>(|at| at as u8 + 32).into()).unwrap()
}

pub(crate) fn ring() -> KeyRing {
    KeyRing::new(SealKey::new(std::array::from_fn::<u8, 32, _>(|at| at as u8).into()).unwrap(), vec![])
}

/// What a test needs to know of what it has.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) held: u64,
    pub(crate) hold: u64,
    pub(crate) parked: u64,
    pub(crate) parked_oru: u64,
    pub(crate) waiting: u64,
    /// Delivered ones of chem-2; the first have been given back.
    pub(crate) delivered: Vec<Delivered>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivered {
    pub(crate) message: u64,
    /// The number of its second chunk.
    pub(crate) second: u64,
    pub(crate) oru: u64,
}

/// Needs what it was told to.
#[derive(Default)]
struct Needs {
    places: Mutex<BTreeMap<u64, Location>>,
    wanted: Mutex<BTreeSet<u64>>,
    /// Has terms, and more to say at a checkpoint than one commit takes.
    rough: bool,
}

impl Keeper for Needs {
    fn seen(&self, batch: &[RecordRef<'_>]) {
        self.places.lock().unwrap().extend(batch.iter().map(|record| (record.sequence.0, record.location)));
    }

    fn checkpoint(&self) -> Vec<u8> {
        if self.rough { vec![7; 9_000] } else { b"of the story".to_vec() }
    }

    fn terms_version(&self) -> u32 {
        if self.rough { orugate::terms::VERSION } else { 0 }
    }

    fn terms(&self, record: &RecordRef<'_>, found_by: &mut dyn FnMut(Term)) {
        orugate::terms::terms(record, found_by);
    }

    fn restore(&self, _: &[u8]) -> bool {
        true
    }

    fn needed_in(&self, lane: Lane, segment: u64) -> Vec<Location> {
        let (places, wanted) = (self.places.lock().unwrap(), self.wanted.lock().unwrap());
        let places = wanted.iter().filter_map(|number| places.get(number));
        places.filter(|at| at.lane() == lane && at.segment() == segment).copied().collect()
    }

    fn needed_bytes(&self) -> u64 {
        4096
    }

    fn thinned(&self, _: u64) {}
}

struct Writer {
    journal: Journal,
    disk: ModelDisk,
    needs: Arc<Needs>,
    millis: u64,
}

type Records = Vec<(NewRecord, Option<Reserved>)>;

fn entry<M: Meta>(meta: &M, payload: &str, number: Option<Reserved>) -> (NewRecord, Option<Reserved>) {
    (NewRecord::new(Kind(M::KIND), M::VERSION, meta.encode(), payload.as_bytes().to_vec()), number)
}

impl Writer {
    fn number(&self) -> (u64, Option<Reserved>) {
        let reserved = self.journal.reserve(1).unwrap().next().unwrap();
        (reserved.get().0, Some(reserved))
    }

    fn at(&self) -> i64 {
        i64::try_from(self.millis * 1000).unwrap()
    }

    fn batch(&mut self, lane: Lane, records: Records) -> Batch {
        self.millis += 60_000;
        let mut batch: Option<Batch> = None;
        for (record, number) in records {
            let record = match number {
                Some(number) => record.numbered(number),
                None => record,
            };
            match &mut batch {
                Some(batch) => batch.push(record),
                None => batch = Some(Batch::new(lane, Urgency::Now, record)),
            }
        }
        batch.unwrap().at(UnixMillis(self.millis))
    }

    fn append(&mut self, records: Records) {
        let batch = self.batch(Lane::Results, records);
        let _ = self.journal.append_wait(batch).unwrap();
    }

    /// A long one.
    fn snapshot(&mut self, number: u8) {
        let text = format!("snapshot {number} ").repeat(900);
        let record = NewRecord::new(Kind(900), 3, vec![number], text.into_bytes());
        let batch = self.batch(Lane::Snapshots, vec![(record, None)]);
        let _ = self.journal.append_wait(batch).unwrap();
    }

    /// The disk fails, and what was written is found all the same.
    fn append_void(&mut self, records: Records) {
        self.disk.fail_syncs_from(1);
        let batch = self.batch(Lane::Results, records);
        assert!(self.journal.append_wait(batch).is_err());
        self.disk.fail_syncs_from(0);
    }

    fn need(&self, number: u64) {
        self.needs.wanted.lock().unwrap().insert(number);
    }

    fn done_with(&self, number: u64) {
        self.needs.wanted.lock().unwrap().remove(&number);
    }

    /// A message of two chunks, with their numbers; the first one's is the message's.
    fn message(&mut self, instrument: &str, end: Option<bool>) -> [u64; 2] {
        let (number, reserved) = self.number();
        let received = self.at();
        let chunk = |first, end| Chunk {
            instrument: instrument.to_owned(),
            message: number,
            first,
            end,
            received,
            clock: 2,
        };
        let head = format!(
            "H|\\^&|||XN-550^00-01^11001^^^^TEST01|||||||P|E1394-97|20261125060000\rP|1||||{PATIENT}\r"
        );
        let rest = format!(
            "O|1||^^{SAMPLE}^M|^^^^WBC|R||||||N||||||||||||||F\rR|1|^^^^WBC^1|6.1|10*3/uL||N||F||||20261125060000\rL|1|N\r"
        );
        self.append(vec![entry(&chunk(true, None), &head, reserved)]);
        let (second, reserved) = self.number();
        self.append(vec![entry(&chunk(false, end), &rest, reserved)]);
        [number, second]
    }

    fn outcome(&self, message: u64, instrument: &str, fates: Vec<Fate>, released: Option<u64>) -> Outcome {
        let disposition = |(observation, fate)| Disposition {
            observation,
            identity: Some(u128::MAX - u128::from(message)),
            content: 1,
            is_final: true,
            filler: 1,
            fate,
            test: 0,
            series: 0,
            sub_id: 0,
            ran: None,
        };
        let provenance = Provenance {
            software: "0.1.0".to_owned(),
            profile: "sysmex-xn-l".to_owned(),
            profile_hash: "0f0f".to_owned(),
            config_hash: "c0c0".to_owned(),
        };
        Outcome {
            message,
            instrument: instrument.to_owned(),
            at: self.at(),
            provenance,
            dispositions: (0..).zip(fates).map(disposition).collect(),
            fillers: vec![(7, 1)],
            released,
            ..Outcome::default()
        }
    }

    fn oru(&self, message: u64) -> (u64, (NewRecord, Option<Reserved>)) {
        let (number, reserved) = self.number();
        let meta =
            Oru { destination: "engine".to_owned(), message, group: 0, observations: 1, at: self.at() };
        let text = format!(
            "MSH|^~\\&|ORUGATE|LAB|ENGINE|HOSP|20261125060000+0000||ORU^R01^ORU_R01|TEST{number:016}|T|2.5.1\rPID|1||||{PATIENT}\r\
             OBX|1|NM|WBC||6.1|10*3/uL|||||F\rSPM|1|{SAMPLE}\r"
        );
        (number, entry(&meta, &text, reserved))
    }

    fn delivery(&mut self, oru: u64, result: DeliveryResult) {
        let at = self.at();
        self.append(vec![entry(
            &Delivery { oru, at, result },
            &format!("MSH|^~\\&|ENGINE\rMSA|AA|TEST{oru:016}\r"),
            None,
        )]);
    }

    /// A message whose results went out.
    fn delivered(&mut self, instrument: &str) -> Delivered {
        let [message, second] = self.message(instrument, Some(true));
        self.need(message);
        let (oru, made) = self.oru(message);
        let fates =
            vec![Fate::Sent, Fate::Qc("sample id QC-1".to_owned()), Fate::NotReportable("empty".to_owned())];
        let outcome = self.outcome(message, instrument, fates, None);
        self.append(vec![made, entry(&outcome, "", None)]);
        self.delivery(oru, DeliveryResult::Delivered("AA".to_owned()));
        self.done_with(message);
        Delivered { message, second, oru }
    }
}

/// Small segments, so that a few records fill them and the oldest are given back.
pub(crate) fn options(keys: Option<KeyRing>) -> Options {
    Options {
        segment_size: 32 << 10,
        max_size: 512 << 10,
        max_commit: 16 << 10,
        soon: Duration::ZERO,
        keys,
        ..Options::default()
    }
}

/// Writes it into a folder that is there.
pub(crate) fn write(folder: &Path, keys: Option<KeyRing>) -> Story {
    let disk = ModelDisk::new();
    let story = tell(&disk, options(keys));
    for name in disk.names() {
        std::fs::write(folder.join(&name), disk.bytes(&name).unwrap()).unwrap();
    }
    story
}

fn tell(disk: &ModelDisk, options: Options) -> Story {
    drop(Journal::create(disk.clone(), UnixMillis(NOW), options.clone()).unwrap());
    let needs = Arc::new(Needs::default());
    let (journal, _) = Journal::open_for(disk.clone(), options, needs.clone()).unwrap();
    let mut writer = Writer { journal, disk: disk.clone(), needs, millis: NOW };
    let mut story = Story::default();
    let life = |started, at| Life { started, at, software: "0.1.0".to_owned(), config: "c0c0".to_owned() };
    writer.append(vec![entry(&life(true, writer.at()), "", None)]);

    // Held, and carried forward when its segment goes.
    let [held, second] = writer.message("haem-1", Some(true));
    story.held = held;
    let (hold, reserved) = writer.number();
    story.hold = hold;
    let of_held = Hold {
        message: story.held,
        instrument: "haem-1".to_owned(),
        reason: "no-sample-id".to_owned(),
        sentence: format!("The sample {SAMPLE} is not sure."),
        observations: vec![(0, "WBC".to_owned())],
        rest_from: None,
        at: writer.at(),
    };
    let outcome = writer.outcome(story.held, "haem-1", vec![Fate::Held(hold)], None);
    writer.append(vec![entry(&of_held, "", reserved), entry(&outcome, "", None)]);
    for number in [held, second, hold] {
        writer.need(number);
    }

    for (instrument, text) in [("bed-1", "one"), ("bed-2", "two")] {
        let record = NewRecord::new(Kind(900), 3, instrument.as_bytes().to_vec(), text.as_bytes().to_vec());
        let batch = writer.batch(Lane::Snapshots, vec![(record, None)]);
        let _ = writer.journal.append_wait(batch).unwrap();
    }
    for _ in 0..10 {
        let _ = writer.delivered("haem-1");
        story.delivered.push(writer.delivered("chem-2"));
    }

    // A hold that is released, and told twice because the disk failed in between.
    let [message, _] = writer.message("chem-2", Some(true));
    let (hold, reserved) = writer.number();
    let released = Hold { message, instrument: "chem-2".to_owned(), ..of_held };
    let outcome = writer.outcome(message, "chem-2", vec![Fate::Held(hold), Fate::Repeat], None);
    writer.append(vec![entry(&released, "", reserved), entry(&outcome, "", None)]);
    let settled =
        HoldSettled { hold, actor: "uid 1000".to_owned(), at: writer.at(), how: Settlement::Released };
    // So that there is room in the segment when the disk fails.
    let changed = Reconfigured { at: writer.at(), actor: "SIGHUP".to_owned(), config: "d0d0".to_owned() };
    writer.append(vec![entry(&changed, "", None)]);
    let (_, made) = writer.oru(message);
    let outcome = writer.outcome(message, "chem-2", vec![Fate::Sent], Some(hold));
    writer.append_void(vec![made, entry(&outcome, "", None), entry(&settled, "", None)]);
    let (oru, made) = writer.oru(message);
    writer.append(vec![made, entry(&outcome, "", None), entry(&settled, "", None)]);
    writer.delivery(oru, DeliveryResult::Delivered("AA".to_owned()));

    // Parked, because the engine refused it.
    [story.parked, _] = writer.message("chem-2", Some(true));
    let (oru, made) = writer.oru(story.parked);
    story.parked_oru = oru;
    let outcome = writer.outcome(story.parked, "chem-2", vec![Fate::Sent], None);
    writer.append(vec![made, entry(&outcome, "", None), entry(&NeverSent { oru }, "", None)]);
    writer.delivery(oru, DeliveryResult::Parked("AR, 207 application internal error".to_owned()));
    let again = |oru, how, at| ParkedSettled { oru, actor: "uid 1000".to_owned(), at, how };
    writer.append(vec![entry(&again(oru, Sending::Again, writer.at()), "", None)]);
    writer.delivery(oru, DeliveryResult::Parked("AR again".to_owned()));

    writer.append(vec![(NewRecord::new(Kind(4242), 9, vec![1, 2, 3], b"of a newer version".to_vec()), None)]);
    let [left, _] = writer.message("haem-1", None);
    writer.append(vec![entry(&Abandoned { message: left }, "", None)]);
    [story.waiting, _] = writer.message("haem-1", Some(true));
    writer.append(vec![entry(&Attempt { message: story.waiting }, "", None)]);
    // Nothing was ever made for it, so it settles nothing.
    let (destination, upto) = ("engine-old".to_owned(), story.waiting);
    let (actor, at, reason) = ("uid 1000".to_owned(), writer.at(), "It was sold.".to_owned());
    let dropped = Dropped { destination, upto, actor, at, reason, waited_from: None };
    writer.append(vec![entry(&dropped, "", None), entry(&life(false, writer.at()), "", None)]);
    story
}

/// A journal whose life was rough: commits that were written twice, long ones, checkpoints of several parts, *snapshots* that
/// were dropped, a segment that is there although it was given back, sidecars, and a damaged copy of a header. With `keys`,
/// the last two starts have one each, and those before have none.
pub(crate) fn write_rough(folder: &Path, keys: bool) {
    let disk = ModelDisk::new();
    let ring = |start| match start {
        2 if keys => Some(KeyRing::new(old_key(), vec![])),
        3 if keys => {
            let current: [u8; 32] = std::array::from_fn(|at| at as u8);
            Some(KeyRing::new(SealKey::new(current.into()).unwrap(), vec![old_key()]))
        }
        _ => None,
    };
    let options = |start| Options { snapshots_size: 96 << 10, ..options(ring(start)) };
    drop(Journal::create(disk.clone(), UnixMillis(NOW), options(0)).unwrap());
    let needs = Arc::new(Needs { rough: true, ..Needs::default() });
    let start = |number: u64| {
        let (journal, _) = Journal::open_for(disk.clone(), options(number), needs.clone()).unwrap();
        Writer { journal, disk: disk.clone(), needs: needs.clone(), millis: NOW + number * 86_400_000 }
    };
    let mut writer = start(0);
    let (at, actor) = (writer.at(), "uid 0".to_owned());
    let (restored, reserved) = writer.number();
    writer.append(vec![entry(&Restored { at, actor, commit: 7, reaches: Some(at - 1) }, "", reserved)]);
    let _ = writer.delivered("haem-1");
    disk.fail_sync(1);
    let _ = writer.delivered("chem-2");
    let [broken, second] = writer.message("haem-1", Some(false));
    for number in [restored, broken, second] {
        writer.need(number);
    }
    let long =
        |text: &str| (NewRecord::new(Kind(4242), 9, vec![1, 2, 3], text.repeat(1_000).into_bytes()), None);
    writer.append(vec![long("several pages")]);
    drop(writer);

    let mut writer = start(1);
    for number in 0..6 {
        writer.snapshot(number);
        let _ = writer.delivered("chem-2");
    }
    let (destination, upto) = ("engine-old".to_owned(), broken);
    let (actor, at, reason) = ("uid 1000".to_owned(), writer.at(), "It was sold.".to_owned());
    let (dropped, reserved) = writer.number();
    writer.append(vec![entry(
        &Dropped { destination, upto, actor, at, reason, waited_from: None },
        "",
        reserved,
    )]);
    writer.need(dropped);
    drop(writer);

    let mut writer = start(2);
    let _ = writer.delivered("haem-1");
    drop(writer);
    let segments = || -> BTreeMap<String, Vec<u8>> {
        let mine = |name: &String| name.starts_with("results-") && name.ends_with(".seg");
        let names = disk.names().into_iter().filter(mine);
        names.map(|name| (name.clone(), disk.bytes(&name).unwrap())).collect()
    };
    let mut writer = start(3);
    let there = segments();
    while there.keys().all(|name| disk.names().contains(name)) {
        writer.append(vec![long("to fill it ")]);
    }
    // So that there is room in the segment when the disk fails.
    let changed = Reconfigured { at: writer.at(), actor: "SIGHUP".to_owned(), config: "d0d0".to_owned() };
    writer.append(vec![entry(&changed, "", None)]);
    disk.fail_sync(1);
    let _ = writer.delivered("haem-1");
    (6..10).for_each(|number| writer.snapshot(number));
    assert!(writer.journal.wait_indexed(Duration::from_secs(60)));
    drop(writer);
    // A crash came before the last one that was given back got another name.
    let left = segments();
    let (name, bytes) = there.into_iter().rfind(|(name, _)| !left.contains_key(name)).unwrap();
    drop(disk.create(&name).unwrap());
    disk.edit(&name, |empty| *empty = bytes);
    let names: Vec<_> = left.into_keys().collect();
    disk.edit(&names[2], |bytes| bytes[4096 + 50] ^= 1);
    for name in disk.names() {
        std::fs::write(folder.join(&name), disk.bytes(&name).unwrap()).unwrap();
    }
}

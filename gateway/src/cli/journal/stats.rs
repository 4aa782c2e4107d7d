//! `orugate journal stats`.

use super::{Stop, remark, text};
use crate::archive::{Journal, names};
use orugate_journal::{Commit, Lane, Own};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

const COMMIT_HEADER: u64 = 64;
const RECORD_HEADER: u64 = 24;

/// Records of one kind.
#[derive(Default)]
struct Kind {
    name: &'static str,
    records: u64,
    meta: u64,
    payload: u64,
}

/// One segment or lane.
#[derive(Clone, Copy, Default)]
struct Part {
    commits: u64,
    records: u64,
    written: u64,
    times: Option<(u64, u64)>,
}

impl Part {
    fn see(&mut self, commit: &Commit<'_>) {
        self.commits += 1;
        self.records += commit.records.len() as u64;
        self.written += commit.bytes;
        if let Some(time) = commit.time {
            let (oldest, newest) = self.times.unwrap_or((time.0, time.0));
            self.times = Some((oldest.min(time.0), newest.max(time.0)));
        }
    }
}

#[derive(Default)]
struct Stats {
    kinds: BTreeMap<u16, Kind>,
    lanes: BTreeMap<&'static str, Part>,
    segments: BTreeMap<String, Part>,
    days: BTreeMap<String, u64>,
    headers: u64,
    tags: u64,
    filling: u64,
    void: u64,
    content: u64,
    /// Segments of *snapshots* that the log says were dropped.
    snapshots_dropped: u64,
}

impl Stats {
    fn see(&mut self, commit: &Commit<'_>) {
        self.lanes.entry(commit.segment.lane.name()).or_default().see(commit);
        self.segments.entry(commit.segment.name.clone()).or_default().see(commit);
        let day = commit.time.map_or("unknown".to_owned(), |time| text::day_of_millis(time.0));
        *self.days.entry(day).or_default() += commit.bytes;
        if commit.void {
            self.void += commit.bytes;
            return;
        }
        let records = commit.records.len() as u64;
        self.headers += COMMIT_HEADER + RECORD_HEADER * records;
        self.tags += commit.tag * records;
        self.filling += commit.bytes.saturating_sub(COMMIT_HEADER + commit.body);
        for record in commit.records {
            let dropped = matches!(record.own(), Some(Own::GivenBack { lane: Lane::Snapshots, .. }));
            self.snapshots_dropped += u64::from(dropped);
            let kind = self.kinds.entry(record.kind.0).or_default();
            kind.name = names(record).0;
            kind.records += 1;
            kind.meta += record.meta.len() as u64;
            kind.payload += record.payload.len() as u64;
            self.content += record.meta.len() as u64 + record.payload.len() as u64;
        }
    }
}

pub(super) fn run(journal: &Journal, as_json: bool) -> Result<u8, Stop> {
    let mut stats = Stats::default();
    let inspected = journal.walk(&mut |commit| stats.see(commit))?;
    let inspector = journal.inspector()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let segments: Vec<_> = inspector
        .segments()
        .map(|segment| (segment, stats.segments.get(&segment.name).copied().unwrap_or_default()))
        .collect();
    if as_json {
        let kinds = stats.kinds.iter().map(|(kind, counts)| {
            json!({ "kind": kind, "name": counts.name, "records": counts.records, "meta": counts.meta,
                "payload": counts.payload })
        });
        let part = |part: &Part| {
            json!({ "commits": part.commits, "records": part.records, "written": part.written,
                "oldest": part.times.map(|times| times.0), "newest": part.times.map(|times| times.1) })
        };
        let lanes: serde_json::Map<_, _> =
            stats.lanes.iter().map(|(lane, counts)| ((*lane).to_owned(), part(counts))).collect();
        let segments = segments.iter().map(|(segment, counts)| {
            json!({ "file": segment.name, "bytes": segment.bytes, "reused": segment.reused,
                "key": segment.key.map(|key| key.to_string()), "content": part(counts) })
        });
        let (waiting, waiting_bytes) = inspector.waiting();
        let value = json!({
            "kinds": kinds.collect::<Vec<_>>(), "lanes": lanes, "segments": segments.collect::<Vec<_>>(),
            "bytes_per_day": stats.days, "headers": stats.headers, "sealing": stats.tags, "filling": stats.filling,
            "snapshots_dropped": stats.snapshots_dropped,
            "void": stats.void, "content": stats.content,
            "waiting_files": waiting, "waiting_bytes": waiting_bytes,
        });
        writeln!(out, "{value:#}")?;
    } else {
        print(&mut out, &stats, &segments)?;
        let (waiting, bytes) = inspector.waiting();
        if waiting > 0 {
            let files = crate::words::count(waiting, "file waits", "files wait");
            writeln!(out, "\n{files} to be segments again: {}.", text::size(bytes))?;
        }
    }
    out.flush()?;
    remark(inspected.damaged.len());
    Ok(0)
}

fn print(
    out: &mut impl Write,
    stats: &Stats,
    segments: &[(&orugate_journal::SegmentFile, Part)],
) -> io::Result<()> {
    writeln!(out, "KIND             RECORDS        META     PAYLOAD")?;
    for (kind, counts) in &stats.kinds {
        let name =
            if counts.name == "unknown" { format!("unknown ({kind})") } else { counts.name.to_owned() };
        let Kind { records, meta, payload, .. } = counts;
        writeln!(out, "{name:<16} {records:>7} {meta:>11} {payload:>11}")?;
    }
    writeln!(out, "\nLANE             RECORDS     COMMITS     WRITTEN")?;
    for (lane, Part { records, commits, written, .. }) in &stats.lanes {
        writeln!(out, "{lane:<16} {records:>7} {commits:>11} {written:>11}")?;
    }
    let written: u64 = stats.lanes.values().map(|lane| lane.written).sum();
    let Stats { headers, tags, filling, void, content, .. } = stats;
    writeln!(
        out,
        "\nOf {written} bytes written, {content} are content, {headers} headers, {tags} sealing, {filling} filling to whole \
         pages, {void} of commits that do not count."
    )?;
    writeln!(
        out,
        "\nSEGMENT                           BYTES     WRITTEN RECORDS KEY               OLDEST                NEWEST"
    )?;
    for (segment, Part { written, records, times, .. }) in segments {
        let key = segment.key.map_or("not sealed".to_owned(), |key| key.to_string());
        let time = |time: Option<u64>| time.map_or("-".to_owned(), text::time_of_millis);
        writeln!(
            out,
            "{:<31} {:>7} {written:>11} {records:>7} {key:<17} {:<21} {}",
            segment.name,
            segment.bytes,
            time(times.map(|times| times.0)),
            time(times.map(|times| times.1)),
        )?;
    }
    if stats.snapshots_dropped > 0 {
        let segments = crate::words::count(stats.snapshots_dropped, "segment", "segments");
        writeln!(
            out,
            "\n{segments} of snapshots were dropped, to make room or for their age, as far as the log goes back."
        )?;
    }
    writeln!(out, "\nDAY              WRITTEN")?;
    for (day, bytes) in &stats.days {
        writeln!(out, "{day:<12} {bytes:>11}")?;
    }
    Ok(())
}

//! The section: what was measured and how, each aim met or missed, and the figures.

use super::engines::Engine;
use super::{Cell, GROUPS, Options, ROUNDS, Run};
use crate::Anything;
use crate::timing::quantile;
use std::fmt::Write as _;

const HEAD: &str = "## Flash

Written by `tests/bench/run storage` (needs root), which makes an ext4 in a file of its own, on a loop device, and
keeps records in it: 600 to 1,800 bytes each, the same sequence for everybody, one after the other, in groups of 8 and
in groups of 64, each group durable before the next begins, each engine as it will stay. Bytes, writes and flushes are
the loop device's own counts, with the file system synced before and after, so metadata that comes late is inside. It
is what a board's flash would be asked to write; what flash does below that was not measured.

Our journal is measured full: eight segments of 4 MiB, all of it settled at once, so that each segment was filled,
given back and used again, with its headers, its checkpoints and the record that says that it goes; the one file more
that it keeps in hand is there already. \"While it grows\" is a new journal, whose segments are filled with zeros before
they are used: that happens once for each segment until the journal is full; one that was begun while bytes were
counted is counted whole. SQLite has WAL and `synchronous=FULL`, one table, a transaction for each group, and all of
its log moved into the table at the end. redb has its default durability (`Immediate`) and a transaction for each
group. Neither of them deletes anything here, which spares them work that ours does. \"The disk itself\" is no log: each
group's bytes, up to whole pages, over zeros in one file, and `fdatasync`. A ratio among the aims is one of medians;
how far rounds differ is in the tables.
";

pub fn write(options: &Options, machine: &[String], cells: &[Cell]) -> Anything<String> {
    let mut page = HEAD.to_owned();
    let today = jiff::Timestamp::now().to_string();
    let today = today.get(..10).unwrap_or_default();
    writeln!(page, "\nMeasured on {today}, revision {}:\n", options.revision)?;
    for line in machine {
        writeln!(page, "- {line}")?;
    }
    writeln!(page, "- {}", options.made)?;
    if options.quick {
        page.push_str(
            "\n**A quick run: few records, to see that it works. Do not believe these numbers.**\n",
        );
    }
    writeln!(
        page,
        "\n{ROUNDS} rounds with new stores and in another order. Bytes, writes and flushes are the median of the rounds, behind it \
         the least and the most where they differ. Speed was taken apart from that, commit by commit in turn, since a disk's \
         rate changes from one second to the next: the median time of a commit, behind it what nine of ten were not faster and \
         not slower than, and how many records a second that median makes. The kernel counts a flush as a write as well."
    )?;
    aims(&mut page, cells)?;
    for (group, ..) in GROUPS {
        table(&mut page, cells, group)?;
    }
    whereabouts(&mut page, cells)?;
    Ok(page)
}

fn cell(cells: &[Cell], engine: Engine, group: usize) -> Anything<&Cell> {
    let found = cells.iter().find(|cell| cell.engine == engine && cell.group == group);
    found.ok_or_else(|| format!("{} was not measured with groups of {group}", engine.name()).into())
}

fn aims(page: &mut String, cells: &[Cell]) -> Anything<()> {
    page.push_str("\n| What | Aim | Measured | |\n|---|---|---|---|\n");
    let bytes = |engine, group| cell(cells, engine, group).map(Cell::each_byte);
    let both = |of: &dyn Fn(Engine) -> Anything<f64>| -> Anything<[f64; 2]> {
        Ok([of(Engine::Journal)?, of(Engine::Sealed)?])
    };
    let most = 4096.0 * 1.05;
    let alone = both(&|ours| Ok(cell(cells, ours, 1)?.each_record()))?;
    let met = alone.iter().all(|bytes| *bytes <= most);
    aim(page, "alone, bytes a record", &format!("at most {most:.0}: a page and 5 %"), alone, 0, met, "")?;
    for (group, most) in [(8, 1.8), (64, 1.3)] {
        let ratios = both(&|ours| bytes(ours, group))?;
        let met = ratios.iter().all(|ratio| *ratio <= most);
        let what = format!("groups of {group}, bytes a byte of payload");
        aim(page, &what, &format!("at most {most}"), ratios, 2, met, "")?;
    }
    for (other, least) in [(Engine::Sqlite, 4.0), (Engine::Redb, 6.0)] {
        for (group, ..) in GROUPS {
            let theirs = bytes(other, group)?;
            let ratios = both(&|ours| Ok(theirs / bytes(ours, group)?))?;
            let met = ratios.iter().all(|ratio| *ratio >= least);
            let what = format!("{}, times less than {}", groups(group), other.name());
            let floor = bytes(Engine::Disk, group)?;
            let why = format!(
                ": {} writes {theirs:.2} bytes a byte and whole pages alone are {floor:.2}, so nobody gets more than {:.1} here",
                other.name(),
                theirs / floor
            );
            aim(page, &what, &format!("at least {least:.0}"), ratios, 1, met, &why)?;
        }
    }
    for (group, ..) in GROUPS {
        let theirs = cell(cells, Engine::Sqlite, group)?;
        let ratios = both(&|ours| Ok(cell(cells, ours, group)?.rate() / theirs.rate()))?;
        let met = ratios.iter().all(|ratio| *ratio >= 1.0);
        let what = format!("{}, records a second beside SQLite", groups(group));
        aim(page, &what, "not slower", ratios, 2, met, ": see below")?;
    }
    Ok(())
}

fn aim(
    page: &mut String,
    what: &str,
    aim: &str,
    [plain, sealed]: [f64; 2],
    digits: usize,
    met: bool,
    why: &str,
) -> Anything<()> {
    let verdict = if met { "met".to_owned() } else { format!("**missed**{why}") };
    Ok(writeln!(page, "| {what} | {aim} | {plain:.digits$}, sealed {sealed:.digits$} | {verdict} |")?)
}

fn groups(group: usize) -> String {
    if group == 1 { "alone".to_owned() } else { format!("groups of {group}") }
}

fn table(page: &mut String, cells: &[Cell], group: usize) -> Anything<()> {
    let ours = cell(cells, Engine::Journal, group)?;
    let first = ours.runs.first().ok_or("nothing was measured")?;
    let title = if group == 1 { "Each record alone".to_owned() } else { format!("Groups of {group}") };
    writeln!(
        page,
        "\n### {title}\n\n{} commits in a round, {:.1} MB of payload; {} more were timed.\n",
        ours.commits,
        first.payload as f64 / 1e6,
        ours.timed
    )?;
    page.push_str(
        "| Engine | device bytes a byte of payload | times ours | device bytes a record | writes a commit | flushes a commit \
         | ms a commit | records/s | times as fast as ours |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for cell in cells.iter().filter(|cell| cell.group == group) {
        let all = |of: &dyn Fn(&Run) -> f64| cell.runs.iter().map(of).collect::<Vec<_>>();
        let commits = cell.commits as f64;
        let flushes: Option<Vec<f64>> =
            cell.runs.iter().map(|run| run.written.flushes.map(|n| n as f64 / commits)).collect();
        let times: Vec<f64> = cell.took().iter().map(|seconds| seconds * 1000.0).collect();
        let [times, rate, beside] = if times.is_empty() {
            ["not timed"; 3].map(str::to_owned)
        } else {
            let (rate, beside) = (cell.rate(), cell.rate() / ours.rate());
            [show(times, 2, (0.1, 0.9)), format!("{rate:.0}"), format!("{beside:.2}")]
        };
        writeln!(
            page,
            "| {} | {} | {:.1} | {} | {} | {} | {} | {} | {} |",
            cell.engine.name(),
            show(all(&|run| run.written.bytes as f64 / run.payload as f64), 2, (0.0, 1.0)),
            cell.each_byte() / ours.each_byte(),
            show(all(&|run| run.written.bytes as f64 / cell.records()), 0, (0.0, 1.0)),
            show(all(&|run| run.written.writes as f64 / commits), 2, (0.0, 1.0)),
            flushes.map_or_else(|| "not counted".to_owned(), |flushes| show(flushes, 2, (0.0, 1.0))),
            times,
            rate,
            beside,
        )?;
    }
    Ok(())
}

/// Of what our device bytes consist.
fn whereabouts(page: &mut String, cells: &[Cell]) -> Anything<()> {
    page.push_str(
        "\n### Where the journal's bytes go\n\nIn bytes for each byte of payload. \"Headers\" are those of commits and records, and \
         the tags of sealed ones; \"filling\" goes up to whole pages, since a page that was synced is never written again; \"the \
         rest\" is what the device got besides commits: zeros and headers of segments, checkpoints, the records that say that a \
         segment goes, and the file system's metadata.\n\n\
         | Engine | group | payload | headers | filling | the rest |\n|---|--:|--:|--:|--:|--:|\n",
    );
    for cell in cells {
        let share = |of: &dyn Fn(&Run) -> Option<u64>| -> Option<String> {
            let all: Option<Vec<f64>> =
                cell.runs.iter().map(|run| Some(of(run)? as f64 / run.payload as f64)).collect();
            Some(format!("{:.3}", quantile(&mut all?, 0.5)))
        };
        let headers = share(&|run| run.own.map(|own| own.headers));
        let filling = share(&|run| run.own.map(|own| own.filling));
        let rest = share(&|run| {
            run.own.map(|own| run.written.bytes.saturating_sub(run.payload + own.headers + own.filling))
        });
        if let (Some(headers), Some(filling), Some(rest)) = (headers, filling, rest) {
            let (name, group) = (cell.engine.name(), cell.group);
            writeln!(page, "| {name} | {group} | 1 | {headers} | {filling} | {rest} |")?;
        }
    }
    Ok(())
}

/// The median, and the values at these parts where they look different.
fn show(mut values: Vec<f64>, digits: usize, (low, high): (f64, f64)) -> String {
    let [middle, low, high] =
        [0.5, low, high].map(|part| format!("{:.digits$}", quantile(&mut values, part)));
    if low == high { middle } else { format!("{middle} ({low} to {high})") }
}

impl Cell {
    /// In a round.
    fn records(&self) -> f64 {
        (self.commits * self.group) as f64
    }

    fn median(&self, of: impl Fn(&Run) -> f64) -> f64 {
        quantile(&mut self.runs.iter().map(of).collect::<Vec<_>>(), 0.5)
    }

    fn each_byte(&self) -> f64 {
        self.median(|run| run.written.bytes as f64 / run.payload as f64)
    }

    fn each_record(&self) -> f64 {
        self.median(|run| run.written.bytes as f64 / self.records())
    }

    fn took(&self) -> Vec<f64> {
        self.runs.iter().flat_map(|run| run.took.iter().copied()).collect()
    }

    /// Records a second, if each commit took what the one in the middle did.
    fn rate(&self) -> f64 {
        self.group as f64 / quantile(&mut self.took(), 0.5)
    }
}

//! The section: the aims, each met or missed, and what each start took.

use super::service::{End, Start};
use super::{Asked, Measured, ROUNDS, filling};
use crate::Anything;
use crate::timing::quantile;
use std::fmt::Write as _;

const HEAD: &str = "## Start

Written by `tests/bench/run start`: the released program on a journal that is full of messages, made of the gateway's
own records (chunk, ORU, outcome, delivery) through the gateway's own store, all delivered. From exec to `READY=1`, as
systemd hears it; one instrument and one destination are configured.
";

pub fn write(asked: &Asked, machine: &[String], all: &[Measured]) -> Anything<String> {
    let mut page = HEAD.to_owned();
    let today = jiff::Timestamp::now().to_string();
    let today = today.get(..10).unwrap_or_default();
    writeln!(page, "\nMeasured on {today}, revision {}:\n", asked.revision)?;
    for line in machine {
        writeln!(page, "- {line}")?;
    }
    for measured in all {
        writeln!(
            page,
            "- {} journal: {} messages of {} results, {:.2} GiB of files; page cache {}",
            name(measured),
            measured.messages,
            filling::RESULTS,
            measured.bytes as f64 / f64::from(1 << 30),
            if measured.cold {
                "dropped before each start and each search"
            } else {
                "warm: it could not be dropped"
            },
        )?;
    }
    if asked.quick {
        page.push_str(
            "\n**A quick run: few messages, to see that it works. Do not believe these numbers.**\n",
        );
    }
    writeln!(page, "\nMedian of {ROUNDS}, behind it the least and the most.\n")?;
    aims(&mut page, all)?;
    starts(&mut page, all)?;
    searches(&mut page, all)?;
    Ok(page)
}

const fn name(measured: &Measured) -> &'static str {
    if measured.sealed { "sealed" } else { "plain" }
}

fn aims(page: &mut String, all: &[Measured]) -> Anything<()> {
    page.push_str("| What | Aim | Measured at most | |\n|---|---|--:|---|\n");
    let met = |met: bool| if met { "met" } else { "**missed**" };
    for measured in all {
        let most = |of: &dyn Fn(&Start) -> f64| {
            measured.starts.iter().map(|(_, start)| of(start)).fold(0.0, f64::max)
        };
        let (ready, memory) = (most(&|start| start.ready), most(&|start| mib(start.peak)));
        let journal = name(measured);
        writeln!(page, "| {journal} journal: READY | 1 s | {ready:.2} s | {} |", met(ready <= 1.0))?;
        writeln!(
            page,
            "| {journal} journal: resident memory | 64 MB | {memory:.1} MB | {} |",
            met(memory < 64.0)
        )?;
        match &measured.searches {
            None => writeln!(
                page,
                "| {journal} journal: list a sample | 2 s | not measured: this program cannot | |"
            )?,
            Some(searches) => {
                let most = searches.iter().map(|(_, seconds)| *seconds).fold(0.0, f64::max);
                writeln!(
                    page,
                    "| {journal} journal: list a sample | 2 s | {most:.2} s | {} |",
                    met(most <= 2.0)
                )?;
            }
        }
    }
    Ok(())
}

fn starts(page: &mut String, all: &[Measured]) -> Anything<()> {
    page.push_str(
        "\n| Journal | before | READY | memory then | 10 s later | index whole | memory then | most |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for measured in all {
        for (before, words) in [(End::Stopped, "stopped"), (End::Killed, "killed")] {
            let starts: Vec<&Start> =
                measured.starts.iter().filter(|(b, _)| *b == before).map(|(_, start)| start).collect();
            let each = |of: &dyn Fn(&Start) -> f64, unit: &str, digits| {
                show(starts.iter().map(|start| of(start)).collect(), unit, digits)
            };
            let indexed: Option<Vec<(f64, u64)>> = starts.iter().map(|start| start.indexed).collect();
            let [whole, then] = match indexed {
                None => ["–", "–"].map(str::to_owned),
                Some(all) => [
                    show(all.iter().map(|(seconds, _)| *seconds).collect(), "s", 2),
                    show(all.iter().map(|(_, kib)| mib(*kib)).collect(), "MB", 1),
                ],
            };
            writeln!(
                page,
                "| {} | {words} | {} | {} | {} | {whole} | {then} | {} |",
                name(measured),
                each(&|start| start.ready, "s", 2),
                each(&|start| mib(start.at_ready), "MB", 1),
                each(&|start| mib(start.later), "MB", 1),
                each(&|start| mib(start.peak), "MB", 1),
            )?;
        }
    }
    Ok(())
}

fn searches(page: &mut String, all: &[Measured]) -> Anything<()> {
    if all.iter().all(|measured| measured.searches.is_none()) {
        return Ok(());
    }
    page.push_str(
        "\n`orugate journal list --sample ID` beside the running program:\n\n| Journal | the sample's message | time |\n|---|--:|--:|\n",
    );
    for measured in all {
        let Some(searches) = &measured.searches else { continue };
        for number in [0, measured.messages / 2, measured.messages - 1] {
            let times = searches.iter().filter(|(n, _)| *n == number).map(|(_, seconds)| *seconds).collect();
            let at = number + 1;
            writeln!(
                page,
                "| {} | {at} of {} | {} |",
                name(measured),
                measured.messages,
                show(times, "s", 2)
            )?;
        }
    }
    Ok(())
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn show(mut values: Vec<f64>, unit: &str, digits: usize) -> String {
    let [middle, least, most] =
        [0.5, 0.0, 1.0].map(|part| format!("{:.digits$}", quantile(&mut values, part)));
    if least == most { format!("{middle} {unit}") } else { format!("{middle} {unit} ({least} to {most})") }
}

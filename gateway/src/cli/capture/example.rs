//! `orugate capture to-example`: an example for a profile, from an export.

use super::output;
use crate::capture::scrub::Scrubber;
use crate::capture::text::{self, is_transcript};
use crate::capture::{Entry, What};
use crate::cli::files;
use crate::cli::profile::Site;
use crate::profiles::examples;
use crate::replay;
use orugate_driver::Profile;
use std::io::Write as _;
use std::path::PathBuf;

const USAGE: u8 = 64;
const NO_MESSAGE: u8 = 65;
const IO: u8 = 74;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Asked {
    /// What orugate capture export wrote; - is standard input
    export: PathBuf,
    /// The profile that the example is for: a name, or a profile's file
    #[arg(long, short, value_name = "NAME")]
    profile: String,
    /// Only this message, counted as orugate replay counts them
    #[arg(long, value_name = "N")]
    message: Option<usize>,
    /// Into this new file [there: standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(site: &Site, asked: &Asked) -> u8 {
    match make(site, asked) {
        Ok(code) | Err(code) => code,
    }
}

fn make(site: &Site, asked: &Asked) -> Result<u8, u8> {
    let profile = site.profile(&asked.profile).map_err(|why| {
        eprintln!("{why}");
        USAGE
    })?;
    let bytes = files::read(&asked.export)?;
    if !is_transcript(&bytes) {
        eprintln!(
            "{}: this is no export: it does not begin with \"{}\". Make one: orugate capture export",
            asked.export.display(),
            text::MAGIC
        );
        return Err(NO_MESSAGE);
    }
    let entries = text::read(&bytes).map_err(|mistake| {
        eprintln!("{}: {mistake}. docs/capture.md says how such a file is written.", asked.export.display());
        NO_MESSAGE
    })?;
    // Whoever made it may have made it --private, or changed it since.
    let entries = scrubbed(&*profile.profile, entries);
    let heard = replay::hear_line(&*profile.profile, &entries);
    let (input, at) = match asked.message {
        None if heard.messages.is_empty() => (Vec::new(), None),
        None => (files::came(&entries), entries.first().map(|entry| entry.at)),
        Some(number) => {
            let index = number.wrapping_sub(1);
            let raw = heard.messages.get(index).map(|message| message.raw.clone());
            (raw.unwrap_or_default(), heard.times.get(index).copied())
        }
    };
    if input.is_empty() {
        eprintln!(
            "There is no such message in {}: it has {}. Is {} the right profile?",
            asked.export.display(),
            crate::words::count(heard.messages.len() as u64, "message", "messages"),
            asked.profile
        );
        return Err(NO_MESSAGE);
    }
    let day = at.map(text::moment).and_then(|at| at.get(..10).map(str::to_owned));
    let toml = example(&*profile.profile, &input, day.as_deref().unwrap_or("a day that is not known"));
    let mut out = output(asked.out.as_deref())?;
    out.write_all(toml.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
        eprintln!("{}: {error}.", super::place(asked.out.as_ref()));
        IO
    })?;
    eprintln!(
        "Put it behind the last line of the profile's file, compare each line of expect with the analyzer's screen, then: \
         orugate profile check FILE"
    );
    Ok(0)
}

fn scrubbed(profile: &dyn Profile, entries: Vec<Entry>) -> Vec<Entry> {
    let mut done = Vec::with_capacity(entries.len());
    let mut scrubber = Scrubber::new(Some(profile));
    let mut keep = |entry: &Entry| {
        done.push(entry.clone());
        Ok(())
    };
    // Nothing here can fail: it goes into memory.
    let _ = entries
        .into_iter()
        .filter(|entry| entry.what != What::Out)
        .try_for_each(|entry| scrubber.take(entry, &mut keep))
        .and_then(|()| scrubber.end(&mut keep));
    done
}

fn example(profile: &dyn Profile, input: &[u8], day: &str) -> String {
    let script = text::script(input);
    let expect = examples::output(profile, &script);
    let quoted = |text: &str| match text {
        "" => "\"\"".to_owned(),
        text if text.contains("'''") => toml::Value::from(text).to_string(),
        text => format!("'''\n{}\n'''", text.trim_end_matches('\n')),
    };
    format!(
        "\n# From a capture of {day}, scrubbed: names, ids, days of birth and texts are stand-ins. Look that nothing of a person is\n\
         # left, and compare each line of expect with the analyzer.\n\
         [[example]]\nshows = \"From a capture of {day}, scrubbed\"\ninput = {}\nexpect = {}\n",
        quoted(&script),
        quoted(&expect),
    )
}

//! A report's files: HTML, CSV and the hashes of both, for their owner only.

use super::{IO, REFUSED};
use crate::archive::Journal;
use crate::cli::journal::export::new_file;
use crate::cli::journal::{At, Stop, open, remark};
use crate::verify::{gather, sha256};
use orugate_drivers::Catalogue;
use std::io::Write as _;
use std::path::Path;

pub(super) fn run(
    catalogue: &Catalogue,
    config: &Path,
    at: &At,
    number: u64,
    out: &Path,
    scrub: bool,
) -> Result<u8, Stop> {
    let journal = open(catalogue, config, at).map_err(Stop::Said)?;
    of_session(&journal, number, out, scrub)
}

pub(super) fn of_session(journal: &Journal, number: u64, out: &Path, scrub: bool) -> Result<u8, Stop> {
    let (reports, gathered) = gather(journal)?;
    let Some(report) = reports.into_iter().find(|report| report.session == number) else {
        eprintln!(
            "There is no verification {number} in {}. Those that there are: orugate verify list",
            journal.folder().display()
        );
        return Ok(REFUSED);
    };
    let report = if scrub { report.scrubbed() } else { report };
    let stem = report.file_stem() + if scrub { "-scrubbed" } else { "" };
    let name = |extension: &str| format!("{stem}.{extension}");
    let csv = report.csv();
    let html = report.html(&name("csv"), &csv);
    let hashes = format!(
        "{}  {}\n{}  {}\n",
        sha256(html.as_bytes()),
        name("html"),
        sha256(csv.as_bytes()),
        name("csv")
    );
    for (extension, content) in [("html", &html), ("csv", &csv), ("sha256", &hashes)] {
        let path = out.join(name(extension));
        let written = new_file(&path).and_then(|mut file| {
            file.write_all(content.as_bytes())?;
            file.sync_all()
        });
        if let Err(error) = written {
            eprintln!(
                "{}: {error}. A file that is there is left alone; give another folder with --out.",
                path.display()
            );
            return Ok(IO);
        }
    }
    println!("{}", report.verdict());
    println!(
        "The report is in {} and {}.csv, for their owner only: {}. Check them: sha256sum -c {}.sha256",
        out.join(name("html")).display(),
        stem,
        if scrub { "values are in them, patients are not" } else { "they hold patients' data" },
        stem
    );
    remark(gathered.damaged.len());
    Ok(0)
}

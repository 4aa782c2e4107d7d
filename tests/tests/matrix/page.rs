//! `docs/faults.md`: the tables of this test, for people.

use crate::cells::{self, Mode, Table};
use crate::{asking, bare, clocks, engine, odd, sending};
use std::fmt::Write as _;

const BEGIN: &str = "\
<!-- Made from the tables in tests/tests/matrix by its test `the_page_shows_the_tables`; UPDATE_EXPECT=1 writes it. -->
# What Orugate does when something goes wrong

Each cell below is a play: a simulated instrument, the whole gateway (port, driver, journal, interpretation, forwarder)
and an engine, with one fault at one step of their dialogue, on a clock that moves only when nothing else can happen. The
test suite plays all of them and fails when one comes out differently from what stands here. On a real wire,
`orugate simulate --fault` makes those of bytes, frames, records and time-outs (`--help` lists them), and a line that
breaks. A reset, a connection that nobody closes, a second one from elsewhere, a pulled cable and noise in what the
gateway replies need another tool.

What holds in every cell, whatever its letter:

- nothing that the instrument got an ACK for is missing: it is with the engine, or held for a person;
- no value arrives altered, and none under another sample;
- no MSH-10 is ever used for two different messages: what is sent again has the same bytes;
- every result has exactly one disposition (the ledger's difference is 0), and nothing waits at the end.

";

const BARE: &str = "\
Without frames (`framing = \"records\"`) there is no checksum, no count and no ACK, so the first two promises above cannot
be kept for every noise: an instrument that can be set to LIS01 frames should be. What can be told is told: a record with
a control character in it, one that is no record but looks like a result, and what stands behind such a record are held.

";

fn letters(page: &mut String, what: &str, letters: &[(char, &str)]) {
    let _ = writeln!(page, "{what}\n");
    for (letter, words) in letters {
        let _ = writeln!(page, "- `{letter}` {words}");
    }
    page.push('\n');
}

/// A table, its columns numbered, in a block of its own.
fn show(page: &mut String, table: &Table) {
    let _ = writeln!(page, "### {}\n", table.title);
    let columns: Vec<String> =
        table.columns.iter().enumerate().map(|(n, name)| format!("{} {name}", n + 1)).collect();
    let _ = writeln!(page, "Columns: {}.\n", columns.join(", "));
    page.push_str("```text\n");
    let cells: Vec<Vec<&str>> = table
        .rows
        .iter()
        .map(|(_, cells)| cells.split_whitespace().filter(|c| *c != "|").collect())
        .collect();
    let name = table.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let width = |column: usize| {
        let widest = cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.len()).max();
        widest.unwrap_or(0).max((column + 1).to_string().len())
    };
    let mut line = format!("{:name$}", "");
    for column in 0..columns.len() {
        let _ = write!(line, " {:<1$}", column + 1, width(column));
    }
    let _ = writeln!(page, "{}", line.trim_end());
    for ((title, _), row) in table.rows.iter().zip(&cells) {
        let mut line = format!("{title:>name$}");
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(line, " {cell:<0$}", width(column));
        }
        let _ = writeln!(page, "{}", line.trim_end());
    }
    page.push_str("```\n\n");
}

fn page() -> String {
    let mut page = BEGIN.to_owned();
    page.push_str("## The instrument sends\n\n");
    letters(
        &mut page,
        "The first letter of a cell says what comes of the message, which has three results of two samples:",
        &cells::OUTCOMES,
    );
    letters(
        &mut page,
        "The letters behind it are the notes of the link, as the instrument's status shows them:",
        &cells::NOTES,
    );
    for table in sending::tables(Mode::Show) {
        show(&mut page, &table);
    }
    page.push_str("## The instrument sends bare records\n\n");
    page.push_str(BARE);
    letters(
        &mut page,
        "The first letter of a cell says what comes of the first of two messages; of the second, each result arrives once \
         unless the letter says otherwise:",
        &bare::OUTCOMES,
    );
    for table in bare::tables(Mode::Show) {
        show(&mut page, &table);
    }
    page.push_str("## The gateway answers a query\n\n");
    letters(
        &mut page,
        "A result that the instrument sends afterwards always arrives. The first letter:",
        &asking::OUTCOMES,
    );
    show(&mut page, &asking::table(Mode::Show));
    page.push_str("## The engine\n\n");
    letters(
        &mut page,
        "Three messages are delivered; the engine misbehaves with the second. The others come once and are delivered in \
         each cell. A cell says how often the engine got the second, always with the same bytes, and what became of it:",
        &engine::OUTCOMES,
    );
    for table in engine::tables(Mode::Show) {
        show(&mut page, &table);
    }
    page.push_str("## Long and odd\n\n");
    for (name, words, _) in odd::PLAYS.iter().chain(&clocks::PLAYS) {
        let _ = writeln!(page, "- **{name}.** {words}");
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

#[test]
fn the_page_shows_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");
    let page = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/faults.md does not show these tables: run this test with UPDATE_EXPECT=1");
}

//! Tables whose cells are played: what a cell says, and the comparison of a table with its plays.
//!
//! A cell is a letter, which says what comes of the message, and then a letter for each kind of link note. Promises
//! that a table without a cell for a play, with one too many or with another outcome is told cell by cell.

use crate::rig::Came;
use orugate_tests::oracle::{self, Invented};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What comes of the invented message; the letters are those of the page.
pub(crate) const OUTCOMES: [(char, &str); 11] = [
    ('.', "Each result once. Nobody had to do anything again."),
    ('r', "The gateway refused a frame (NAK) and got it again. Each result once."),
    ('a', "A frame came again, was acknowledged again and stored once. Each result once."),
    (
        'w',
        "The instrument sent the whole message again; no frame of the first try is in the journal. Each result once.",
    ),
    (
        'i',
        "The instrument sent the whole message again. What it had an ACK for comes first, as an incomplete message: \
           results in it come twice, with the same values.",
    ),
    ('I', "As i, and the frame of this column is in it too, although the instrument did not hear its ACK."),
    ('c', "As i, but the first part ended in order (EOT after a frame with ETX) and counts as a message."),
    ('C', "As c, with the frame of this column."),
    (
        'd',
        "The message was whole, or lacked no more than its L; the instrument does not know and sends it again. Each result twice.",
    ),
    (
        's',
        "The message is cut in two, the first part incomplete. Each result once, or held for a person when the cut took \
           its order away or went through it.",
    ),
    (
        'h',
        "One message. Each result once, or held for a person when noise that no checksum sees stands in it, or in what \
           says whose it is.",
    ),
];

/// Kinds of link notes, by the letters of the page.
pub(crate) const NOTES: [(char, &str); 26] = [
    ('a', "records could not be stored; the instrument cannot be told"),
    ('b', "the instrument began anew in the middle of a transfer; the message is incomplete"),
    ('c', "a frame's checksum is wrong; it was refused"),
    ('d', "the connection ended in the middle of a transfer; the message is incomplete"),
    ('e', "EOT although the last frame was not acknowledged; the message is incomplete"),
    ('f', "an answer to a query could not be delivered"),
    ('g', "both ends asked for the line at once"),
    ('h', "a frame's checksum is no hexadecimal number"),
    ('i', "silence before the end of a message; it is incomplete"),
    ('j', "the instrument asked for the line in the middle of an answer"),
    ('k', "a frame was cut by a control character"),
    ('l', "silence in the middle of a transfer; the message is incomplete"),
    ('m', "a frame has the number of the one before and other text"),
    ('n', "a frame has no number"),
    ('o', "a frame's number is out of order"),
    ('p', "a frame came again, since its ACK was lost; it was acknowledged again"),
    ('q', "the instrument does not take the answer to its query yet"),
    ('r', "characters in a frame's text that the standard keeps out; taken as they are"),
    ('s', "the end of a frame whose beginning is lost"),
    ('t', "a frame does not end with CR LF"),
    ('u', "a control character where it means nothing"),
    ('v', "EOT after a frame that promised another; the message is incomplete"),
    ('w', "the store is full or stopping: the instrument was told to wait"),
    ('x', "bytes that came just before the connection ended were not taken"),
    ('y', "stray bytes were ignored"),
    ('z', "a frame was stored too late for its reply; the instrument sends it again"),
];

/// The letters of a play's notes.
pub(crate) fn notes(came: &Came) -> String {
    let letter =
        |sentence: &str| NOTES.iter().find(|(_, s)| *s == sentence).map_or('?', |(letter, _)| *letter);
    let mut letters: Vec<char> = came.status.kinds.keys().map(|sentence| letter(sentence)).collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// The letter of a play in which the fault was at a frame, after so many whole ones, or `Err` with what came.
/// `asked` is how often the instrument asked for the line, `heard` what it heard; `times` tries failed alike.
pub(crate) fn outcome(
    came: &Came,
    message: &Invented,
    before: usize,
    times: usize,
    asked: usize,
    heard: &str,
) -> Result<char, String> {
    let all = message.frames.len();
    let tries = [
        ('w', 0, false),
        ('d', all, true),
        ('i', before, false),
        ('c', before, true),
        ('I', before + 1, false),
        ('C', before + 1, true),
    ];
    let possible = tries
        .into_iter()
        .filter(|(letter, frames, _)| *letter == 'w' || *letter == 'd' || (1..all).contains(frames));
    let notes = notes(came);
    for (letter, frames, complete) in possible {
        let mut wanted: Vec<oracle::Came> = message.again_after(frames);
        if wanted.len() == 2 {
            wanted[0].complete = complete;
            for _ in 1..times {
                wanted.insert(0, wanted[0].clone());
            }
        }
        let held: usize = wanted.iter().map(|part| part.held).sum();
        let ends: Vec<Option<bool>> = wanted.iter().map(|part| Some(part.complete)).collect();
        let sent: Vec<_> = wanted.iter().flat_map(|part| part.sent.clone()).collect();
        if (&ends, &sent, held as u64) != (&came.messages, &came.sent, came.held) {
            continue;
        }
        return Ok(match letter {
            'w' if asked > 1 => 'w',
            'w' if notes.contains('p') => 'a',
            'w' if heard.contains('N') => 'r',
            'w' => '.',
            letter => letter,
        });
    }
    // Cut in two: what is sent is right and comes once, and all else is held.
    let whole = message.of(all).sent;
    let mut left = whole.iter();
    let in_order = came.sent.iter().all(|seen| left.any(|wanted| wanted == seen));
    let all_there = came.sent.len() as u64 + came.held == whole.len() as u64;
    match came.messages.as_slice() {
        [Some(false), Some(true)] if in_order && all_there => return Ok('s'),
        [Some(true)] if in_order && all_there => return Ok('h'),
        _ => {}
    }
    Err(format!("{:?} {:?} held {} {notes} {heard} asked {asked}", came.messages, came.sent, came.held))
}

/// What is done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Its cells are played.
    Play,
    /// It is only shown.
    Show,
}

/// A table as text: a name, then the cells of each row.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    /// Rows with the cells that are expected, between blanks.
    pub(crate) rows: Vec<(String, String)>,
}

/// The rows of a table as it is written: a name and a colon, then the cells.
pub(crate) fn rows(names: &[&str], text: &str) -> Vec<(String, String)> {
    let written: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    let of = |name: &str| written.iter().find(|(of, _)| of.trim() == name).map_or("", |(_, cells)| *cells);
    assert!(written.iter().all(|(of, _)| names.contains(&of.trim())), "a row of no fault in {text}");
    names.iter().map(|name| ((*name).to_owned(), of(name).to_owned())).collect()
}

/// Plays every cell on all cores and fails with those that are not as the table says.
pub(crate) fn check(mode: Mode, table: &Table, play: impl Fn(usize, usize) -> String + Sync) {
    if mode == Mode::Show {
        return;
    }
    let wrong = differences(table, play);
    assert!(wrong.is_empty(), "{}: cells differ\n{wrong}", table.title);
}

fn differences(table: &Table, play: impl Fn(usize, usize) -> String + Sync) -> String {
    let width = table.columns.len();
    let jobs = table.rows.len() * width;
    let (next, played) = (AtomicUsize::new(0), Mutex::new(vec![None; jobs]));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        return;
                    }
                    let cell = play(job / width, job % width);
                    played.lock().unwrap()[job] = Some(cell);
                }
            });
        }
    });
    let played: Vec<String> = played.into_inner().unwrap().into_iter().map(Option::unwrap).collect();
    let mut wrong = String::new();
    for ((name, cells), came) in table.rows.iter().zip(played.chunks(width)) {
        let wanted: Vec<&str> = cells.split_whitespace().filter(|cell| *cell != "|").collect();
        if wanted != came {
            let _ = writeln!(wrong, "{name:>28}: {}", came.join(" "));
        }
        for (index, column) in table.columns.iter().enumerate() {
            let (wanted, came) = (wanted.get(index).copied().unwrap_or("nothing"), &came[index]);
            if wanted != came {
                let _ = writeln!(wrong, "{name:>28} at {column}: {came} came, the table says {wanted}");
            }
        }
    }
    wrong
}

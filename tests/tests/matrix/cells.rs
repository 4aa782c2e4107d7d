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
pub(crate) const OUTCOMES: [(char, &str); 8] = [
    ('.', "each result once; nobody had to do anything again"),
    ('r', "the gateway refused a frame (NAK) and got it again; each result once"),
    ('a', "a frame came again and was acknowledged again, stored once; each result once"),
    ('w', "the instrument sent the whole message again, and had no ACK for a result before; each result once"),
    ('i', "the instrument sent the whole message again; what it had an ACK for came first, as an incomplete message"),
    ('I', "as i, and the frame of this column was stored too, although the instrument did not hear the ACK"),
    ('c', "as I, and the first part ended in order (EOT after an ETX frame), so that it is no incomplete message"),
    ('d', "the message was whole before the fault; the instrument does not know and sends it again: each result twice"),
];

/// Kinds of link notes, by the letters of the page.
pub(crate) const NOTES: [(char, &str); 24] = [
    ('b', "the instrument began anew in the middle of a transfer; the message is incomplete"),
    ('c', "a frame's checksum is wrong; it was refused"),
    ('d', "the connection ended in the middle of a transfer; the message is incomplete"),
    ('e', "EOT although the last frame was not acknowledged; the message is incomplete"),
    ('f', "an answer to a query could not be delivered"),
    ('g', "both ends asked for the line at once"),
    ('h', "a frame's checksum is no hexadecimal number"),
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
    let letter = |sentence: &str| NOTES.iter().find(|(_, s)| *s == sentence).map_or('?', |(letter, _)| *letter);
    let mut letters: Vec<char> = came.status.kinds.keys().map(|sentence| letter(sentence)).collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// The letter of a play in which the fault was at a frame, after so many whole ones, or `Err` with what came.
/// `asked` is how often the instrument asked for the line, `heard` what it heard.
pub(crate) fn outcome(
    came: &Came,
    message: &Invented,
    before: usize,
    asked: usize,
    heard: &str,
) -> Result<char, String> {
    let all = message.frames.len();
    let mut found = None;
    for (letter, frames, complete) in
        [('w', 0, false), ('i', before, false), ('I', before + 1, false), ('c', before + 1, true), ('d', all, true)]
    {
        if frames > all || (letter != 'w' && frames == 0) {
            continue;
        }
        let mut wanted: Vec<oracle::Came> = message.again_after(frames);
        if complete && frames > 0 && frames < all {
            wanted[0].complete = true;
        }
        let held: usize = wanted.iter().map(|part| part.held).sum();
        let ends: Vec<Option<bool>> = wanted.iter().map(|part| Some(part.complete)).collect();
        let sent: Vec<_> = wanted.iter().flat_map(|part| part.sent.clone()).collect();
        if (&ends, &sent, held as u64) == (&came.messages, &came.sent, came.held) {
            found.get_or_insert(letter);
        }
    }
    let notes = notes(came);
    match found {
        Some('w') if asked > 1 => Ok('w'),
        Some('w') if notes.contains('p') => Ok('a'),
        Some('w') if heard.contains('N') => Ok('r'),
        Some('w') => Ok('.'),
        Some(letter) => Ok(letter),
        None => Err(format!("{:?} {:?} held {} {notes} {heard} asked {asked}", came.messages, came.sent, came.held)),
    }
}

/// A table as text: a name, then the cells of each row.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) columns: Vec<String>,
    /// Rows with the cells that are expected, between blanks.
    pub(crate) rows: Vec<(String, String)>,
}

/// Plays every cell on all cores and fails with those that are not as the table says.
pub(crate) fn check(table: &Table, play: impl Fn(usize, usize) -> Option<String> + Sync) {
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
                    let cell = play(job / width, job % width).unwrap_or_else(|| "-".to_owned());
                    played.lock().unwrap()[job] = Some(cell);
                }
            });
        }
    });
    let played: Vec<String> = played.into_inner().unwrap().into_iter().map(Option::unwrap).collect();
    let mut wrong = String::new();
    let mut count = 0;
    for ((name, cells), came) in table.rows.iter().zip(played.chunks(width)) {
        let wanted: Vec<&str> = cells.split_whitespace().filter(|cell| *cell != "|").collect();
        if wanted != came {
            let _ = writeln!(wrong, "{name:>28}: {}", came.join(" "));
        }
        for (index, column) in table.columns.iter().enumerate() {
            let (wanted, came) = (wanted.get(index).copied().unwrap_or("nothing"), &came[index]);
            if wanted != came {
                count += 1;
                let _ = writeln!(wrong, "{name:>28} at {column}: {came} came, the table says {wanted}");
            }
        }
    }
    assert!(count == 0, "{}: {count} of {jobs} cells differ\n{wrong}", table.title);
    println!("{}: {jobs} cells", table.title);
}

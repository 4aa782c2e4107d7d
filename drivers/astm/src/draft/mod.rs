//! A first draft of a profile from captures of an instrument that nobody described.
//!
//! Promises: each choice stands in the draft with a comment that says in how many records it was seen and what else
//! it could be; what only a person can know is asked (`TODO(you)`); nothing of a patient is in the draft, since ids
//! and texts are told by their shape and the example is invented. The draft can be read as a profile. It claims no
//! evidence: it says `described`, whatever was captured, until a person has compared it with the instrument. Leaves
//! out files, the example's expectation, and whether a choice is right.

mod capture;
mod charset;
mod link;
mod order;
mod result;
mod scrub;
mod seen;

use capture::LinkSeen;
use orugate_driver::Draft;
use orugate_protocol::astm::record::{DelimiterSource, RecordType};
use seen::{Seen, plain};
use std::fmt::Write as _;

/// The draft as it grows.
#[derive(Default)]
struct Page {
    toml: String,
    said: Vec<String>,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.toml.push_str(line);
        self.toml.push('\n');
    }

    /// A comment, folded to lines that fit a screen.
    fn comment(&mut self, text: &str) {
        const WIDTH: usize = 100;
        let mut line = String::from("#");
        for word in text.split(' ') {
            if line.len() > 1 && line.chars().count().saturating_add(word.len()) >= WIDTH {
                self.line(&line);
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    /// A question that only a person can answer; it is said on the screen too.
    fn ask(&mut self, question: &str) {
        self.comment(&format!("TODO(you): {question}"));
        self.said.push(format!("Look at this: {question}"));
    }

    fn table(&mut self, name: &str) {
        self.line("");
        self.line(&format!("[{name}]"));
    }

    fn say(&mut self, sentence: String) {
        self.said.push(sentence);
    }
}

/// The draft, or a sentence why these captures give none.
pub(crate) fn draft(name: &str, captures: &[Vec<u8>]) -> Result<Draft, String> {
    let mut link = LinkSeen::default();
    let texts: Vec<Vec<u8>> = captures.iter().map(|capture| capture::text(capture, &mut link)).collect();
    let seen = Seen::of(&texts);
    if seen.count(RecordType::Header) == 0 {
        return Err("no LIS02 header record (H|\\^&) is in it".to_owned());
    }
    let mut page = Page::default();
    summary(&mut page, captures.len(), &seen, &link);
    head(&mut page, name, &seen);
    charset::charset(&mut page, &seen);
    page.line(&format!("coding_system = \"{}\"", coding_system(name)));
    page.ask(&format!(
        "coding_system is 99 and up to ten letters or digits of your choice; your engine sees it beside each code. \
         {} is a proposal.",
        coding_system(name)
    ));
    link::framing(&mut page, &link, &texts);
    result::people(&mut page, &seen);
    result::separator(&mut page, &seen);
    if seen.count(RecordType::Terminator) == 0 {
        page.line("no_terminator = true");
        page.ask("no message ends with an L record. Was the capture cut, or does this model send none?");
    }
    link::link(&mut page, &link);
    order::sample(&mut page, &seen);
    result::code(&mut page, &seen);
    result::value(&mut page, &seen);
    order::sender(&mut page, &seen);
    order::times(&mut page, &seen);
    order::qc(&mut page, &seen);
    order::query(&mut page, &seen);
    // Lists of tables come last, so that a line added below belongs to what it looks like.
    result::not_reportable(&mut page, &seen);
    result::flags(&mut page, &seen);
    result::status(&mut page, &seen);
    order::comments(&mut page, &seen);
    example(&mut page, &seen, &link);
    Ok(Draft { toml: page.toml, said: page.said })
}

fn summary(page: &mut Page, files: usize, seen: &Seen<'_>, link: &LinkSeen) {
    let count = |kind, one: &str, many: &str| match seen.count(kind) {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    };
    page.say(format!(
        "{} read: {}, {}, {}, {}, {}, {}.",
        if files == 1 { "One capture was".to_owned() } else { format!("{files} captures were") },
        count(RecordType::Header, "message", "messages"),
        count(RecordType::Order, "order", "orders"),
        count(RecordType::Result, "result", "results"),
        count(RecordType::Comment, "comment", "comments"),
        count(RecordType::Manufacturer, "manufacturer record", "manufacturer records"),
        count(RecordType::Query, "query", "queries"),
    ));
    if link.repeated > 0 {
        page.say(format!("{} repeated frames were read once.", link.repeated));
    }
    if seen.results.is_empty() {
        page.say(
            "There is no result (R) record, so code, value, unit and flags are LIS02's defaults, not what this \
             instrument does. Capture a result."
                .to_owned(),
        );
    } else if seen.results.len() < 10 {
        page.say(
            "That is little to judge by. Give more captures in one go: another sample, a control, a value with a \
             flag, a value that could not be measured."
                .to_owned(),
        );
    }
}

fn head(page: &mut Page, name: &str, seen: &Seen<'_>) {
    page.comment(
        "A draft by orugate profile new. Read it from top to bottom; docs/profile.md explains each part.",
    );
    page.comment("What is not said here is as LIS02 has it.");
    page.line(&format!("name = {}", quoted(name)));
    page.line("driver = \"astm\"");
    let model = seen.headers_at(5);
    let model = model.fields.first().map(|field| field.component(1).trimmed().bytes()).unwrap_or_default();
    let title: String =
        model.iter().filter(|b| b.is_ascii_graphic() || **b == b' ').map(|b| char::from(*b)).collect();
    page.line(&format!("title = {}", quoted(if title.is_empty() { name } else { &title })));
    page.ask("title is one line for people: maker, model, software version.");
    page.comment(
        "How far this is proven: described (a draft, or hearsay; runs in test mode only), manual (each choice was \
         compared with the maker's interface manual), captured-bytes (each choice was compared with the analyzer's \
         screen or printout, for the samples in the examples). Raise it when that is done, not before.",
    );
    page.line("evidence = \"described\"");
    let broken: Vec<_> = seen
        .of_kind(RecordType::Header)
        .filter_map(|header| match header.delimiter_source() {
            DelimiterSource::BadHeader(error) => Some(error),
            _ => None,
        })
        .collect();
    if let Some(error) = broken.first() {
        page.ask(&format!(
            "{} of {} headers do not declare four different delimiters (byte {} of the first such message), so every \
             result below them is held. Correct the instrument's host settings.",
            broken.len(),
            seen.count(RecordType::Header),
            error.offset
        ));
    } else {
        let definitions = seen.headers_at(2);
        let field = seen.of_kind(RecordType::Header).next().map(|header| header.delimiters().field);
        page.comment(&format!(
            "Delimiters: {} between fields; repeat, component and escape are {}. They are read from each message.",
            plain(&field.into_iter().collect::<Vec<u8>>()),
            definitions.list()
        ));
    }
}

fn example(page: &mut Page, seen: &Seen<'_>, link: &LinkSeen) {
    let input = scrub::example(&seen.records, link.frames > 0);
    page.line("");
    page.comment(
        "One message of the capture with an invented patient: ids, names, dates, numbers and texts are made up in \
         the same shape. Check that nothing of a person is left, then compare `expect` with the analyzer.",
    );
    page.line("[[example]]");
    page.line("shows = \"The first captured message with results (at most eight of them), scrubbed\"");
    if input.contains("'''") {
        page.line(&format!("input = {}", toml::Value::from(input)));
    } else {
        let _ = write!(page.toml, "input = '''\n{input}'''\n");
    }
    page.line("expect = \"\"");
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn coding_system(name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
    format!("99{}", if letters.is_empty() { "OURS".to_owned() } else { letters.to_ascii_uppercase() })
}

#[cfg(test)]
mod tests;

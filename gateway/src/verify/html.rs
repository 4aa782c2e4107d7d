//! A report as one HTML file for a browser and for paper: no script, nothing from elsewhere.
//!
//! Promises that whatever an instrument or a person wrote is text and nothing else: [`text`] is the only way in.

use super::csv::facts;
use super::evidence::Sent;
use super::report::{By, Line, Report};
use crate::records::Answer;
use crate::words::moment;
use std::fmt::Write as _;

const STYLE: &str = "\
body{font:15px/1.4 sans-serif;margin:2em auto;max-width:70em;color:#111;background:#fff}\
table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}\
th,td{border:1px solid #999;padding:.25em .5em;text-align:left;vertical-align:top}\
th{background:#eee}pre{margin:0;white-space:pre-wrap;word-break:break-all;font-size:12px}\
.bad{font-weight:bold;background:#fdd}.old{color:#666;text-decoration:line-through}\
.verdict{border:2px solid #111;padding:.7em;font-weight:bold}\
.sign td{height:3em}h2{margin-top:1.5em}\
@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}tr{break-inside:avoid}}";

pub(super) fn write(report: &Report, csv_name: &str, csv_hash: &str) -> String {
    let mut out = String::new();
    let title = format!("Verification {} of {}", report.session, report.scope.instrument);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
        text(&title)
    );
    let _ = writeln!(out, "<p class=\"verdict\">{}</p>", text(&report.verdict()));
    out += "<p>A person compared what the analyzer's screen showed with what a destination acknowledged, result by result. This is \
            evidence that results arrive as they were sent; it is no evidence that the analyzer measures right. It may hold \
            patients' data. All times are UTC.</p>\n";
    about(&mut out, report);
    list(&mut out, report);
    out += "<h2>Not verified</h2>\n<ul>\n";
    for sentence in report.not_verified() {
        let _ = writeln!(out, "<li>{}</li>", text(&sentence));
    }
    out += "</ul>\n";
    differences(&mut out, report);
    results(&mut out, report);
    bytes(&mut out, report);
    signatures(&mut out);
    let _ = writeln!(
        out,
        "<h2>Files</h2>\n<p>The same as comma separated values: {}<br>\nSHA-256 of that file: <code>{}</code><br>\nThe hashes of \
         both files are beside them in a file for <code>sha256sum -c</code>. The journal writes both again, with the same \
         content: <code>orugate verify report {}</code></p>\n</body>\n</html>",
        text(csv_name),
        text(csv_hash),
        report.session
    );
    out
}

fn about(out: &mut String, report: &Report) {
    *out += "<h2>What was verified</h2>\n<table>\n";
    for (what, value) in facts(report) {
        if !matches!(what, "verdict" | "not verified") {
            let _ = writeln!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", text(what), text(&value));
        }
    }
    let mut by = |what: &str, by: &By| {
        let _ = writeln!(out, "<tr><th scope=\"row\">{what}</th><td>{}</td></tr>", who(by));
    };
    by("begun", &report.began);
    if let Some((ended, ..)) = &report.ended {
        by("ended", ended);
    }
    *out += "</table>\n";
}

fn list(out: &mut String, report: &Report) {
    *out += "<h2>What was to be seen</h2>\n<table>\n<tr><th>What</th><th>Seen</th></tr>\n";
    for item in &report.scope.wanted {
        let (class, seen) = match (report.seen(*item), report.excused.get(item)) {
            (Some(line), _) => ("", format!("{} of sample {}", line.codes(), line.evidence.sample)),
            (None, Some((by, words))) => ("", format!("not seen: {words} ({})", said_by(by))),
            (None, None) => (" class=\"bad\"", "NOT SEEN, and nothing says why".to_owned()),
        };
        let _ = writeln!(out, "<tr><td>{}</td><td{class}>{}</td></tr>", text(item.words()), text(&seen));
    }
    *out += "</table>\n";
}

fn differences(out: &mut String, report: &Report) {
    let differ: Vec<&Line> = report.lines.iter().filter(|line| line.answer == Answer::Differs).collect();
    if differ.is_empty() {
        return;
    }
    *out += "<h2>Differences</h2>\n<table>\n<tr><th>Sample</th><th>Test</th><th>Sent</th><th>What differs</th><th>Said by</th></tr>\n";
    for line in differ {
        let later = if line.counts { "" } else { " (answered otherwise later)" };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"bad\">{}{later}</td><td>{}</td></tr>",
            text(&line.evidence.sample),
            text(&line.codes()),
            text(&value(line)),
            text(&line.evidence.words),
            who(&line.by)
        );
    }
    *out += "</table>\n";
}

fn results(out: &mut String, report: &Report) {
    *out += "<h2>Results</h2>\n<table>\n<tr><th>Sample</th><th>Test</th><th>Value and unit as sent</th><th>Flags</th><th>Range</th>\
             <th>Status</th><th>Sent as, acknowledged</th><th>On the screen</th><th>Said by</th></tr>\n";
    for line in &report.lines {
        let evidence = &line.evidence;
        let first = evidence.first();
        let of = |get: fn(&Sent) -> &String| first.map_or_else(String::new, |sent| text(get(sent)));
        let class = match (line.counts, line.answer) {
            (false, _) => " class=\"old\"",
            (true, Answer::Differs) => " class=\"bad\"",
            (true, _) => "",
        };
        let words = if evidence.words.is_empty() { String::new() } else { format!(": {}", evidence.words) };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td{class}>{}{}</td><td>{}</td></tr>",
            text(&evidence.sample),
            text(&line.codes()),
            text(&value(line)),
            of(|sent| &sent.flags),
            of(|sent| &sent.range),
            of(|sent| &sent.status),
            went(line),
            text(line.answer.words()),
            text(&words),
            who(&line.by)
        );
    }
    *out += "</table>\n";
}

/// Where it went, and what was answered.
fn went(line: &Line) -> String {
    if let Some(why) = &line.evidence.qc {
        return format!("to no patient: {}", text(why));
    }
    let went = line.evidence.sent.iter().map(|sent| {
        let answer = match &sent.acknowledged {
            Some(code) => format!("{} {}", text(code), text(&sent.acknowledged_at)),
            None => "not acknowledged".to_owned(),
        };
        format!("{} to {}: {answer}", text(&sent.msh_10), text(&sent.destination))
    });
    went.collect::<Vec<_>>().join("<br>")
}

/// The value and the unit that went out; of quality control those that were read.
fn value(line: &Line) -> String {
    match line.evidence.first() {
        Some(sent) => format!("{} {}", sent.value, sent.unit).trim().to_owned(),
        None => {
            let read =
                line.evidence.read.iter().map(|read| format!("{} {} {}", read.code, read.value, read.unit));
            read.collect::<Vec<_>>().join("; ")
        }
    }
}

fn bytes(out: &mut String, report: &Report) {
    *out += "<h2>What the analyzer sent, and what was made of it</h2>\n<table>\n<tr><th>Sample, test</th><th>Input; control \
             characters by name</th><th>Read as</th><th>Segments sent</th></tr>\n";
    for line in report.lines.iter().filter(|line| line.counts) {
        let evidence = &line.evidence;
        let input: Vec<String> = evidence.read.iter().map(|read| text(&read.input)).collect();
        let read = evidence.read.iter().map(|read| {
            let parts = [
                ("test", &read.code),
                ("value", &read.value),
                ("unit", &read.unit),
                ("range", &read.range),
                ("flags", &read.flags),
                ("status", &read.status),
            ];
            let parts = parts.iter().filter(|(_, text)| !text.is_empty());
            parts.map(|(what, value)| format!("{what} {}", text(value))).collect::<Vec<_>>().join(", ")
        });
        let read: Vec<String> = read.collect();
        let mut sent: Vec<String> = Vec::new();
        for of in &evidence.sent {
            sent.push(format!("{}:", text(&of.destination)));
            sent.extend(of.segments.iter().map(|segment| text(segment)));
        }
        let _ = writeln!(
            out,
            "<tr><td>{}<br>{}<br>message {} of {}</td><td><pre>{}</pre></td><td>{}</td><td><pre>{}</pre></td></tr>",
            text(&evidence.sample),
            text(&line.codes()),
            line.message,
            text(&evidence.received),
            input.join("\n"),
            read.join("<br>"),
            sent.join("\n")
        );
    }
    *out += "</table>\n";
}

fn signatures(out: &mut String) {
    *out += "<h2>Signatures</h2>\n<table class=\"sign\">\n<tr><th></th><th>Name</th><th>Date</th><th>Signature</th></tr>\n";
    for role in ["Compared by", "Reviewed by (laboratory director or designee)"] {
        let _ = writeln!(out, "<tr><th scope=\"row\">{role}</th><td></td><td></td><td></td></tr>");
    }
    *out += "</table>\n";
}

fn who(by: &By) -> String {
    format!("{} {}", text(&said_by(by)), text(&moment(by.at)))
}

fn said_by(by: &By) -> String {
    if by.name.is_empty() { by.actor.clone() } else { format!("{}, who says to be {}", by.actor, by.name) }
}

/// Text that a browser shows as it is: nothing in it is markup, and nothing turns the direction of what follows.
fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            // Controls, and what could make a value read backwards.
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}') =>
            {
                let _ = write!(out, "&lt;U+{:04X}&gt;", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn nothing_is_markup() {
        assert_eq!(
            text("<script>alert(\"x\")</script> & 'y' \u{1b}[2J \u{202e}4.5\u{e4}"),
            "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39; &lt;U+001B&gt;[2J &lt;U+202E&gt;4.5\u{e4}"
        );
    }
}

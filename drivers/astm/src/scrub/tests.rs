//! Lines with invented persons in, the same lines without them out.

use super::*;
use crate::script;

const PROFILE: &str =
    "name = \"x\"\ndriver = \"astm\"\ntitle = \"x\"\nevidence = \"described\"\ncoding_system = \"99X\"\n";

fn with(more: &str) -> &'static Plan {
    let charset = if more.contains("charset") { "" } else { "charset = \"latin-1\"\n" };
    let (top, tables) = more.split_once("[sample]\n").unwrap_or((more, ""));
    Plan::read(&format!("{PROFILE}{charset}{top}[sample]\nid = [\"O.3\"]\n{tables}")).unwrap()
}

fn of(plan: &Plan, line: &str) -> (String, usize) {
    let mut bytes = script::bytes(line);
    let before = bytes.len();
    let by_rule = scrub(plan, &mut bytes, &mut StandIns::new());
    assert_eq!(bytes.len(), before);
    (script::show(&bytes), by_rule)
}

fn framed(records: &[&str]) -> String {
    let frames = (1..)
        .zip(records)
        .map(|(number, record)| format!("<STX>{}{record}<CR><ETX><CS><CR><LF>\n", number & 7));
    format!("<ENQ>\n{}<EOT>\n", frames.collect::<String>())
}

/// What it shows is the example of docs/capture.md.
#[test]
fn persons_are_others_and_what_was_measured_stays() {
    let line = framed(&[
        "H|\\^&|||LABX^00-24^BD777||||||||E1394-97|20240627135407",
        "P|1||A-778|99|Doe^Jane^Q||19870626|F",
        "O|1|778812^3^4||^^^GLU\\^^^NA|R|20240627|||||N||||SERUM^left",
        "C|1|I|Call Dr House|G",
        "R|1|^^^GLU|105.20|mg/dL|70 to 105|H||F||JSMITH||20240627135407|SN7788",
        "R|2|^^^NA|Positive|||A||F",
        "R|3|^^^K|see A-778|||A||F",
        "L|1|N",
    ]);
    let (out, by_rule) = of(with(""), &line);
    let expected = framed(&[
        "H|\\^&|||LABX^00-00^AA000||||||||E1394-97|20240627135407",
        "P|1||A-000|00|Aaa^Aaaa^A||19610615|F",
        "O|1|000000^3^4||^^^GLU\\^^^NA|R|20240627|||||N||||SERUM^aaaa",
        "C|1|I|xxxx xx xxxxx|G",
        "R|1|^^^GLU|105.20|mg/dL|70 to 105|H||F||AAAAAA||20240627135407|AA0000",
        "R|2|^^^NA|Positive|||A||F",
        "R|3|^^^K|xxx A-778|||A||F",
        "L|1|N",
    ]);
    assert_eq!(out, script::show(&script::bytes(&expected)));
    assert_eq!(by_rule, 0);
}

/// Every field of every record may hold a person but those that LIS02 makes codes; they are listed here.
#[test]
fn no_field_that_may_hold_a_person_keeps_one() {
    let codes = [
        ('H', 2),
        ('H', 12),
        ('H', 13),
        ('O', 2),
        ('O', 5),
        ('O', 6),
        ('O', 12),
        ('O', 26),
        ('R', 2),
        ('R', 3),
        ('R', 5),
        ('R', 6),
        ('R', 7),
        ('R', 8),
        ('R', 9),
        ('C', 2),
        ('C', 3),
        ('C', 5),
        ('Q', 2),
        ('Q', 5),
        ('Q', 13),
        ('L', 2),
        ('L', 3),
        ('M', 2),
        ('S', 2),
    ];
    let persons = ["Quentin", "Warbeck", "771199", "qw@home", "M\u{fc}ller"];
    let plan = with("charset = \"utf-8\"\n");
    for kind in ['H', 'P', 'O', 'R', 'C', 'Q', 'L', 'M', 'S', 'X'] {
        for number in (2..36).filter(|number| !codes.contains(&(kind, *number))) {
            for component in 1..4 {
                if (kind, number, component) == ('H', 5, 1) || (kind, number, component) == ('O', 16, 1) {
                    continue;
                }
                for person in persons {
                    // A value's digits are a value.
                    if (kind, number) == ('R', 4) && person == "771199" {
                        continue;
                    }
                    let empty = if kind == 'H' { "H|\\^&".to_owned() } else { kind.to_string() };
                    let skip = number - if kind == 'H' { 2 } else { 1 };
                    let record = format!("{empty}{}{}{person}", "|".repeat(skip), "^".repeat(component - 1));
                    let all = if kind == 'H' { vec![record.as_str()] } else { vec!["H|\\^&", &record] };
                    let mut line = script::bytes(&framed(&all));
                    scrub(plan, &mut line, &mut StandIns::new());
                    let text = String::from_utf8_lossy(&line).into_owned();
                    assert!(!text.contains(person), "{kind}.{number}.{component}: {text:?}");
                }
            }
        }
    }
}

#[test]
fn the_same_id_is_the_same_and_a_controls_beginning_stays() {
    let plan =
        with("[sample]\nnone_prefixes = [\"ERR\"]\n[qc]\nproof = \"manual\"\nsample_prefixes = [\"QC-\"]\n");
    let line = framed(&["H|\\^&", "O|1|QC-771", "O|2|4711", "O|3|ERR0007", "O|4|4711", "O|5|4712", "L|1|N"]);
    let (out, _) = of(plan, &line);
    let expected =
        framed(&["H|\\^&", "O|1|QC-000", "O|2|0000", "O|3|ERR0001", "O|4|0000", "O|5|0002", "L|1|N"]);
    assert_eq!(out, script::show(&script::bytes(&expected)));
    let plan = with("[qc]\nproof = \"manual\"\nsample_suffixes = [\"_NEG\"]\n");
    let (out, _) = of(plan, &framed(&["H|\\^&", "O|1|HXV_NEG", "O|2|_NEG", "O|3|HXV_POS", "L|1|N"]));
    assert!(out.contains("O|1|AAA_NEG<CR>") && out.contains("O|2|_NEG<CR>"), "{out}");
    assert!(!out.contains("HXV") && !out.contains("POS"), "{out}");
}

/// One record over two frames, the second of which comes again: after a wrong sum, and although it was acknowledged.
#[test]
fn the_link_reads_as_before_whatever_it_went_through() {
    let record = "P|1||A-778|99|Doe^Jane^Q||19870626|F";
    let (first, second) = record.split_at(20);
    let header = "<ENQ>\n<STX>1H|\\^&<CR><ETX><CS><CR><LF>\n";
    let frames = |first: &str, garbled: &str, second: &str| {
        format!(
            "{header}<STX>2{first}<ETB><CS><CR><LF>\n<STX>3{garbled}<CR><ETX>ff<CR><LF>\n\
             <STX>3{second}<CR><ETX><CS><CR><LF>\n<STX>3{second}<CR><ETX><CS><CR><LF>\n<EOT>\n"
        )
    };
    let (out, by_rule) = of(with(""), &frames(first, "e^Jqne^Q||19870626|F", second));
    let clean = "P|1||A-000|00|Aaa^Aaaa^A||19610615|F";
    let (first, second) = clean.split_at(20);
    let expected = frames(first, "x^xxxx^x||99999999|x", second);
    let (mut out, expected) = (script::bytes(&out), script::bytes(&expected));
    // The wrong sum is wrong still, by as much; which it is does not matter.
    let at = expected.windows(2).position(|pair| pair == b"ff").unwrap();
    assert_ne!(&out[at..at + 2], b"ff");
    assert!(out[at..at + 2].iter().all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase()));
    out[at..at + 2].copy_from_slice(b"ff");
    assert_eq!(script::show(&out), script::show(&expected));
    assert_eq!(by_rule, 15);
}

#[test]
fn what_follows_a_missing_frame_or_no_header_is_nobodys_to_read() {
    let gap =
        "<ENQ>\n<STX>1H|\\^&<CR><ETX><CS><CR><LF>\n<STX>3Jane^Q||19870626|F<CR><ETX><CS><CR><LF>\n<EOT>\n";
    let (out, by_rule) = of(with(""), gap);
    assert!(out.contains("<STX>3xxxx^x||99999999|x<CR>"), "{out}");
    assert_eq!(by_rule, 14);
    let (out, _) = of(with(""), "Doe^Jane\x07<STX>2P|1|||Doe<CR><ETX><CS><CR><LF>\n<EOT>\n");
    assert!(out.starts_with("xxx^xxxx<BEL><STX>2x|9|||xxx<CR>"), "{out}");
    // And the message behind it is read again.
    let (out, _) = of(with(""), &format!("{gap}{}", framed(&["H|\\^&", "P|1||A-778", "L|1|N"])));
    assert!(out.contains("P|1||A-000"), "{out}");
}

#[test]
fn bare_records_are_read_too() {
    let plan = with("framing = \"records\"\n");
    let line = "<STX>H|\\^&|||LABX<CR>\nP|1||A-778||Doe^Jane<CR>\nL|1|N<CR>\n<ETX>noise Doe";
    let (out, _) = of(plan, line);
    assert!(out.starts_with("<STX>H|\\^&|||LABX<CR>\nP|1||A-000||Aaa^Aaaa<CR>\nL|1|N<CR>\n<ETX>"), "{out}");
    assert!(!out.contains("Doe"));
    assert_eq!(of(plan, "<ACK><NAK><ENQ>"), ("<ACK><NAK><ENQ>\n".to_owned(), 0));
}

/// In GB18030 the second byte of a character may be a delimiter's: 0x81 0x5E is one character.
#[test]
fn a_character_that_goes_leaves_no_delimiter_behind() {
    let plan = with("charset = \"gb18030\"\n");
    let line = framed(&["H|\\^&", "P|1||||<x81>^<x81>^Doe^Jane", "L|1|N"]);
    let (out, _) = of(plan, &line);
    assert!(out.contains("P|1||||xxxxAaa^Aaaa<CR>"), "{out}");
}

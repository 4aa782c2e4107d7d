//! Captures in, drafts out.

use super::*;
use crate::plan::Plan;
use expect_test::{Expect, expect};

fn of(captures: &[&[u8]]) -> Draft {
    let captures: Vec<_> = captures.iter().map(|capture| capture.to_vec()).collect();
    draft("new-one", &captures).unwrap()
}

/// What the draft sets, without its comments and its example.
fn check(captures: &[&[u8]], expected: Expect) {
    let draft = of(captures);
    Plan::read(&draft.toml).unwrap_or_else(|e| panic!("{e}\n{}", draft.toml));
    let (settings, _) = draft.toml.split_once("[[example]]").unwrap();
    let lines: Vec<_> =
        settings.lines().skip(4).filter(|line| !line.is_empty() && !line.starts_with('#')).skip(2).collect();
    expected.assert_eq(&lines.join("\n"));
}

/// The table: in each row one thing is unlike LIS02.
#[test]
fn each_deviation_becomes_its_option() {
    let message = |o: &str, r: &str| format!("H|\\^&|||M1\rP|1\r{o}\r{r}\rL|1|N\r").into_bytes();
    let plain_o = "O|1|T-0001||^^^GLU|R";
    let plain_r = "R|1|^^^GLU|5.4|mmol/L||N||F||||20261122093000";
    let row = |o: &str, r: &str, expected: Expect| check(&[&message(o, r)], expected);
    row(
        plain_o,
        plain_r,
        expect![[r#"
        charset = "ascii"
        coding_system = "99NEWONE"
        framing = "lis01"
        [sample]
        id = ["O.3"]
        [code]
        id = 4
        [value]
        [sender]
        name = "H.5.1"
        [time]
        [run]
        discriminator = ["R.13"]
        [qc]"#]],
    );
    row(
        "O|1||^^       T-0001^B|^^^^WBC",
        "R|1|^^^^WBC^1|8.1|10*3/uL||W||F||||20261122093000",
        expect![[r#"
            charset = "ascii"
            coding_system = "99NEWONE"
            framing = "lis01"
            [sample]
            id = ["O.4.3"]
            [code]
            id = 5
            replicate = 6
            [value]
            [sender]
            name = "H.5.1"
            [time]
            [run]
            discriminator = ["R.13"]
            [qc]"#]],
    );
    row(
        "O|1|00017^T-0005        ^1^^004||^^^685/",
        "R|1|^^^685/|22,4|U/l||A||Z|||||P1",
        expect![[r#"
        charset = "ascii"
        coding_system = "99NEWONE"
        framing = "lis01"
        [sample]
        id = ["O.3.2"]
        [code]
        id = 4
        ends_at = "/"
        [value]
        decimal_comma = true
        [sender]
        name = "H.5.1"
        [time]
        [run]
        discriminator = []
        [qc]"#]],
    );
    row(
        plain_o,
        "R|1|^^^WBC^6690-2|6.1|||||X||PATHO|20261122091558||",
        expect![[r#"
            charset = "ascii"
            coding_system = "99NEWONE"
            framing = "lis01"
            [sample]
            id = ["O.3"]
            [code]
            id = 4
            loinc = 5
            [value]
            [sender]
            name = "H.5.1"
            [time]
            completed = "R.12"
            [run]
            discriminator = ["R.12"]
            [qc]"#]],
    );
    row(
        plain_o,
        "R|1|GLU^Glucose|^5.4|mmol/L||N||F",
        expect![[r#"
        charset = "ascii"
        coding_system = "99NEWONE"
        framing = "lis01"
        [sample]
        id = ["O.3"]
        [code]
        id = 1
        name = 2
        [value]
        components = [2]
        [sender]
        name = "H.5.1"
        [time]
        [run]
        discriminator = []
        [qc]"#]],
    );
    row(
        "O|1|||^^^GLU|||||||Q||||CTRL",
        plain_r,
        expect![[r#"
        charset = "ascii"
        coding_system = "99NEWONE"
        framing = "lis01"
        [sample]
        id = ["O.3"]
        [code]
        id = 4
        [value]
        [sender]
        name = "H.5.1"
        [time]
        [run]
        discriminator = ["R.13"]
        [qc]
        descriptors = ["CTRL"]"#]],
    );
}

/// The draft's lines that hold one of these words, comments among them.
fn lines(captures: &[&[u8]], words: &[&str]) -> String {
    let draft = of(captures);
    let (settings, _) = draft.toml.split_once("[[example]]").unwrap();
    let lines = settings.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.collect::<Vec<_>>().join("\n")
}

fn with_unit(unit: &[u8]) -> Vec<u8> {
    [&b"H|\\^&\rP|1\rO|1|T-0001\rR|1|^^^CREA|80|"[..], unit, b"||N||F\rL|1|N\r"].concat()
}

#[test]
fn a_charset_is_taken_only_when_the_bytes_say_it() {
    let said = |unit: &[u8]| lines(&[&with_unit(unit)], &["charset =", "ISO-8859-1", "above 7F"]);
    assert!(said(b"umol/L").ends_with("charset = \"ascii\""));
    assert!(said("\u{B5}mol/L".as_bytes()).contains("charset = \"utf-8\""));
    let undecided = said(b"\xB5mol/L");
    assert!(undecided.contains("Bytes above 7F were seen in R.5 (1)"), "{undecided}");
    // One line for all charsets that read the same, and one that reads another letter.
    assert!(undecided.contains("#   `\u{B5}`: ISO-8859-1, ISO-8859-3, "), "{undecided}");
    assert!(undecided.contains("charset = \"ascii\""), "{undecided}");
    // The example keeps the byte, in a form that TOML can hold.
    assert!(of(&[&with_unit(b"\xB5mol/L")]).toml.contains("|<xB5>mol/L|"));
}

#[test]
fn the_link_is_drafted_from_its_frames() {
    let frames = |script: &str| {
        lines(&[script.as_bytes()], &["checksum =", "frame_numbers =", "framing =", "are right"])
    };
    let records = "H|\\^&<CR><ETX>";
    let good = frames(&format!("<ENQ><STX>1{records}<CS><CR><LF><STX>2L|1|N<CR><ETX><CS><CR><LF><EOT>"));
    assert_eq!(good, "framing = \"lis01\"\n# Checksums: 2 of 2 are right.");
    let skipped = frames(&format!("<ENQ><STX>1{records}<CS><CR><LF><STX>5L|1|N<CR><ETX><CS><CR><LF><EOT>"));
    assert!(skipped.contains("frame_numbers = \"any\""), "{skipped}");
    let none = frames(&format!("<ENQ><STX>1{records}<CR><LF><STX>2L|1|N<CR><ETX><CR><LF><EOT>"));
    assert!(none.contains("checksum = \"absent\""), "{none}");
    let wrong = frames(&format!("<ENQ><STX>1{records}00<CR><LF><EOT>"));
    assert!(wrong.contains("checksum = \"unchecked\""), "{wrong}");
    // A frame that came twice because its ACK was lost is one frame.
    let twice = frames(&format!("<ENQ><STX>1{records}<CS><CR><LF><STX>1{records}<CS><CR><LF><EOT>"));
    assert!(twice.contains("1 of 1 are right"), "{twice}");
}

#[test]
fn several_captures_are_one_and_doubts_are_asked() {
    let message = |id: &str, r: &str| format!("H|\\^&|||M1\rP|1\rO|1|{id}\r{r}\rL|1|N\r").into_bytes();
    let first = message("T-0001", "R|1|^^^RF|12|IU/mL||N||F\rR|2|^^^RF|Negative|||N||F");
    let second = message("", "R|1|^^^RF|----|IU/mL||Q||F");
    let draft = of(&[&first, &second]);
    for asked in [
        "1 of 2 orders have no id there",
        "several results with the same code (`RF`)",
        "`----` stands 1 times in place of a value",
        "what does the flag `Q` mean?",
        "no quality control was seen",
    ] {
        assert!(draft.said.iter().any(|line| line.contains(asked)), "{asked}: {:#?}", draft.said);
    }
    assert!(draft.toml.contains("# [[not_reportable]]\n# value = \"----\"\n"));
}

#[test]
fn what_is_no_astm_is_said_so() {
    let no = |bytes: &[u8]| draft("x", &[bytes.to_vec()]).unwrap_err();
    assert!(no(b"MSH|^~\\&|LAB\r").contains("no LIS02 header record"));
    assert!(no(b"").contains("no LIS02 header record"));
    assert!(no(b"\x02NA 140\x03").contains("no LIS02 header record"));
}

#[test]
fn a_status_that_is_not_final_is_asked() {
    let message = b"H|\\^&\rP|1\rO|1|T-0001\rR|1|^^^ESR|11|mm/h||||P\rR|2|^^^WBC|6|||||Z\rL|1|N\r";
    let said = of(&[message]).said.join("\n");
    assert!(said.contains("R.9 has `P`: LIS02 says preliminary"), "{said}");
    assert!(said.contains("R.9 has `Z`, which LIS02 does not know"), "{said}");
    assert!(!of(&[b"H|\\^&\rP|1\rO|1|T-0001\rR|1|^^^ESR|11|mm/h||||F\rL|1|N\r"]).toml.contains("[status]"));
}

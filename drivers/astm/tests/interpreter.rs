//! The interpreter: messages to items, as tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{COBAS, GENERIC, Message, XN, YUMIZEN, interpret, profile, records, variant};
use expect_test::{Expect, expect};
use orugate_driver::MessageEnd::{Complete, Incomplete};
use orugate_driver::{MessageEnd, Profile};

fn check(profile: &dyn Profile, text: &str, end: MessageEnd, expected: Expect) {
    expected.assert_eq(&interpret(&*profile.interpreter(), &records(text, end)).text);
}

fn generic(text: &str, end: MessageEnd, expected: Expect) {
    check(&*profile(GENERIC), text, end, expected);
}

fn example(toml: &str, n: usize, expected: Expect) {
    let profile = profile(toml);
    let text = profile.common().examples[n].input.clone();
    check(&*profile, &text, Complete, expected);
}

#[test]
fn sysmex() {
    example(
        XN,
        0,
        expect![[r#"
        sender XN-550|TT000001|00-24|None -
        patient ||T-PAT-1 ^TEST^PATIENT 19610615 F
        specimen [T-0001] O.4.3  None
         order XN-L|Blood count|99SYSMEX cancelled false
          WBC| = [8.13] 10*3/uL () N=N Final -..20261122093407 run:20261122093407 rep:1
          RBC| = [2.60] 10*6/uL () L=L Final -..20261122093407 run:20261122093407 rep:1
          HGB| = [8.0] g/dL () L=L Final -..20261122093407 run:20261122093407 rep:1
          PLT| = [99] 10*3/uL () W=? Final -..20261122093407 run:20261122093407 rep:1
          Anemia| = []  () A=? Final -..20261122093407 run:20261122093407
          SCAT_WDF| = [PNG\20261122\2026_11_22_09_34_07_WDF.PNG]  () N=N Final -..20261122093407 run:20261122093407
        end complete true
    "#]],
    );
    example(
        XN,
        1,
        expect![[r#"
            sender XN-550|TT000001|00-24|None -
            patient || ^^ - 
            specimen [QC-00000001] O.4.3  Some(ActionCode)
             order XN-L|Blood count|99SYSMEX cancelled false
              WBC| = [7.02] 10*3/uL () N=N Final -..20261122070112 run:20261122070112 rep:1
              RBC| = [4.41] 10*6/uL () N=N Final -..20261122070112 run:20261122070112 rep:1
            specimen [QC-00000001] O.4.3  Some(ProfileRule("the sample id begins with QC-"))
             order WBC||99SYSMEX cancelled false
              WBC| = [7.02] 10*3/uL () N=N Final -..20261122070212 run:20261122070212 rep:1
            specimen [BACKGROUNDCHECK] O.4.3  Some(ProfileRule("the sample id begins with BACKGROUNDCHECK"))
             order WBC||99SYSMEX cancelled false
              WBC| = [0.00] 10*3/uL () N=N Final -..20261122065500 run:20261122065500 rep:1
            specimen [XbarM] O.4.3  Some(ProfileRule("the sample id begins with XbarM"))
             order WBC||99SYSMEX cancelled false
              WBC| = [6.80] 10*3/uL () N=N Final -..20261122080000 run:20261122080000 rep:1
            end complete true
        "#]],
    );
    example(
        XN,
        2,
        expect![[r#"
        sender XN-550|TT000001|00-24|None -
        patient || ^^ - 
        specimen [T-0003] O.4.3  None
         order XN-L|Blood count|99SYSMEX cancelled false
          WBC| = [----] 10*3/uL () A=? Final -..20261122101500 run:20261122101500 rep:1 NOT REPORTABLE not-measured
          PLT| = [231] 10*3/uL () N=N Final -..20261122101500 run:20261122101500 rep:1
        end complete true
    "#]],
    );
}

#[test]
fn yumizen() {
    example(
        YUMIZEN,
        0,
        expect![[r#"
            sender H500|000TEST00001|2.2.0.5|None 20261122093331
            patient || ^^ - 
            specimen [T-0001] O.3.1 BLOOD None
             order DIF||99HORIBA cancelled false
               Order: NON_COMPLIANT_DATA^PLT^SEP_RBC_PLT\SUSPECTED_PATHOLOGY^^ANEMIA
            ! ManufacturerRecord 241..329 M
            ! ManufacturerRecord 330..429 M
              WBC|6690-2 = [6.31] 10E3/uL (3.50 - 10.00) N=N Final 20261122091558..20261122091558 by:PATHO run:20261122091558
              RBC|789-8 = [3.02] 10E6/uL (3.80 - 6.00) L=L Final 20261122091558..20261122091558 by:PATHO run:20261122091558
              PLT|777-3 = [-----] 10E3/uL (150 - 400)  NotDone 20261122091558..20261122091558 by:PATHO run:20261122091558 NOT REPORTABLE not-measured
            end complete true
        "#]],
    );
    example(
        YUMIZEN,
        1,
        expect![[r#"
            sender H500|000TEST00001|2.2.2.2b|Some(ProcessingId) 20261122070749
            patient || ^^ - 
            specimen [TX000N] O.3.1 CTRL Some(ProfileRule("O.16.1 is CTRL"))
             order DIF||99HORIBA cancelled false
               Order: CONTROL_FAILED^^PLT_ABOVE_TOLERANCE
              WBC|6690-2 = [8.30] 10E3/uL (7.30 - 9.30) N=N Final 20261122070631..20261122070631 by:TEST run:20261122070631
            end complete true
        "#]],
    );
    example(
        YUMIZEN,
        3,
        expect![[r#"
        ! BadHeader 3..4 H
        sender H550|000TEST00002|1.2.1.4|None 20261122100504
        patient || ^^ - 
        specimen [T-0002] O.3.1 BLOOD None
         order DIF||99HORIBA cancelled false
          ^^^MCV^787-2| = [78.4] um3 (73.5-83.5^REFERENCE_RANGE) N=? Final -..- DOUBT The header's delimiters cannot be told apart
        end complete true
    "#]],
    );
}

#[test]
fn cobas() {
    example(
        COBAS,
        0,
        expect![[r#"
        sender TESTLAB|||None 20261122093713
        patient || ^^ - 
        specimen [T 0001 A] O.4.1  None
         order COBAS|Clinical chemistry|99ROCHE cancelled false
          413| = [40.13] g/L () N=N Final -..20261122093700 by:$SYS$ run:20261122093700
        ! ManufacturerRecord 206..252 M
        end complete true
    "#]],
    );
    example(
        COBAS,
        1,
        expect![[r#"
        sender c311|||None -
        patient || ^^ - 
        specimen [T-0002] O.3.1 SC None
         order COBAS|Clinical chemistry|99ROCHE cancelled false
          685| = [22.4] U/l () A=? Final -..- at:P1
           Observation: 43
          687| = [15.0] U/l () N=N Final -..- at:P1
        end complete true
    "#]],
    );
    example(
        COBAS,
        2,
        expect![[r#"
        sender c311|||None -
        patient || ^^ - 
        specimen [T-0005] O.3.2 SC None
         order 685||99ROCHE cancelled false
          685| = [31.0] U/l () N=N Final -..- at:P1
        end complete true
    "#]],
    );
    example(
        COBAS,
        3,
        expect![[r#"
            sender cobas-e411|||None -
            patient || ^^ - 
            specimen [T-0003] O.3.1 SC None
             order COBAS|Clinical chemistry|99ROCHE cancelled false
              400| = [-1^0.313] COI () N=N Final -..- at:E1
              136| = [18.2] ng/ml (0.1-23.0) N=N Final -..- at:E1 rep:1/not
            specimen [PC U1] O.3.1 SC Some(ProfileRule("O.4.5 is QC"))
             order 136||99ROCHE cancelled false
              136| = [4.71] ng/ml () N=N Final -..- at:E1
            end complete true
        "#]],
    );
    example(
        COBAS,
        4,
        expect![[r#"
        sender c311|||None -
        query [T-0004]
        end complete true
    "#]],
    );
}

#[test]
fn several_messages_in_one() {
    generic(
        "H|\\^&\nP|1\nO|1|A||^^^X\nR|1|^^^X|1\nL|1\nH|@^!\nP|1\nO|1|B||^^^X\nR|1|^^^X|2!F!|||@H\nL|1\n",
        Complete,
        expect![[r#"
            sender |||None -
            patient || ^^ - 
            ! SampleIdFound 14..15 O.3
            specimen [A] O.3  None
             order X||99ASTM cancelled false
              X| = [1]  ()  Absent -..-
            sender |||None -
            patient || ^^ - 
            ! SampleIdFound 51..52 O.3
            specimen [B] O.3  None
             order X||99ASTM cancelled false
              X| = [2|]  () H=H Absent -..-
            end complete true
        "#]],
    );
}

#[test]
fn comments_go_to_what_they_stand_under() {
    generic(
        "H|\\^&\nC|1|I|of the message\nP|1\nC|1||of the patient\nO|1|A||^^^X\nC|1||of the order\nC|2||\nR|1|^^^X|1\nM|1|curve\nC|1||of the result\nL|1\n",
        Complete,
        expect![[r#"
            sender |||None -
               Message: of the message
            patient || ^^ - 
               Patient: of the patient
            ! SampleIdFound 55..56 O.3
            specimen [A] O.3  None
             order X||99ASTM cancelled false
               Order: of the order
              X| = [1]  ()  Absent -..-
            ! ManufacturerRecord 98..107 M
               Observation: of the result
            end complete true
        "#]],
    );
}

#[test]
fn trouble_is_said_and_no_result_vanishes() {
    // A result before any order, and one under another patient than the last order's.
    generic(
        "H|\\^&\nR|1|^^^X|1\nP|1\nO|1|A||^^^X\nR|1|^^^X|2\nP|2\nR|1|^^^X|3\nL|1\n",
        Complete,
        expect![[r#"
            sender |||None -
            ! ResultWithoutOrder 6..16 R
              X| = [1]  ()  Absent -..- DOUBT A result stands before any order
            patient || ^^ - 
            ! SampleIdFound 25..26 O.3
            specimen [A] O.3  None
             order X||99ASTM cancelled false
              X| = [2]  ()  Absent -..-
            patient || ^^ - 
            ! ResultWithoutOrder 48..58 R
              X| = [3]  ()  Absent -..- DOUBT A result stands before any order
            end complete true
        "#]],
    );
    // No header, no terminator, an order without a result, gaps, strange records, time stamps and characters.
    generic(
        "P|1\nO|1|A||^^^X\nO|3|B||^^^Y\nR|1|^^^Y|1|||||F||||2026112209300|20261122093099\nZ|1|what\nS|1\nR|2|^^^Y|\x072\n",
        Complete,
        expect![[r#"
            ! NoHeader 0..3 P
            sender |||None -
            patient || ^^ - 
            ! SampleIdFound 8..9 O.3
            specimen [A] O.3  None
             order X||99ASTM cancelled false
            ! SequenceGap 16..27 O
            ! OrderWithoutResult 4..15 X
            ! SampleIdFound 20..21 O.3
            specimen [B] O.3  None
             order Y||99ASTM cancelled false
            ! BadTime 48..61 R.13
              Y| = [1]  ()  Final -..- at:20261122093099 run:2026112209300
            ! UnknownRecord 77..85 Z
            ! ManufacturerRecord 86..89 S
            ! SequenceGap 90..101 R
            ! ControlCharacter 99..100 R
            ! ResultWithoutOrder 90..101 R
              Y| = [2]  ()  Absent -..- DOUBT A result stands before any order
            ! NoTerminator 102..102 
            end complete true
        "#]],
    );
    // Aborted; fields beyond the standard's; no code.
    generic(
        "H|\\^&\nP|1\nO|1|A\nR|1||7||||||||||||more\nL|1|T\n",
        Complete,
        expect![[r#"
            sender |||None -
            patient || ^^ - 
            ! SampleIdFound 14..15 O.3
            specimen [A] O.3  None
             order PANEL|Results of one order|99ASTM cancelled false
            ! ExtraFields 34..38 R
              | = [7]  ()  Absent -..- DOUBT The result has no test code where the profile looks for it. Correct `code` in the profile
            ! Aborted 39..44 L
            end complete false
        "#]],
    );
}

#[test]
fn a_cut_message_keeps_its_whole_records() {
    let text = "H|\\^&\nP|1\nO|1|A||^^^X\nR|1|^^^X|5.4\nR|2|^^^Y|12";
    generic(
        text,
        Incomplete,
        expect![[r#"
            sender |||None -
            patient || ^^ - 
            ! SampleIdFound 14..15 O.3
            specimen [A] O.3  None
             order X||99ASTM cancelled false
              X| = [5.4]  ()  Absent -..-
            ! CutRecord 35..46 R
              Y| = [12]  ()  Absent -..- DOUBT The transmission broke inside this result
            ! NoTerminator 46..46 
            end complete false
        "#]],
    );
    // The same bytes, said to be whole: the last record only lacks its CR.
    generic(
        text,
        Complete,
        expect![[r#"
            sender |||None -
            patient || ^^ - 
            ! SampleIdFound 14..15 O.3
            specimen [A] O.3  None
             order X||99ASTM cancelled false
              X| = [5.4]  ()  Absent -..-
              Y| = [12]  ()  Absent -..-
            ! NoTerminator 46..46 
            end complete true
        "#]],
    );
}

#[test]
fn a_header_that_cannot_be_read_holds_every_result() {
    generic(
        "H|\\\\^&\nP|1\nO|1|A^1||^^^X\nR|1| ^^^X^Y |1\\\\2&F&|g/L||N||F\nL|1\n",
        Complete,
        expect![[r#"
            ! BadHeader 3..4 H
            sender |||None -
            patient || ^^ - 
            ! SampleIdFound 15..16 O.3
            specimen [A] O.3  None
             order X||99ASTM cancelled false
              ^^^X^Y| = [1\\2&F&] g/L () N=? Final -..- DOUBT The header's delimiters cannot be told apart
            end complete true
        "#]],
    );
}

#[test]
fn statuses() {
    let mut text = String::from("H|\\^&\nP|1\nO|1|A||^^^X\n");
    for (n, status) in
        ["F", "P", "C", "X", "I", "S", "M", "R", "N", "Q", "V", "W", "", "f", "FX"].iter().enumerate()
    {
        text.push_str(&format!("R|{}|^^^X|{status}||||| {status} \n", n + 1));
    }
    text.push_str("L|1\n");
    let found = interpret(&*profile(GENERIC).interpreter(), &records(&text, Complete)).text;
    let found: Vec<_> = found
        .lines()
        .filter_map(|l| l.trim().strip_prefix("X| = ["))
        .map(|l| l.replace("]  () ", ">").replace(" -..-", ""))
        .collect();
    expect!["F> Final P> Preliminary C> Corrected X> NotDone I> Pending S> Preliminary M> Final R> Final N> RerunInformation Q> Final V> Final W> Questionable > Absent f> Unknown(102) FX> Unknown(70)"].assert_eq(&found.join(" "));

    // What a profile says of a letter, or of none, goes before.
    let toml = format!("{GENERIC}\n[status]\nR = \"preliminary\"\n\"\" = \"final\"\n");
    let found = interpret(&*profile(&toml).interpreter(), &records(&text, Complete)).text;
    assert!(found.contains("X| = [R]  ()  Preliminary") && found.contains("X| = []  ()  Final"), "{found}");
}

#[test]
fn the_sample_id_is_found_or_not_guessed() {
    let mut found = String::new();
    for (p, o3, o4) in [
        ("", "T-1^00^00", ""),
        ("", "", "^^                    27^M"),
        ("", "", "000123^02^     6550049260^B^"),
        ("", "", "T20 10134GA D28^^6"),
        ("", "", "0^50005^005^^S1^SC"),
        ("", "", "5"),
        ("", "", "^^5^M"),
        ("|TYPED", "", "660^0090"),
        ("|TYPED|3643", "", ""),
        ("|PATIENT", "T-1", ""),
        ("", "T-1", "^^   T-2^B"),
        ("", "T-1", "^^   T-1^B"),
        ("", "  007  ", ""),
        ("", "11625^CL-PL-24-0001         ^1^^004", ""),
        ("", "44444411^2^10", ""),
        ("", "123^4567", ""),
        ("", "^BC12345", "12"),
        ("", "S1\\S2", ""),
        ("", "", ""),
    ] {
        let text = format!("H|\\^&\nP|1{p}\nO|1|{o3}|{o4}|^^^X\nR|1|^^^X|1\nL|1\n");
        let dump = interpret(&*profile(GENERIC).interpreter(), &records(&text, Complete)).text;
        let lines: Vec<_> = dump
            .lines()
            .filter(|l| l.starts_with("specimen") || l.contains("SampleIdFound"))
            .map(|l| l.replace("! SampleIdFound ", "said ").replace("  None", ""))
            .collect();
        found.push_str(&format!("{p:12}|{o3:10}|{o4:30} -> {}\n", lines.join("; ")));
    }
    expect![[r#"
                    |T-1^00^00 |                               -> said 14..17 O.3; specimen [T-1] O.3
                    |          |^^                    27^M     -> said 37..39 O.4; specimen [27] O.4
                    |          |000123^02^     6550049260^B^   -> said 30..40 O.4; specimen [6550049260] O.4
                    |          |T20 10134GA D28^^6             -> said 15..30 O.4; specimen [T20 10134GA D28] O.4
                    |          |0^50005^005^^S1^SC             -> specimen [] 
                    |          |5                              -> specimen [] 
                    |          |^^5^M                          -> specimen [] 
        |TYPED      |          |660^0090                       -> said 10..15 P.3; specimen [TYPED] P.3
        |TYPED|3643 |          |                               -> specimen [] 
        |PATIENT    |T-1       |                               -> said 22..25 O.3; specimen [T-1] O.3
                    |T-1       |^^   T-2^B                     -> said 23..26 O.4 differs; said 14..17 O.3; specimen [T-1] O.3
                    |T-1       |^^   T-1^B                     -> said 14..17 O.3; specimen [T-1] O.3
                    |  007     |                               -> said 16..19 O.3; specimen [007] O.3
                    |11625^CL-PL-24-0001         ^1^^004|                               -> said 20..33 O.3; specimen [CL-PL-24-0001] O.3
                    |44444411^2^10|                               -> said 14..22 O.3; specimen [44444411] O.3
                    |123^4567  |                               -> specimen [] 
                    |^BC12345  |12                             -> said 15..22 O.3; specimen [BC12345] O.3
                    |S1\S2     |                               -> specimen [] 
                    |          |                               -> specimen [] 
    "#]].assert_eq(&found);
}

#[test]
fn values_are_copied_as_they_are_but_for_a_declared_comma() {
    let comma = profile(&GENERIC.replace("[run]", "[value]\ndecimal_comma = true\n\n[run]"));
    let text = "H|\\^&\nP|1\nO|1|A||^^^X\nR|1|^^^X| 5,40 \nR|2|^^^X|1,234,567\nR|3|^^^X|,5\nR|4|^^^X|pos, weak\nR|5|^^^X|<0,1\nL|1\n";
    check(
        &*comma,
        text,
        Complete,
        expect![[r#"
            sender |||None -
            patient || ^^ - 
            ! SampleIdFound 14..15 O.3
            specimen [A] O.3  None
             order X||99ASTM cancelled false
              X| = [5.40]  ()  Absent -..-
              X| = [1,234,567]  ()  Absent -..-
              X| = [,5]  ()  Absent -..-
              X| = [pos, weak]  ()  Absent -..-
              X| = [<0.1]  ()  Absent -..-
            end complete true
        "#]],
    );
}

#[test]
fn queries() {
    let mut found = String::new();
    for q in [
        "Q|1|^1068687||ALL||||||||O",
        "Q|1|ALL||ALL",
        "Q|1|^A\\^B",
        "Q|1|",
        "Q|1|PAT^S-1",
        "Q|1|^S-1||||||||||A",
    ] {
        let text = format!("H|\\^&\n{q}\nL|1\n");
        let dump = interpret(&*profile(GENERIC).interpreter(), &records(&text, Complete)).text;
        let lines: Vec<_> = dump.lines().filter(|l| l.starts_with("query")).collect();
        found.push_str(&format!("{q} -> {}\n", lines.join(", ")));
    }
    expect![[r#"
        Q|1|^1068687||ALL||||||||O -> query [1068687]
        Q|1|ALL||ALL -> query []
        Q|1|^A\^B -> query [A], query [B]
        Q|1| -> query []
        Q|1|PAT^S-1 -> query [S-1]
        Q|1|^S-1||||||||||A -> 
    "#]]
    .assert_eq(&found);
}

#[test]
fn nothing_is_a_message_too() {
    generic(
        "",
        Complete,
        expect![[r#"
        end complete true
    "#]],
    );
    let chunks = vec![b"\x04".to_vec()];
    let only_eot = Message { chunks, end: Some(Complete) };
    assert_eq!(interpret(&*profile(GENERIC).interpreter(), &only_eot).text, "end complete true\n");
}

#[test]
fn a_result_behind_junk_is_held_not_lost() {
    let text = "H|\\^&\nP|1\nO|1|T-1||^^^X\n\0R|1|^^^X|1\n  R|2|^^^Y|2\n\0M|1\nR|3|^^^Z|3\nL|1\n";
    let dump = interpret(&*profile(GENERIC).interpreter(), &records(text, Complete)).text;
    let results: Vec<_> = dump.lines().filter(|l| l.contains(" = [")).map(str::trim).collect();
    assert_eq!(results.len(), 3, "{dump}");
    for (line, test) in results.iter().zip(["^^^X| = []", "^^^Y| = []"]) {
        assert!(line.starts_with(test) && line.contains("DOUBT Bytes that do not belong"), "{line}");
    }
    assert!(results[2].starts_with("Z| = [3]") && !results[2].contains("DOUBT"), "{dump}");
}

#[test]
fn results_behind_an_order_that_noise_has_hit_are_held_until_the_next_header() {
    let plain = "H|\\^&\nP|1\nO|1|T-1||^^^X\nR|1|^^^X|1\nO|2|T-2||^^^Y\nR|1|^^^Y|2\nL|1\nH|\\^&\nP|1\nO|1|T-3||^^^Z\nR|1|^^^Z|3\nL|1\n";
    // What is hit, by what, and which results are then held. A NUL adds nothing to a frame's checksum.
    let rows = [
        ("O|2|", "\0O|2|", "Y"),
        ("O|2|", "\0|2|", "Y"),
        ("O|2|T-2", "O|2|T\0-2", "Y"),
        ("R|1|^^^Y|2", "R|1|^^^Y|\x002", "Y"),
        ("P|1\nO|1|T-1", "P\0|1\nO|1|T-1", "XY"),
        ("H|\\^&\nP|1\nO|1|T-3", "H|\\^&|\0\nP|1\nO|1|T-3", "Z"),
        ("L|1\nH", "L|1\n\0\nH", ""),
        ("R|1|^^^Y", "C|1|I|a\0b\nR|1|^^^Y", ""),
        ("R|1|^^^Y", "X|1|vendor\nR|1|^^^Y", ""),
    ];
    for (what, by, held) in rows {
        let text = plain.replacen(what, by, 1);
        assert_ne!(text, plain, "{what}");
        let dump = interpret(&*profile(GENERIC).interpreter(), &records(&text, Complete)).text;
        for test in ["X", "Y", "Z"] {
            let line = dump.lines().find(|l| l.trim().starts_with(test) && l.contains(" = ["));
            let doubted = line.is_some_and(|line| line.contains("DOUBT"));
            assert!(line.is_some(), "{by:?} {test} {dump}");
            assert_eq!(doubted, held.contains(test), "{by:?} {test} {dump}");
        }
    }
}

/// On a line without checksums noise may make any byte of any other: what cannot be right any more is held, and with it
/// what stands behind.
#[test]
fn noise_in_bare_records_is_held_where_it_can_be_told() {
    let plain = "H|\\^&\nP|1\nO|1|T-1||^^^X\nR|1|^^^X|1|g||N||F\nR|2|^^^Y|2|g||N||F\nL|1\n";
    // What is hit, by what, and which of both results are then held.
    let rows = [
        ("R|1", "R\x7f|1", "XY"),
        ("R|1", "S|1", "XY"),
        ("R|1", "R1", "XY"),
        ("R|1|", "R}1|", "XY"),
        ("R|1|^^^X|1", "R|1|^^^X|\x061", "X"),
        ("O|1|T", "O|1|\x06T", "XY"),
        ("O|1|T", "N|1|T", "XY"),
        ("H|\\^&", "H}\\^&", "XY"),
        ("L|1", "\x06L|1", ""),
    ];
    let profile = variant("framing = \"records\"", "");
    for (what, by, held) in rows {
        let text = plain.replacen(what, by, 1);
        assert_ne!(text, plain, "{what}");
        let dump = interpret(&*profile.interpreter(), &records(&text, Complete)).text;
        for test in ["X", "Y"] {
            let line = dump.lines().find(|l| {
                let l = l.trim();
                (l.starts_with(test) || l.starts_with(&format!("^^^{test}"))) && l.contains(" = [")
            });
            let doubted = line.is_some_and(|line| line.contains("DOUBT"));
            assert!(line.is_some(), "{by:?} {test} {dump}");
            assert_eq!(doubted, held.contains(test), "{by:?} {test} {dump}");
        }
    }
}

#[test]
fn an_order_with_a_remark_and_no_result_waits_for_a_person() {
    let orders = "O|1|A||^^^X\nC|1|I|\nO|2|B||^^^Y\nC|1|I|clot in the tube\nO|3|D||^^^W\nC|1|L|as ordered\nO|4|C||^^^Z\nC|1|I|fine\nR|1|^^^Z|3\n";
    let dump = interpret(
        &*profile(GENERIC).interpreter(),
        &records(&format!("H|\\^&\nP|1\n{orders}L|1\n"), Complete),
    );
    let results: Vec<_> = dump.text.lines().filter(|l| l.contains(" = [")).map(str::trim).collect();
    assert_eq!(results.len(), 2, "{}", dump.text);
    assert!(results[0].starts_with("Y| = []"), "{}", dump.text);
    assert!(results[0].contains("DOUBT The instrument sent a remark on this order"), "{}", dump.text);
    assert!(results[1].starts_with("Z| = [3]") && !results[1].contains("DOUBT"), "{}", dump.text);
    assert_eq!(dump.text.matches("OrderWithoutResult").count(), 3, "{}", dump.text);
}

#[test]
fn the_whole_records_of_a_message_say_which_of_two_charsets_it_is_in() {
    let toml = GENERIC.replacen("\"ascii\"", "\"utf-8\"\ncharset_fallback = \"latin-1\"", 1);
    let profile = profile(&toml);
    for (comment, tail, end, read) in [
        (&b"p\xC3\xA9rim\xC3\xA9"[..], &b"L|1\n"[..], Complete, "périmé"),
        (b"p\xE9rim\xE9", b"L|1\n", Complete, "périmé"),
        // One byte of Latin-1 in another record: nothing of the message is UTF-8 then.
        (b"p\xC3\xA9rim\xC3\xA9", b"C|2||\xB5\nL|1\n", Complete, "pÃ©rimÃ©"),
        // Cut inside a character: the records before are whole and say it.
        (b"p\xC3\xA9rim\xC3\xA9", b"C|2||\xC3", Incomplete, "périmé"),
    ] {
        let text = [b"H|\\^&\rP|1\rO|1|A||^^^X\rR|1|^^^X|1\rC|1||", comment, b"\r", tail].concat();
        let message = Message { chunks: vec![text], end: Some(end) };
        let dump = interpret(&*profile.interpreter(), &message).text;
        assert!(dump.contains(&format!("Observation: {read}")), "{dump}");
    }
}

#[test]
fn a_place_may_name_a_repeat() {
    for (place, time) in
        [("R.13", "20261122"), ("R.13[2]", "20261123"), ("R.13[last]", "20261124"), ("R.13[4]", "")]
    {
        let profile = profile(&format!("{GENERIC}\n[time]\ncompleted = \"{place}\"\n"));
        let text = "H|\\^&\nP|1\nO|1|A||^^^X\nR|1|^^^X|1|||||||||20261122\\20261123\\20261124\nL|1\n";
        let dump = interpret(&*profile.interpreter(), &records(text, Complete)).text;
        let line = dump.lines().find(|l| l.contains("X| = [1]")).unwrap();
        assert!(
            line.contains(&format!("-..{}", if time.is_empty() { "- " } else { time })),
            "{place}: {dump}"
        );
    }
}

const MARKED: &str = r#"name = "x"
driver = "astm"
title = "X"
evidence = "manual"
charset = "ascii"
coding_system = "99X"
[sample]
id = ["O.3"]
[qc]
comments = ["CALIBRATION"]
[[qc.mark]]
place = "H.12"
is = ["QR", "CR"]
[[qc.mark]]
place = "O.4.5"
is = ["QC"]
begins = ["CAL-"]
[[qc.mark]]
place = "P.6.1"
is = ["CONTROL"]
[result]
range = "R.7"
low_high = true
flags = "R.8"
nature = "R.9"
status = "R.10"
"#;

/// One order with one result in the places of `MARKED`.
fn marked(header: &str, patient: &str, instrument_id: &str, below: &str) -> String {
    let text = format!(
        "H|\\^&|||X|||||||{header}|1\rP|1||||{patient}\rO|1|T-0001|{instrument_id}|^^^GLU\r{below}R|1|^^^GLU|5.4|mmol/L||3.9^6.1|H||F\rL|1|N\r"
    );
    interpret(&*profile(MARKED).interpreter(), &records(&text, Complete)).text
}

#[test]
fn a_mark_of_the_profile_says_which_it_is() {
    for (text, clause) in [
        (marked("QR", "", "", ""), "Some(ProfileRule(\"H.12 is QR\"))"),
        (marked("PR", "", "1^5^1^^QC^SC", ""), "Some(ProfileRule(\"O.4.5 is QC\"))"),
        (marked("PR", "", "1^5^1^^CAL-3^SC", ""), "Some(ProfileRule(\"O.4.5 begins with CAL-\"))"),
        (marked("PR", "CONTROL^2", "", ""), "Some(ProfileRule(\"P.6.1 is CONTROL\"))"),
        (marked("PR", "", "", "C|1|I|CALIBRATION|G\r"), "Some(ProfileRule(\"a comment is CALIBRATION\"))"),
    ] {
        assert!(text.contains(clause), "{clause}:\n{text}");
    }
    // The comment may stand below a result, but not below another order.
    let below = "R|1|^^^NA|140|mmol/L\rC|1|I|CALIBRATION|G\r";
    assert!(marked("PR", "", "", below).contains("a comment is"));
    let other = "R|1|^^^NA|140|mmol/L\rO|2|T-0002||^^^K\rC|1|I|CALIBRATION|G\r";
    assert_eq!(marked("PR", "", "", other).matches("a comment is").count(), 1);
    for patients in
        [marked("PR", "CONTROLE", "1^5^1^^S1^SC", "C|1|I|No CALIBRATION|G\r"), marked("P", "", "QC", "")]
    {
        assert!(!patients.contains("ProfileRule"), "{patients}");
    }
}

#[test]
fn a_result_whose_fields_are_elsewhere() {
    let text = marked("PR", "", "", "");
    assert!(text.contains("GLU| = [5.4] mmol/L (3.9-6.1) H=H Final"), "{text}");
    let open = text_of("R|1|^^^GLU|5.4|mmol/L||^6.1|H||C");
    assert!(open.contains("(^6.1) H=H Corrected"), "{open}");
    let two = text_of("R|1|^^^GLU|5.4|mmol/L||1^2\\3^4|H||F");
    assert!(two.contains("(1^2\\3^4)"), "{two}");
    // By the standard's places: R.7 is a flag there.
    let standard = MARKED.split("[result]").next().unwrap();
    let standard = interpret(
        &*profile(standard).interpreter(),
        &records("H|\\^&\rP|1\rO|1|T-0001\rR|1|^^^GLU|5.4|mmol/L|3.9^6.1|H||F\rL|1|N\r", Complete),
    );
    assert!(standard.text.contains("(3.9^6.1) H=H Final"), "{}", standard.text);
}

/// One result record in the places of `MARKED`.
fn text_of(result: &str) -> String {
    let text = format!("H|\\^&|||X\rP|1\rO|1|T-0001||^^^GLU\r{result}\rL|1|N\r");
    interpret(&*profile(MARKED).interpreter(), &records(&text, Complete)).text
}

/// What the generic profile makes of these records below a header.
fn made_of(below: &str) -> String {
    let text = format!("H|\\^&|||X\rP|1\r{below}L|1\r");
    interpret(&*profile(GENERIC).interpreter(), &records(&text, Complete)).text
}

#[test]
fn a_control_is_one_of_several_codes() {
    for code in ["Q", "X\\Q", "N\\ Q "] {
        let made = made_of(&format!("O|1|PC1||^^^A|||||||{code}\rR|1|^^^A|1\r"));
        assert!(made.contains("Some(ActionCode)"), "{code}: {made}");
    }
    let made = made_of("O|1|PC1||^^^A|||||||X\\QX\rR|1|^^^A|1\r");
    assert!(made.contains("specimen [PC1] O.3  None"), "{made}");
    let header = interpret(
        &*profile(GENERIC).interpreter(),
        &records("H|\\^&|||X|||||||P\\Q\rP|1\rO|1|A1||^^^A\rR|1|^^^A|1\rL|1\r", Complete),
    );
    assert!(header.text.contains("Some(ProcessingId)"), "{}", header.text);
}

#[test]
fn what_looks_like_a_control_waits_where_nothing_says_that_it_is_one() {
    let of = |id: &str| made_of(&format!("O|1|{id}||^^^A\rR|1|^^^A|1\r"));
    for id in ["QC1234567", "Control 2", "KONTROLLE", "level1", "CTRL-N", "Blank"] {
        assert!(of(id).contains("SUSPECT"), "{id}: {}", of(id));
    }
    // A molecular analyzer's controls are named after the assay.
    for id in ["HIV_NEG", "HCV_LOPOS", "hbv-hipos", "Assay 7 pos", "NEG", "24-1188-QC", "GLU.Control"] {
        assert!(of(id).contains("SUSPECT"), "{id}: {}", of(id));
    }
    for id in ["SNEG", "T-0001-NEGRI", "1188QC", "\u{fc}NEG", "POS-1", "NEG_7"] {
        assert!(!of(id).contains("SUSPECT"), "{id}: {}", of(id));
    }
    for id in ["T-0001", "Q1234567", "1QC234567", "LEVE1"] {
        assert!(!of(id).contains("SUSPECT"), "{id}: {}", of(id));
    }
    let called = |patient: &str| {
        let text = format!("H|\\^&|||X\rP|1|{patient}\rO|1|T1||^^^A\rR|1|^^^A|1\rL|1\r");
        interpret(&*profile(GENERIC).interpreter(), &records(&text, Complete)).text
    };
    for patient in ["QC_LEVEL_1", "|Lyphochek 2", "|||QC2^^", "|||^Control 1"] {
        assert!(called(patient).contains("SUSPECT"), "{patient}: {}", called(patient));
    }
    for patient in ["1234", "|||Blank^Jan", "|||Controlli^Ada", "|||QCARLSON^"] {
        assert!(!called(patient).contains("SUSPECT"), "{patient}: {}", called(patient));
    }
    // The material may say it where the id does not.
    let made_from = |kind: &str| made_of(&format!("O|1|T-0001||^^^A|R||||||N||||{kind}\rR|1|^^^A|1\r"));
    for kind in ["Control", "QC^low", "CTRL 1", "calibrator"] {
        assert!(made_from(kind).contains("SUSPECT"), "{kind}: {}", made_from(kind));
    }
    for kind in ["Serum", "Controlled urine", "Qcard", ""] {
        assert!(!made_from(kind).contains("SUSPECT"), "{kind}: {}", made_from(kind));
    }
    // Evidence is more than a look, and a site may say what its patients' ids begin with.
    assert!(of("QC-1").contains("Some(ProfileRule"), "{}", of("QC-1"));
    let own = |suspects: &str| {
        let qc = format!("proof = \"unproven\"\nsuspects = {suspects}");
        let profile = profile(&GENERIC.replace("proof = \"unproven\"", &qc));
        let text = "H|\\^&|||X\rP|1\rO|1|QC1234567||^^^A\rR|1|^^^A|1\rL|1\r";
        interpret(&*profile.interpreter(), &records(text, Complete)).text
    };
    assert!(!own("[]").contains("SUSPECT") && !own("[\"QC12345678\"]").contains("SUSPECT"), "{}", own("[]"));
    assert!(own("[\"qc12\"]").contains("SUSPECT"), "{}", own("[\"qc12\"]"));
}

#[test]
fn an_end_of_the_sample_id_marks_a_control_where_the_profile_says_so() {
    let marked =
        GENERIC.replace("proof = \"unproven\"", "proof = \"manual\"\nsample_suffixes = [\"_LOPOS\"]");
    let of = |id: &str| {
        let text = format!("H|\\^&|||X\rP|1\rO|1|{id}||^^^A\rR|1|^^^A|1\rL|1\r");
        interpret(&*profile(&marked).interpreter(), &records(&text, Complete)).text
    };
    let evidence = "Some(ProfileRule(\"the sample id ends with _LOPOS\"))";
    assert!(of("XYZ_LOPOS").contains(evidence), "{}", of("XYZ_LOPOS"));
    for id in ["XYZ_LOPOS1", "LOPOS", "XYZ_lopos"] {
        assert!(!of(id).contains("ProfileRule"), "{id}: {}", of(id));
    }
}

#[test]
fn results_with_one_code_are_told_apart_by_the_words_in_which_they_differ() {
    let codes = |results: &[&str]| -> Vec<String> {
        let results: String = results.iter().map(|test| format!("R|1|{test}|1\r")).collect();
        let made = made_of(&format!("O|1|T1||^^^A\r{results}"));
        made.lines()
            .filter_map(|line| line.split_once(" = ["))
            .map(|(code, _)| code.trim().to_owned())
            .collect()
    };
    assert_eq!(codes(&["^^^A^DOSE", "^^^A^RLU", "^^^B^DOSE"]), ["A/DOSE|", "A/RLU|", "B|"]);
    // One that lacks what another has is the plain one.
    assert_eq!(codes(&["^^^A", "^^^A^^^^Ct", "^^^A^x^^^Ct"]), ["A|", "A/Ct|", "A/x/Ct|"]);
    // A number may be a replicate: OBX-4 tells these apart.
    assert_eq!(codes(&["^^^A^1", "^^^A^2", "^^^A^2.5"]), ["A|", "A|", "A|"]);
    // The universal code first; what is behind it may be the same for all.
    assert_eq!(codes(&["CREA^CRE^^F", "UREA^UREA^^F", "UREA^UREA^^I"]), ["CREA|", "UREA/F|", "UREA/I|"]);
    // The same test twice is no reason.
    assert_eq!(codes(&["^^^A^x", "^^^A^x"]), ["A|", "A|"]);
}

#[test]
fn numbers_of_the_instrument_are_no_sample_id_beside_one() {
    let unclear = made_of("O|1|114^1^18|8689560|^^^A\rR|1|^^^A|1\r");
    assert!(unclear.contains("SampleIdUnclear") && unclear.contains("specimen [] "), "{unclear}");
    for (fields, id) in [("44444411^2^10|0007", "44444411"), ("114^1^18|2^3", "114"), ("17|8689560", "17")] {
        let made = made_of(&format!("O|1|{fields}|^^^A\rR|1|^^^A|1\r"));
        assert!(made.contains(&format!("specimen [{id}] O.3")), "{made}");
    }
}

#[test]
fn parts_one_field_further_are_no_flags_and_no_status() {
    let of = |result: &str| made_of(&format!("O|1|T1||^^^A\rR|1|^^^A|1|g/L|{result}\r"));
    for shifted in ["|3 to 11|H||F||OP||20261122082826|SN1", "|3 to 11|H||||OP||20261122082826|01"] {
        assert!(of(shifted).contains("DOUBT The parts of this result stand"), "{}", of(shifted));
    }
    for plain in [
        "3 to 11|H||F||OP||20261122082826|SN1|1",
        "3 to 11|H||F||OP||20261122082826|20261122082826|x",
        "|||||||||1|x",
    ] {
        assert!(!of(plain).contains("DOUBT"), "{}", of(plain));
    }
}

/// An analyzer that leaves an empty unit out with its delimiter: the flag stands where the range is.
#[test]
fn parts_one_field_nearer_are_no_range_and_no_flags() {
    let of = |result: &str| made_of(&format!("O|1|T1||^^^A\rR|1|^^^A|7.10|{result}\r"));
    for short in ["|LL||F", "Cel|||X||OP|20261122082826", "mmol/L|3 to 11|H|C||||20261122082826"] {
        assert!(
            of(short).contains("DOUBT The status of this result stands one field before"),
            "{}",
            of(short)
        );
    }
    for plain in ["||LL||F", "Cel|||A", "mmol/L|3 to 11|H|N|F", "mmol/L|3 to 11|H|F|F", "||||"] {
        assert!(!of(plain).contains("DOUBT"), "{plain}: {}", of(plain));
    }
}

#[test]
fn flags_may_stand_beside_the_value() {
    let beside = "[value]\ncomponents = [1]\n\n[result]\nflags = \"R.4.2\"\n\n[run]";
    let dxh = profile(&GENERIC.replace("[run]", beside));
    let made = interpret(
        &*dxh.interpreter(),
        &records("H|\\^&|||X\rP|1\rO|1|T1||^^^A\rR|1|^^^A|146^  H |g/L||N\rR|2|^^^B|7\rL|1\r", Complete),
    );
    assert!(made.text.contains("[146] g/L () H=H") && made.text.contains("[7]  () "), "{}", made.text);
}

#[test]
fn an_escape_before_a_delimiter_is_no_end_of_a_field() {
    let of = |order: &str, result: &str| made_of(&format!("O|1|T1||{order}\rR|1|^^^A|1|{result}\r"));
    assert!(
        of("^^^A", "g&|dl||N||F").contains("DOUBT The escape character of this message (mostly &) stands"),
        "{}",
        of("^^^A", "g&|dl||N||F")
    );
    assert!(
        of("^^^A|R|||||&|x", "g/l").contains("DOUBT Bytes that do not belong"),
        "{}",
        of("^^^A|R|||||&|x", "g/l")
    );
    for plain in ["g&F&|", "&S&|N", "a&b|N", "&S&a&R&|N"] {
        assert!(!of("^^^A", plain).contains("DOUBT"), "{plain}: {}", of("^^^A", plain));
    }
    // In a header it may hide the mark of a control, in a patient a number; the one that H.2 declares hides nothing.
    let above = |header: &str, patient: &str| {
        let text = format!("H|\\^&|||{header}\rP|1|{patient}\rO|1|T1||^^^A\rR|1|^^^A|1\rL|1\r");
        interpret(&*profile(GENERIC).interpreter(), &records(&text, Complete)).text
    };
    for (header, patient) in [("M&|1|||||||QR", ""), ("X", "A&|B|C")] {
        assert!(
            above(header, patient).contains("DOUBT Bytes that do not belong"),
            "{}",
            above(header, patient)
        );
    }
    assert!(!above("M&F&1|||||||P", "A&B|C").contains("DOUBT"), "{}", above("M&F&1|||||||P", "A&B|C"));
}

#[test]
fn an_order_of_controls_without_results_is_counted() {
    let text = "H|\\^&|||X|||||||QR\rP|1\rO|1|||P^P|||||||2^Level 2^0594^20270201^8.77^M^0.43^5.56\rL|1\r";
    let made = interpret(&*profile(GENERIC).interpreter(), &records(text, Complete)).text;
    assert!(made.contains("Some(ProfileRule(\"H.12 is QR\"))") && made.contains("P| = []"), "{made}");
}

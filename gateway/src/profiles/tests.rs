//! A site's files in, profiles or sentences out.

use super::*;
use expect_test::{Expect, expect};
use orugate_drivers::SHIPPED;

const WHOLE: &str = r#"name = "ours"
driver = "astm"
title = "Ours"
evidence = "described"
charset = "ascii"
coding_system = "99OURS"
[sample]
id = ["O.3"]
[code]
id = 4
"#;

const CHANGE: &str = r#"extends = "sysmex-xn-l"
name = "haematology-east"
title = "XN-550 with ids in O.3"
evidence = "described"
[sample]
id = ["O.3"]
"#;

fn shelf(texts: &[&str]) -> Shelf {
    let name = |n: usize| PathBuf::from(format!("profiles.d/{}.toml", ["a", "b", "c"][n]));
    Shelf::new(&SHIPPED, texts.iter().enumerate().map(|(n, text)| (name(n), (*text).to_owned())).collect())
}

fn check(texts: &[&str], expected: Expect) {
    let shelf = shelf(texts);
    let mut lines: Vec<String> = shelf.mistakes().map(ToString::to_string).collect();
    lines.extend(shelf.site().map(|(_, site)| format!("{} is good", site.common().name)));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let wrong =
        WHOLE.replace("charset = \"ascii\"", "charset = \"acsii\"").replace("99OURS", "OURS").replace(
            "[code]\nid = 4",
            "[code]\nidd = 4\nname = 0\n[[flag]]\nhl7 = \"H\"\n[link]\nreceive = 5\n[typo]",
        );
    check(
        &[&wrong],
        expect![[r#"
            profiles.d/a.toml:5: charset: `acsii` is no charset that is known here; write one of US-ASCII, ISO-8859-1, UTF-8, ISO-8859-2, ISO-8859-3, ISO-8859-4, ISO-8859-5, ISO-8859-6, ISO-8859-7, ISO-8859-8, ISO-8859-9, ISO-8859-10, ISO-8859-11, ISO-8859-13, ISO-8859-14, ISO-8859-15, ISO-8859-16, windows-874, windows-1250, windows-1251, windows-1252, windows-1253, windows-1254, windows-1255, windows-1256, windows-1257, windows-1258, KOI8-R, KOI8-U, GB18030, Big5, Shift_JIS, EUC-JP, EUC-KR (GB18030 reads GBK and GB2312 too)
            profiles.d/a.toml:6: coding_system: `OURS` is no local coding system; it is 99 and one to ten letters or digits
            profiles.d/a.toml:10: code.idd: unknown key; allowed are id, or, or_first, name, loinc, replicate, ends_at, split, part, apart, undiluted; did you mean "id"?
            profiles.d/a.toml:11: code.name: 0 is no component; components count from 1 to 99
            profiles.d/a.toml:12: flag[0]: code is missing here
            profiles.d/a.toml:15: link.receive: integer 5 stands here; allowed is text in quotes
            profiles.d/a.toml:16: typo: unknown key; allowed are name, driver, title, evidence, example, charset, charset_fallback, coding_system, framing, ack, operator, verifier, device, no_terminator, flag_separator, absent, link, sample, code, panel, result, value, not_reportable, flag, unit, note, isolate, time, run, sender, qc, status, comment, query, known"#]],
    );
    let lacking = "name = \"x\"\ndriver = \"astm\"\ntypo = 1\n";
    check(
        &[lacking],
        expect![[r#"
            profiles.d/a.toml:1: title: is missing: What it is for, one line
            profiles.d/a.toml:1: evidence: is missing: How far it is proven
            profiles.d/a.toml:1: charset: is missing: How bytes become characters
            profiles.d/a.toml:1: coding_system: is missing: The coding system of the vendor's codes in HL7, `99` and up to ten letters or digits: `99SYSMEX`
            profiles.d/a.toml:1: sample: is missing: Where the sample id is
            profiles.d/a.toml:3: typo: unknown key; allowed are name, driver, title, evidence, example, charset, charset_fallback, coding_system, framing, ack, operator, verifier, device, no_terminator, flag_separator, absent, link, sample, code, panel, result, value, not_reportable, flag, unit, note, isolate, time, run, sender, qc, status, comment, query, known"#]],
    );
    check(
        &["name = \"x\"\ndriver = \"telex\"\ntitle = \"\"\nevidence = \"proven\"\n"],
        expect![[
            r#"profiles.d/a.toml:2: driver: there is no driver "telex"; allowed are astm, dri, hl7, intellivue, lines, medibus"#
        ]],
    );
    check(
        &["name = \n", WHOLE],
        expect![[r#"
        profiles.d/a.toml:1: not TOML: string values must be quoted, expected literal string
        ours is good"#]],
    );
    check(
        &[&WHOLE.replace("id = [\"O.3\"]", "id = []\nwhen = 3")],
        expect![[r#"
        profiles.d/a.toml:8: sample.id: sample.id names no place; without one every result would be held
        profiles.d/a.toml:9: sample.when: integer 3 stands here; allowed is a list in brackets [ ]"#]],
    );
}

#[test]
fn a_change_says_only_what_differs() {
    let shelf = shelf(&[CHANGE]);
    assert_eq!(shelf.mistakes().count(), 0, "{}", said(&shelf.mistakes().cloned().collect::<Vec<_>>()));
    let site = shelf.by_name("haematology-east").unwrap();
    let effective: toml::Table = site.effective.parse().unwrap();
    assert_eq!(effective["sample"]["id"][0].as_str(), Some("O.3"));
    assert_eq!(effective["code"]["id"].as_integer(), Some(5), "the base's");
    assert_eq!(effective["flag"].as_array().unwrap().len(), 2, "the base's");
    assert!(!effective.contains_key("example") && !effective.contains_key("extends"));
    assert!(Profiles::names(&shelf).contains(&"haematology-east".to_owned()));
}

#[test]
fn mistakes_of_a_change_are_told_in_its_own_file() {
    let typo = format!("{CHANGE}idd = 1\n[code]\nid = \"4\"\n");
    check(
        &[&typo],
        expect![[r#"
            profiles.d/a.toml:7: sample.idd: unknown key; allowed are id, when, search, none_prefixes; did you mean "id"?
            profiles.d/a.toml:9: code.id: string "4" stands here; allowed is a whole number without quotes"#]],
    );
    check(
        &[&CHANGE.replace("evidence = \"described\"\n", "")],
        expect![
            "profiles.d/a.toml:1: evidence: is missing: How far it is proven; a change is proven for itself, so a file with extends says its own name, title and evidence"
        ],
    );
    check(
        &[&CHANGE.replace("sysmex-xn-l", "sysmex")],
        expect![[
            r#"profiles.d/a.toml:1: extends: there is no profile "sysmex"; allowed are abbott-afinion, abbott-alinity, abbott-architect, abbott-m2000, arkray-spotchem-el, bd-epicenter, beckman-access, beckman-dxh, biorad-ih, cepheid-genexpert, cepheid-genexpert-hl7, draeger-evita, draeger-infinity-v500, draeger-medibus, draeger-primus-apollo, draeger-savina, erba-xl, euroimmun-analyzer, ge-dri, generic-astm, hl7-oul-r22, hl7-pcd01, hologic-panther, horiba-abx-micros, horiba-pentra, horiba-pentra-400, horiba-yumizen, immucor-echo, maccura-i, masimo-ascii1, mindray-bc, mindray-benevision, mindray-bs, mindray-bs-hl7, mindray-cl, nellcor-n395, nihon-kohden-hl7, nonin-ascii, ortho-vitros, philips-hl7, philips-intellivue, philips-intellivue-mib, puritan-bennett-840, radiometer-abl80, radiometer-aqt90, roche-cobas-c, roche-cobas-modular, roche-cobas-u411, roche-cobas-x800-hl7, siemens-centaur, siemens-dca-vantage, siemens-immulite, snibe-maglumi, sysmex-cs, sysmex-un, sysmex-xn-l, sysmex-xp, thermo-indiko, werfen-acl-top and those of the site that extend none"#
        ]],
    );
    check(
        &[&CHANGE.replace("\"sysmex-xn-l\"", "3")],
        expect![[
            r#"profiles.d/a.toml:1: extends: is the name of a profile, such as "sysmex-xn-l", in quotes"#
        ]],
    );
    check(
        &[&CHANGE.replace("haematology-east", "sysmex-xn-l")],
        expect![[
            r#"profiles.d/a.toml:2: name: "sysmex-xn-l" is a shipped profile; give this one another name, and extends = "sysmex-xn-l" if it changes it"#
        ]],
    );
    check(
        &[WHOLE, WHOLE],
        expect![[r#"
        profiles.d/a.toml:1: name: "ours" is also the name of profiles.d/b.toml
        profiles.d/b.toml:1: name: "ours" is also the name of profiles.d/a.toml"#]],
    );
    // One level, among the site's own too.
    let second = CHANGE.replace("sysmex-xn-l", "ours");
    let third =
        CHANGE.replace("sysmex-xn-l", "haematology-east").replacen("haematology-east\"\nt", "third\"\nt", 1);
    check(
        &[WHOLE, &second],
        expect![[r#"
        ours is good
        haematology-east is good"#]],
    );
    check(
        &[CHANGE, &third.replace("name = \"haematology-east\"", "name = \"third\"")],
        expect![[r#"
        profiles.d/b.toml:1: extends: "haematology-east" extends "sysmex-xn-l" itself; one level is allowed, so that one look shows what a profile does
        haematology-east is good"#]],
    );
    // The base is right, the change is right, and together they are not.
    let generic =
        CHANGE.replace("sysmex-xn-l", "generic-astm").replace("[sample]", "ack = \"message\"\n[sample]");
    check(
        &[&generic],
        expect![[
            r#"profiles.d/a.toml:1: extends: with these changes generic-astm is wrong at its line 14 (link.frame_numbers): ack = "message" needs link.frame_numbers = "strict": a damaged frame gets no NAK there, and only the numbers show that it is missing"#
        ]],
    );
}

#[test]
fn the_hash_covers_the_change_and_its_base() {
    let hash = |texts: &[&str], name: &str| shelf(texts).find(name).ok().unwrap().hash;
    let first = hash(&[WHOLE, &CHANGE.replace("sysmex-xn-l", "ours")], "haematology-east");
    let again = hash(&[WHOLE, &CHANGE.replace("sysmex-xn-l", "ours")], "haematology-east");
    assert_eq!(first, again);
    let other_base = WHOLE.replace("id = 4", "id = 3");
    assert_ne!(first, hash(&[&other_base, &CHANGE.replace("sysmex-xn-l", "ours")], "haematology-east"));
    let other = format!("{CHANGE}# a word\n").replace("sysmex-xn-l", "ours");
    assert_ne!(first, hash(&[WHOLE, &other], "haematology-east"));
}

#[test]
fn expectations_are_rewritten_where_they_stand() {
    let records = "H|\\^&\nP|1\nO|1|T-0001||^^^GLU\nR|1|^^^GLU|5.4|mmol/L||N||F\nL|1|N\n";
    let one = |shows: &str, expect: &str| {
        format!(
            "[[example]]\nexpect = {expect} # what came\nshows = \"{shows}\"\ninput = '''\n{records}'''\n"
        )
    };
    let text = format!("{WHOLE}{}{}", one("first", "\"\""), one("second", "'''\nnothing\n'''"));
    let read = |text: &str| shelf(&[text]).by_name("ours").unwrap();
    let differences = examples::differences(&*read(&text).profile);
    assert_eq!(differences.iter().map(|d| d.number).collect::<Vec<_>>(), [0, 1]);
    assert!(differences[1].lines.starts_with("-nothing\n+message 1:"), "{}", differences[1].lines);
    let blessed = examples::blessed(&text, &differences).unwrap();
    assert_eq!(examples::differences(&*read(&blessed).profile), []);
    assert_eq!(blessed.matches(" # what came").count(), 2);
    assert!(blessed.contains("OBX|1|NM|GLU^^99OURS||5.4|mmol/L^^99OURS"), "{blessed}");
}

#[test]
fn the_schema_knows_extends() {
    let schema = schema(&SHIPPED, "astm").unwrap();
    assert!(schema["properties"]["extends"].is_object() && schema["properties"]["sample"].is_object());
    assert!(schema["anyOf"][0]["required"].as_array().unwrap().iter().any(|key| key == "sample"));
    assert!(super::schema(&SHIPPED, "telex").is_none());
}

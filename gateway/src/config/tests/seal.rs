//! The table `seal`: what is wrong in it, what it means, and what a change of it does.

use super::*;

fn text(seal: &str) -> String {
    let seal = if seal.is_empty() { String::new() } else { format!("seal = {seal}\n") };
    format!("{HEAD}{ENGINE}").replacen("[[destination]]", &format!("{seal}[[destination]]"), 1)
}

#[test]
fn what_was_typed_and_what_it_means() {
    let rows = [
        "{}",
        "{ key = \"journal.key\" }",
        "{ key = \"credential:a/b\" }",
        "{ key = \"/var/lib/orugate/journal/key\", previous = [\"/var/lib/orugate/journal/old/key\"] }",
        "{ key = \"/etc/k\", previous = \"/etc/k\" }",
        "{ keys = \"/etc/k\" }",
        "{ key = \"credential:journal-key\" }",
        "{ key = \"/media/key/k2\", previous = [\"credential:k1\", \"/media/key/k0\"] }",
    ];
    let said = rows.map(|seal| {
        let text = said(&[&text(seal)]);
        text.lines().filter(|line| line.contains("seal")).collect::<Vec<_>>().join("\n")
    });
    expect![[r#"
        orugate.toml:8: journal.seal.key: is missing; write "credential:NAME" or a file; orugate journal new-key FILE makes one
        orugate.toml:8: journal.seal.key: "journal.key" is not absolute; allowed are paths that begin with /
        orugate.toml:8: journal.seal.key: "credential:a/b" names no credential; allowed is "credential:NAME" as in LoadCredential=NAME:…
        orugate.toml:8: journal.seal.key: /var/lib/orugate/journal/key is in the journal's folder: whoever takes the journal would have its key too. Keep it elsewhere, best as a systemd credential
        orugate.toml:8: journal.seal.previous: /var/lib/orugate/journal/old/key is in the journal's folder: whoever takes the journal would have its key too. Keep it elsewhere, best as a systemd credential
        orugate.toml:8: journal.seal.previous: string "/etc/k" stands here; allowed is a list in brackets [ ]
        orugate.toml:8: journal.seal.key: is missing; write "credential:NAME" or a file; orugate journal new-key FILE makes one
        orugate.toml:8: journal.seal.keys: unknown key; allowed are key, previous; did you mean "key"?
        gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, sealed by credential:journal-key
        gateway GW01: sends as ORUGATE at CORE-LAB, instruments' clocks run in Europe/Berlin, journal /var/lib/orugate/journal up to 4 GiB, sealed by /media/key/k2 (before: credential:k1, /media/key/k0)"#]].assert_eq(&said.join("\n"));
}

#[test]
fn a_change_says_what_becomes_of_what_is_there() {
    let plan = |seal: &str| load_texts(files(&[&text(seal)]), &Shelf).unwrap().plan;
    let one = "{ key = \"credential:k1\" }";
    let rows = [
        ("", one),
        (one, ""),
        (one, "{ key = \"credential:k2\" }"),
        (one, "{ key = \"credential:k2\", previous = [\"credential:k1\"] }"),
        ("{ key = \"credential:k2\", previous = [\"credential:k1\"] }", "{ key = \"credential:k2\" }"),
    ];
    let said = rows.map(|(old, new)| {
        let (old, new) = (plan(old), plan(new));
        let difference = Difference::between(&old, &new);
        assert!(difference.changes.iter().all(|change| change.takes == Takes::Restart));
        assert_eq!(new.as_reloaded(&old).journal, old.journal, "a reload leaves the keys alone");
        difference.changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    });
    expect![[r#"
        journal: seal: not sealed → sealed by credential:k1; what is in the journal already stays as readable as it is
        journal: seal: sealed by credential:k1 → not sealed; as long as the journal holds anything that credential:k1 sealed, the gateway does not start without it: keep the table
        journal: seal: sealed by credential:k1 → sealed by credential:k2; as long as the journal holds anything that credential:k1 sealed, the gateway does not start without it: leave it in previous
        journal: seal: sealed by credential:k1 → sealed by credential:k2 (before: credential:k1)
        journal: seal: sealed by credential:k2 (before: credential:k1) → sealed by credential:k2; as long as the journal holds anything that credential:k1 sealed, the gateway does not start without it: leave it in previous"#]].assert_eq(&said.join("\n"));
}

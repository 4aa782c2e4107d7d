//! What does not fit the format: syntax, unknown keys, types, words; and that schema and check agree.

use super::*;

#[test]
fn twelve_mistakes_at_once() {
    let text = r#"version = 2
[gatway]
id = "GW02"
[gateway]
id = "gw01"
facility = 7
timezone = "Europe/Berln"
[journal]
path = "journal"
max_size = "4 GB"
[[destination]]
name = "engine"
role = "lims"
receiving = { application = "CENTRAL" }
mllp = { address = "engine.example" }
[[instrument]]
name = "haematology-1"
profile = "sysmex-xnl"
mode = "live"
wire = { serial = "/dev/ttyS0", baud = 9601, partiy = "even" }
send_to = ["engin"]
"#;
    check(
        &[text],
        expect![[r#"
            orugate.toml:1: version: 2 is not read; allowed is 1
            orugate.toml:2: gatway: unknown key; allowed are version, gateway, journal, capture, destination, instrument, alerts; did you mean "gateway"?
            orugate.toml:5: gateway.id: "gw01" does not fit; allowed are exactly four of A-Z and 0-9; did you mean "GW01"?
            orugate.toml:6: gateway.facility: integer 7 stands here; allowed is text in quotes
            orugate.toml:7: gateway.timezone: "Europe/Berln" is no time zone; allowed are IANA names such as "Europe/Berlin"; did you mean "Europe/Berlin"?
            orugate.toml:9: journal.path: "journal" is not absolute; allowed are paths that begin with /
            orugate.toml:10: journal.max_size: "GB" is not a unit here; allowed is a whole number with one of MiB, GiB, TiB, such as "4 GiB"; did you mean "4 GiB"?
            orugate.toml:13: destination "engine": role: "lims" is not known; allowed are "lis", "record"; did you mean "lis"?
            orugate.toml:14: destination "engine": receiving.facility: is missing; write what MSH-6 shall say, or ""
            orugate.toml:15: destination "engine": mllp.address: "engine.example" has no port; allowed is "host:port", such as "engine.example:2575"
            orugate.toml:18: instrument "haematology-1": profile: there is no profile "sysmex-xnl"; allowed are generic-astm, sysmex-xn-l; did you mean "sysmex-xn-l"?
            orugate.toml:20: instrument "haematology-1": wire.baud: 9601 is not a line rate; allowed are 300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400; did you mean 9600?
            orugate.toml:20: instrument "haematology-1": wire.partiy: unknown key; allowed are serial, baud, data_bits, parity, stop_bits, flow, rts, dtr, listen, allow, connect, udp, local_port, tls; did you mean "parity"?
            orugate.toml:21: instrument "haematology-1": send_to: there is no destination "engin"; allowed are engine; did you mean "engine"?
            14 mistakes; nothing was opened"#]],
    );
}

#[test]
fn types_words_and_places_of_keys() {
    let text = r#"version = "1"
gateway = 5
journal = ["/var"]
[[destination]]
name = "engine"
role = { lis = {} }
receiving = ["CENTRAL", "HOSP"]
structured_numeric = "yes"
retries = 3.5
ack_timeout = "5 s"
accepts = "p"
mllp.address = 2575
mllp.adress = "x:1"
[[instrument]]
name = "a"
mode = "LIVE"
baud = 9600
wire = "serial"
send_to = "engine"
[[instrument]]
send_to = [1, "engine", true]
wire = { listen = "127.0.0.1:4001", allow = [2] }
[extra.table]
"#;
    check(
        &[text],
        expect![[r#"
            orugate.toml:1: version: string "1" stands here; allowed is a whole number without quotes
            orugate.toml:2: gateway: integer 5 stands here; allowed is a table { }
            orugate.toml:3: journal: a list stands here; allowed is a table { }; there is one only, so its header is [journal]
            orugate.toml:6: destination "engine": role: a table stands here; allowed is text in quotes
            orugate.toml:7: destination "engine": receiving: a list stands here; allowed is a table { }
            orugate.toml:8: destination "engine": structured_numeric: string "yes" stands here; allowed is true or false without quotes
            orugate.toml:9: destination "engine": retries: floating point 3.5 stands here; allowed is a whole number without quotes
            orugate.toml:10: destination "engine": ack_timeout: unknown key; allowed are name, role, receiving, mllp, accepts, charset, sample_id_in, structured_numeric, corrections, resends, retries, stop_on_error, patient, pcd; "ack_timeout" belongs to destination.mllp
            orugate.toml:11: destination "engine": accepts: "p" is not known; allowed are "P", "T"; did you mean "P"?
            orugate.toml:12: destination "engine": mllp.address: integer 2575 stands here; allowed is text in quotes
            orugate.toml:13: destination "engine": mllp.adress: unknown key; allowed are address, tls, acknowledgment, require_application_ack, accept_blank_msa2, lenient_eob, ack_timeout; did you mean "address"?
            orugate.toml:14: instrument "a": profile: is missing; write the name of its model's profile
            orugate.toml:16: instrument "a": mode: "LIVE" is not known; allowed are "test", "live"; did you mean "live"?
            orugate.toml:17: instrument "a": baud: unknown key; allowed are name, profile, mode, wire, send_to, reruns, reruns_except, rerun_within, timezone, clock_limit, sample_id, identity, incomplete, impossible_time, capture, map, require_map, bedside; "baud" belongs to instrument.wire
            orugate.toml:18: instrument "a": wire: string "serial" stands here; allowed is a table { }
            orugate.toml:19: instrument "a": send_to: string "engine" stands here; allowed is a list in brackets [ ]
            orugate.toml:20: instrument number 2: name: is missing; write a name unlike any other instrument's
            orugate.toml:20: instrument number 2: profile: is missing; write the name of its model's profile
            orugate.toml:20: instrument number 2: mode: is missing; write "test" or "live"
            orugate.toml:21: instrument number 2: send_to[0]: integer 1 stands here; allowed is text in quotes
            orugate.toml:21: instrument number 2: send_to[2]: boolean true stands here; allowed is text in quotes
            orugate.toml:22: instrument number 2: wire.allow[0]: integer 2 stands here; allowed is text in quotes
            orugate.toml:23: extra: unknown key; allowed are version, gateway, journal, capture, destination, instrument, alerts
            23 mistakes; nothing was opened"#]],
    );
}

#[test]
fn syntax_errors_are_all_told_and_other_files_still_read() {
    let first = "version = 1\n[gateway\nid = GW01\nid = \"GW01\"\n";
    let second = "[[instrument]]\nname = \"a\"\nmodus = \"live\"\n";
    check(
        &[first, second, "= 1\n"],
        expect![[r#"
            orugate.toml:2: not TOML: unclosed table, expected `]`
            conf.d/1.toml:3: instrument "a": modus: unknown key; allowed are name, profile, mode, wire, send_to, reruns, reruns_except, rerun_within, timezone, clock_limit, sample_id, identity, incomplete, impossible_time, capture, map, require_map, bedside
            conf.d/2.toml:1: not TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`
            3 mistakes; nothing was opened"#]],
    );
    check(
        &["id = GW01\nid2 = \"a\nx = 01\n[y\n"],
        expect![[r#"
        orugate.toml:1: not TOML: string values must be quoted, expected literal string
        orugate.toml:2: not TOML: invalid basic string, expected `"`
        orugate.toml:3: not TOML: unexpected leading zero, expected nothing
        orugate.toml:4: not TOML: unclosed table, expected `]`
        4 mistakes; nothing was opened"#]],
    );
    check(
        &["version = 1\nversion = 1\n"],
        expect![[r#"
        orugate.toml:2: not TOML: duplicate key
        1 mistake; nothing was opened"#]],
    );
    check(
        &[""],
        expect![[r#"
        warning: orugate.toml:1: no instrument is configured
        orugate.toml:1: version: is missing; write version = 1
        orugate.toml:1: gateway: is missing; write a table [gateway] with id, facility, timezone
        orugate.toml:1: journal: is missing; write a table [journal] with path
        3 mistakes; nothing was opened"#]],
    );
}

#[test]
fn mistakes_have_keys_and_columns() {
    let text = instrument(r#"{ serial = "/dev/ttyS0", baud = 9601 }"#);
    let mistakes = load_texts(files(&[&text]), &Shelf).unwrap_err();
    let [mistake] = mistakes.list() else { panic!("{mistakes}") };
    assert_eq!(mistake.key, "instrument[0].wire.baud");
    assert_eq!(mistake.position, Some(Position { line: 18, column: 40 }));
    assert_eq!(mistake.hint.as_deref(), Some("did you mean 9600?"));
}

#[test]
fn something_that_is_no_configuration_has_an_end() {
    let text: String = (0..500).map(|n| format!("k{n} = 1\n")).collect();
    let mistakes = load_texts(files(&[&text]), &Shelf).unwrap_err();
    assert_eq!(mistakes.list().len(), 101);
}

/// Every key of the schema, with its path and whether it is required.
fn keys_of_the_schema() -> Vec<(String, bool)> {
    fn walk(
        schema: &serde_json::Value,
        root: &serde_json::Value,
        path: &str,
        keys: &mut Vec<(String, bool)>,
    ) {
        let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) else { return };
        assert_eq!(
            schema["additionalProperties"],
            serde_json::Value::Bool(false),
            "{path:?} takes unknown keys"
        );
        for (name, property) in properties {
            let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            assert!(property.get("description").is_some(), "{key} has no comment");
            let required = schema["required"].as_array().is_some_and(|list| list.iter().any(|r| r == name));
            keys.push((key.clone(), required));
            let forms = property.get("anyOf").and_then(|forms| forms.as_array()).into_iter().flatten();
            for form in [property].into_iter().chain(property.get("items")).chain(forms) {
                let reference = form.get("$ref").map(|r| r.as_str().unwrap().strip_prefix('#').unwrap());
                walk(reference.map_or(form, |pointer| root.pointer(pointer).unwrap()), root, &key, keys);
            }
        }
    }
    let schema = json_schema().to_value();
    let mut keys = Vec::new();
    walk(&schema, &schema, "", &mut keys);
    keys
}

#[test]
fn the_schema_requires_what_the_check_requires() {
    let keys = keys_of_the_schema();
    assert!(keys.len() > 50, "{keys:?}");
    let required = |prefix: &str| -> Vec<&str> {
        let keys = keys.iter().filter(|(_, required)| *required);
        keys.filter_map(|(key, _)| key.strip_prefix(prefix)).filter(|key| !key.contains('.')).collect()
    };
    let missing = |text: &str, prefix: &str| -> Vec<String> {
        let mistakes = load_texts(files(&[text]), &Shelf).unwrap_err();
        let missing = mistakes.list().iter().filter(|mistake| mistake.message.starts_with("is missing"));
        let mut keys: Vec<String> = missing
            .map(|mistake| mistake.key.replace("[0]", ""))
            .filter_map(|key| key.strip_prefix(prefix).map(str::to_owned))
            .filter(|key| !key.contains('.'))
            .collect();
        keys.sort();
        keys
    };
    for (text, prefix) in [
        ("", ""),
        ("gateway = {}", "gateway."),
        ("journal = {}", "journal."),
        ("[[destination]]", "destination."),
        ("[[destination]]\nreceiving = {}", "destination.receiving."),
        ("[[destination]]\nmllp = {}", "destination.mllp."),
        ("[[destination]]\npatient = {}", "destination.patient."),
        ("[[instrument]]", "instrument."),
    ] {
        let required = required(prefix);
        assert!(!required.is_empty(), "{prefix}");
        assert_eq!(missing(text, prefix), required, "{prefix}");
    }
}

/// A configuration that has every kind of table.
fn rich() -> String {
    let listen = "[[instrument]]\nname = \"b\"\nprofile = \"generic-astm\"\nmode = \"test\"\nsend_to = [\"engine\"]\n[instrument.wire]\nlisten = \"192.0.2.7:4001\"\nallow = [\"192.0.2.0/24\"]\n";
    let patient = "patient.field = \"P3\"\npatient.authority = \"HOSP\"\n";
    instrument("{ serial = \"/dev/ttyS0\", baud = 9600 }").replace("role = ", &format!("{patient}role = "))
        + listen
}

#[test]
fn whatever_stands_at_a_key_is_told_there() {
    // Each value of a good file is replaced by each kind of value: the outcome is good or a mistake on that line, and
    // always one that could be placed.
    let rich = rich();
    assert!(load_texts(files(&[&rich]), &Shelf).is_ok(), "{}", said(&[&rich]));
    let lines: Vec<&str> = rich.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        for value in
            ["5", "5.5", "true", "\"\"", "[]", "[[]]", "{}", "{ x = 1 }", "1979-05-27", "[1979-05-27]", "nan"]
        {
            let mut changed = lines.clone();
            let line = format!("{key} = {value}");
            changed[number] = &line;
            let Err(mistakes) = load_texts(files(&[&changed.join("\n")]), &Shelf) else {
                assert!(key == "facility" && value == "\"\"", "{line} is good");
                continue;
            };
            let here = |m: &Mistake| m.position.is_some_and(|position| position.line == number + 1);
            assert!(mistakes.list().iter().any(here), "{line}: {mistakes}");
            assert!(mistakes.list().iter().all(|mistake| !mistake.key.is_empty()), "{line}: {mistakes}");
        }
    }
}

#[test]
fn torn_files_are_told_or_good() {
    let rich = rich();
    for end in (0..rich.len()).filter(|end| rich.is_char_boundary(*end)) {
        let torn = &rich[..end];
        let Err(mistakes) = load_texts(files(&[torn]), &Shelf) else { continue };
        assert!(!mistakes.list().is_empty(), "{torn}");
        let lines = torn.lines().count() + 1;
        for mistake in mistakes.list() {
            assert!(
                mistake.position.is_some_and(|position| (1..=lines).contains(&position.line)),
                "{mistake}"
            );
        }
    }
}

#[test]
fn headers_with_too_few_or_too_many_brackets() {
    check(
        &["[instrument]\nname = \"a\"\n[[gateway]]\n[destination.engine]\n[gateway2.id]\n"],
        expect![[r#"
            orugate.toml:1: instrument: a table stands here; allowed is a list in brackets [ ]; write the header as [[instrument]]
            orugate.toml:1: version: is missing; write version = 1
            orugate.toml:1: journal: is missing; write a table [journal] with path
            orugate.toml:3: gateway: a list stands here; allowed is a table { }; there is one only, so its header is [gateway]
            orugate.toml:4: destination: a table stands here; allowed is a list in brackets [ ]; write the header as [[destination]]
            orugate.toml:5: gateway2: unknown key; allowed are version, gateway, journal, capture, destination, instrument, alerts; did you mean "gateway"?
            6 mistakes; nothing was opened"#]],
    );
    check(
        &["[instrument]\nname = \"a\"\n[instrument]\nname = \"b\"\n"],
        expect![[r#"
        orugate.toml:3: not TOML: duplicate key; write each header as [[instrument]]
        orugate.toml:4: not TOML: duplicate key
        2 mistakes; nothing was opened"#]],
    );
    check(
        &["[gateway.id]\nx = 1\n[journal]\npath.x = 1\nmax_size = 2026-01-01\n"],
        expect![[r#"
        warning: orugate.toml:1: no instrument is configured
        orugate.toml:1: gateway.id: a table stands here; allowed is text in quotes
        orugate.toml:1: version: is missing; write version = 1
        orugate.toml:1: gateway.facility: is missing; write the laboratory's name for MSH-4, or ""
        orugate.toml:1: gateway.timezone: is missing; write an IANA name such as "Europe/Berlin"
        orugate.toml:4: journal.path: a table stands here; allowed is text in quotes
        orugate.toml:5: journal.max_size: a date or time stands here; allowed is text in quotes
        6 mistakes; nothing was opened"#]],
    );
}

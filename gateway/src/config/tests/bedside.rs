//! What bedside devices have of their own.

use super::*;

/// One bedside device, good but for what is given; it begins at line 14, and its wire is in line 19.
fn monitor(wire: &str) -> String {
    instrument(wire).replace("sysmex-xn-l", "monitor").replace("[[instrument]]", "pcd = {}\n[[instrument]]")
}

#[test]
fn udp_wires() {
    let row = |wire: &str, profile: &str| {
        let text = monitor(wire).replace("monitor\"", &format!("{profile}\""));
        let said = said(&[&text]);
        let told = |line: &&str| line.contains("instrument \"") && !line.contains("neither location");
        said.lines().filter(told).collect::<Vec<_>>().join("\n")
    };
    for (wire, expected) in [
        (
            r#"{ udp = "192.0.2.90:24105" }"#,
            expect![[
                r#"instrument "a": live, profile monitor (evidence: manual), UDP with 192.0.2.90:24105, results go to "engine"; its values go every 1 min with the place that it says itself"#
            ]],
        ),
        (
            r#"{ udp = "[2001:db8::90]:24105", local_port = 24105 }"#,
            expect![[
                r#"instrument "a": live, profile monitor (evidence: manual), UDP with [2001:db8::90]:24105 from port 24105, results go to "engine"; its values go every 1 min with the place that it says itself"#
            ]],
        ),
        (
            r#"{ udp = "[::ffff:192.0.2.90]:24105" }"#,
            expect![[
                r#"instrument "a": live, profile monitor (evidence: manual), UDP with 192.0.2.90:24105, results go to "engine"; its values go every 1 min with the place that it says itself"#
            ]],
        ),
        (
            r#"{ udp = "monitor.icu.example:24105", local_port = 0 }"#,
            expect![[r#"
                orugate.toml:19: instrument "a": wire.udp: "monitor.icu.example:24105" is not "ip:port"; allowed is "ip:port" of the device, such as "192.0.2.90:24105"
                orugate.toml:19: instrument "a": wire.local_port: 0 is no port; allowed are 1 to 65535"#]],
        ),
        (
            r#"{ udp = "192.0.2.90:0", local_port = 65536, baud = 9600, tls = { ca = "/a.pem" } }"#,
            expect![[r#"
                orugate.toml:19: instrument "a": wire.udp: "192.0.2.90:0" has no port from 1 to 65535; allowed is "ip:port" of the device, such as "192.0.2.90:24105"
                orugate.toml:19: instrument "a": wire.local_port: 65536 is no port; allowed are 1 to 65535
                orugate.toml:19: instrument "a": wire.baud: belongs to a wire with serial, and this one has udp
                orugate.toml:19: instrument "a": wire.tls: belongs to a wire with listen or connect, and this one has udp"#]],
        ),
        (
            r#"{ udp = "0.0.0.0:24105" }"#,
            expect![[
                r#"orugate.toml:19: instrument "a": wire.udp: "0.0.0.0:24105" is no device's address; allowed is "ip:port" of the device, such as "192.0.2.90:24105""#
            ]],
        ),
        (
            r#"{ udp = "255.255.255.255:24105" }"#,
            expect![[
                r#"orugate.toml:19: instrument "a": wire.udp: "255.255.255.255:24105" is the address of many, and only one device is heard; allowed is "ip:port" of the device, such as "192.0.2.90:24105""#
            ]],
        ),
        (
            r#"{ udp = "[fe80::1]:24105" }"#,
            expect![[
                r#"orugate.toml:19: instrument "a": wire.udp: "[fe80::1]:24105" is an address of one link and does not say which; write the number of the interface as in "[fe80::1%2]:24105"; allowed is "ip:port" of the device, such as "192.0.2.90:24105""#
            ]],
        ),
        (
            r#"{ connect = "192.0.2.90:4001", local_port = 24105 }"#,
            expect![[
                r#"orugate.toml:19: instrument "a": wire.local_port: belongs to a wire with udp, and this one has connect"#
            ]],
        ),
        (
            r#"{ udp = "192.0.2.90:24105", connect = "192.0.2.90:4001" }"#,
            expect![[
                r#"orugate.toml:19: instrument "a": wire.udp: stands beside connect; allowed is exactly one of serial, listen, connect, udp"#
            ]],
        ),
    ] {
        expected.assert_eq(&row(wire, "monitor"));
    }
    expect![[r#"orugate.toml:19: instrument "a": wire.udp: profile "sysmex-xn-l" gives laboratory results, and a datagram may get lost; allowed are serial, listen and connect"#]].assert_eq(&row(r#"{ udp = "192.0.2.90:24105" }"#, "sysmex-xn-l"));
}

#[test]
fn two_wires_to_one_udp_address() {
    let first = monitor(r#"{ udp = "192.0.2.90:24105", local_port = 24105 }"#);
    let second = |wire: &str| {
        format!(
            "[[instrument]]\nname = \"b\"\nprofile = \"monitor\"\nmode = \"live\"\nsend_to = [\"engine\"]\nwire = {wire}\n"
        )
    };
    for (wire, expected) in [
        (
            r#"{ udp = "192.0.2.90:24105", local_port = 24105 }"#,
            expect![[
                r#"conf.d/1.toml:6: instrument "b": wire.udp: UDP with 192.0.2.90:24105 from port 24105 is the wire of instrument "a", and only one of them would hear the device; allowed is another address or another local_port"#
            ]],
        ),
        (
            r#"{ udp = "192.0.2.90:24110", local_port = 24105 }"#,
            expect![[
                r#"conf.d/1.toml:6: instrument "b": wire.udp: UDP with 192.0.2.90:24105 from port 24105 is the wire of instrument "a", and only one of them would hear the device; allowed is another address or another local_port"#
            ]],
        ),
        (
            r#"{ udp = "192.0.2.90:24105", local_port = 24106 }"#,
            expect![[r#"
                warning: conf.d/1.toml:6: instrument "b": wire.udp: "192.0.2.90:24105" is the address of instrument "a" too
                instrument "b": live, profile monitor (evidence: manual), UDP with 192.0.2.90:24105 from port 24106, results go to "engine"; its values go every 1 min with the place that it says itself"#]],
        ),
        (
            r#"{ udp = "192.0.2.91:24105", local_port = 24105 }"#,
            expect![[
                r#"instrument "b": live, profile monitor (evidence: manual), UDP with 192.0.2.91:24105 from port 24105, results go to "engine"; its values go every 1 min with the place that it says itself"#
            ]],
        ),
    ] {
        let said = said(&[&first, &second(wire)]);
        let told = |line: &&str| line.contains("instrument \"b\"") && !line.contains("neither location");
        let line: Vec<_> = said.lines().filter(told).collect();
        expected.assert_eq(&line.join("\n"));
    }
}

#[test]
fn another_port_of_the_box_begins_the_connection_anew() {
    let plan = |wire| load_texts(files(&[&monitor(wire)]), &Shelf).unwrap().plan;
    let (old, new) = (
        plan(r#"{ udp = "192.0.2.90:24105" }"#),
        plan(r#"{ udp = "192.0.2.90:24105", local_port = 24105 }"#),
    );
    let difference = Difference::between(&old, &new);
    let [change] = &*difference.changes else { panic!("{difference:?}") };
    assert_eq!(change.takes, Takes::Connection);
    expect!["a: wire: UDP with 192.0.2.90:24105 → UDP with 192.0.2.90:24105 from port 24105"]
        .assert_eq(&change.to_string());
}

fn with(table: &str) -> String {
    monitor(r#"{ connect = "192.0.2.90:4001" }"#) + table
}

fn planned(table: &str) -> BedsidePlan {
    load_texts(files(&[&with(table)]), &Shelf).unwrap().plan.instruments[0].bedside.clone().unwrap()
}

#[test]
fn a_bedside_device_without_the_table_has_all_defaults() {
    expect![[r#"
        BedsidePlan {
            interval: 60s,
            stale_after: 10s,
            location: "",
            beds: [],
            device_id: None,
            absent: X,
            nobodys: X,
            reviewed_by: None,
            send_patient: false,
        }
    "#]]
    .assert_debug_eq(&planned(""));
    assert_eq!(planned("bedside = {}\n"), planned(""));
    assert_eq!(planned("bedside = { interval = \"60 s\", absent = \"x\", nobodys = \"x\" }\n"), planned(""));
    let laboratory = load_texts(files(&[&instrument(r#"{ connect = "a:1" }"#)]), &Shelf).unwrap().plan;
    assert!(laboratory.instruments[0].bedside.is_none());
    let live = said(&[&with("")]);
    expect![[r#"warning: orugate.toml:14: instrument "a": says neither location nor beds nor device_id: whose values these are, the receiver can only tell by what the device says of itself; write bedside = { location = "unit^room^bed^facility" }"#]].assert_eq(live.lines().next().unwrap());
    let where_it_is = "bedside = { location = \"ICU^12\" }\n";
    for quiet in [with("").replace("mode = \"live\"", "mode = \"test\""), with(where_it_is)] {
        assert!(!said(&[&quiet]).contains("neither location"), "{}", said(&[&quiet]));
    }
}

#[test]
fn an_eui_64_is_its_digits_or_a_mac_address() {
    for (typed, id) in [
        ("0009FBFFFE123456", 0x0009_FBFF_FE12_3456_u64),
        ("00-09-fb-ff-fe-12-34-56", 0x0009_FBFF_FE12_3456),
        ("00:09:FB:12:34:56", 0x0009_FBFF_FE12_3456),
        ("fefefe010203", 0xFEFE_FEFF_FE01_0203),
    ] {
        assert_eq!(planned(&format!("bedside.device_id = \"{typed}\"\n")).device_id, Some(id), "{typed}");
    }
    let gateway = with("").replace("[journal]", "device_id = \"00:09:FB:12:34:56\"\n[journal]");
    let plan = load_texts(files(&[&gateway]), &Shelf).unwrap().plan;
    assert_eq!(plan.gateway.device_id, Some(0x0009_FBFF_FE12_3456));
    let same = gateway + "bedside.device_id = \"0009FBFFFE123456\"\n";
    assert!(
        said(&[&same]).contains("is given to another device by orugate.toml line 6"),
        "{}",
        said(&[&same])
    );
    for typed in [
        "",
        "0009FBFFFE12345",
        "+009FBFFFE123456",
        "0009FBFFFE12345X",
        "0000000000000000",
        "FF:FF:FF:FF:FF:FF",
    ] {
        let result = load_texts(files(&[&with(&format!("bedside.device_id = \"{typed}\"\n"))]), &Shelf);
        let list = result.expect_err(typed).list().to_vec();
        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!(list[0].key, "instrument[0].bedside.device_id");
    }
}

#[test]
fn what_is_typed_is_described() {
    let table = r#"[instrument.bedside]
interval = "1 s"
location = "ICU^12^1^HOSP"
device_id = "00:09:FB:12:34:56"
absent = "omit"
nobodys = "flag"
reviewed_by = "A. Beispiel, 2026-11-26"
send_patient = true
[instrument.bedside.beds]
"ICU-13" = "ICU^13"
"ICU 14" = "ICU^14"
"#;
    let said = said(&[&with(table)]);
    expect![[r#"instrument "a": live, profile monitor (evidence: manual), connects to 192.0.2.90:4001, results go to "engine"; its values go every 1 s with PV1-3 ICU^12^1^HOSP, or of 2 beds by its label, EUI-64 00-09-FB-FF-FE-12-34-56; what has no value is left out; values of demonstrations and tests go with their mark (OBX-8; reviewed by A. Beispiel, 2026-11-26); the patient id that it sends goes along"#]].assert_eq(said.lines().last().unwrap());
    assert_eq!(planned(table).beds.len(), 2);
}

#[test]
fn mistakes_of_bedside_devices_have_places_and_sentences() {
    let rows = |table: &str| {
        let said = said(&[&with(table)]);
        let lines =
            said.lines().filter(|line| line.contains("instrument \"a\"") && !line.starts_with("warning"));
        lines.collect::<Vec<_>>().join("\n")
    };
    for (table, expected) in [
        (
            "bedside = { interval = \"500 ms\", location = \"^^\", absent = \"no\", nobodys = \"flag\", send_patient = \"yes\" }\n",
            expect![[r#"
                orugate.toml:20: instrument "a": bedside.interval: "ms" is not a unit here; allowed is a whole number with one of s, min, h, days, such as "30 s"
                orugate.toml:20: instrument "a": bedside.location: "^^" names no place; allowed is "unit^room^bed^facility", such as "ICU^12^1^HOSP" or "ICU^^12"
                orugate.toml:20: instrument "a": bedside.absent: "no" is not known; allowed are "x", "omit"
                orugate.toml:20: instrument "a": bedside.nobodys: "flag" in mode "live": values of demonstrations and tests would reach patients' charts, and only OBX-8 says what they are. Whoever has seen that the receiver looks there writes reviewed_by = "name, date"
                orugate.toml:20: instrument "a": bedside.send_patient: string "yes" stands here; allowed is true or false without quotes"#]],
        ),
        (
            "bedside = { interval = \"2 h\", location = \"ICU^1^2^3^4\", nobodys = \"omit\", reviewed_by = \"X\", bed = \"1\" }\n",
            expect![[r#"
                orugate.toml:20: instrument "a": bedside.interval: 2 h is out of range; allowed are 1 s to 1 h
                orugate.toml:20: instrument "a": bedside.location: "ICU^1^2^3^4" has more than four parts; allowed is "unit^room^bed^facility", such as "ICU^12^1^HOSP" or "ICU^^12"
                orugate.toml:20: instrument "a": bedside.reviewed_by: belongs to nobodys = "flag", and this has another
                orugate.toml:20: instrument "a": bedside.bed: unknown key; allowed are interval, location, beds, device_id, absent, nobodys, reviewed_by, send_patient; did you mean "beds"?"#]],
        ),
        (
            "bedside = { location = \"ICU | 12\", nobodys = \"flag\", reviewed_by = \" \" }\n",
            expect![[r#"
                orugate.toml:20: instrument "a": bedside.location: "ICU | 12" holds one of | ~ \ & or a control character; allowed is "unit^room^bed^facility", such as "ICU^12^1^HOSP" or "ICU^^12"
                orugate.toml:20: instrument "a": bedside.reviewed_by: " " names nobody; allowed is a name and a date"#]],
        ),
        (
            "bedside = { location = \"ICU ^12\", beds = {} }\n",
            expect![[r#"
                orugate.toml:20: instrument "a": bedside.location: "ICU ^12" has blanks around a part; allowed is "unit^room^bed^facility", such as "ICU^12^1^HOSP" or "ICU^^12"
                orugate.toml:20: instrument "a": bedside.beds: is empty; write "label" = "unit^room^bed^facility" for each bed, or no table at all"#]],
        ),
        (
            "bedside = { beds = { \" A\" = \"ICU^1\", B = 5, C = \"~\" } }\n",
            expect![[r#"
                orugate.toml:20: instrument "a": bedside.beds." A": " A" is no label; allowed is what the device shows, 1 to 64 characters without blanks around them
                orugate.toml:20: instrument "a": bedside.beds.B: integer 5 stands here; allowed is text in quotes
                orugate.toml:20: instrument "a": bedside.beds."C": "~" holds one of | ~ \ & or a control character; allowed is "unit^room^bed^facility", such as "ICU^12^1^HOSP" or "ICU^^12""#]],
        ),
        (
            "bedside = { beds = [\"A\"] }\n",
            expect![[
                r#"orugate.toml:20: instrument "a": bedside.beds: a list stands here; allowed is a table { }"#
            ]],
        ),
        (
            "bedside = \"1 min\"\n",
            expect![[
                r#"orugate.toml:20: instrument "a": bedside: string "1 min" stands here; allowed is a table { }"#
            ]],
        ),
        (
            "reruns = \"all\"\nreruns_except = { last = [\"K\"] }\nrerun_within = \"1 h\"\nsample_id = { check = \"luhn\" }\nincomplete = \
             \"send\"\nimpossible_time = { ahead = \"1 h\" }\nrequire_map = false\n",
            expect![[r#"
                orugate.toml:20: instrument "a": reruns: is about laboratory results, and profile "monitor" is a bedside device's; take it out
                orugate.toml:21: instrument "a": reruns_except: is about laboratory results, and profile "monitor" is a bedside device's; take it out
                orugate.toml:22: instrument "a": rerun_within: is about laboratory results, and profile "monitor" is a bedside device's; take it out
                orugate.toml:23: instrument "a": sample_id: is about laboratory results, and profile "monitor" is a bedside device's; take it out
                orugate.toml:24: instrument "a": incomplete: is about laboratory results, and profile "monitor" is a bedside device's; take it out
                orugate.toml:25: instrument "a": impossible_time: is about laboratory results, and profile "monitor" is a bedside device's; take it out
                orugate.toml:26: instrument "a": require_map: is about laboratory results, and profile "monitor" is a bedside device's; take it out"#]],
        ),
    ] {
        expected.assert_eq(&rows(table));
    }
    let test = with("bedside = { nobodys = \"flag\" }\n").replace("mode = \"live\"", "mode = \"test\"");
    assert!(load_texts(files(&[&test]), &Shelf).is_ok(), "in mode test nobody has to answer for it");
    let laboratory = instrument(r#"{ connect = "a:1" }"#) + "bedside = {}\n";
    expect![[r#"
        orugate.toml:19: instrument "a": bedside: is for a bedside device, and profile "sysmex-xn-l" gives laboratory results
        1 mistake; nothing was opened"#]].assert_eq(&said(&[&laboratory]));
    let two = with("bedside.device_id = \"00:09:FB:12:34:56\"\n");
    let second = "[[instrument]]\nname = \"b\"\nprofile = \"monitor\"\nmode = \"live\"\nsend_to = [\"engine\"]\nwire = { connect = \"b:1\" }\nbedside.device_id = \"0009FBFFFE123456\"\n";
    expect![[r#"
        conf.d/1.toml:7: instrument "b": bedside.device_id: "0009FBFFFE123456" is given to another device by orugate.toml line 20; every device has one of its own
        1 mistake; nothing was opened"#]].assert_eq(&said(&[&two, second]));
}

#[test]
fn what_changes_of_a_bedside_device_is_told() {
    let plan = |table: &str| load_texts(files(&[&with(table)]), &Shelf).unwrap().plan;
    let old = plan("bedside = { beds = { A = \"ICU^1\", B = \"ICU^2\", D = \"ICU^4\" } }\n");
    let new = plan(
        "bedside = { interval = \"5 s\", location = \"ICU\", beds = { A = \"ICU^1\", B = \"ICU^3\", C = \"ICU^2\" }, device_id = \
         \"00:09:FB:12:34:56\", absent = \"omit\", nobodys = \"flag\", reviewed_by = \"X, today\", send_patient = true }\n",
    );
    let told = |old: &Plan, new: &Plan| {
        let difference = Difference::between(old, new);
        difference.changes.iter().map(|change| format!("{change} ({:?})\n", change.takes)).collect::<String>()
    };
    expect![[r#"
        a: location (PV1-3): (empty) → ICU (Live)
        a: beds (PV1-3 by label): B: ICU^2 → ICU^3, D is gone, C is new, ICU^2 (Live)
        a: device_id (EUI-64): (empty) → 00-09-FB-FF-FE-12-34-56 (Live)
        a: absent x → omit: what has no value is left out, and a receiver may go on showing what it got before (Live)
        a: nobodys: x → flag: values of demonstrations, tests and calibrations go with their mark (OBX-8) (Live)
        a: send_patient: false → true: the patient id that the device sends goes along (Live)
        a: interval: 1 min → 5 s (Connection)
        a: reviewed_by: (empty) → X, today (Live)
    "#]].assert_eq(&told(&old, &new));
    expect![[r#"
        a: location (PV1-3): ICU → (empty) (Live)
        a: beds (PV1-3 by label): A is gone, B is gone, C is gone; any bed that the device says is taken (Live)
        a: device_id (EUI-64): 00-09-FB-FF-FE-12-34-56 → (empty) (Live)
        a: absent omit → x: what has no value goes without one (OBX-11 X) (Live)
        a: nobodys: flag → x: values of demonstrations, tests and calibrations go without a value (OBX-11 X) (Live)
        a: send_patient: true → false: no patient id of the device goes along (Live)
        a: interval: 5 s → 1 min (Connection)
        a: reviewed_by: X, today → (empty) (Live)
    "#]].assert_eq(&told(&new, &plan("")));
}

#[test]
fn destinations_of_bedside_values() {
    let with = |pcd: &str, mllp: &str, device: &str| {
        monitor(r#"{ connect = "192.0.2.90:4001" }"#)
            .replace("pcd = {}\n", pcd)
            .replace(":2575\"", &format!(":2575\"{mllp}"))
            + "bedside = { location = \"ICU^12\""
            + device
            + " }\n"
    };
    for (pcd, mllp, device, expected) in [
        (
            "",
            "",
            "",
            expect![[r#"
            orugate.toml:17: instrument "a": send_to: "engine" is not known to take values of bedside devices, which are IHE PCD-01 (HL7 2.6, MDC codes); write a table pcd there, pcd = {} for its defaults, or name another
            1 mistake; nothing was opened"#]],
        ),
        (
            "pcd = {}\n",
            "",
            "",
            expect![[r#"
            destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named; bedside values as IHE PCD-01 (enhanced AL/NE, the device's name in PID-3, MSH-21 IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO)
            instrument "a": live, profile monitor (evidence: manual), connects to 192.0.2.90:4001, results go to "engine"; its values go every 1 min with PV1-3 ICU^12"#]],
        ),
        (
            "pcd = {}\n",
            ", acknowledgment = \"original\"",
            "",
            expect![[r#"
            destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named; bedside values as IHE PCD-01 (original, the device's name in PID-3, MSH-21 IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO)
            instrument "a": live, profile monitor (evidence: manual), connects to 192.0.2.90:4001, results go to "engine"; its values go every 1 min with PV1-3 ICU^12"#]],
        ),
        (
            "pcd = {}\n",
            ", require_application_ack = true",
            ", send_patient = true",
            expect![[r#"
            warning: orugate.toml:18: instrument "a": send_to: "engine" has require_application_ack, and a receiver of IHE PCD-01 answers CA and nothing after it: unless this one does, nothing is ever delivered. A destination of its own for these values does not need it
            warning: orugate.toml:20: instrument "a": bedside.send_patient: no destination in send_to says whose such ids are (authority in its pcd), so none goes along
            destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, original acknowledgment within 30 s, no patient is named; bedside values as IHE PCD-01 (enhanced AL/AL, the device's name in PID-3, MSH-21 IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO)
            instrument "a": live, profile monitor (evidence: manual), connects to 192.0.2.90:4001, results go to "engine"; its values go every 1 min with PV1-3 ICU^12; the patient id that it sends goes along"#]],
        ),
        (
            "pcd = { profile = \"\", authority = \"HOSP\", device_on_rows = true }\n",
            ", acknowledgment = \"enhanced\"",
            ", send_patient = true",
            expect![[r#"
                destination "engine": LIS, CENTRAL at HOSP by plain MLLP to engine.example:2575, takes live results, enhanced AL/NE acknowledgment within 30 s, no patient is named; bedside values as IHE PCD-01 (enhanced AL/NE, the device's name in PID-3 unless the device sends one (HOSP, MR), the device in each row, MSH-21 empty)
                instrument "a": live, profile monitor (evidence: manual), connects to 192.0.2.90:4001, results go to "engine"; its values go every 1 min with PV1-3 ICU^12; the patient id that it sends goes along"#]],
        ),
        (
            "pcd = { profile = \"a^b^c^d^e\", patient = \"none\", kind = \"MR\" }\n",
            "",
            "",
            expect![[r#"
            warning: orugate.toml:13: destination "engine": pcd.patient: "none": without PID there is no PV1 either, so no bed goes along, and the receiver knows devices by their EUI-64 only
            orugate.toml:13: destination "engine": pcd.profile: "a^b^c^d^e" is no profile's name; allowed are up to four parts as in "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO", or ""
            orugate.toml:13: destination "engine": pcd.kind: belongs to authority; write whose the patient ids of devices are
            2 mistakes; nothing was opened"#]],
        ),
        (
            "pcd = { profile = \"a|b\", patient = \"nobody\", authority = \"\", kind = \"a^b\", device_on_rows = 1, msh_21 = \"\" }\n",
            "",
            "",
            expect![[r#"
                orugate.toml:13: destination "engine": pcd.profile: "a|b" is no profile's name; allowed are up to four parts as in "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO", or ""
                orugate.toml:13: destination "engine": pcd.patient: "nobody" is not known; allowed are "none", "unknown", "device"
                orugate.toml:13: destination "engine": pcd.authority: is empty; an identifier that nobody assigned names no patient
                orugate.toml:13: destination "engine": pcd.kind: "a^b" holds '^'; allowed is plain text without | ^ ~ \ & and control characters
                orugate.toml:13: destination "engine": pcd.device_on_rows: integer 1 stands here; allowed is true or false without quotes
                orugate.toml:13: destination "engine": pcd.msh_21: unknown key; allowed are profile, patient, authority, kind, device_on_rows
                6 mistakes; nothing was opened"#]],
        ),
    ] {
        let said = said(&[&with(pcd, mllp, device)]);
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("gateway ")).collect();
        expected.assert_eq(&lines.join("\n"));
    }
    // Who is not reached need not take them.
    let text = with("pcd = {}\n", "", "").replace("[\"engine\"]", "[\"engine\", \"test\"]");
    let test = ENGINE.replace("\"engine\"", "\"test\"") + "accepts = \"T\"\n";
    assert!(load_texts(files(&[&text, &test]), &Shelf).is_ok(), "{}", said(&[&text, &test]));
    let plan = |pcd| load_texts(files(&[&with(pcd, "", "")]), &Shelf).unwrap().plan;
    let difference = Difference::between(&plan("pcd = {}\n"), &plan("pcd = { patient = \"unknown\" }\n"));
    let [change] = &*difference.changes else { panic!("{difference:?}") };
    expect!["engine: bedside values: IHE PCD-01 (enhanced AL/NE, the device's name in PID-3, MSH-21 IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO) → IHE PCD-01 (enhanced AL/NE, PID without an id, MSH-21 IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO)"].assert_eq(&change.to_string());
}

#[test]
fn a_line_that_is_not_set_as_such_devices_usually_are_is_told() {
    let told = |profile: &str, rest: &str| {
        let wire = format!("{{ serial = \"/dev/serial/by-path/a\", {rest} }}");
        let text = monitor(&wire).replace("\"monitor\"", &format!("{profile:?}"));
        let text = text.replace("mode = \"live\"", "mode = \"test\"");
        let loaded = load_texts(files(&[&text]), &SHIPPED).unwrap();
        let lines = loaded.warnings.iter().map(ToString::to_string).filter(|line| line.contains("wire."));
        lines.collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        orugate.toml:19: instrument "a": wire.parity: is none (not written), and devices of profile "ge-dri" are usually set to even; unless this one's own settings say none, nothing that it says can be read
        orugate.toml:19: instrument "a": wire.flow: is not "hardware", and devices of profile "ge-dri" say nothing while CTS is off; write flow = "hardware" when the cable has RTS and CTS, and bridge them at the device when it has not
        orugate.toml:19: instrument "a": wire.baud: is 9600, and devices of profile "ge-dri" are usually set to 19200 or 115200; unless this one's own settings say 9600, nothing that it says can be read"#]].assert_eq(&told("ge-dri", "baud = 9600"));
    assert_eq!(told("ge-dri", "baud = 115200, parity = \"even\", flow = \"hardware\""), "");
    assert_eq!(told("puritan-bennett-840", "baud = 38400, flow = \"hardware\""), "");
    assert_eq!(told("nonin-ascii", "baud = 9600, stop_bits = 2"), "");
    expect![[r#"
        orugate.toml:19: instrument "a": wire.data_bits: is 7, and devices of profile "nonin-ascii" are usually set to 8; unless this one's own settings say 7, nothing that it says can be read
        orugate.toml:19: instrument "a": wire.parity: is odd, and devices of profile "nonin-ascii" are usually set to none; unless this one's own settings say odd, nothing that it says can be read
        orugate.toml:19: instrument "a": wire.flow: waits for a permission that devices of profile "nonin-ascii" do not give; take it out unless this one does"#]].assert_eq(&told("nonin-ascii", "baud = 9600, data_bits = 7, parity = \"odd\", flow = \"software\""));
    // Analyzers whose profile says nothing, and each site's own setting.
    assert_eq!(told("arkray-spotchem-el", "baud = 1200, parity = \"odd\""), "");
    assert_eq!(told("draeger-medibus", "baud = 38400, parity = \"odd\""), "");
}

//! What becomes of a device's answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{EVITA, GENERIC, V500, interpret, of_script, profile};
use expect_test::expect;
use orugate_driver::Slot;
use orugate_driver::snapshot::Writer;
use orugate_driver::time::Utc;
use orugate_medibus::wire::response;
use std::time::Duration;

const WARD: &str = "\
52 8240'Evita 4'04.20:03.00
24 78 5.0
24 7D 24
24 B9 8.4
24 F0 45
24 EB 98
24 7E 0.45
24 A9 7
24 96 121
25 B9 5.0
25 EB 90
26 7D 40
26 B9 12.5
26 D6 30
2B 21 452
29 01 45
29 0B 5.0
29 04 0.500
29 17 15
27 31 98 APNOEA !!!
27 20 19 MV LOW
27 10 BB SIGH
27 3 77
2E 25 8D DISCONNECT
2A 0E BIPAP
2A 20 ADULT
2A 99 WHATEVER
28 11:11:1911-NOV-93
";

#[test]
fn a_ventilator_on_a_ward() {
    expect![[r#"
        device 70001 Draeger|Evita 4|04.20 19931111111119
         group 70002 0 at 1.0
          121 151976 24:78|PEEP|99DRAEGER = 5.0 mbar (266098)
          126 151817 24:7D|Peak inspiratory pressure|99DRAEGER = 24 mbar (266098) [..40]
          186 151880 24:B9|Minute volume|99DRAEGER = 8.4 L/min (265216) [5.0..12.5]
          127 152680 24:7E|Tidal volume of mandatory breaths|99DRAEGER = 0.45 L (263744)
          215 151562 24:D6|Respiratory rate|99DRAEGER = ABSENT 1/min (264928) [..30] NAV "the device lists no value for it now"
          290 152672 2B:21|Expiratory tidal volume|99DRAEGER = 452 mL (263762)
          524 16929192 29:0B|Set PEEP|99DRAEGER = 5.0 mbar (266098) Set
          517 16929196 29:04|Set tidal volume|99DRAEGER = 0.500 L (263744) Set
          536 0 29:17|Set tachypnoea duration|99DRAEGER = 15 s (264320) Set
         group 69650 0 at 2.0
          241 153144 24:F0|Inspired oxygen|99DRAEGER = 45 % (268384)
          514 16930360 29:01|Set oxygen|99DRAEGER = 45 % (268384) Set
         group 69642 0 at 3.0
          236 150456 24:EB|Oxygen saturation|99DRAEGER = 98 % (262688) [90..]
         group 69854 0 at 4.0
          151 150021 24:96|Non-invasive blood pressure systolic|99DRAEGER = 121 mmHg (266016) once
         group 0 0 at 0.0
          170 0 24:A9||99DRAEGER = 7
          921 0 27:98|Apnoea found by the ventilator|99DRAEGER = "APNOEA !!!" High Alarm
          794 0 27:19|Minute volume low|99DRAEGER = "MV LOW" Medium Alarm
          956 0 27:BB|Sigh on|99DRAEGER = "SIGH" Low Alarm
          888 0 27:77||99DRAEGER = "active" Low Alarm
          1166 0 2E:8D|Breathing system disconnected|99DRAEGER = "DISCONNECT" High Alarm
          1551 0 2A:0E|Mode BIPAP|99DRAEGER = "BIPAP" Mode
          1569 0 2A:20|Adults|99DRAEGER = "ADULT" Text
          1690 0 2A:99||99DRAEGER = "WHATEVER" Text
        end
    "#]]
    .assert_eq(&of_script(EVITA, WARD));
}

#[test]
fn codes_of_two_meanings_follow_the_device() {
    let script = |id: &str| format!("{id}24 06 50\n24 16 430\n29 17 3\n");
    expect![[r#"
        device 70001 Draeger|Evita 4|04.20 -
         group 70002 0 at 1.0
          7 0 24:06|Compliance with a decimal place|99DRAEGER = 50 mL/mbar (273042)
          536 0 29:17|Set tachypnoea duration|99DRAEGER = 3 s (264320) Set
         group 0 0 at 0.0
          23 0 24:16||99DRAEGER = 430
        end
    "#]]
    .assert_eq(&of_script(EVITA, &script("52 8240'Evita 4'04.20:03.00\n")));
    expect![[r#"
        device 70001 Draeger|Infinity V500|02.20 -
         group 70002 0 at 1.0
          7 152004 24:06|Inspiratory minute volume|99DRAEGER = 50 L/min (265216)
          23 152680 24:16|Tidal volume of mandatory breaths|99DRAEGER = 430 mL (263762)
          536 0 29:17|Set P0.1 interval|99DRAEGER = 3 min (264352) Set
        end
    "#]]
    .assert_eq(&of_script(EVITA, &script("52 5000'Infinity V500'02.20:06.00\n")));
    // One that is not known: what the profile says, and else nothing.
    let known = of_script(V500, &script("52 9999''01.00:06.00\n"));
    assert!(known.contains("152004 24:06|Inspiratory minute volume"), "{known}");
    expect![[r#"
        device 0 Draeger|| -
         group 0 0 at 0.0
          7 0 24:06||99DRAEGER = 50
          23 0 24:16||99DRAEGER = 430
          536 0 29:17||99DRAEGER = 3 Set
        end
    "#]]
    .assert_eq(&of_script(GENERIC, &script("")));
}

#[test]
fn a_name_is_no_observation_and_what_medibus_x_has_otherwise_is_so_named() {
    let script = "52 5000'Infinity V500'02.20:06.00\n24 8B 430\n24 A2 1:05\n29 44 0.450\n29 42 12\n\
        27 20 63 LA LOW\n2A 60 Anna\n2A 61 Smith\n2A 47 PC-AC\n";
    expect![[r#"
        device 70001 Draeger|Infinity V500|02.20 -
         group 70002 0 at 1.0
          140 153220 24:8B|Inspiratory tidal volume|99DRAEGER = 430 mL (263762)
          581 16930432 29:44|Set tidal volume of apnoea ventilation|99DRAEGER = 0.450 L (263744) Set
          579 16929698 29:42|Set rate of apnoea ventilation|99DRAEGER = 12 1/min (264928) Set
         group 0 0 at 0.0
          163 0 24:A2|Duration of phototherapy|99DRAEGER = "1:05" h:min (0)
          868 0 27:63|Left atrial pressure low|99DRAEGER = "LA LOW" Medium Alarm
          1608 0 2A:47|Mode PC-AC|99DRAEGER = "PC-AC" Mode
        end
    "#]]
    .assert_eq(&of_script(V500, script));
}

#[test]
fn values_of_a_simulation_are_nobodys() {
    let script = "52 5500'Perseus A500'01.10:06.00\n24 EB 98\n29 0B 5.0\n2A 62 SIMULATION ON\n";
    let simulated = of_script(V500, script);
    assert!(simulated.contains("24:EB|Oxygen saturation|99DRAEGER = 98 % (262688) DEMO"), "{simulated}");
    assert!(simulated.contains("29:0B|Set PEEP|99DRAEGER = 5.0 mbar (266098) Set\n"), "{simulated}");
    let real = of_script(V500, &script.replace("2A 62 SIMULATION ON\n", ""));
    assert!(!real.contains("DEMO"), "{real}");
}

#[test]
fn odd_fields_are_told_as_they_are() {
    let script = "24 78\n24 7D ----\n24 73 - .5\n24 71 -  3\n24 D6 OFF\n24 B9 12.\n25 B9 .5\n26 B9 OFF\n";
    expect![[r#"
        device 0 Draeger|| -
         group 70002 0 at 1.0
          121 151976 24:78|PEEP|99DRAEGER = ABSENT mbar (266098) NAV "the device sends spaces in place of a value"
          126 151817 24:7D|Peak inspiratory pressure|99DRAEGER = ABSENT mbar (266098) INV "the device sends marks in place of a value"
          116 151795 24:73|Mean airway pressure|99DRAEGER = -0.5 mbar (266098)
          114 151794 24:71|Minimum airway pressure|99DRAEGER = -3 mbar (266098)
          215 151562 24:D6|Respiratory rate|99DRAEGER = "OFF" 1/min (264928)
          186 151880 24:B9|Minute volume|99DRAEGER = 12 L/min (265216) [0.5..]
        end
    "#]]
    .assert_eq(&of_script(GENERIC, script));
}

#[test]
fn what_has_limits_and_is_not_listed_is_absent() {
    expect![[r#"
        device 0 Draeger|| -
         group 70002 0 at 1.0
          215 151562 24:D6|Respiratory rate|99DRAEGER = ABSENT 1/min (264928) [..30] NAV "the device lists no value for it now"
         group 69642 0 at 3.0
          236 150456 24:EB|Oxygen saturation|99DRAEGER = 98 % (262688) [90..]
          226 149530 24:E1|Pulse rate of the oximeter|99DRAEGER = ABSENT 1/min (264864) [50..120] NAV "the device lists no value for it now"
        end
    "#]]
    .assert_eq(&of_script(GENERIC, "24 EB 98\n25 EB 90\n25 E1 50\n26 E1 120\n26 D6 30\n"));
    // Nothing came to the question for values: only what has limits is known of.
    expect![[r#"
        device 0 Draeger|| -
         group 69642 0 at 3.0
          226 149530 24:E1|Pulse rate of the oximeter|99DRAEGER = ABSENT 1/min (264864) [50..] NAV "the device did not answer when it was asked for values"
        end
    "#]]
    .assert_eq(&of_script(GENERIC, "25 E1 50\n"));
}

#[test]
fn what_was_measured_once_is_given_from_the_answer_in_which_it_was_new() {
    let profile = profile(GENERIC);
    let mut raw = Vec::new();
    let mut writer = Writer::new(&mut raw, Utc(0), Utc(100_000_000));
    let first = response(0x24, b"96 1208C  749B 5.178 5.0");
    let second = response(0x24, b"96 1318C  749B 5.178 5.0");
    writer.taken(Duration::from_secs(50), &first);
    writer.taken(Duration::from_secs(10), &[first.as_slice(), &second].concat());
    writer.current(Slot(0x24), Duration::from_secs(10), &second);
    writer.current(Slot(0x25), Duration::from_secs(10), &response(0x25, b"96  90"));
    let dump = interpret(&*profile, &raw).text;
    expect![[r#"
        device 0 Draeger|| -
         group 70002 0 at 1.0
          121 151976 24:78|PEEP|99DRAEGER = 5.0 mbar (266098)
         group 69854 0 at 4.0
          151 150021 24:96|Non-invasive blood pressure systolic|99DRAEGER = 120 mmHg (266016) [90..] once
          141 150022 24:8C|Non-invasive blood pressure diastolic|99DRAEGER = 74 mmHg (266016) once
          156 150276 24:9B|Cardiac output|99DRAEGER = 5.1 L/min (265216) once
          151 150021 24:96|Non-invasive blood pressure systolic|99DRAEGER = 131 mmHg (266016) [90..] once
        end
    "#]]
    .assert_eq(&dump);
}

#[test]
fn a_code_that_comes_twice_has_one_place() {
    expect![[r#"
        device 0 Draeger|| -
         group 70002 0 at 1.0
          121 151976 24:78|PEEP|99DRAEGER = 5.0 mbar (266098)
          0 151976 24:78|PEEP|99DRAEGER = 6.0 mbar (266098)
         group 69642 0 at 3.0
          236 150456 24:EB|Oxygen saturation|99DRAEGER = 98 % (262688)
        end
    "#]]
    .assert_eq(&of_script(GENERIC, "24 78 5.0\n24 EB 98\n24 78 6.0\n"));
}

#[test]
fn damage_is_told_and_nothing_is_made_of_it() {
    let mut raw = Vec::new();
    let mut writer = Writer::new(&mut raw, Utc(0), Utc(1));
    let mut piece = |command: u8, bytes: &[u8]| writer.current(Slot(command.into()), Duration::ZERO, bytes);
    piece(0x24, b"\x01$EB 98 00\r");
    piece(0x30, &response(0x30, b""));
    piece(0x31, b"");
    piece(0x28, &response(0x28, b"25:11:1911-NOV-93"));
    piece(0x29, &response(0x29, b"0B  5.0xyz"));
    piece(0x2A, &response(0x2A, b"014IPPVx"));
    expect![[r#"
        ! BadFrame 35..46
        ! BadFrame 81..81
        ! BadTime 98..115
        device 0 Draeger|| -
         group 70002 0 at 1.0
          524 16929192 29:0B|Set PEEP|99DRAEGER = 5.0 mbar (266098) Set
        ! CutRecord 142..145
        ! CutRecord 165..173
        end
    "#]]
    .assert_eq(&interpret(&*profile(GENERIC), &raw).text);
}

#[test]
fn no_bytes_make_it_panic() {
    let profile = profile(GENERIC);
    let script = profile.example_bytes(WARD);
    let mut dice = 0x1234_5678_9ABC_DEF0u64;
    let mut roll = |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice).unwrap() % sides
    };
    for _ in 0..2000 {
        let mut raw = Vec::new();
        let mut writer = Writer::new(&mut raw, Utc(0), Utc(1));
        for command in 0x20..0x56u8 {
            let data: Vec<u8> = match roll(3) {
                0 => (0..roll(40)).map(|_| u8::try_from(roll(256)).unwrap()).collect(),
                1 => script[roll(script.len())..].iter().take(roll(60)).copied().collect(),
                _ => b"EB 98 E1 70 78 5.0".to_vec(),
            };
            if roll(4) == 0 {
                writer.taken(Duration::ZERO, &[response(command, &data), response(command, &data)].concat());
            } else {
                writer.current(Slot(command.into()), Duration::ZERO, &response(command, &data));
            }
        }
        let dump = interpret(&*profile, &raw);
        assert!(dump.text.ends_with("end\n"));
    }
}

//! Devices that print lines and monitors with a computer interface, on a serial line to a whole gateway: what happens to the
//! line, the device and its clock, and what the engine gets.
//!
//! Promises for each of them: only what the device said arrives as a value, what does not hold any more is withdrawn once, and
//! without anybody's help values come again when the device is back; meanwhile the status says what to look at. Analyzers that
//! print are here once as well: stored before they are answered, each result once. Leaves out what lines mean, which is the
//! drivers' (`drivers/lines/tests`, `drivers/dri/tests`).

use crate::net::{Act, Fault, Pulled, Way};
use crate::rig::{By, FAR, Rig, Setup, run};
use orugate::conditions::Code;
use orugate::status::{Device, Line};
use orugate_driver::SimulatedFault;
use orugate_tests::oru::results;
use std::time::Duration;

/// A device: its profile, what it says the n-th time, and what may arrive of it.
#[derive(Clone, Copy)]
struct Kind {
    profile: &'static str,
    says: fn(usize) -> String,
    /// A code, and the values that it can have.
    code: &'static str,
    good: &'static [&'static str],
    /// Bytes of one saying, about.
    long: usize,
    /// The same device with its clock a year back.
    back: fn(usize) -> String,
}

const KINDS: [Kind; 3] = [
    Kind {
        profile: "masimo-ascii1",
        says: |n| masimo(n, "11/22/26"),
        code: "SPO2",
        good: &["097", "098"],
        long: 70,
        back: |n| masimo(n, "11/22/25"),
    },
    Kind {
        profile: "puritan-bennett-840",
        says: ventilator,
        code: "73",
        good: &["21.0", "22.0"],
        long: 1240,
        back: ventilator,
    },
    Kind {
        profile: "ge-dri",
        says: |n| monitor(n, 2026, 10),
        code: "ecg.hr",
        good: &["71", "72"],
        long: 1155,
        back: |n| monitor(n, 2025, 9),
    },
];

fn masimo(n: usize, day: &str) -> String {
    let (minute, second) = (n / 60 % 60, n % 60);
    let value = 97 + n % 2;
    format!("{day} 10:{minute:02}:{second:02} SN=1 SPO2=0{value}% BPM=072 ALARM=0000 EXC=000800<CR><LF>")
}

fn ventilator(n: usize) -> String {
    let column = |column: usize| match column {
        6 => "840 0000000001    ".to_owned(),
        9 => "SIMV  ".to_owned(),
        73 => format!("{}.0  ", 21 + n % 2),
        106..=153 => "NORMAL".to_owned(),
        _ => "      ".to_owned(),
    };
    let data = (5..174).map(column).collect::<Vec<_>>().join(",");
    format!("MISCF,{},169 ,<STX>{data},<ETX><CR>", data.len() + 1)
}

fn monitor(n: usize, year: u16, level: u8) -> String {
    let (minute, second) = (n / 12 % 60, n * 5 % 60);
    format!("record {year}112210{minute:02}{second:02}\nlevel {level}\necg status=11 hr={}\n", 71 + n % 2)
}

fn setup(kind: &Kind) -> Setup {
    // One for each profile, since a setup's texts live as long as the process.
    let text: &'static [(&str, &str)] = match kind.profile {
        "masimo-ascii1" => &[
            (PCD, TAKES),
            (
                "profile = \"masimo-ascii1\"\n",
                "profile = \"masimo-ascii1\"\nbedside = { interval = \"10 s\" }\n",
            ),
        ],
        "puritan-bennett-840" => &[
            (PCD, TAKES),
            (
                "profile = \"puritan-bennett-840\"\n",
                "profile = \"puritan-bennett-840\"\nbedside = { interval = \"10 s\" }\n",
            ),
        ],
        _ => &[
            (PCD, TAKES),
            ("profile = \"ge-dri\"\n", "profile = \"ge-dri\"\nbedside = { interval = \"10 s\" }\n"),
        ],
    };
    Setup { profile: kind.profile, by: By::Cable, text, ..Setup::default() }
}

const PCD: &str = "role = \"lis\"\n";
const TAKES: &str = "role = \"lis\"\npcd = {}\n";

/// Value and status of each row of this code that the engine has, oldest first.
fn told(rig: &Rig, code: &str) -> Vec<(String, String)> {
    let messages = rig.engine.messages();
    let texts = messages.iter().map(|message| String::from_utf8(message.bytes.clone()).unwrap());
    let mut all = Vec::new();
    for text in texts {
        for row in text.split('\r').filter(|row| row.starts_with("OBX")) {
            let fields: Vec<_> = row.split('|').collect();
            if fields[3].split('^').any(|part| part == code) {
                all.push((fields[5].to_owned(), fields[11].to_owned()));
            }
        }
    }
    all
}

/// The device is on for so long.
async fn on(rig: &Rig, says: fn(usize) -> String, faults: &[SimulatedFault], seconds: u64) {
    let sayings = (0..300).map(|n| says(n).into_bytes()).collect();
    let played = rig.device("one", sayings, faults, Some(19_200));
    let _ = tokio::time::timeout(Duration::from_secs(seconds), played).await;
}

/// Only values that the device has, or none; and the last one is a value when it must be.
fn only_good(kind: &Kind, told: &[(String, String)]) {
    for (value, status) in told {
        let good =
            (status == "R" && kind.good.contains(&value.as_str())) || (status == "X" && value.is_empty());
        assert!(good, "{}: {value:?} {status}, of {told:?}", kind.profile);
    }
}

fn withdrawn(told: &[(String, String)]) -> usize {
    told.iter().filter(|(_, status)| status == "X").count()
}

/// Values, what happened, values again: what was told at each end.
async fn three_acts<T>(
    rig: &mut Rig,
    kind: &Kind,
    between: impl AsyncFnOnce(&mut Rig) -> T,
    after: fn(usize) -> String,
) -> T {
    on(rig, kind.says, &[], 35).await;
    let before = told(rig, kind.code);
    assert!(before.last().is_some_and(|(_, status)| status == "R"), "{}: {before:?}", kind.profile);
    assert_eq!(withdrawn(&before), 0, "{before:?}");
    let out = between(rig).await;
    on(rig, after, &[], 45).await;
    let all = told(rig, kind.code);
    only_good(kind, &all);
    assert!(all.last().is_some_and(|(_, status)| status == "R"), "{}: it is not back: {all:?}", kind.profile);
    assert!(matches!(rig.status("one").device, Some((Device::Talking, _))), "{:?}", rig.status("one").device);
    assert!(rig.is_drained());
    rig.came("one");
    out
}

#[test]
fn a_device_that_was_off_for_ten_minutes_is_withdrawn_once_and_comes_back() {
    for kind in &KINDS {
        run(&setup(kind), async |rig| {
            three_acts(
                rig,
                kind,
                async |rig| {
                    rig.pass(600).await;
                    assert!(
                        matches!(rig.status("one").device, Some((Device::Silent, _))),
                        "{}",
                        kind.profile
                    );
                    let condition = rig.gateway().admin.conditions.list();
                    let silent = condition.iter().find(|c| c.code == Code::DeviceSilent).unwrap();
                    assert!(
                        silent.text.contains("does not answer any more")
                            && silent.next.contains("switched on"),
                        "{silent:?}"
                    );
                    assert_eq!(withdrawn(&told(rig, kind.code)), 1, "{:?}", told(rig, kind.code));
                },
                kind.says,
            )
            .await;
            let list = rig.gateway().admin.conditions.list();
            assert!(!list.iter().any(|c| c.code == Code::DeviceSilent), "{list:?}");
        });
    }
}

#[test]
fn a_cable_that_was_pulled_is_told_and_its_values_withdrawn() {
    for kind in &KINDS {
        run(&setup(kind), async |rig| {
            three_acts(
                rig,
                kind,
                async |rig| {
                    // In the middle of what it says a few seconds on; the port is away for two minutes.
                    let at = rig.lines("one")[0].log(Way::There).len() + kind.long / 2;
                    let fault = Act::Unplug(Pulled::Error, Duration::from_secs(120));
                    rig.net.spoil(
                        FAR,
                        vec![Fault { way: Way::There, at, remove: 0, insert: vec![], then: fault }],
                    );
                    on(rig, kind.says, &[], 60).await;
                    let line = rig.status("one").line;
                    assert!(matches!(line, Line::Down(_)), "{}: {line:?}", kind.profile);
                    let list = rig.gateway().admin.conditions.list();
                    let down = list.iter().find(|c| c.code == Code::LineDown).unwrap();
                    assert!(down.next.contains("Look at cable"), "{down:?}");
                    assert_eq!(withdrawn(&told(rig, kind.code)), 1, "{:?}", told(rig, kind.code));
                    rig.pass(90).await;
                },
                kind.says,
            )
            .await;
        });
    }
}

#[test]
fn a_clock_that_jumps_a_year_back_stops_nothing() {
    for kind in &KINDS {
        run(&setup(kind), async |rig| {
            three_acts(rig, kind, async |_| {}, kind.back).await;
            let text = String::from_utf8(rig.engine.messages().last().unwrap().bytes.clone()).unwrap();
            // The reported time is the box's: what the device's clock says is known to be wrong by a year.
            let rows = text.split('\r').filter(|row| row.starts_with("OBX"));
            let times: Vec<_> = rows.filter_map(|row| row.split('|').nth(14)).collect();
            assert!(
                times.iter().all(|time| time.is_empty() || time.starts_with("202611")),
                "{}: {times:?}",
                kind.profile
            );
        });
    }
}

#[test]
fn damage_on_the_line_costs_what_it_hit_and_is_told() {
    let faults = |frame: usize| {
        [
            SimulatedFault::FlipBit { frame, byte: 60, bit: 3 },
            SimulatedFault::LoseByte { frame: frame + 3, byte: 40 },
            SimulatedFault::DoubleByte { frame: frame + 6, byte: 20 },
            SimulatedFault::InsertByte { frame: frame + 9, byte: 30, code: 0x7E },
            SimulatedFault::LoseFrame { frame: frame + 12 },
            SimulatedFault::Twice { frame: frame + 15 },
        ]
    };
    // A line of text has no checksum, so that noise in a value is nobody's to see: only records of the monitor's interface are
    // safe from any of it, and a report's columns from what moves them.
    let kind = &KINDS[2];
    run(&setup(kind), async |rig| {
        on(rig, kind.says, &faults(2), 120).await;
        let all = told(rig, kind.code);
        only_good(kind, &all);
        assert!(all.len() >= 8 && withdrawn(&all) == 0, "{all:?}");
        let came = rig.came("one");
        assert!(
            came.status.kinds.keys().any(|note| note.contains("checksum is wrong")),
            "{:?}",
            came.status.kinds
        );
    });
    let kind = &KINDS[1];
    run(&setup(kind), async |rig| {
        let moved = SimulatedFault::InsertByte { frame: 2, byte: 40, code: b',' };
        let lost = SimulatedFault::LoseByte { frame: 3, byte: 20 };
        on(rig, kind.says, &[moved, lost], 60).await;
        only_good(kind, &told(rig, kind.code));
        let came = rig.came("one");
        assert!(
            came.status.kinds.keys().any(|note| note.contains("another number of values")),
            "{:?}",
            came.status.kinds
        );
    });
}

#[test]
fn a_monitor_that_forgot_what_it_was_asked_for_is_asked_again() {
    let kind = &KINDS[2];
    run(&setup(kind), async |rig| {
        // RTS and CTS blocked for more than two seconds, or its software began anew: it needs another request.
        on(rig, kind.says, &[SimulatedFault::Restart { frame: 4 }], 120).await;
        let all = told(rig, kind.code);
        only_good(kind, &all);
        // Its values were withdrawn once, when they were older than they may be, and were back by the next interval.
        assert!(all.len() >= 11 && withdrawn(&all) == 1 && all.last().unwrap().1 == "R", "{all:?}");
        let came = rig.came("one");
        assert!(came.status.kinds.keys().any(|note| note.contains("asked again")), "{:?}", came.status.kinds);
    });
}

#[test]
fn a_line_that_is_blocked_brings_nothing_old_as_new() {
    let kind = &KINDS[2];
    run(&setup(kind), async |rig| {
        on(rig, kind.says, &[], 20).await;
        let at = rig.lines("one")[0].log(Way::There).len() + 100;
        rig.net.spoil(
            FAR,
            vec![Fault {
                way: Way::There,
                at,
                remove: 0,
                insert: vec![],
                then: Act::Stall(Duration::from_secs(90)),
            }],
        );
        on(rig, kind.says, &[], 80).await;
        assert_eq!(withdrawn(&told(rig, kind.code)), 1, "{:?}", told(rig, kind.code));
        on(rig, kind.says, &[], 60).await;
        let all = told(rig, kind.code);
        only_good(kind, &all);
        assert_eq!(all.last().unwrap().1, "R", "{all:?}");
        rig.came("one");
    });
}

#[test]
fn wrong_parity_is_silence_that_says_what_to_compare() {
    let kind = &KINDS[0];
    run(&setup(kind), async |rig| {
        let line = masimo(1, "11/22/26").replace("<CR><LF>", "\r\n");
        let mut near = rig.near();
        for _ in 0..90 {
            // Seven bits and even parity, read as eight without.
            let bytes: Vec<u8> = line
                .bytes()
                .map(|byte| if byte.count_ones() % 2 == 1 { byte | 0x80 } else { byte })
                .collect();
            tokio::io::AsyncWriteExt::write_all(&mut near, &bytes).await.unwrap();
            rig.pass(1).await;
        }
        assert!(rig.engine.messages().is_empty());
        let came = rig.came("one");
        assert!(
            came.status.kinds.keys().any(|note| note.contains("compare rate, parity")),
            "{:?}",
            came.status.kinds
        );
        let list = rig.gateway().admin.conditions.list();
        let silent = list.iter().find(|c| c.code == Code::DeviceSilent).unwrap();
        assert!(silent.next.contains("rate and parity"), "{silent:?}");
    });
}

/// A message of a Spotchem, and its results as the engine must have them.
fn electrolytes(id: &str, sodium: u32) -> String {
    format!(
        "<STX>26/11/22 09:12 ID# {id}     [B. Plasma] Na       {sodium}  mmol/L K        4.1  mmol/L Cl       102  mmol/L              <ETX><LF>"
    )
}

#[test]
fn analyzers_that_print_go_through_once() {
    let setup = Setup { profile: "arkray-spotchem-el", by: By::Cable, ..Setup::default() };
    run(&setup, async |rig| {
        rig.instrument("one", electrolytes("T-1", 140).as_bytes(), &[], Some(9600)).await.unwrap();
        // Broken off by the next one, cut by its line, none of ours, without an id.
        let noise = electrolytes("T-2", 139).replace("<ETX><LF>", "");
        rig.instrument("one", (noise + &electrolytes("T-3", 138)).as_bytes(), &[], Some(9600)).await.unwrap();
        rig.instrument("one", b"<STX>CALIBRATION OK<ETX><LF>", &[], Some(9600)).await.unwrap();
        rig.instrument("one", electrolytes("", 137).as_bytes(), &[], Some(9600)).await.unwrap();
        rig.pass(60).await;
        let came = rig.came("one");
        let sodium: Vec<_> =
            came.sent.iter().filter(|seen| seen.code.contains("Na")).map(|seen| seen.value.clone()).collect();
        assert_eq!(
            (sodium.first().map(String::as_str), sodium.last().map(String::as_str)),
            (Some("140"), Some("138"))
        );
        assert!(!sodium.contains(&"137".to_owned()), "{sodium:?}");
        assert_eq!(came.messages, [Some(true), Some(false), Some(true), Some(true), Some(true)]);
        assert!(came.held >= 2, "what fits nothing, and what has no id, wait for a person: {came:?}");
        // The power goes, and the analyzer says the next one: nothing is told twice.
        let before = rig.engine.messages().len();
        rig.cut().await;
        rig.engine.bring_back().unwrap();
        rig.instrument("one", electrolytes("T-4", 136).as_bytes(), &[], Some(9600)).await.unwrap();
        rig.pass(60).await;
        let news: Vec<_> = rig.engine.messages()[before..].iter().flat_map(|m| results(&m.bytes)).collect();
        assert_eq!(news.len(), 3, "{news:?}");
    });
}

#[test]
fn an_analyzer_that_waits_for_its_answer_gets_it_when_its_result_is_on_flash() {
    // A Spotchem as a site's profile has it that answers, and knows its controls.
    let setup = Setup {
        profile: "arkray-spotchem-el",
        otherwise: (
            "[sample]",
            "[reply]\nstored = \"<ACK>\"\nrefused = \"<NAK>\"\n\n[qc]\nid_prefixes = [\"QC\"]\nproof = \"manual\"\n\n[sample]",
        ),
        by: By::Cable,
        ..Setup::default()
    };
    run(&setup, async |rig| {
        let messages = ["T-1", "QC-1", "T-2"].map(|id| electrolytes(id, 140).into_bytes()).to_vec();
        rig.device("one", messages, &[], Some(9600)).await.unwrap();
        rig.pass(30).await;
        let came = rig.came("one");
        assert_eq!(rig.heard("one"), "AAA");
        assert_eq!((came.messages.len(), came.sent.len(), came.held), (3, 6, 0), "{came:?}");
        // No room on flash: it is told, sends it again by a person, and nothing was acknowledged.
        rig.restart(1 << 30).await;
        rig.device("one", vec![electrolytes("T-3", 139).into_bytes()], &[], Some(9600)).await.unwrap();
        rig.pass(30).await;
        assert_eq!(rig.heard("one"), "AAAA");
        assert_eq!(rig.came("one").sent.len(), 9);
    });
}

#[test]
fn a_blood_count_that_nobody_has_compared_yet_waits_for_a_person() {
    let setup = Setup { profile: "horiba-abx-micros", by: By::Cable, ..Setup::default() };
    run(&setup, async |rig| {
        let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, "horiba-abx-micros").unwrap();
        let example = profile.common().examples[0].input.clone();
        rig.instrument("one", example.as_bytes(), &[], Some(9600)).await.unwrap();
        // The same without its end: ten seconds of silence end it.
        let open = example.replace("<ETX>", "").replace("T-0001", "T-0003");
        rig.instrument("one", open.as_bytes(), &[], Some(9600)).await.unwrap();
        rig.pass(60).await;
        let came = rig.came("one");
        assert_eq!(came.messages, [Some(true), Some(false)]);
        // Its profile is only described, so nothing goes to a patient before a verification.
        assert_eq!((came.sent.len(), came.held), (0, 32), "{came:?}");
    });
}

//! What befalls bedside devices, one table for all of them: a ventilator on a serial server, a monitor by datagrams, one on a serial port.
//!
//! Promises that each is found again without a restart, that what does not hold is withdrawn meanwhile, and that status says what
//! happened and what to do.

use crate::net::datagrams::Fate;
use crate::rig::{By, Rig, Setup, ours, run, theirs};
use orugate::conditions::{Code, Condition};
use orugate_driver::SimulatedFault as Fault;
use std::time::Duration;

/// One kind of device.
#[derive(Clone, Copy)]
struct Kind {
    profile: &'static str,
    by: By,
    scene: &'static str,
    /// A value's row, and that of its withdrawal.
    there: &'static str,
    gone: &'static str,
}

const MONITOR: &str = "monitor model=M8007A serial=DE00000001 mac=00:09:FB:01:02:03 bed=ICU-7 time=20261122100000\n\
    answer\n8501 HR label=00024182 unit=0AA0 access=4228 4182=72\nrepeat\n";

const VENTILATOR: Kind = Kind {
    profile: "draeger-evita",
    by: By::Tcp,
    scene: "52 8240'Evita 4'04.20:03.00\n24 78 5.0\n24 D6 14\n",
    there: "24:D6|14||R",
    gone: "24:D6||NAV|X",
};
const BY_LAN: Kind = Kind {
    profile: "philips-intellivue",
    by: By::Datagrams,
    scene: MONITOR,
    there: "0002-4182|72||R",
    gone: "0002-4182||NAV|X",
};
const BY_MIB: Kind = Kind { profile: "philips-intellivue-mib", by: By::Cable, ..BY_LAN };

const ALL: &[Kind] = &[VENTILATOR, BY_LAN, BY_MIB];
const MONITORS: &[Kind] = &[BY_LAN, BY_MIB];

impl Kind {
    fn setup(&self, bedside: &'static str) -> Setup {
        let keys = "role = \"lis\"\npcd = {}\n".to_owned();
        let with: String =
            format!("profile = \"{}\"\nbedside = {{ interval = \"10 s\"{bedside} }}\n", self.profile);
        let of: String = format!("profile = \"{}\"\n", self.profile);
        // A test's own text lives as long as the test.
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let text = vec![("role = \"lis\"\n", leak(keys)), (leak(of), leak(with))];
        Setup {
            profile: self.profile,
            by: self.by,
            text: Box::leak(text.into_boxed_slice()),
            ..Setup::default()
        }
    }

    /// Lets the device answer for so long; then nothing is at the other end.
    async fn plays(&self, rig: &Rig, scene: &str, faults: &[Fault], seconds: u64) {
        let scenes = vec![scene.as_bytes().to_vec(); if self.by == By::Tcp { 9000 } else { 1 }];
        let played = rig.device("one", scenes, faults, (self.by == By::Tcp).then_some(19_200));
        let _ = tokio::time::timeout(Duration::from_secs(seconds), played).await;
    }
}

/// OBX rows of all messages with PV1-3 before them: the code, OBX-5, OBX-8 and OBX-11.
fn rows(rig: &Rig) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for message in rig.engine.messages() {
        let text = String::from_utf8(message.bytes).unwrap();
        let mut place = String::new();
        for row in text.split('\r') {
            let fields: Vec<_> = row.split('|').collect();
            match fields[0] {
                "PV1" => place = fields[3].to_owned(),
                "OBX" if !fields[4].ends_with(".0") => {
                    let code = fields[3].split('^').nth(3).filter(|code| !code.is_empty());
                    let code = code.unwrap_or_else(|| fields[3].split('^').next().unwrap());
                    let row =
                        [code, fields[5], fields.get(8).copied().unwrap_or_default(), fields[11]].join("|");
                    all.push((place.clone(), row));
                }
                _ => {}
            }
        }
    }
    all
}

fn of<'r>(rows: &'r [(String, String)], kind: &Kind) -> Vec<&'r str> {
    let code = kind.there.split('|').next().unwrap();
    rows.iter().map(|(_, row)| row.as_str()).filter(|row| row.starts_with(code)).collect()
}

/// What is wrong with the device, and what to do about it.
fn wrong(rig: &Rig) -> Vec<(Code, String)> {
    let all = rig.gateway().admin.conditions.list();
    // Its clock is told of after a while, and is nothing that keeps it from telling what it measures.
    let clock = |condition: &Condition| condition.code == Code::InstrumentClock;
    let of_it = all.into_iter().filter(|condition| condition.subject == "one" && !clock(condition));
    of_it
        .map(|condition| {
            assert!(condition.next.len() > 20, "{condition:?}");
            (condition.code, condition.text)
        })
        .collect()
}

/// What happens to a device, and what comes of it.
struct Case {
    what: &'static str,
    kinds: &'static [Kind],
    faults: &'static [Fault],
    /// For how many seconds it plays, for how many it does so again and well, and when status is looked at.
    seconds: u64,
    then: u64,
    look: u64,
    /// A piece of what status says then; empty for nothing.
    says: &'static str,
    /// How often the value is withdrawn.
    gone: std::ops::RangeInclusive<usize>,
}

#[test]
fn whatever_befalls_a_device_it_is_found_again_and_status_says_so() {
    let cases = [
        Case {
            what: "nothing",
            kinds: ALL,
            faults: &[],
            seconds: 60,
            then: 0,
            look: 30,
            says: "",
            gone: 0..=0,
        },
        Case {
            what: "its power goes and comes back",
            kinds: ALL,
            faults: &[Fault::Restart { frame: 12 }],
            seconds: 120,
            then: 0,
            look: 110,
            says: "",
            gone: 0..=2,
        },
        Case {
            what: "ten minutes of silence",
            kinds: MONITORS,
            faults: &[Fault::Stall { frame: 12, seconds: 600 }],
            seconds: 720,
            then: 0,
            look: 300,
            says: "does not answer any more",
            gone: 1..=3,
        },
        Case {
            what: "ten minutes of silence; its serial server hangs up after one",
            kinds: &[VENTILATOR],
            faults: &[Fault::Silence { frame: 12 }],
            seconds: 600,
            then: 60,
            look: 500,
            says: "nobody is connected as this device",
            gone: 1..=3,
        },
        Case {
            what: "frames are lost and doubled",
            kinds: ALL,
            faults: &[
                Fault::LoseFrame { frame: 12 },
                Fault::RepeatFrame { frame: 19 },
                Fault::LoseFrame { frame: 26 },
                Fault::LoseFrame { frame: 31 },
                Fault::Twice { frame: 37 },
            ],
            seconds: 90,
            then: 0,
            look: 80,
            says: "",
            gone: 0..=1,
        },
        Case {
            what: "its clock is set",
            kinds: MONITORS,
            faults: &[Fault::SetClock { frame: 12, seconds: -86_400 }],
            seconds: 90,
            then: 0,
            look: 80,
            says: "",
            gone: 0..=0,
        },
        Case {
            what: "another client has it",
            kinds: MONITORS,
            faults: &[Fault::Deny { times: 3 }],
            seconds: 90,
            then: 0,
            look: 20,
            says: "refuses to talk to this box: another client",
            gone: 0..=0,
        },
    ];
    for case in cases {
        for kind in case.kinds {
            let name = format!("{}: {}", kind.profile, case.what);
            run(&kind.setup(", location = \"ICU^12^1^HOSP\""), async |rig| {
                let rig: &Rig = rig;
                let look = async {
                    rig.pass(case.look).await;
                    wrong(rig)
                };
                let end = async {
                    rig.pass(case.seconds + case.then - 2).await;
                    (wrong(rig), rows(rig))
                };
                let played = async {
                    let first = kind.plays(rig, kind.scene, case.faults, case.seconds);
                    tokio::join!(first, rig.pass(case.seconds));
                    kind.plays(rig, kind.scene, &[], case.then).await;
                };
                let ((), said, (still, rows)) = tokio::join!(played, look, end);
                match case.says {
                    "" => assert_eq!(said, [], "{name}"),
                    words => assert!(said.iter().any(|(_, text)| text.contains(words)), "{name}: {said:?}"),
                }
                assert_eq!(still, [], "{name}");
                let of_it = of(&rows, kind);
                assert_eq!(of_it.last(), Some(&kind.there), "{name}: {of_it:?}");
                let gone = of_it.iter().filter(|row| **row == kind.gone).count();
                assert!(case.gone.contains(&gone), "{name}: {of_it:?}");
                assert!(of_it.iter().all(|row| [kind.there, kind.gone].contains(row)), "{name}: {of_it:?}");
            });
        }
    }
}

#[test]
fn an_unplugged_device_is_withdrawn_and_comes_back() {
    for kind in ALL {
        let name = kind.profile;
        run(&kind.setup(", location = \"ICU^12^1^HOSP\""), async |rig| {
            kind.plays(rig, kind.scene, &[], 25).await;
            assert_eq!(of(&rows(rig), kind).last(), Some(&kind.there), "{name}");
            rig.pass(400).await;
            assert_eq!(of(&rows(rig), kind).last(), Some(&kind.gone), "{name}");
            let said = wrong(rig);
            let told = said.iter().any(|(code, _)| matches!(code, Code::DeviceSilent | Code::LineDown));
            assert!(told, "{name}: {said:?}");
            let rig: &Rig = rig;
            let end = async {
                rig.pass(40).await;
                (wrong(rig), rows(rig))
            };
            let ((), (still, rows)) = tokio::join!(kind.plays(rig, kind.scene, &[], 45), end);
            assert_eq!(still, [], "{name}");
            assert_eq!(of(&rows, kind).last(), Some(&kind.there), "{name}");
        });
    }
}

#[test]
fn datagrams_that_are_lost_doubled_and_late_on_both_ways_end_nothing() {
    run(&BY_LAN.setup(", location = \"ICU^12^1^HOSP\""), async |rig| {
        let fates = |seed: usize| {
            (0..400).map(move |n| match (n * 7 + seed) % 11 {
                0 => Fate::Lost,
                3 => Fate::Twice,
                6 => Fate::Late,
                _ => Fate::Arrives,
            })
        };
        rig.net.fates(ours(), theirs(), fates(5));
        rig.net.fates(theirs(), ours(), fates(9));
        let rig: &Rig = rig;
        let end = async {
            rig.pass(150).await;
            (wrong(rig), rows(rig))
        };
        let ((), (still, rows)) = tokio::join!(BY_LAN.plays(rig, MONITOR, &[], 160), end);
        assert_eq!(still, []);
        let of_it = of(&rows, &BY_LAN);
        assert!(of_it.len() >= 13 && of_it.iter().all(|row| *row == BY_LAN.there), "{of_it:?}");
    });
}

#[test]
fn another_bed_label_is_another_place() {
    for kind in MONITORS {
        run(&kind.setup(""), async |rig| {
            kind.plays(rig, MONITOR, &[], 25).await;
            kind.plays(rig, &MONITOR.replace("ICU-7", "ICU-8"), &[], 60).await;
            let rows = rows(rig);
            let mut places: Vec<_> = rows.iter().map(|(place, _)| place.as_str()).collect();
            places.dedup();
            assert_eq!(places, ["^^ICU-7", "^^ICU-8"]);
            let at_7: Vec<_> =
                rows.iter().filter(|(place, _)| place == "^^ICU-7").map(|(_, row)| row).collect();
            assert_eq!(
                at_7.last().map(|row| row.as_str()),
                Some(kind.gone),
                "what was said there is withdrawn there"
            );
            assert!(of(&rows, kind).iter().all(|row| [kind.there, kind.gone].contains(row)), "{rows:?}");
            assert_eq!(of(&rows, kind).last(), Some(&kind.there));
        });
    }
}

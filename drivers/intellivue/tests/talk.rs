//! A client and a simulated monitor on one wire, with what can go wrong on it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic)]

mod common;

use common::{MIB, Rig, UDP};
use orugate_driver::{Input, SimulatedFault as Fault, State};

const SCRIPT: &str = "
monitor model=M8007A serial=DE00000001 version=J.10.26 mac=00:09:FB:01:02:03 bed=ICU-7 time=20260301100000
patient id=4711 family=Doe given=Jane inside=a
answer
8501 HR label=00024182 unit=0AA0 access=4228 4182=72
8502 SpO₂ label=00024BB8 unit=0220 access=4228 4BB8=97.5
8503 ABP label=00024A14 unit=0F20 access=4228 4A15=120 4A16=80 4A17=93
8504 NBP label=00024A04 unit=0F20 access=F000 at=20260301095500 4A05=118 4A06=76 4A07=90
8505 Pulse label=80035402 unit=0AA0 access=4228 480A=71
8506 T1 label=0002F0C7 unit=17A0 access=4228 F0C7=36.80
8507 CPP label=00025804 unit=0F20 access=4228
8508 etCO₂ label=000250B0 unit=0F20 access=4228 state=8000 50B0=38
repeat
";

const EXPECTED: &str = "\
device 69965 [Philips] [M8007A] [DE00000001] [J.10.26] 0009FBFFFE010203 bed [ICU-7] patient [4711] clock 20260301100000
0002-4a05 150021 [NBP-sys] 118 266016 [mmHg] at 20260301095500 once
0002-4a06 150022 [NBP-dia] 76 266016 [mmHg] at 20260301095500 once
0002-4a07 150023 [NBP-mean] 90 266016 [mmHg] at 20260301095500 once
0002-4182 147842 [HR] 72 264864 [bpm]
0002-4bb8 150456 [SpO2] 97.5 262688 [%]
0002-4a15 150037 [ABP-sys] 120 266016 [mmHg]
0002-4a16 150038 [ABP-dia] 80 266016 [mmHg]
0002-4a17 150039 [ABP-mean] 93 266016 [mmHg]
0002-480a 149514 [Pulse] 71 264864 [bpm] label [Pulse 8003-5402]
0002-f0c7 0 [T1] 36.80 268192 [C]
0002-5804 153604 [CPP] - 266016 [mmHg] NAV (the monitor lists it without a value)
0002-50b0 151728 [etCO2] - 266016 [mmHg] INV (the monitor says that it is not valid)
";

#[test]
fn an_association_brings_numerics_over_both_wires() {
    for toml in [UDP, MIB] {
        let mut rig = Rig::new(toml, SCRIPT, &[]);
        rig.run(3.0);
        assert_eq!(rig.stage.notes, Vec::<String>::new(), "{toml}");
        assert_eq!(rig.items(toml), EXPECTED);
        assert_eq!(rig.stage.states, [State::Connecting, State::Talking]);
        // Whatever was taken stands in one snapshot alone.
        rig.stage.taken.clear();
        rig.run(3.0);
        assert!(rig.stage.taken.is_empty());
        assert!(!rig.items(toml).contains("NBP"), "{}", rig.items(toml));
        rig.run(3600.0);
        assert_eq!((rig.stage.notes.len(), rig.stage.forgotten), (0, 0), "{:?}", rig.stage.notes);
        assert!(rig.items(toml).contains("[HR] 72"));
        rig.give(Input::Stop);
        assert!(rig.done);
    }
}

#[test]
fn debug() {
    let mut rig = Rig::new(UDP, SCRIPT, &[]);
    rig.run(3.0);
    for (at, said) in &rig.said {
        eprintln!("{at:?} {} {:02x?}", said.len(), &said[..said.len().min(16)]);
    }
    eprintln!("{:?} {:?} {:?}", rig.stage.states, rig.stage.notes, rig.stage.current.keys());
}

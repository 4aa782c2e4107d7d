//! From the raw bytes of an XN-L's message to the finished ORU: the function that the gateway calls.

use crate::Anything;
use crate::timing::{Contestant, Figure, compare};
use orugate::convert::{
    Clocks, Converter, Corrections, NoPast, Numbers, Proof, Reruns, Rules, Setting, Target, Task,
};
use orugate_driver::{Interpreter, StoredMessage};
use orugate_protocol::astm::link::{FrameEnd, encode_frame};
use orugate_protocol::oru::{Route, SampleIdIn};
use orugate_protocol::text::Charset;
use orugate_protocol::time::{ClockQuality, Utc};
use std::fmt::Write as _;

const PROFILE: &str = "sysmex-xn-l";

/// Name, value, unit, flag: what an XN-L says of one tube, in its order. The values are invented.
const RESULTS: [(&str, &str, &str, &str); 41] = [
    ("WBC^1", "7.31", "10*3/uL", "N"),
    ("RBC^1", "3.12", "10*6/uL", "L"),
    ("HGB^1", "9.1", "g/dL", "L"),
    ("HCT^1", "27.7", "%", "L"),
    ("MCV^1", "88.8", "fL", "N"),
    ("MCH^1", "29.2", "pg", "N"),
    ("MCHC^1", "32.9", "g/dL", "N"),
    ("PLT^1", "121", "10*3/uL", "L"),
    ("NEUT%^1", "61.5", "%", "N"),
    ("LYMPH%^1", "14.2", "%", "L"),
    ("MONO%^1", "6.9", "%", "N"),
    ("EO%^1", "17.0", "%", "H"),
    ("BASO%^1", "0.4", "%", "N"),
    ("NEUT#^1", "4.50", "10*3/uL", "N"),
    ("LYMPH#^1", "1.04", "10*3/uL", "N"),
    ("MONO#^1", "0.50", "10*3/uL", "N"),
    ("EO#^1", "1.24", "10*3/uL", "H"),
    ("BASO#^1", "0.03", "10*3/uL", "N"),
    ("IG%^1", "0.3", "%", "N"),
    ("IG#^1", "0.02", "10*3/uL", "N"),
    ("RDW-SD^1", "48.1", "fL", "N"),
    ("RDW-CV^1", "14.9", "%", "N"),
    ("MPV^1", "8.4", "fL", "L"),
    ("Eosinophilia", "", "", "A"),
    ("Anemia", "", "", "A"),
    ("Blasts/Abn_Lympho?", "40", "", ""),
    ("Left_Shift?", "0", "", ""),
    ("Atypical_Lympho?", "10", "", ""),
    ("NRBC?", "0", "", ""),
    ("RBC_Agglutination?", "70", "", ""),
    ("Turbidity/HGB_Interference?", "90", "", ""),
    ("Iron_Deficiency?", "80", "", ""),
    ("HGB_Defect?", "80", "", ""),
    ("Fragments?", "0", "", ""),
    ("PLT_Clumps?", "0", "", ""),
    ("Positive_Diff", "", "", "A"),
    ("Positive_Count", "", "", "A"),
    ("SCAT_WDF", "PNG&R&20261122&R&2026_11_22_09_34_07_WDF.PNG", "", "N"),
    ("SCAT_WDF-CBC", "PNG&R&20261122&R&2026_11_22_09_34_07_WDF_CBC.PNG", "", "N"),
    ("DIST_RBC", "PNG&R&20261122&R&2026_11_22_09_34_07_RBC.PNG", "", "N"),
    ("DIST_PLT", "PNG&R&20261122&R&2026_11_22_09_34_07_PLT.PNG", "", "N"),
];

/// A message with so many tubes, all in one frame, as an XN-L sends one.
pub fn message(orders: usize) -> Vec<u8> {
    let mut text = String::from("H|\\^&|||    XN-550^00-24^00001^^^^TT000001||||||||E1394-97\r");
    text.push_str("P|1|||T-PAT-1|^TEST^PATIENT||19610615|F|||||^DR.TEST||||||||||||^^^WARD\rC|1||\r");
    for order in 1..=orders {
        let _ = write!(text, "O|{order}||^^                T-{order:04}^B|");
        for (n, (name, ..)) in RESULTS.iter().take(23).enumerate() {
            let _ = write!(text, "{}^^^^{}", if n > 0 { "\\" } else { "" }, name.trim_end_matches("^1"));
        }
        text.push_str("|||||||N||||||||||||||F\rC|1||\r");
        for (n, (name, value, unit, flag)) in (1..).zip(RESULTS) {
            let _ = write!(text, "R|{n}|^^^^{name}|{value}|{unit}||{flag}||F||||20261122093407\r");
        }
        text.push_str("C|1||\r");
    }
    text.push_str("L|1|N\r");
    let mut frame = vec![0; text.len() + 16];
    let length = encode_frame(1, text.as_bytes(), FrameEnd::Etx, &mut frame).unwrap_or(0);
    frame.truncate(length);
    frame
}

struct Counter(u64);

impl Numbers for Counter {
    fn next(&mut self) -> Option<u64> {
        self.0 += 1;
        Some(self.0)
    }
}

/// A converter and what it is asked with every message.
pub struct Bench {
    interpreter: Box<dyn Interpreter>,
    raw: Vec<u8>,
    ends: [u32; 1],
    converter: Converter,
    numbers: Counter,
}

impl Bench {
    pub fn new(orders: usize) -> Anything<Self> {
        let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, PROFILE)?;
        let raw = message(orders);
        let ends = [u32::try_from(raw.len())?];
        let interpreter = profile.interpreter();
        let mut bench = Self { interpreter, raw, ends, converter: Converter::default(), numbers: Counter(0) };
        let (orus, observations, _) = bench.work();
        if (orus, observations) != (orders, orders * RESULTS.len()) {
            return Err(format!("{orders} orders gave {orus} ORUs with {observations} observations").into());
        }
        Ok(bench)
    }

    /// Bytes of the raw message.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Converts the message once; gives ORUs, observations in them and bytes.
    pub fn work(&mut self) -> (usize, usize, usize) {
        let targets = [Target {
            index: 0,
            name: "engine",
            route: Route {
                sending_application: "ORUGATE",
                sending_facility: "LAB",
                receiving_application: "ENGINE",
                receiving_facility: "HOSP",
                processing: 'P',
                acknowledgment: ("AL", "NE"),
                sample_id_in: SampleIdIn::Placer,
                structured_numeric: true,
                patient: None,
                charset: Charset::Utf8,
            },
            record: false,
            corrections: Corrections::Corrected,
            suppress_resends: false,
            pcd: None,
        }];
        let zone = jiff::tz::TimeZone::UTC;
        let now = Utc(1_795_000_000_000_000);
        let task = Task {
            interpreter: &*self.interpreter,
            message: StoredMessage {
                raw: std::hint::black_box(&self.raw),
                chunk_ends: &self.ends,
                complete: true,
                received: now,
                clock: ClockQuality::Plausible,
            },
            number: 0,
            setting: Setting {
                instrument: "bench",
                destinations: &targets,
                gateway: "GW01",
                zone: &zone,
                site_zone: &zone,
                key: &[7; 16],
                reruns: Reruns::All,
                rerun_within: 0,
                rules: &Rules::default(),
                proof: Proof::NotAsked,
                table: None,
            },
            past: &NoPast,
            now,
            clocks: Clocks::default(),
            release: None,
        };
        let conversion = self.converter.convert(&task, &mut self.numbers);
        let observations = conversion.orus.iter().map(|oru| oru.observations as usize).sum();
        let bytes = conversion.orus.iter().map(|oru| conversion.bytes(oru).len()).sum();
        (conversion.orus.len(), observations, bytes)
    }
}

/// One tube, as instruments send it.
pub struct Measured {
    /// Bytes of the raw message.
    pub raw: usize,
    /// Bytes of the ORU.
    pub oru: usize,
    /// Results in it.
    pub results: usize,
    pub figure: Figure,
}

pub fn measure(rounds: usize) -> Anything<Measured> {
    let mut bench = Bench::new(1)?;
    let raw = bench.len();
    let (_, results, oru) = bench.work();
    let mut contestants = [Contestant::new("raw message to ORU", || bench.work().2 as u64)];
    let figure = compare(&mut contestants, rounds).pop().ok_or("nothing was timed")?;
    Ok(Measured { raw, oru, results, figure })
}

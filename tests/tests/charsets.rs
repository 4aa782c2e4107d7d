//! Text in every charset from an instrument to a destination.
//!
//! Promises: what an instrument wrote in any charset that a profile may name comes out as the same characters, in UTF-8
//! and in the destination's own charset, by the opinion of Python's codecs; a delimiter's byte inside of a character
//! splits nothing; a message that ends anywhere changes no result; what a destination cannot read is not bent for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use orugate::convert::{
    Clocks, Converter, Corrections, Keyed, NoPast, Numbers, Proof, Ready, Reruns, Rules, Setting, Target,
    Task,
};
use orugate_driver::{Profile, StoredMessage};
use orugate_protocol::oru::{PatientField, PatientId, Route, SampleIdIn};
use orugate_protocol::text::{Charset, Escapes, Text};
use orugate_protocol::time::{ClockQuality, Utc};
use orugate_tests::{oru, python};
use std::ffi::OsStr;
use std::fmt::Write as _;

struct Counter(u64);

impl Numbers for Counter {
    fn next(&mut self) -> Option<u64> {
        self.0 += 1;
        Some(self.0)
    }
}

fn profile(charset: &str) -> Box<dyn Profile> {
    let text = format!(
        "name = \"x\"\ndriver = \"astm\"\ntitle = \"X\"\nevidence = \"manual\"\ncharset = \"{charset}\"\n\
         coding_system = \"99X\"\n[sample]\nid = [\"O.3\"]\n"
    );
    orugate_drivers::SHIPPED.read(&text).unwrap()
}

/// One result of an invented patient.
fn message(name: &[u8], unit: &[u8], comments: &[Vec<u8>]) -> Vec<u8> {
    let mut message = b"H|\\^&|||X^1|||||||P|LIS2-A2|20261122093000\rP|1|000-TEST-1|||".to_vec();
    message.extend_from_slice(name);
    message.extend_from_slice(b"||19610615|F\rO|1|T-0001||^^^GLU|R\rR|1|^^^GLU|5.4|");
    message.extend_from_slice(unit);
    message.extend_from_slice(b"||N||F\r");
    for (n, comment) in (1..).zip(comments) {
        message.extend_from_slice(format!("C|{n}|I|").as_bytes());
        message.extend_from_slice(comment);
        message.extend_from_slice(b"|G\r");
    }
    message.extend_from_slice(b"L|1|N\r");
    message
}

/// The ORUs for destinations that read these charsets.
fn convert(
    profile: &dyn Profile,
    raw: &[u8],
    complete: bool,
    to: &[Charset],
    numbers: &mut Counter,
) -> Vec<(Ready, Vec<u8>)> {
    let targets: Vec<_> = to.iter().enumerate().map(|(index, charset)| target(index, *charset)).collect();
    let zone = jiff::tz::TimeZone::UTC;
    let ends = [u32::try_from(raw.len()).unwrap()];
    let received = Utc(1_795_000_000_000_000);
    let interpreter = profile.interpreter();
    let task = Task {
        interpreter: &*interpreter,
        message: StoredMessage { raw, chunk_ends: &ends, complete, received, clock: ClockQuality::Plausible },
        number: 1,
        setting: Setting {
            instrument: "x",
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
        now: received,
        clocks: Clocks::default(),
        release: None,
    };
    let mut converter = Converter::default();
    let conversion = converter.convert(&task, numbers);
    conversion.orus.iter().map(|oru| (oru.clone(), conversion.bytes(oru).to_vec())).collect()
}

fn target(index: usize, charset: Charset) -> Target<'static> {
    Target {
        index,
        name: "engine",
        route: Route {
            sending_application: "ORUGATE",
            sending_facility: "LAB",
            receiving_application: "ENGINE",
            receiving_facility: "HOSP",
            processing: 'T',
            acknowledgment: ("", ""),
            charset,
            sample_id_in: SampleIdIn::Specimen,
            structured_numeric: false,
            patient: Some(PatientId { field: PatientField::P3, authority: "HOSP", kind: "MR" }),
        },
        record: false,
        corrections: Corrections::Corrected,
        suppress_resends: false,
        pcd: None,
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|n| u8::from_str_radix(&hex[n..n + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[test]
fn python_reads_what_python_wrote_in_every_charset() {
    let Some(python) = python::python() else { return };
    let (samples, good) = python::charsets(&python, &[OsStr::new("samples")]).unwrap();
    assert!(good, "{samples}");
    let mut numbers = Counter(0);
    let (mut lines, mut frames, mut named) = (String::new(), Vec::new(), Vec::new());
    for sample in samples.lines() {
        let [name, msh_18, patient, unit, comments @ ..] = &sample.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{sample}")
        };
        let charset = Charset::named(name).unwrap_or_else(|| panic!("{name} is not known"));
        assert_eq!(charset.msh_18(), *msh_18);
        named.push(charset);
        let profile = profile(name);
        let comments: Vec<_> = comments.iter().map(|comment| bytes_of(comment)).collect();
        let whole = message(&bytes_of(patient), &bytes_of(unit), &comments);
        let orus = convert(&*profile, &whole, true, &[charset, Charset::Utf8], &mut numbers);
        for ((ready, bytes), to) in orus.iter().zip([msh_18, "UNICODE UTF-8"]) {
            assert_eq!(ready.inexpressible, None, "{name}");
            let _ = writeln!(lines, "{name}\t{to}\t{}", hex(bytes));
        }
        assert_eq!(orus.len(), 2, "{name}: something of it could not be decoded");
        // The judge of structure is slow; three comments are enough for it.
        let few = message(&bytes_of(patient), &bytes_of(unit), &comments[..comments.len().min(3)]);
        for (_, bytes) in convert(&*profile, &few, true, &[charset, Charset::Utf8], &mut numbers) {
            frames.extend([b"\x0B", bytes.as_slice(), b"\x1C\r"].concat());
        }
    }
    for charset in Charset::all() {
        assert!(named.contains(&charset), "{} was not tried", charset.name());
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orus.txt");
    std::fs::write(&file, lines).unwrap();
    let (said, good) = python::charsets(&python, &[OsStr::new("check"), file.as_os_str()]).unwrap();
    assert_eq!((said.as_str(), good), (&*format!("{} ORUs\n", 2 * named.len()), true));
    let file = folder.path().join("orus.mllp");
    std::fs::write(&file, frames).unwrap();
    let (said, good) = python::check(&python, &file).unwrap();
    assert_eq!((said.as_str(), good), (&*format!("{} passed, 0 failed\n", 2 * named.len()), true));
}

/// Charset; name, unit and comment in it; the same as text. The bytes are Python's.
type Row = (&'static str, [&'static [u8]; 3], [&'static str; 3]);

const ROWS: &[Row] = &[
    ("US-ASCII", [b"TEST", b"umol/L", b"diluted"], ["TEST", "umol/L", "diluted"]),
    ("ISO-8859-1", [b"M\xFCster", b"\xB5mol/L", b"gr\xF6\xDFer"], ["Müster", "µmol/L", "größer"]),
    ("UTF-8", [b"M\xC3\xBCster", b"\xC2\xB5mol/L", b"\xE2\x89\xA5"], ["Müster", "µmol/L", "≥"]),
    ("ISO-8859-2", [b"Pr\xEDklad", b"g/l", b"\xF8\xEDd\xEDme"], ["Príklad", "g/l", "řídíme"]),
    ("windows-1252", [b"\x8Cuvre", b"\xB5g/L", b"5 \x80"], ["Œuvre", "µg/L", "5 €"]),
    (
        "windows-1251",
        [b"\xCF\xF0\xE8\xEC\xE5\xF0", b"\xE3/\xEB", b"\xED\xEE\xF0\xEC\xE0"],
        ["Пример", "г/л", "норма"],
    ),
    (
        "KOI8-R",
        [b"\xF0\xD2\xC9\xCD\xC5\xD2", b"\xC7/\xCC", b"\xCE\xCF\xD2\xCD\xC1"],
        ["Пример", "г/л", "норма"],
    ),
    // 0x7C, 0x5C and 0x5E are second bytes, and µ is a character of four bytes.
    (
        "GB18030",
        [b"\x81\x7C\x81\x5C\x81\x5E", b"\x81\x30\x85\x38g/L", b"\xD1\xF4\xD0\xD4"],
        ["亅乗乛", "µg/L", "阳性"],
    ),
    ("Big5", [b"\xA5\x7C\xB3\x5C\xA5\x5E", b"mg/dL", b"\xB3\x5C"], ["四許匆", "mg/dL", "許"]),
    ("Shift_JIS", [b"\x95\x5C\x83\x7C\x83\x5E", b"\x83\xCAg/L", b"\xB1\x95\x5C"], ["表ポタ", "μg/L", "ｱ表"]),
    ("EUC-KR", [b"\xBF\xB9\xC1\xA6", b"g/L", b"\xBE\xE7\xBC\xBA"], ["예제", "g/L", "양성"]),
];

#[test]
fn a_name_a_unit_and_a_comment_whole_and_cut_at_every_byte() {
    let mut numbers = Counter(0);
    for (name, [patient, unit, comment], texts) in ROWS {
        let profile = profile(name);
        let raw = message(patient, unit, &[comment.to_vec()]);
        let whole = convert(&*profile, &raw, true, &[Charset::Utf8], &mut numbers);
        let [(_, whole)] = &whole[..] else { panic!("{name}: {} ORUs", whole.len()) };
        let whole = String::from_utf8(whole.clone()).unwrap();
        let segments = oru::segments(whole.as_bytes());
        let one = |kind: &str| segments.iter().find(|s| s.starts_with(kind)).unwrap().clone();
        assert_eq!(oru::field(&one("PID"), 5), format!("{}^^^^^^L", texts[0]), "{name}");
        assert_eq!(oru::field(&one("OBX"), 6), format!("{}^^99X", texts[1]), "{name}");
        assert_eq!(oru::field(&one("NTE"), 3), texts[2], "{name}");
        for end in 0..raw.len() {
            for (_, cut) in convert(&*profile, &raw[..end], false, &[Charset::Utf8], &mut numbers) {
                for segment in oru::segments(&cut).iter().filter(|s| s.starts_with("OBX")) {
                    assert_eq!(*segment, one("OBX"), "{name}, the first {end} bytes");
                }
            }
        }
    }
}

#[test]
fn what_a_destination_cannot_read_is_kept_whole_and_the_others_are_served() {
    let profile = profile("GB18030");
    let (_, [patient, unit, comment], _) = ROWS.iter().find(|(name, ..)| *name == "GB18030").unwrap();
    let raw = message(patient, unit, &[comment.to_vec()]);
    let to = [Charset::Latin1, Charset::Utf8, Charset::named("GB18030").unwrap(), Charset::Ascii];
    let orus = convert(&*profile, &raw, true, &to, &mut Counter(0));
    let parked: Vec<_> = orus.iter().map(|(ready, _)| ready.inexpressible).collect();
    assert!(matches!(parked[..], [Some(_), None, None, Some(_)]), "{parked:?}");
    let place = parked[0].unwrap();
    assert_eq!(
        (place.segment.to_string(), place.field, place.charset),
        ("PID".to_owned(), 5, Charset::Latin1)
    );
    // It is kept as UTF-8 and says so: nothing in it was replaced.
    assert_eq!(oru::comparable(&orus[0].1), oru::comparable(&orus[1].1));
    assert_eq!(oru::field(&oru::segments(&orus[0].1)[0], 18), "UNICODE UTF-8");
    assert_eq!(oru::field(&oru::segments(&orus[2].1)[0], 18), "GB 18030-2000");
}

/// The journal's index knows specimens by this; it must not depend on how an instrument spells them.
#[test]
fn a_text_has_the_same_hash_in_every_charset() {
    let hash = |bytes: &[u8], charset: &str| {
        let charset = Charset::named(charset).unwrap();
        Keyed::new(&[7; 16]).text(&Text::new(bytes, charset, Escapes::None)).finish()
    };
    let same = hash("µ-1".as_bytes(), "UTF-8");
    for (bytes, charset) in
        [(&b"\xB5-1"[..], "ISO-8859-1"), (b"\xB5-1", "windows-1252"), (b"\x81\x30\x85\x38-1", "GB18030")]
    {
        assert_eq!(hash(bytes, charset), same, "{charset}");
    }
    assert_eq!(hash(b"T-1", "Big5"), hash(b"T-1", "US-ASCII"));
    // SipHash-2-4-128 of the text in UTF-8 and an end mark, computed elsewhere: what journals of today hold.
    assert_eq!(same, 0x0F2D_F5A4_3A32_192C_FF40_F83A_D51A_14AE);
}

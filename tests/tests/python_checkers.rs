//! The outside checkers do find what they are there to find.
//!
//! Promises: a right message passes `check_oru.py`, and each way to break it fails with the words that name it; the
//! receiver answers, keeps what it got byte for byte, and drops a connection with noise on it. Leaves out: what
//! Orugate itself sends, which other tests hand to the same programs. Needs `ORUGATE_PYTHON`, which `tests/run` sets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Nothing here takes a second; this ends a test whose peer is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Invented: no such person, sample or instrument.
const GOOD: &[&str] = &[
    r"MSH|^~\&|EDGEGW|CORE-LAB|CENTRAL|HOSP|20261122101505.123+0100||ORU^R01^ORU_R01|GW010000000000012345|T|2.5.1||||||UNICODE UTF-8",
    "PID|1||000-TEST-1^^^HOSP^MR||Erfunden^Erna^^^^^L||19610615|F",
    "PV1|1|I|ICU^12^1^HOSP",
    "ORC|RE||S-4711-1^EDGEGW||CM",
    "OBR|1||S-4711-1^EDGEGW|CHEM^Chemistry^99ACME|||20261122095000+0100|||||||||||||||20261122101500+0100|||F",
    "OBX|1|NM|GLU^Glucose^99ACME||182|mg/dL^^UCUM|70-105|H|||F|||20261122095000+0100|||||20261122101433+0100",
    "OBX|2|SN|CREA^Creatinine^99ACME||<^0.1|mg/dL^^UCUM|0.6-1.2|L|||F",
    r"NTE|1|A|Sample haemolyzed \T\ lipaemic; ratio 1\S\2",
    "OBX|3|ST|CRP^C-reactive protein^99ACME||<5 µg||Negative|N|||F",
    "SPM|1|S-4711||SER^Serum^HL70487|||||||P^Patient^HL70369||||||20261122095000+0100|20261122100000+0100",
];

fn python() -> Option<OsString> {
    let python = std::env::var_os("ORUGATE_PYTHON");
    if python.is_none() {
        orugate_tests::skipped("ORUGATE_PYTHON is not set: no outside checker of HL7");
    }
    python
}

fn script(name: &str) -> PathBuf {
    orugate_tests::root().join("tests/python").join(name)
}

fn message(segments: &[&str]) -> Vec<u8> {
    segments.iter().flat_map(|segment| segment.bytes().chain([b'\r'])).collect()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [b"\x0B", message, b"\x1C\r"].concat()
}

/// What the checker says, and whether it passes.
fn check(python: &OsString, input: &[u8]) -> (String, bool) {
    let mut child = Command::new(python)
        .arg(script("check_oru.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ORUGATE_PYTHON starts");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "the checker ended with {code:?}");
    (String::from_utf8(output.stdout).unwrap(), code == Some(0))
}

#[test]
fn a_right_message_passes() {
    let Some(python) = python() else { return };
    let other = message(GOOD).to_vec();
    let other = String::from_utf8(other).unwrap().replace("12345|T", "12346|T").into_bytes();
    let (said, passed) = check(&python, &[framed(&message(GOOD)), framed(&other)].concat());
    assert_eq!((said.as_str(), passed), ("2 passed, 0 failed\n", true));
}

#[test]
fn a_number_may_be_written_in_every_way_that_hl7_has() {
    let Some(python) = python() else { return };
    let mut input = Vec::new();
    for (n, number) in ["5.40", "+5", "-.5", "5.", "0005"].iter().enumerate() {
        let text = String::from_utf8(message(GOOD)).unwrap();
        let text = text.replace("||182|", &format!("||{number}|")).replace("12345|T", &format!("{n}|T"));
        input.extend(framed(text.as_bytes()));
    }
    assert_eq!(check(&python, &input).0, "5 passed, 0 failed\n");
}

/// What is replaced in the good message, by what, and a line that the checker must then print.
const BROKEN: &[(&str, &str, &str)] = &[
    ("||182|", "||5,4|", "OBX[1]-5: NM is not a number: '5,4'"),
    ("||182|", "||3.26E+05|", "OBX[1]-5: NM is not a number: '3.26E+05'"),
    ("||182|", "||<5|", "OBX[1]-5: NM is not a number: '<5'"),
    ("||182|", "||.|", "OBX[1]-5: NM is not a number: '.'"),
    ("||182|", "||\u{0661}|", "OBX[1]-5: NM is not a number: '\u{0661}'"),
    ("|<^0.1|", "|<0.1|", "OBX[2]-5: SN is not structured: '<0.1'"),
    ("OBX|1|NM|", "OBX|1||", "OBX[1]-2: value without a type: '182'"),
    ("H|||F|", "H||||", "OBX[1]-11: status is empty"),
    ("H|||F|", "H|||X|", "OBX[1]-5: a result that could not be obtained has a value"),
    ("H|||F|", "H|||C|", "OBR[1]-25: report status is 'F' with a corrected result below"),
    ("H|||F|", "H|||P|", "OBR[1]-25: report status is 'F' with a preliminary result below"),
    ("OBX|3|", "OBX|4|", "OBX[3]-1: set id is '4', not 3"),
    ("NTE|1|", "NTE|2|", "NTE[1]-1: set id is '2', not 1"),
    ("SPM|1|", "SPM|2|", "SPM[1]-1: set id is '2', not 1"),
    ("OBR|1|", "OBR|2|", "OBR[1]-1: set id is '2', not 1"),
    ("CREA^Creatinine^", "GLU^Glucose^", "OBX[2]-4: same OBX-3 and OBX-4 as OBX[1]"),
    ("GLU^Glucose^99ACME", "", "OBX[1]-3: observation has no code"),
    ("GW010000000000012345", "GW0100000000000123456", "MSH[1]-10: control id has 21 characters"),
    ("GW010000000000012345", "", "MSH[1]-10: control id has 0 characters"),
    ("S-4711-1^EDGEGW|CHEM", "S-4711-11111111111111^EDGEGW|CHEM", "OBR[1]-3: filler id has 21 characters"),
    ("S-4711-1^EDGEGW|CHEM", "|CHEM", "OBR[1]-3: filler id has 0 characters"),
    ("20261122101500+0100|||F", "|||F", "OBR[1]-22: report status without its time"),
    ("20261122101500+0100|||F", "20261122101500+0100", "OBR[1]-25: report status is empty"),
    ("20261122095000+0100||||||||", "20261122 0950||||||||", "OBR[1]-7: '20261122 0950' is no time stamp"),
    ("20261122101433+0100", "20261322101433+0100", "OBX[1]-19: '20261322101433+0100' names no time"),
    ("20261122101433+0100", "20261122101433+1500", "OBX[1]-19: '20261122101433+1500' names no offset"),
    ("19610615", "196106150", "PID[1]-7: '196106150' is no time stamp"),
    ("20261122101505.123+0100", "", "MSH[1]-7: creation time is empty"),
    ("ORU^R01^ORU_R01", "ORU^R01", "MSH[1]-9: message type is 'ORU^R01'"),
    ("|T|2.5.1", "|X|2.5.1", "MSH[1]-11: processing id is 'X'"),
    ("|T|2.5.1", "|T|2.4", "MSH[1]-12: version is '2.4'"),
    ("||||||UNICODE UTF-8", "", "MSH[1]-18: character set is '' and the message is not ASCII"),
    ("UNICODE UTF-8", "8859/16", "MSH[1]-18: character set is '8859/16'"),
    ("UNICODE UTF-8", "ASCII", "MSH[1]-18: character set is 'ASCII' and the message is not ASCII"),
    ("<5 µg", "C:\\temp", "OBX[3]-5: escape character without a sequence"),
    ("<5 µg", "<5^0", "OBX[3]-5: ST has components: '<5^0'"),
    ("<5 µg", "<\u{0B}5", "frame: byte 0x0B at offset"),
    ("<5 µg", "<\u{1C}5", "frame: byte 0x1C at offset"),
    ("<5 µg", "<\n5", "frame: byte 0x0A at offset"),
    ("PV1|1|I|", "PV1|1||", "PV1[1]-2: patient class is empty"),
    ("000-TEST-1^^^HOSP", "^^^HOSP", "PID[1]-3: patient id has an authority and no id"),
    ("ORC|", "PID|2||000-TEST-2^^^HOSP^MR||Niemand^^^^^^L\rORC|", "PID[2]: a second patient in one message"),
    ("SPM|1|S-4711|", "SPM|1|S-4712|\rSPM|2|S-4711|", "SPM[2]-2: a second specimen in one message"),
    ("PV1|1|", "OBX|1|ST|A^B^C||x||||||F\rPV1|1|", "OBX[1]: segment order: OBX after PID"),
    ("NTE|1|A|", "ORC|RE\rNTE|1|A|", "NTE[1]: segment order: NTE after ORC"),
    ("PV1|1|", "\rPV1|1|", "'' begins no segment"),
    ("MSH|", "EVN|", "frame: the message does not begin with MSH|"),
    // What only hl7apy sees: required fields, and a component that the data type does not have.
    ("SER^Serum^HL70487", "", "hl7apy: Missing required child SPM.SPM_4"),
    ("ORC|RE|", "ORC||", "hl7apy: Missing required child ORC.ORC_1"),
];

#[test]
fn each_broken_message_fails_with_its_reason() {
    let Some(python) = python() else { return };
    let good = String::from_utf8(message(GOOD)).unwrap();
    // One run for all: number N is case N, each with a control id of its own where the case is not about that.
    let mut input = Vec::new();
    for (n, (what, by, _)) in BROKEN.iter().enumerate() {
        assert_eq!(good.matches(what).count(), 1, "case {n} must replace one place: {what}");
        let broken = good.replace(what, by).replace("GW010000000000012345|", &format!("GW{n:018}|"));
        input.extend(framed(broken.as_bytes()));
    }
    let (said, passed) = check(&python, &input);
    assert!(!passed);
    for (n, (what, by, reason)) in BROKEN.iter().enumerate() {
        let own = format!("message {} ", n + 1);
        let lines: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix(&own)).collect();
        let found = lines.iter().any(|line| line.contains(reason));
        assert!(found, "{what} -> {by}: {reason:?} is not among {lines:#?}");
    }
    assert!(said.ends_with(&format!("\n0 passed, {} failed\n", BROKEN.len())), "{said}");
}

#[test]
fn lengths_framing_and_repeats_are_judged() {
    let Some(python) = python() else { return };
    let good = String::from_utf8(message(GOOD)).unwrap();
    let fails = |input: &[u8], reason: &str| {
        let (said, passed) = check(&python, input);
        assert!(!passed && said.contains(reason), "{reason:?} is not in:\n{said}");
    };
    let whole = framed(good.as_bytes());
    assert!(check(&python, framed(good.replace("<5 µg", &"x".repeat(199)).as_bytes()).as_slice()).1);
    fails(&framed(good.replace("<5 µg", &"x".repeat(200)).as_bytes()), "OBX[3]-5: ST has 200 characters");
    fails(&[whole.as_slice(), &whole].concat(), "was used by message 1\n1 passed, 1 failed");
    fails(&[b"\r\n", whole.as_slice()].concat(), "after message 0: 2 bytes at offset 0 outside of a frame");
    fails(&[whole.as_slice(), b"\x06"].concat(), "after message 1: 1 bytes at offset");
    fails(whole.strip_suffix(b"\r").unwrap(), "after message 0: the frame at offset 0 has no end");
    fails(&framed(good.trim_end().as_bytes()), "frame: the last segment has no end");
    fails(
        &framed(
            &good
                .replace('µ', "u")
                .replace("haem", "h\u{E4}m")
                .bytes()
                .filter(|b| *b != 0xC3)
                .collect::<Vec<_>>(),
        ),
        "frame: byte 0xA4 at offset",
    );
    fails(&framed(b""), "frame: the message does not begin with MSH|");
    fails(b"", "there is no message");
}

#[test]
fn a_missing_file_is_no_verdict() {
    let Some(python) = python() else { return };
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-such-file");
    let output = Command::new(&python).arg(script("check_oru.py")).arg(missing).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// A running receiver; ends it when a test fails half-way.
struct Receiver {
    child: Child,
    port: u16,
    said: BufReader<std::process::ChildStdout>,
}

impl Receiver {
    fn start(python: &OsString, file: &Path, code: &str) -> Self {
        let mut child = Command::new(python)
            .args([script("mllp_receiver.py").as_os_str(), file.as_os_str(), code.as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ORUGATE_PYTHON starts");
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("no port: {line:?}"));
        Self { child, port, said }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(STUCK)).unwrap();
        stream
    }

    /// Ends its standard input and returns what it printed after the port.
    fn stop(mut self) -> String {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success());
        said
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\x1C\r") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "closed after {}", String::from_utf8_lossy(&answer));
        answer.extend(byte);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_receiver_answers_and_keeps_what_it_got() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("received.mllp");
    let receiver = Receiver::start(&python, &file, "AA");
    let mut stream = receiver.connect();
    let first = framed(&message(GOOD));
    let second = String::from_utf8(first.clone()).unwrap().replace("12345|T", "12346|T").into_bytes();
    for (sent, id) in [(&first, "GW010000000000012345"), (&second, "GW010000000000012346")] {
        stream.write_all(sent).unwrap();
        let answer = answer(&mut stream);
        assert!(answer.starts_with("\x0BMSH|^~\\&|CENTRAL|HOSP|EDGEGW|CORE-LAB|"), "{answer}");
        assert!(answer.ends_with(&format!("\rMSA|AA|{id}\r\x1C\r")), "{answer}");
    }
    drop(stream);
    assert_eq!(receiver.stop(), "2 messages\n");
    let kept = std::fs::read(&file).unwrap();
    assert_eq!(kept, [first, second].concat());
    assert_eq!(check(&python, &kept).0, "2 passed, 0 failed\n");
}

#[test]
fn the_receiver_drops_a_connection_with_noise_and_can_refuse() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("received.mllp");
    let receiver = Receiver::start(&python, &file, "AE");
    let mut noisy = receiver.connect();
    noisy.write_all(&[b"\r", framed(&message(GOOD)).as_slice()].concat()).unwrap();
    let mut rest = Vec::new();
    noisy.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "noise was answered");
    let mut stream = receiver.connect();
    stream.write_all(&framed(&message(GOOD))).unwrap();
    assert!(answer(&mut stream).contains("\rMSA|AE|GW010000000000012345\r"));
    drop((noisy, stream));
    let said = receiver.stop();
    assert!(said.starts_with("refused: InvalidBlockError") && said.ends_with("1 messages\n"), "{said}");
}

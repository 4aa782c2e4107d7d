//! ORUs as tests look at them: segments, and a form in which two runs can be compared.

/// The segments of a message, as text.
#[must_use]
pub fn segments(oru: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(oru);
    text.split('\r').filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// One field of a segment, counted as the standard does; empty when absent.
#[must_use]
pub fn field(segment: &str, number: usize) -> &str {
    // MSH-1 is the separator itself.
    let number = if segment.starts_with("MSH") { number.saturating_sub(1) } else { number };
    segment.split('|').nth(number).unwrap_or_default()
}

/// Number of OBX segments.
#[must_use]
pub fn observations(oru: &[u8]) -> usize {
    segments(oru).iter().filter(|s| s.starts_with("OBX|")).count()
}

/// MSH-10.
#[must_use]
pub fn control_id(oru: &[u8]) -> String {
    segments(oru).first().map(|msh| field(msh, 10).to_owned()).unwrap_or_default()
}

/// The message with the fields blanked that differ from run to run: MSH-3 to MSH-7, MSH-10, MSH-11, OBR-3, OBR-22, and the
/// offset of times, which depends on the site's zone and not on the instrument.
#[must_use]
pub fn comparable(oru: &[u8]) -> String {
    let mut out = String::new();
    for segment in segments(oru) {
        let blank: &[usize] = match segment.get(..3) {
            // The first split of MSH is the name and MSH-1 together.
            Some("MSH") => &[2, 3, 4, 5, 6, 9, 10],
            // The filler number begins with the time when nothing is known of the specimen.
            Some("ORC") => &[3],
            Some("OBR") => &[3, 22],
            _ => &[],
        };
        let fields: Vec<&str> =
            segment.split('|').enumerate().map(|(n, f)| if blank.contains(&n) { "" } else { f }).collect();
        out.push_str(&fields.join("|"));
        out.push('\n');
    }
    out
}

/// One result as a destination sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// SPM-2.
    pub sample: String,
    /// OBX-3.1.
    pub code: String,
    /// OBX-5.
    pub value: String,
}

impl Seen {
    /// A result.
    #[must_use]
    pub fn new(sample: &str, code: &str, value: &str) -> Self {
        Self { sample: sample.to_owned(), code: code.to_owned(), value: value.to_owned() }
    }
}

/// The results in a message, in its order.
#[must_use]
pub fn results(oru: &[u8]) -> Vec<Seen> {
    let segments = segments(oru);
    let sample = segments.iter().find(|s| s.starts_with("SPM|")).map_or("", |spm| field(spm, 2));
    let code = |obx| field(obx, 3).split('^').next().unwrap_or_default();
    let all = segments.iter().filter(|s| s.starts_with("OBX|"));
    all.map(|obx| Seen::new(sample, code(obx), field(obx, 5))).collect()
}

//! What displayed values there are, where each stands, its scale, its unit and what it is called in MDC.
//!
//! Promises: a row for each value of the four classes that a public source gives a place and a meaning. Evidence: places and
//! scales are those of the S/5 computer interface as several public programs read it, and of recorded records; MDC codes
//! are rows of `protocol/mdc` that name this very quantity, and a test asks whether they take the unit. The cardiac output
//! comes in millilitres, which are thousandths of the litres that it has in MDC. A scale other than 1 counts when one program has it
//! and none has another such; 1 counts only where several have it, or for a count, because it may mean that nobody looked. So the
//! scales of PiCCO and of cerebral perfusion are those of one program, and that of the infrared modulation is that of the recorded
//! records, where a finger would modulate by 345 % otherwise. Where no source gives a scale the number goes as it is, named
//! "unscaled", without a unit and without an MDC code. Leaves out bits of arrhythmia analysis, EEG montages and reserved bytes.

use std::sync::OnceLock;

/// A unit: MDC code (0: none that is proven) and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) mdc: u32,
    pub(crate) text: &'static str,
}

const fn unit(mdc: u32, text: &'static str) -> Unit {
    Unit { mdc, text }
}

pub(crate) const NONE: Unit = unit(0, "");
const ONE: Unit = unit(262656, "1");
const BPM: Unit = unit(264864, "{beat}/min");
const BREATHS: Unit = unit(264928, "{breath}/min");
const MMHG: Unit = unit(266016, "mm[Hg]");
const CMH2O: Unit = unit(266048, "cm[H2O]");
const CELSIUS: Unit = unit(268192, "Cel");
const PERCENT: Unit = unit(262688, "%");
const MM: Unit = unit(263442, "mm");
const ML: Unit = unit(263762, "mL");
const L_MIN: Unit = unit(265216, "L/min");
const ML_M2: Unit = unit(263570, "mL/m2");
const PER_MINUTE: Unit = unit(264672, "/min");
const ML_MIN: Unit = unit(265234, "mL/min");
const COMPLIANCE: Unit = unit(268050, "mL/cm[H2O]");
const RESISTANCE: Unit = unit(268064, "cm[H2O]/(L/s)");
const MICROVOLT: Unit = unit(266419, "uV");
const HERTZ: Unit = unit(264640, "Hz");
const KPA: Unit = unit(265987, "kPa");
const MINUTE: Unit = unit(264352, "min");
const KCAL: Unit = unit(270563, "kcal/d");
const MILLIAMPERE: Unit = unit(0, "mA");

/// Which part of a pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Systolic,
    Diastolic,
    Mean,
}

/// What a value is called in MDC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Nothing that a source proves.
    Private,
    Mdc(u32),
    /// By the channel's label.
    Pressure(Part),
    /// By the channel's label.
    Temperature,
    /// By the agent: end-tidal, inspired.
    AgentExpired,
    AgentInspired,
    /// By the label: arterial, venous.
    Saturation,
    /// The rate on the screen: of the ECG only if the monitor says so.
    HeartRate,
    /// The ECG's rate, called so when the rate on the screen is not.
    HeartRateOfEcg,
    /// By the lead of channel 1 to 3, unless the extension with all leads is there.
    St(u8),
    /// Breaths by the gas module, when that is what the monitor counts them by.
    GasBreaths,
}

/// How a value goes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is measured all the time.
    Continuously,
    /// Now and then; this bit of the group's label says that it is older than a minute.
    OldBit(u8),
}

/// Which bits of a 16-bit word; all of it, with its sign, is the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bits {
    All,
    /// From this bit, so many; this value means none.
    Some {
        from: u8,
        count: u8,
        none: u16,
    },
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Behind the group's key and a dot: the code.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    /// Byte in the group.
    pub(crate) at: usize,
    pub(crate) decimals: u8,
    pub(crate) unit: Unit,
    pub(crate) name: Name,
    pub(crate) taken: Taken,
    pub(crate) bits: Bits,
}

/// What the status bits of a group's header say beside "exists" and "active".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Plain,
    /// Noise and artifact make the rate doubtful, learning early.
    Ecg,
    /// These bits say calibrating or zeroing, those that it is switched off.
    Bits {
        calibrating: u32,
        off: u32,
    },
    /// The cuff: what it does is in the label.
    Cuff,
}

/// A group of values behind one header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) class: u8,
    /// Byte in the class's groups.
    pub(crate) at: usize,
    pub(crate) key: &'static str,
    /// Ordinals of module and channel, the same in every message, and their MDC codes.
    pub(crate) place: Place,
    /// Where the header is that says whether it exists: its own, or another's of the same class.
    pub(crate) header: usize,
    pub(crate) status: Status,
    pub(crate) fields: &'static [Field],
}

/// A module's ordinal and MDC code, a channel's ordinal and MDC code; 0 for a code that no source proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) vmd: (u16, u32),
    pub(crate) channel: (u16, u32),
}

/// A module, whose channel has the code that follows its own in MDC.
const fn place(vmd: u16, code: u32, channel: u16) -> Place {
    Place { vmd: (vmd, code), channel: (channel, if code == 0 { 0 } else { code.saturating_add(1) }) }
}

const fn field(
    key: &'static str,
    title: &'static str,
    at: usize,
    decimals: u8,
    unit: Unit,
    name: Name,
) -> Field {
    Field { key, title, at, decimals, unit, name, taken: Taken::Continuously, bits: Bits::All }
}

const fn once(field: Field, old: u8) -> Field {
    Field { taken: Taken::OldBit(old), ..field }
}

const fn bits(field: Field, from: u8, count: u8, none: u16) -> Field {
    Field { bits: Bits::Some { from, count, none }, ..field }
}

const fn group(
    class: u8,
    at: usize,
    key: &'static str,
    place: Place,
    status: Status,
    fields: &'static [Field],
) -> Group {
    Group { class, at, key, place, header: at, status, fields }
}

/// NIBP: older than a minute.
pub(crate) const CUFF_OLD: u8 = 8;
/// NIBP: a measurement is going on.
pub(crate) const CUFF_MEASURING: u8 = 5;
/// NIBP: the module calibrates itself.
pub(crate) const CUFF_CALIBRATING: u8 = 7;

const ECG: &[Field] = &[
    field("hr", "Heart rate", 6, 0, BPM, Name::HeartRate),
    field("st1", "ST level, channel 1", 8, 2, MM, Name::St(1)),
    field("st2", "ST level, channel 2", 10, 2, MM, Name::St(2)),
    field("st3", "ST level, channel 3", 12, 2, MM, Name::St(3)),
    field("imp_rr", "Respiration rate by impedance", 14, 0, BREATHS, Name::Mdc(151578)),
];
const PRESSURE: &[Field] = &[
    field("sys", "Systolic pressure", 6, 2, MMHG, Name::Pressure(Part::Systolic)),
    field("dia", "Diastolic pressure", 8, 2, MMHG, Name::Pressure(Part::Diastolic)),
    field("mean", "Mean pressure", 10, 2, MMHG, Name::Pressure(Part::Mean)),
    field("hr", "Pulse rate by this pressure", 12, 0, BPM, Name::Mdc(149522)),
];
const NIBP: &[Field] = &[
    once(field("sys", "Systolic pressure, cuff", 6, 2, MMHG, Name::Mdc(150021)), CUFF_OLD),
    once(field("dia", "Diastolic pressure, cuff", 8, 2, MMHG, Name::Mdc(150022)), CUFF_OLD),
    once(field("mean", "Mean pressure, cuff", 10, 2, MMHG, Name::Mdc(150023)), CUFF_OLD),
    once(field("hr", "Pulse rate, cuff", 12, 0, BPM, Name::Mdc(149546)), CUFF_OLD),
];
const TEMPERATURE: &[Field] = &[field("temp", "Temperature", 6, 2, CELSIUS, Name::Temperature)];
const SPO2: &[Field] = &[
    field("spo2", "SpO2", 6, 2, PERCENT, Name::Mdc(150456)),
    field("pr", "Pulse rate by SpO2", 8, 0, BPM, Name::Mdc(149530)),
    field("ir_amp", "Modulation of the infrared signal", 10, 2, PERCENT, Name::Private),
    field("so2", "Oxygen saturation of the module's second value", 12, 2, PERCENT, Name::Saturation),
];
const CO2: &[Field] = &[
    field("et", "End-tidal CO2", 6, 2, PERCENT, Name::Mdc(151708)),
    field("fi", "Inspired CO2", 8, 2, PERCENT, Name::Mdc(151716)),
    field("rr", "Respiration rate", 10, 0, BREATHS, Name::GasBreaths),
    field("amb_press", "Ambient pressure", 12, 1, MMHG, Name::Mdc(152832)),
];
const O2: &[Field] = &[
    field("et", "End-tidal O2", 6, 2, PERCENT, Name::Mdc(152440)),
    field("fi", "Inspired O2", 8, 2, PERCENT, Name::Mdc(152196)),
];
const N2O: &[Field] = &[
    field("et", "End-tidal N2O", 6, 2, PERCENT, Name::Mdc(152108)),
    field("fi", "Inspired N2O", 8, 2, PERCENT, Name::Mdc(152192)),
];
const AGENT: &[Field] = &[
    field("et", "End-tidal agent", 6, 2, PERCENT, Name::AgentExpired),
    field("fi", "Inspired agent", 8, 2, PERCENT, Name::AgentInspired),
    field("mac_sum", "MAC, all agents", 10, 2, ONE, Name::Mdc(152864)),
];
const FLOW: &[Field] = &[
    field("rr", "Respiration rate by spirometry", 6, 0, BREATHS, Name::Mdc(151586)),
    field("ppeak", "Peak pressure", 8, 2, CMH2O, Name::Mdc(151817)),
    field("peep", "PEEP", 10, 2, CMH2O, Name::Mdc(151976)),
    field("pplat", "Plateau pressure", 12, 2, CMH2O, Name::Mdc(152424)),
    field("tv_insp", "Inspired tidal volume", 14, 1, ML, Name::Mdc(152660)),
    field("tv_exp", "Expired tidal volume", 16, 1, ML, Name::Mdc(152664)),
    field("compliance", "Compliance", 18, 2, COMPLIANCE, Name::Mdc(151692)),
    field("mv_exp", "Expired minute volume", 20, 2, L_MIN, Name::Mdc(151884)),
];
const CARDIAC_OUTPUT: &[Field] = &[
    once(field("co", "Cardiac output", 6, 3, L_MIN, Name::Mdc(150276)), 0),
    field("blood_temp", "Blood temperature", 8, 2, CELSIUS, Name::Mdc(188436)),
    field("ref", "Right heart ejection fraction", 10, 2, PERCENT, Name::Private),
    once(field("pcwp", "Wedge pressure", 12, 2, MMHG, Name::Mdc(150052)), 1),
];
const NMT: &[Field] = &[
    field("t1", "First twitch", 6, 1, PERCENT, Name::Private),
    field("tratio", "Twitch ratio", 8, 1, PERCENT, Name::Private),
    bits(field("ptc", "Post-tetanic count", 10, 0, NONE, Name::Private), 0, 5, 31),
    bits(field("count", "Twitch count", 10, 0, NONE, Name::Private), 5, 4, 15),
    bits(field("current", "Stimulus current", 10, 0, MILLIAMPERE, Name::Private), 9, 7, 0),
];
const ECG_EXTRA: &[Field] = &[
    field("hr_ecg", "Heart rate by ECG", 0, 0, BPM, Name::HeartRateOfEcg),
    field("hr_max", "Highest heart rate", 2, 0, BPM, Name::Private),
    field("hr_min", "Lowest heart rate", 4, 0, BPM, Name::Private),
];
const SVO2: &[Field] = &[field("svo2", "Venous oxygen saturation", 6, 2, PERCENT, Name::Saturation)];

const ARRHYTHMIA: &[Field] = &[
    field("hr", "Heart rate by arrhythmia analysis", 6, 0, BPM, Name::Private),
    field("rr_time", "R-R interval, unscaled", 8, 0, NONE, Name::Private),
    field("pvc", "Premature ventricular contractions", 10, 0, BPM, Name::Mdc(148066)),
];
const ECG_12: &[Field] = &[
    field("st_i", "ST level, I", 6, 2, MM, Name::Mdc(131841)),
    field("st_ii", "ST level, II", 8, 2, MM, Name::Mdc(131842)),
    field("st_iii", "ST level, III", 10, 2, MM, Name::Mdc(131901)),
    field("st_avl", "ST level, aVL", 12, 2, MM, Name::Mdc(131903)),
    field("st_avr", "ST level, aVR", 14, 2, MM, Name::Mdc(131902)),
    field("st_avf", "ST level, aVF", 16, 2, MM, Name::Mdc(131904)),
    field("st_v1", "ST level, V1", 18, 2, MM, Name::Mdc(131843)),
    field("st_v2", "ST level, V2", 20, 2, MM, Name::Mdc(131844)),
    field("st_v3", "ST level, V3", 22, 2, MM, Name::Mdc(131845)),
    field("st_v4", "ST level, V4", 24, 2, MM, Name::Mdc(131846)),
    field("st_v5", "ST level, V5", 26, 2, MM, Name::Mdc(131847)),
    field("st_v6", "ST level, V6", 28, 2, MM, Name::Mdc(131848)),
];

const NMT_2: &[Field] = &[
    field("count", "Twitch count", 6, 0, NONE, Name::Private),
    field("t1", "Twitch 1, unscaled", 8, 0, NONE, Name::Private),
    field("t2", "Twitch 2, unscaled", 10, 0, NONE, Name::Private),
    field("t3", "Twitch 3, unscaled", 12, 0, NONE, Name::Private),
    field("t4", "Twitch 4, unscaled", 14, 0, NONE, Name::Private),
];
const fn eeg(
    key: &'static str,
    title: &'static str,
    channel: usize,
    at: usize,
    decimals: u8,
    unit: Unit,
) -> Field {
    let start = channel.saturating_sub(1).saturating_mul(16).saturating_add(8);
    field(key, title, start.saturating_add(at), decimals, unit, Name::Private)
}
const EEG: &[Field] = &[
    field("femg", "Frontal EMG", 6, 1, MICROVOLT, Name::Private),
    eeg("1.ampl", "EEG 1, amplitude", 1, 0, 1, MICROVOLT),
    eeg("1.sef", "EEG 1, spectral edge", 1, 2, 1, HERTZ),
    eeg("1.mf", "EEG 1, median frequency", 1, 4, 1, HERTZ),
    eeg("1.delta", "EEG 1, delta", 1, 6, 0, PERCENT),
    eeg("1.theta", "EEG 1, theta", 1, 8, 0, PERCENT),
    eeg("1.alpha", "EEG 1, alpha", 1, 10, 0, PERCENT),
    eeg("1.beta", "EEG 1, beta", 1, 12, 0, PERCENT),
    eeg("1.bsr", "EEG 1, burst suppression ratio", 1, 14, 0, PERCENT),
    eeg("2.ampl", "EEG 2, amplitude", 2, 0, 1, MICROVOLT),
    eeg("2.sef", "EEG 2, spectral edge", 2, 2, 1, HERTZ),
    eeg("2.mf", "EEG 2, median frequency", 2, 4, 1, HERTZ),
    eeg("2.delta", "EEG 2, delta", 2, 6, 0, PERCENT),
    eeg("2.theta", "EEG 2, theta", 2, 8, 0, PERCENT),
    eeg("2.alpha", "EEG 2, alpha", 2, 10, 0, PERCENT),
    eeg("2.beta", "EEG 2, beta", 2, 12, 0, PERCENT),
    eeg("2.bsr", "EEG 2, burst suppression ratio", 2, 14, 0, PERCENT),
    eeg("3.ampl", "EEG 3, amplitude", 3, 0, 1, MICROVOLT),
    eeg("3.sef", "EEG 3, spectral edge", 3, 2, 1, HERTZ),
    eeg("3.mf", "EEG 3, median frequency", 3, 4, 1, HERTZ),
    eeg("3.delta", "EEG 3, delta", 3, 6, 0, PERCENT),
    eeg("3.theta", "EEG 3, theta", 3, 8, 0, PERCENT),
    eeg("3.alpha", "EEG 3, alpha", 3, 10, 0, PERCENT),
    eeg("3.beta", "EEG 3, beta", 3, 12, 0, PERCENT),
    eeg("3.bsr", "EEG 3, burst suppression ratio", 3, 14, 0, PERCENT),
    eeg("4.ampl", "EEG 4, amplitude", 4, 0, 1, MICROVOLT),
    eeg("4.sef", "EEG 4, spectral edge", 4, 2, 1, HERTZ),
    eeg("4.mf", "EEG 4, median frequency", 4, 4, 1, HERTZ),
    eeg("4.delta", "EEG 4, delta", 4, 6, 0, PERCENT),
    eeg("4.theta", "EEG 4, theta", 4, 8, 0, PERCENT),
    eeg("4.alpha", "EEG 4, alpha", 4, 10, 0, PERCENT),
    eeg("4.beta", "EEG 4, beta", 4, 12, 0, PERCENT),
    eeg("4.bsr", "EEG 4, burst suppression ratio", 4, 14, 0, PERCENT),
];
const BIS: &[Field] = &[
    field("bis", "BIS", 6, 0, ONE, Name::Mdc(153644)),
    field("sqi", "BIS signal quality, unscaled", 8, 0, NONE, Name::Private),
    field("emg", "BIS EMG, unscaled", 10, 0, NONE, Name::Private),
    field("sr", "BIS suppression ratio, unscaled", 12, 0, NONE, Name::Private),
];
const ENTROPY: &[Field] = &[
    field("se", "State entropy", 6, 0, ONE, Name::Mdc(153652)),
    field("re", "Response entropy", 8, 0, ONE, Name::Mdc(153648)),
    field("bsr", "Burst suppression ratio", 10, 0, PERCENT, Name::Mdc(155024)),
];
const SPI: &[Field] = &[field("spi", "Surgical pleth index", 6, 0, NONE, Name::Private)];

const GAS_EXCHANGE: &[Field] = &[
    field("vo2", "Oxygen consumption", 6, 1, ML_MIN, Name::Mdc(152420)),
    field("vco2", "CO2 production", 8, 1, ML_MIN, Name::Mdc(151776)),
    field("ee", "Energy expenditure", 10, 0, KCAL, Name::Mdc(152812)),
    field("rq", "Respiratory quotient, unscaled", 12, 0, NONE, Name::Private),
];
const FLOW_2: &[Field] = &[
    field("ipeep", "Intrinsic PEEP", 6, 2, CMH2O, Name::Mdc(151808)),
    field("pmean", "Mean airway pressure", 8, 2, CMH2O, Name::Mdc(151795)),
    field("raw", "Airway resistance", 10, 2, RESISTANCE, Name::Mdc(151840)),
    field("mv_insp", "Inspired minute volume", 12, 2, L_MIN, Name::Mdc(151888)),
    field("epeep", "Extrinsic PEEP", 14, 2, CMH2O, Name::Mdc(151804)),
    field("mv_spont", "Spontaneous minute volume", 16, 2, L_MIN, Name::Private),
    field("ie_ratio", "I:E ratio, unscaled", 18, 0, NONE, Name::Private),
    field("insp_time", "Inspiration time, unscaled", 20, 0, NONE, Name::Private),
    field("exp_time", "Expiration time, unscaled", 22, 0, NONE, Name::Private),
    field("static_compliance", "Static compliance, unscaled", 24, 0, NONE, Name::Private),
    field("static_pplat", "Static plateau pressure, unscaled", 26, 0, NONE, Name::Private),
    field("static_peepe", "Static extrinsic PEEP, unscaled", 28, 0, NONE, Name::Private),
    field("static_peepi", "Static intrinsic PEEP, unscaled", 30, 0, NONE, Name::Private),
];
const BALANCE: &[Field] = &[
    field("et", "End-tidal balance gas", 6, 2, PERCENT, Name::Private),
    field("fi", "Inspired balance gas", 8, 2, PERCENT, Name::Private),
];
const TONOMETRY: &[Field] = &[
    field("prco2", "PrCO2", 6, 2, KPA, Name::Private),
    field("pr_et", "P(r-Et)CO2", 8, 2, KPA, Name::Private),
    field("pr_pa", "P(r-a)CO2", 10, 2, KPA, Name::Private),
    field("pa_delay", "Age of PaCO2", 12, 0, MINUTE, Name::Private),
    field("phi", "pHi", 14, 2, NONE, Name::Private),
    field("phi_delay", "Age of pHi", 16, 0, MINUTE, Name::Private),
    field("amb_press", "Ambient pressure", 18, 1, MMHG, Name::Private),
    field("cpma", "CPMA, unscaled", 20, 0, NONE, Name::Private),
];
const AGENT_2: &[Field] = &[field("mac_age_sum", "MAC by age", 6, 2, ONE, Name::Private)];
const DELTA_P: &[Field] = &[
    field("spv", "Systolic pressure variation", 6, 2, MMHG, Name::Private),
    field("ppv", "Pulse pressure variation", 8, 2, PERCENT, Name::Private),
];
const CPP: &[Field] = &[field("value", "Cerebral perfusion pressure", 6, 2, MMHG, Name::Mdc(153604))];
const fn picco(key: &'static str, title: &'static str, n: usize) -> Field {
    scaled(key, title, n, 0, NONE)
}
const fn scaled(key: &'static str, title: &'static str, n: usize, decimals: u8, unit: Unit) -> Field {
    field(key, title, n.saturating_mul(2).saturating_add(6), decimals, unit, Name::Private)
}
const PICCO: &[Field] = &[
    picco("cci", "CCI, unscaled", 0),
    picco("cco", "CCO, unscaled", 1),
    scaled("cfi", "Cardiac function index", 2, 2, PER_MINUTE),
    picco("ci", "CI, unscaled", 3),
    picco("co", "CO, unscaled", 4),
    picco("cpi", "CPI, unscaled", 5),
    picco("cpo", "CPO, unscaled", 6),
    picco("dpmax", "dPmax, unscaled", 7),
    picco("elwi", "ELWI, unscaled", 8),
    picco("evlw", "EVLW, unscaled", 9),
    picco("gedi", "GEDI, unscaled", 10),
    picco("gedv", "GEDV, unscaled", 11),
    scaled("gef", "Global ejection fraction", 12, 1, PERCENT),
    picco("itbi", "ITBI, unscaled", 13),
    picco("itbv", "ITBV, unscaled", 14),
    scaled("ppv", "Pulse pressure variation", 15, 1, PERCENT),
    scaled("pvpi", "Pulmonary vascular permeability index", 16, 2, ONE),
    scaled("sv", "Stroke volume", 17, 1, ML),
    scaled("svi", "Stroke volume index", 18, 1, ML_M2),
    picco("svr", "SVR, unscaled", 19),
    picco("svri", "SVRI, unscaled", 20),
    scaled("svv", "Stroke volume variation", 21, 1, PERCENT),
    picco("tblood", "Blood temperature, unscaled", 22),
    picco("tinj", "Injectate temperature, unscaled", 23),
];

const ZEROING: Status = Status::Bits { calibrating: 1 << 2, off: 0 };
const GAS: Status = Status::Bits { calibrating: 1 << 2, off: 1 << 3 };

/// The cuff, which sessions look at as well.
pub(crate) const CUFF: Group = group(0, 72, "nibp", place(3, 70686, 1), Status::Cuff, NIBP);
/// Cardiac output and wedge pressure, which sessions look at as well.
pub(crate) const OUTPUT: Group =
    group(0, 200, "co_wedge", place(10, 69670, 1), Status::Plain, CARDIAC_OUTPUT);
/// Ordinals of the list of alarms.
pub(crate) const ALARMS: (u16, u16) = (17, 1);
/// The heart's rates: its header says by what they are counted.
pub(crate) const HEART: usize = 0;

/// All groups, class by class, each class in the order of its bytes.
pub(crate) const GROUPS: &[Group] = &[
    group(0, HEART, "ecg", place(1, 69798, 1), Status::Ecg, ECG),
    group(0, 16, "p1", place(2, 69854, 1), ZEROING, PRESSURE),
    group(0, 30, "p2", place(2, 69854, 2), ZEROING, PRESSURE),
    group(0, 44, "p3", place(2, 69854, 3), ZEROING, PRESSURE),
    group(0, 58, "p4", place(2, 69854, 4), ZEROING, PRESSURE),
    CUFF,
    group(0, 86, "t1", place(4, 69902, 1), Status::Plain, TEMPERATURE),
    group(0, 94, "t2", place(4, 69902, 2), Status::Plain, TEMPERATURE),
    group(0, 102, "t3", place(4, 69902, 3), Status::Plain, TEMPERATURE),
    group(0, 110, "t4", place(4, 69902, 4), Status::Plain, TEMPERATURE),
    group(0, 118, "spo2", place(5, 69642, 1), Status::Plain, SPO2),
    group(0, 132, "co2", place(7, 69650, 1), Status::Bits { calibrating: 1 << 3 | 1 << 4, off: 0 }, CO2),
    group(0, 146, "o2", place(7, 69650, 2), GAS, O2),
    group(0, 156, "n2o", place(7, 69650, 3), GAS, N2O),
    group(0, 166, "aa", place(7, 69650, 4), GAS, AGENT),
    group(
        0,
        178,
        "flow_vol",
        place(8, 69682, 1),
        Status::Bits { calibrating: 1 << 3 | 1 << 4, off: 1 << 7 },
        FLOW,
    ),
    OUTPUT,
    group(0, 214, "nmt", place(12, 69694, 1), Status::Plain, NMT),
    Group {
        class: 0,
        at: 226,
        key: "ecg_extra",
        place: place(1, 69798, 2),
        header: HEART,
        status: Status::Ecg,
        fields: ECG_EXTRA,
    },
    group(0, 232, "svo2", place(6, 70730, 1), Status::Plain, SVO2),
    group(0, 240, "p5", place(2, 69854, 5), ZEROING, PRESSURE),
    group(0, 254, "p6", place(2, 69854, 6), ZEROING, PRESSURE),
    group(1, 0, "arrh", place(1, 69798, 3), Status::Plain, ARRHYTHMIA),
    group(1, 48, "ecg12", place(1, 69798, 4), Status::Plain, ECG_12),
    group(1, 78, "p7", place(2, 69854, 7), ZEROING, PRESSURE),
    group(1, 92, "p8", place(2, 69854, 8), ZEROING, PRESSURE),
    group(1, 106, "spo2_2", place(5, 69642, 2), Status::Plain, SPO2),
    group(1, 120, "t5", place(4, 69902, 5), Status::Plain, TEMPERATURE),
    group(1, 128, "t6", place(4, 69902, 6), Status::Plain, TEMPERATURE),
    group(2, 0, "nmt2", place(12, 69694, 2), Status::Plain, NMT_2),
    group(2, 24, "eeg", place(13, 69810, 1), Status::Plain, EEG),
    group(2, 96, "bis", place(14, 69938, 1), Status::Plain, BIS),
    group(2, 112, "ent", place(14, 69938, 2), Status::Plain, ENTROPY),
    group(2, 230, "spi", place(15, 0, 1), Status::Plain, SPI),
    group(3, 0, "gasex", place(9, 69690, 1), Status::Plain, GAS_EXCHANGE),
    group(3, 14, "flow_vol2", place(8, 69682, 2), Status::Plain, FLOW_2),
    group(3, 60, "bal", place(7, 69650, 6), Status::Plain, BALANCE),
    group(3, 70, "tono", place(16, 0, 1), Status::Plain, TONOMETRY),
    group(3, 92, "aa2", place(7, 69650, 5), Status::Plain, AGENT_2),
    group(3, 116, "delp", place(10, 69670, 3), Status::Plain, DELTA_P),
    group(3, 126, "cpp", place(11, 70690, 1), Status::Plain, CPP),
    group(3, 134, "cpp2", place(11, 70690, 2), Status::Plain, CPP),
    group(3, 142, "picco", place(10, 69670, 2), Status::Plain, PICCO),
];

/// The codes of all fields, group by group: the group's key, a dot, the field's. Made once.
pub(crate) fn ids() -> &'static [Vec<String>] {
    static IDS: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    let of =
        |group: &Group| group.fields.iter().map(|field| format!("{}.{}", group.key, field.key)).collect();
    IDS.get_or_init(|| GROUPS.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Bytes of the groups of a class.
    const SIZE: usize = 270;

    #[test]
    fn no_two_values_stand_in_the_same_bytes_and_none_outside() {
        let mut codes = BTreeSet::new();
        for class in 0..4 {
            let mut taken = BTreeSet::new();
            for group in GROUPS.iter().filter(|group| group.class == class) {
                if group.header == group.at {
                    assert!((0..6).all(|n| taken.insert(group.at + n)), "{}", group.key);
                }
                for field in group.fields {
                    assert!(codes.insert(format!("{}.{}", group.key, field.key)));
                    assert!(group.at + field.at + 2 <= SIZE, "{}.{}", group.key, field.key);
                    // Bits of one word are several values.
                    if !matches!(field.bits, Bits::Some { from: 1.., .. }) {
                        let free = (0..2).all(|n| taken.insert(group.at + field.at + n));
                        assert!(free, "{}.{}", group.key, field.key);
                    }
                }
            }
        }
        assert_eq!(codes.len(), GROUPS.iter().map(|group| group.fields.len()).sum::<usize>());
    }

    #[test]
    fn every_code_is_in_the_table_of_mdc_and_takes_the_unit() {
        use orugate_protocol::mdc;
        let takes = |code: u32, unit: Unit| mdc::term(code).is_some_and(|term| term.takes(unit.mdc));
        let mut places = BTreeSet::new();
        for group in GROUPS {
            let Place { vmd, channel } = group.place;
            assert!(places.insert((vmd.0, channel.0)), "{}", group.key);
            for code in [vmd.1, channel.1] {
                assert!(code == 0 || mdc::term(code).is_some(), "{} {code}", group.key);
            }
            for field in group.fields {
                let what = format!("{}.{}", group.key, field.key);
                if field.unit.mdc != 0 {
                    let unit = mdc::unit(field.unit.mdc).unwrap();
                    let same = [&[unit.ucum], unit.also_ucum].concat().contains(&field.unit.text);
                    assert!(same, "{what}: {} is {}", field.unit.text, unit.ucum);
                }
                for label in 0..20 {
                    let codes = match field.name {
                        Name::Mdc(code) => vec![code],
                        Name::Pressure(part) => {
                            crate::labels::pressure(label).map(|row| row.code(part)).into_iter().collect()
                        }
                        Name::Temperature => {
                            crate::labels::temperature(label).map(|(_, code)| code).into_iter().collect()
                        }
                        Name::AgentExpired | Name::AgentInspired => {
                            crate::labels::agent(label).map_or(vec![], |(_, et, fi)| vec![et, fi])
                        }
                        Name::Saturation => {
                            crate::labels::saturation(label).map(|(_, code)| code).into_iter().collect()
                        }
                        Name::St(channel) => {
                            crate::labels::lead(label, channel).map(|(_, code)| code).into_iter().collect()
                        }
                        Name::HeartRate | Name::HeartRateOfEcg => vec![147842],
                        Name::GasBreaths => vec![151570],
                        Name::Private => vec![],
                    };
                    for code in codes.into_iter().filter(|code| *code != 0) {
                        assert!(takes(code, field.unit), "{what}: {code} in {}", field.unit.text);
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_no_scale_has_no_unit_and_no_code() {
        for field in GROUPS.iter().flat_map(|group| group.fields) {
            if field.title.ends_with("unscaled") {
                assert_eq!(
                    (field.decimals, field.unit, field.name),
                    (0, NONE, Name::Private),
                    "{}",
                    field.title
                );
            }
        }
    }
}

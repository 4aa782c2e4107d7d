//! The configuration exactly as it is typed: [`ConfigFile`].
//!
//! Promises that these structs are the whole format: reading denies unknown keys, the JSON schema is made from them,
//! and their comments are its manual. Every value keeps its place in the file ([`At`]). Every key is optional here,
//! because a missing key must not hide the next mistake; which keys are required is marked for the schema and asked
//! for in `check`. Leaves out what anything means, and all ranges.
//!
//! `serde(flatten)` and `untagged` are not used: they lose the place.

use super::plan::{
    Absent, Accepts, Corrections, DestinationRole, Flow, Mode, Nobodys, PatientField, PcdPatient, Resends,
    SampleIdIn,
};
use super::plan_tls::TlsVersion;
use crate::convert::{CheckDigit, Incomplete, Reruns};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A file of the configuration. `conf.d/*.toml` may hold `[[destination]]` and `[[instrument]]` only.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The version of this format: 1.
    #[schemars(required)]
    pub version: Option<At<i64>>,
    /// This gateway.
    #[schemars(required)]
    pub gateway: Option<At<GatewayFile>>,
    /// Where results are kept.
    #[schemars(required)]
    pub journal: Option<At<JournalFile>>,
    /// What came and went on the instruments' lines, kept for whoever looks for a fault.
    pub capture: Option<At<CaptureFile>>,
    /// The systems that get results.
    #[serde(default)]
    pub destination: Vec<At<DestinationFile>>,
    /// The devices that give results.
    #[serde(default)]
    pub instrument: Vec<At<InstrumentFile>>,
    /// How people are told what is wrong, besides the log and `orugate status`.
    pub alerts: Option<At<AlertsFile>>,
}

/// How people are told what is wrong.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsFile {
    /// A hold that is older is told of again and again (condition `hold-overdue`): `"1 min"` to `"7 days"`. Default `"30 min"`.
    pub hold_older_than: Option<At<String>>,
    /// How often: `"1 min"` to `"7 days"`. Default `"30 min"`.
    pub hold_repeat: Option<At<String>>,
    /// A program with its arguments, no shell: it is run for each condition that is raised, repeated or cleared, and gets it as
    /// JSON on standard input; `docs/holds.md`. The program's path is absolute.
    pub on_condition: Option<At<Vec<At<String>>>>,
}

/// This gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayFile {
    /// Four of A-Z and 0-9, unlike any other gateway's in the hospital: every MSH-10 begins with it.
    #[schemars(required)]
    pub id: Option<At<String>>,
    /// MSH-3 of what is sent. Default `"ORUGATE"`.
    pub application: Option<At<String>>,
    /// MSH-4 of what is sent: the laboratory or ward. `""` leaves it empty.
    #[schemars(required)]
    pub facility: Option<At<String>>,
    /// Its EUI-64 as 16 hexadecimal digits, or the MAC address that gives it as 12: MSH-3.2 of bedside values, as IHE PCD-01
    /// wants it. Left out, MSH-3 is `application` alone.
    pub device_id: Option<At<String>>,
    /// The IANA time zone in which the instruments' clocks run, such as `"Europe/Berlin"`.
    #[schemars(required)]
    pub timezone: Option<At<String>>,
    /// The Unix socket through which the command line talks to the service: an absolute path of at most 107 bytes.
    /// Default `"/run/orugate/admin.sock"`.
    pub admin_socket: Option<At<String>>,
}

/// Where results are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalFile {
    /// The journal's folder on flash or disk: an absolute path.
    #[schemars(required)]
    pub path: Option<At<String>>,
    /// The most it may take, in `"MiB"`, `"GiB"` or `"TiB"`; at least 64 MiB. Default `"4 GiB"`.
    pub max_size: Option<At<String>>,
    /// How long settled results are kept, oldest first, as far as `max_size` has room: `"1 h"` to `"3650 days"`. Default
    /// `"30 days"`. What is not settled is kept always.
    pub keep_delivered: Option<At<String>>,
    /// How long commands give out what instruments sent, of messages that are settled: `"1 h"` to `"3650 days"`. Default
    /// `keep_delivered`. The bytes themselves go with their segment, which is kept for the longest of the three.
    pub keep_raw: Option<At<String>>,
    /// How long it is known which results were sent, so that one that comes again is a resend and one that changed a
    /// correction: `"1 h"` to `"3650 days"`. Default `keep_delivered`.
    pub keep_keys: Option<At<String>>,
    /// The most that snapshots (waveforms and the like) may take of `max_size`: from `"16 MiB"` to half of it. Default a
    /// quarter of it. They give way to results.
    pub snapshots_size: Option<At<String>>,
    /// Bytes that the medium is rated to take before it wears out, as its data sheet has them (TBW), in `"GB"`, `"TB"` or
    /// `"PB"`, at least 10 GB. With it `orugate status` says how long it lasts.
    pub endurance: Option<At<String>>,
    /// With it, what is written into the journal is sealed (AES-256-GCM), and it cannot be read without the key; by default
    /// it is not. `docs/sealing.md` says what it protects against.
    pub seal: Option<At<SealFile>>,
}

/// What came and went on the instruments' lines, kept for whoever looks for a fault.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureFile {
    /// Bytes of flash for the line of each instrument, on top of `journal.max_size`: `"1 MiB"` to `"1 GiB"`, or `"off"`. The
    /// oldest goes first, nothing is older than `journal.keep_raw`, and all of it gives way to results. Default `"16 MiB"`.
    pub size: Option<At<String>>,
}

/// The keys of a sealed journal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealFile {
    /// The key for what is written from now on: `"credential:NAME"` from systemd, or a file outside the journal's folder.
    /// It holds 32 bytes, or 64 hexadecimal digits; `orugate journal new-key FILE` makes one. A lost key is a lost journal.
    #[schemars(required)]
    pub key: Option<At<String>>,
    /// Keys of before, for what is in the journal already. Default `[]`.
    pub previous: Option<At<Vec<At<String>>>>,
}

/// A system that gets results.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationFile {
    /// Its name: 1 to 40 of a-z, 0-9 and hyphen.
    #[schemars(required)]
    pub name: Option<At<String>>,
    /// What stands behind it. A `lis` gets every result that can be told truthfully; towards a `record`, which nobody
    /// reviews, the gateway is strict.
    #[schemars(required)]
    pub role: Option<At<DestinationRole>>,
    /// To whom messages are addressed.
    #[schemars(required)]
    pub receiving: Option<At<ReceivingFile>>,
    /// How it is reached and how it acknowledges.
    #[schemars(required)]
    pub mllp: Option<At<MllpFile>>,
    /// Which messages it takes: `P` from instruments in mode `live`, `T` from those in mode `test`. Default `"P"`.
    pub accepts: Option<At<Accepts>>,
    /// What its messages are written in, as HL7 table 0211 spells it for MSH-18: `"UNICODE UTF-8"`, `"ASCII"`,
    /// `"8859/1"` to `"8859/9"`, `"8859/15"`, `"GB 18030-2000"`, `"BIG-5"`, `"KS X 1001"`; where the table has none,
    /// IANA's name: `"windows-1251"`, `"KOI8-R"`, `"Shift_JIS"`. A message with a character that it does not have is
    /// parked. Default `"UNICODE UTF-8"`.
    pub charset: Option<At<String>>,
    /// Where the sample id stands. Always in SPM-2; `placer`: in OBR-2 too; `filler`: OBR-3 is the bare sample id.
    /// Default `"specimen"`.
    pub sample_id_in: Option<At<SampleIdIn>>,
    /// True sends `<5` or `1:128` as SN (`<^5`); false sends them as text, as they came. Default `false`.
    pub structured_numeric: Option<At<bool>>,
    /// The status of a corrected result: `C`, or `F` for systems that refuse C, or `hold` it for a person.
    /// Default `"C"`.
    pub corrections: Option<At<Corrections>>,
    /// What to do when an instrument sends a result again that was delivered. Default `"forward"`.
    pub resends: Option<At<Resends>>,
    /// How often a message answered with AE or CE is sent again before it is parked: 0 to 20. Default `3`.
    pub retries: Option<At<i64>>,
    /// True stops the whole destination at a message that it will not take, instead of parking that message.
    /// Default `false`.
    pub stop_on_error: Option<At<bool>>,
    /// Which field of the instruments is a patient's identifier. Without it no patient is named.
    pub patient: Option<At<PatientFile>>,
    /// It takes values of bedside devices as IHE PCD-01 (HL7 2.6 `ORU^R01`, MDC codes), in this form. Without the table no
    /// bedside device may name it.
    pub pcd: Option<At<PcdFile>>,
}

/// How values of bedside devices are told (IHE PCD-01). Where `mllp.acknowledgment` is not written, they ask for a commit
/// acknowledgment and no other (MSH-15 AL, MSH-16 NE).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PcdFile {
    /// MSH-21 with its components; `""` leaves it empty. Default `"IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"`.
    pub profile: Option<At<String>>,
    /// What PID is where no patient id goes along. `device`: PID-3 holds the device's name, marked as no patient's (`U`). `unknown`:
    /// no id, and a name of unknown type; a strict receiver misses PID-3. `none`: there is no PID, and so no PV1 with the bed.
    /// Default `"device"`.
    pub patient: Option<At<PcdPatient>>,
    /// PID-3.4 of the patient ids that devices themselves send, where `bedside.send_patient` is true. Without it none goes
    /// there.
    pub authority: Option<At<String>>,
    /// PID-3.5 of these (table 0203). Default `"MR"`.
    pub kind: Option<At<String>>,
    /// True repeats the device in OBX-18 of each value, for receivers that do not read it from the device's own row.
    /// Default `false`.
    pub device_on_rows: Option<At<bool>>,
}

/// To whom messages are addressed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceivingFile {
    /// MSH-5. `""` leaves it empty.
    #[schemars(required)]
    pub application: Option<At<String>>,
    /// MSH-6. `""` leaves it empty.
    #[schemars(required)]
    pub facility: Option<At<String>>,
}

/// A destination that speaks HL7 v2 over MLLP.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MllpFile {
    /// `"host:port"`; an IPv6 address stands in brackets.
    #[schemars(required)]
    pub address: Option<At<String>>,
    /// With it the connection is TLS, without it plain MLLP.
    pub tls: Option<At<TlsFile>>,
    /// `original`: MSH-15 and MSH-16 are empty. `enhanced`: they ask for a commit acknowledgment, and for an
    /// application acknowledgment when `require_application_ack` is true. Default `"original"`.
    pub acknowledgment: Option<At<AckFile>>,
    /// True: CA is not enough, a message is delivered when AA comes. Default `false`.
    pub require_application_ack: Option<At<bool>>,
    /// True takes an answer with an empty MSA-2 for the message in flight. Only for engines that never fill it: a
    /// late answer is then taken for the wrong message. Default `false`.
    pub accept_blank_msa2: Option<At<bool>>,
    /// True takes a frame whose final carriage return does not come. Default `false`.
    pub lenient_eob: Option<At<bool>>,
    /// How long to wait for an answer before the connection is closed and the same bytes are sent again: `"1 s"` to
    /// `"10 min"`. Default `"30 s"`.
    pub ack_timeout: Option<At<String>>,
}

/// TLS. All files are PEM; certificates and revocation lists may be DER too. They are looked at again every few
/// seconds: what is replaced is used from the next connection on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFile {
    /// Where the gateway connects: file with the certificates of the authorities that may have signed the other side's.
    /// `ca` or `pin` is required; the system's authorities are never asked.
    pub ca: Option<At<String>>,
    /// With `ca`: the name or address that the other side's certificate must have. Default: the host of the address.
    pub name: Option<At<String>>,
    /// Where the gateway connects: `"sha256:HEX"` of the other side's certificate or of its public key
    /// (SubjectPublicKeyInfo); one of the list must fit. Without `ca` nothing else is checked, neither name nor date.
    pub pin: Option<At<Vec<At<String>>>>,
    /// File with this gateway's certificate, then its intermediates; or `"credential:NAME"` from systemd. Required
    /// with `listen`.
    pub cert: Option<At<String>>,
    /// Its key, without a password: a file, or `"credential:NAME"`.
    pub key: Option<At<String>>,
    /// With `listen`: file with the certificates of the authorities that may have signed the clients'. Who shows no
    /// certificate is then refused.
    pub clients: Option<At<String>>,
    /// With `listen`: which clients; `"name:NAME"` is a DNS name or the common name of a certificate that `clients`
    /// signed, `"sha256:HEX"` as in `pin`. Default: all that `clients` signed.
    pub allow_clients: Option<At<Vec<At<String>>>>,
    /// With `ca` or `clients`: file with certificate revocation lists, one for each authority of the chain. One that is
    /// missing or out of date refuses the connection.
    pub crl: Option<At<String>>,
    /// The oldest TLS version: `"1.2"` or `"1.3"`. Default `"1.2"`.
    pub min_version: Option<At<TlsVersion>>,
}

/// How a destination acknowledges (HL7 2.5.1, section 2.9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AckFile {
    /// One application acknowledgment; MSH-15 and MSH-16 are empty.
    Original,
    /// A commit acknowledgment first.
    Enhanced,
}

/// Which field of the instruments is a patient's identifier, and whose.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatientFile {
    /// Field 3, 4 or 5 of the patient record (LIS02-A2, section 7).
    #[schemars(required)]
    pub field: Option<At<PatientField>>,
    /// PID-3.4: who assigns these identifiers.
    #[schemars(required)]
    pub authority: Option<At<String>>,
    /// PID-3.5: what kind they are (table 0203). Default `"MR"`.
    pub kind: Option<At<String>>,
}

/// A device that gives results.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstrumentFile {
    /// Its name: 1 to 40 of a-z, 0-9 and hyphen.
    #[schemars(required)]
    pub name: Option<At<String>>,
    /// The profile of its model.
    #[schemars(required)]
    pub profile: Option<At<String>>,
    /// `test` marks its messages with MSH-11 `T`, and they reach only destinations that accept `T`. `live`: `P`.
    #[schemars(required)]
    pub mode: Option<At<Mode>>,
    /// How it is connected.
    #[schemars(required)]
    pub wire: Option<At<WireFile>>,
    /// The names of the destinations that get its results; at least one.
    #[schemars(required)]
    pub send_to: Option<At<Vec<At<String>>>>,
    /// When a specimen is run again: `all` runs are sent, and OBX-4 tells them apart; the `last` one counts and corrects what was
    /// sent, only where sample ids are never used again; or `hold` it for a person. Default `"all"`.
    pub reruns: Option<At<Reruns>>,
    /// Tests that are treated otherwise than `reruns` says.
    pub reruns_except: Option<At<RerunsExceptFile>>,
    /// So long after a run another one of the same specimen and test is a rerun; later it is a new specimen that has got the same
    /// id: `"1 min"` to `"30 days"`. Default `"12 h"`.
    pub rerun_within: Option<At<String>>,
    /// The IANA time zone in which its clock runs, where that is not the gateway's: `"UTC"`, or `"Etc/GMT-1"` (one hour east of
    /// UTC) for one that does not switch to daylight saving time. Default: `gateway.timezone`.
    pub timezone: Option<At<String>>,
    /// How far its clock may be off before that is a condition and receivers are told: `"10 s"` to `"24 h"`. Default
    /// `"5 min"`.
    pub clock_limit: Option<At<String>>,
    /// What a sample id looks like at this site. Another is held (`sample-id-rule`). By default each is taken.
    pub sample_id: Option<At<SampleIdFile>>,
    /// Which instrument it is. A message of another, or one that does not say, is held (`other-instrument`).
    pub identity: Option<At<IdentityFile>>,
    /// What becomes of a message whose transmission broke off: `send` what came with a remark, or `hold` it for a whole copy or a
    /// person. Default `"send"`.
    pub incomplete: Option<At<Incomplete>>,
    /// Which times of results cannot be true; they are held (`impossible-time`). Before 2000 is always one.
    pub impossible_time: Option<At<ImpossibleTimeFile>>,
    /// False keeps nothing of what comes and goes on its line but the results. Default `true`.
    pub capture: Option<At<bool>>,
    /// Which maps give LOINC codes to its tests: a name, or a list in which the first that has a row for a result decides.
    /// A map NAME is the file `maps.d/NAME.csv`.
    pub map: Option<At<Names>>,
    /// True: a result whose test has no row in its maps waits for a person. Default `false`: it goes out with the
    /// instrument's code alone.
    pub require_map: Option<At<bool>>,
    /// What only a bedside device has: how often its values go, where it stands, what becomes of those that are none.
    pub bedside: Option<At<BedsideFile>>,
}

/// What only a bedside device has. Without the table all defaults hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BedsideFile {
    /// How often its values go: `"1 s"` to `"1 h"`. Default `"1 min"`.
    pub interval: Option<At<String>>,
    /// PV1-3 of its values, `"unit^room^bed^facility"`. Left out, the bed's label goes as the device says it.
    pub location: Option<At<String>>,
    /// PV1-3 by the bed's label on the device; `"ICU/5"` where two units have a bed 5 and the device says the unit. While it says
    /// another bed, nothing is sent; while it says none, `location` holds. For a device that is carried from bed to bed and told
    /// where it is.
    pub beds: Option<At<BedsFile>>,
    /// Its EUI-64 as 16 hexadecimal digits, or the MAC address that gives it as 12, with or without `-` or `:`. One that
    /// sends its own must send this.
    pub device_id: Option<At<String>>,
    /// What is absent, invalid or stale: `x` sends it without a value (OBX-11 X), `omit` leaves it out. Default `"x"`.
    pub absent: Option<At<Absent>>,
    /// Values of a demonstration, a test or a calibration: `x` sends them without a value (OBX-11 X), `omit` leaves them out,
    /// `flag` sends the value with its mark in OBX-8. Default `"x"`.
    pub nobodys: Option<At<Nobodys>>,
    /// Who answers for `nobodys = "flag"` in mode `live`: a name and a date.
    pub reviewed_by: Option<At<String>>,
    /// True sends the patient id that the device sends. Default `false`: the receiver knows the patient by bed or device.
    pub send_patient: Option<At<bool>>,
}

/// Beds by their label on the device, in the order of the file as far as it is kept.
#[derive(Debug, Default)]
pub struct BedsFile(pub Vec<(String, At<String>)>);

impl JsonSchema for BedsFile {
    fn schema_name() -> Cow<'static, str> {
        "Beds".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}

impl<'de> Deserialize<'de> for BedsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BedsVisitor)
    }
}

struct BedsVisitor;

impl<'de> Visitor<'de> for BedsVisitor {
    type Value = BedsFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BedsFile, A::Error> {
        let mut beds = Vec::new();
        while let Some(bed) = map.next_entry()? {
            beds.push(bed);
        }
        Ok(BedsFile(beds))
    }
}

/// One name, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// `"NAME"`.
    One(String),
    /// `["NAME", …]`.
    More(Vec<At<String>>),
}

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

impl Typed for Names {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name in quotes, or a list of them in brackets [ ]")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Names, E> {
        Ok(Names::One(name.to_owned()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element()? {
            names.push(name);
        }
        Ok(Names::More(names))
    }
}

/// What a sample id looks like at this site.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleIdFile {
    /// A regular expression that matches the whole id; `\d` and the like are ASCII.
    pub pattern: Option<At<String>>,
    /// How its last character follows from the others: `luhn`, `mod10` (weights 3 and 1: Interleaved 2 of 5, EAN), `mod11` (NW-7,
    /// Codabar), `mod43` (Code 39), `mod37-2` (ISBT 128), `mod37-36`; docs/holds.md.
    pub check: Option<At<CheckDigit>>,
}

/// Tests that are treated otherwise than the instrument's `reruns` says, by the instrument's own codes as they stand in OBX-3 and
/// in `orugate holds show`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunsExceptFile {
    /// All runs of these are sent.
    pub all: Option<At<Vec<At<String>>>>,
    /// The last run of these counts.
    pub last: Option<At<Vec<At<String>>>>,
    /// Another run of these waits for a person.
    pub hold: Option<At<Vec<At<String>>>>,
}

/// Which instrument it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityFile {
    /// Its model, as the message names it (H.5, or where the profile says).
    pub model: Option<At<String>>,
    /// Its serial number, where the profile knows its place.
    pub serial: Option<At<String>>,
}

/// Which times of results cannot be true.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImpossibleTimeFile {
    /// Later than the time of receipt by more than this: `"1 h"` to `"365 days"`. Default `"24 h"`.
    pub ahead: Option<At<String>>,
    /// Earlier than the time of receipt by more than this: `"1 h"` to `"3650 days"`. By default however old it is.
    pub older_than: Option<At<String>>,
}

/// How an instrument is connected: exactly one of `serial`, `listen`, `connect` and `udp`, and what belongs to it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WireFile {
    /// The serial port's device: an absolute path, best one below `/dev/serial/by-path`.
    pub serial: Option<At<String>>,
    /// With `serial`, required: bits per second, one of the usual rates from 300 to 230400.
    pub baud: Option<At<i64>>,
    /// With `serial`: 5 to 8. Default `8`.
    pub data_bits: Option<At<i64>>,
    /// With `serial`. Default `"none"`.
    pub parity: Option<At<ParityFile>>,
    /// With `serial`: 1 or 2. Default `1`.
    pub stop_bits: Option<At<i64>>,
    /// With `serial`: `none`, `hardware` (RTS/CTS) or `software` (XON/XOFF). Default `"none"`.
    pub flow: Option<At<Flow>>,
    /// With `serial`: the level of the RTS line while the port is open. Left out, the system decides.
    pub rts: Option<At<bool>>,
    /// With `serial`: the level of the DTR line while the port is open. Left out, the system decides.
    pub dtr: Option<At<bool>>,
    /// The instrument connects to this address and port of the gateway: `"ip:port"`.
    pub listen: Option<At<String>>,
    /// With `listen`: who may connect, as addresses and networks (`"192.0.2.0/24"`). Required unless `tls` asks for
    /// certificates; with both, both must fit.
    pub allow: Option<At<Vec<At<String>>>>,
    /// The gateway connects to the instrument: `"host:port"`.
    pub connect: Option<At<String>>,
    /// The gateway and a bedside device exchange UDP datagrams: `"ip:port"` of the device. Only what comes from there is
    /// heard.
    pub udp: Option<At<String>>,
    /// With `udp`: the port of this box, 1 to 65535, the same at each connection, where the device or a firewall wants one.
    /// Left out, the system takes any.
    pub local_port: Option<At<i64>>,
    /// With `listen` or `connect`: TLS instead of plain TCP.
    pub tls: Option<At<TlsFile>>,
}

/// Parity of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ParityFile {
    None,
    Even,
    Odd,
}

/// The JSON schema of a configuration file, for editors.
#[must_use]
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(ConfigFile)
}

/// The same of a file in `conf.d`: without what belongs to the main file.
#[must_use]
pub fn json_schema_of_part() -> schemars::Schema {
    let mut schema = json_schema();
    schema.remove("required");
    if let Some(properties) = schema.get_mut("properties").and_then(|properties| properties.as_object_mut()) {
        properties.retain(|name, _| ["destination", "instrument"].contains(&&**name));
    }
    schema
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The byte at which it begins in its file; of a table, its header or opening brace.
    pub offset: usize,
}

impl<'de, T: Typed> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<Strict<T>>::deserialize(deserializer)?;
        Ok(Self { offset: spanned.span().start, value: spanned.into_inner().0 })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

/// What may stand as a value, read as strictly as it is described: serde alone would also take a list for a table
/// and a table for a word.
pub trait Typed: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When something else stands there.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

struct Strict<T>(T);

impl<'de, T: Typed> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}

impl<T: Typed> Typed for Vec<At<T>> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(impl Typed for $type {
        fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Self::deserialize(deserializer)
        }
    })*};
}
plain!(String, i64, bool);

macro_rules! words {
    ($($type:ty),*) => {$(impl Typed for $type {
        fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let word = String::deserialize(deserializer)?;
            Self::deserialize(serde::de::value::StringDeserializer::new(word))
        }
    })*};
}
words!(
    Absent,
    Accepts,
    AckFile,
    CheckDigit,
    Corrections,
    DestinationRole,
    Flow,
    Incomplete,
    Mode,
    Nobodys,
    ParityFile,
    PatientField,
    PcdPatient,
    Reruns,
    Resends,
    SampleIdIn,
    TlsVersion
);

macro_rules! tables {
    ($($type:ty),*) => {$(impl Typed for $type {
        fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Table(PhantomData))
        }
    })*};
}
tables!(
    AlertsFile,
    BedsFile,
    BedsideFile,
    CaptureFile,
    DestinationFile,
    GatewayFile,
    IdentityFile,
    ImpossibleTimeFile,
    InstrumentFile,
    JournalFile,
    MllpFile,
    PatientFile,
    PcdFile,
    ReceivingFile,
    RerunsExceptFile,
    SampleIdFile,
    SealFile,
    TlsFile,
    WireFile
);

struct Table<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Table<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

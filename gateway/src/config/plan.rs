//! What a configuration means: [`Plan`] and its parts.
//!
//! Promises that a value of these types needs no second look: ranges, names and references were checked when it was
//! made, which happens only in [`load`](super::load). Leaves out where each value was typed.

use super::plan_tls::{FileOrCredential, TlsPlan};
use crate::convert::{Reruns, Rules};
use crate::maps::Table;
use jiff::tz::TimeZone;
use orugate_driver::{LineSettings, Profile};
use orugate_protocol::text::Charset;
use schemars::JsonSchema;
use serde::Deserialize;
use siphasher::sip128::SipHasher24;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that the gateway does, decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// This gateway.
    pub gateway: GatewayPlan,
    /// Where results are kept.
    pub journal: JournalPlan,
    /// What is kept of the instruments' lines.
    pub capture: CapturePlan,
    /// The systems that get results, in the order of the files.
    pub destinations: Vec<DestinationPlan>,
    /// The devices that give results, in the order of the files.
    pub instruments: Vec<InstrumentPlan>,
    /// How people are told what is wrong.
    pub alerts: AlertsPlan,
    /// Of the text that this plan was read from; journalled with every outcome.
    pub hash: ConfigHash,
}

/// This gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayPlan {
    /// Exactly four of A-Z and 0-9; every MSH-10 begins with it.
    pub id: String,
    /// MSH-3. Never empty.
    pub application: String,
    /// MSH-4. Empty when the site wants the field empty.
    pub facility: String,
    /// Its EUI-64: MSH-3.2 of bedside values.
    pub device_id: Option<u64>,
    /// The zone of the instruments' clocks.
    pub timezone: TimeZone,
    /// Its IANA name.
    pub timezone_name: String,
    /// Absolute, at most 107 bytes.
    pub admin_socket: PathBuf,
}

/// Where results are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalPlan {
    /// Absolute.
    pub path: PathBuf,
    /// Bytes; at least 64 MiB.
    pub max_size: u64,
    /// How long delivered results stay.
    pub keep_delivered: Duration,
    /// How long commands give out raw bytes of settled messages.
    pub keep_raw: Duration,
    /// How long it is known what was sent.
    pub keep_keys: Duration,
    /// Bytes that snapshots may take; at most half of `max_size`.
    pub snapshots_size: u64,
    /// Bytes that the medium is rated for.
    pub endurance: Option<u64>,
    /// `None`: it is not sealed.
    pub seal: Option<SealPlan>,
}

impl JournalPlan {
    /// How long segments are kept: what the three are about is in the same ones.
    #[must_use]
    pub fn keep(&self) -> Duration {
        self.keep_delivered.max(self.keep_raw).max(self.keep_keys)
    }
}

/// How people are told what is wrong, besides the log and the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertsPlan {
    /// An older hold is told of again and again.
    pub hold_older_than: Duration,
    /// How often.
    pub hold_repeat: Duration,
    /// A program and its arguments; empty for none.
    pub on_condition: Vec<String>,
}

impl Default for AlertsPlan {
    fn default() -> Self {
        let half_an_hour = Duration::from_secs(1_800);
        Self { hold_older_than: half_an_hour, hold_repeat: half_an_hour, on_condition: Vec::new() }
    }
}

/// What is kept of the instruments' lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturePlan {
    /// Bytes of the ring of each instrument; 0: nothing is kept.
    pub size: u64,
}

impl CapturePlan {
    /// Bytes of this instrument's ring.
    #[must_use]
    pub const fn ring(&self, instrument: &InstrumentPlan) -> u64 {
        if instrument.capture { self.size } else { 0 }
    }
}

/// The keys of a sealed journal. What is in them is read by [`seal`](crate::seal).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealPlan {
    /// For what is written from now on.
    pub key: FileOrCredential,
    /// For what was written before.
    pub previous: Vec<FileOrCredential>,
}

impl SealPlan {
    /// All keys, that of new records first.
    pub fn all(&self) -> impl Iterator<Item = &FileOrCredential> {
        std::iter::once(&self.key).chain(&self.previous)
    }
}

/// A system that gets results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationPlan {
    /// Unique among destinations.
    pub name: String,
    /// What stands behind it.
    pub role: DestinationRole,
    /// MSH-5. May be empty.
    pub application: String,
    /// MSH-6. May be empty.
    pub facility: String,
    /// `host:port`; the host is a name, an IPv4 address or an IPv6 address in brackets. Not looked up yet.
    pub address: String,
    /// `None`: plain MLLP.
    pub tls: Option<TlsPlan>,
    /// Which messages it takes.
    pub accepts: Accepts,
    /// What its messages are written in; MSH-18.
    pub charset: Charset,
    /// Where the sample id stands.
    pub sample_id_in: SampleIdIn,
    /// `<5` goes as SN.
    pub structured_numeric: bool,
    /// The status of corrected results.
    pub corrections: Corrections,
    /// What becomes of results that an instrument sends again.
    pub resends: Resends,
    /// What MSH-15 and MSH-16 ask for.
    pub acknowledgment: AckMode,
    /// A commit acknowledgment (CA) does not count as delivered.
    pub require_application_ack: bool,
    /// An empty MSA-2 counts for the message in flight.
    pub accept_blank_msa2: bool,
    /// A frame without its final carriage return counts.
    pub lenient_eob: bool,
    /// A refused message stops the destination instead of being parked.
    pub stop_on_error: bool,
    /// 1 s to 10 min.
    pub ack_timeout: Duration,
    /// 0 to 20, after AE or CE.
    pub retries: u8,
    /// Which field of the instruments identifies a patient; `None`: no patient is named.
    pub patient: Option<PatientId>,
    /// How values of bedside devices are told; `None`: no bedside device names it.
    pub pcd: Option<PcdPlan>,
}

/// How values of bedside devices are told (IHE PCD-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcdPlan {
    /// MSH-21 with its components. Empty when the site wants the field empty.
    pub profile: String,
    /// What PID is where no patient id goes along.
    pub patient: PcdPatient,
    /// PID-3.4 and PID-3.5 of patient ids that devices send; `None`: none goes there.
    pub sent_id: Option<(String, String)>,
    /// OBX-18 stands in each row.
    pub device_on_rows: bool,
    /// What MSH-15 and MSH-16 of these messages ask for.
    pub acknowledgment: AckMode,
}

/// What PID is where no patient id goes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PcdPatient {
    /// There is none, and so no PV1.
    None,
    /// It has no id, and a name of unknown type.
    Unknown,
    /// PID-3 names the device and is marked as no patient's.
    #[default]
    Device,
}

/// A patient identifier that instruments send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientId {
    /// Where instruments send it.
    pub field: PatientField,
    /// PID-3.4. Not empty.
    pub authority: String,
    /// PID-3.5 (table 0203). Not empty.
    pub kind: String,
}

/// A device that gives results.
#[derive(Clone)]
pub struct InstrumentPlan {
    /// Unique among instruments.
    pub name: String,
    /// The driver, fitted to its model.
    pub profile: Arc<dyn Profile>,
    /// By which it was asked for.
    pub profile_name: String,
    /// Of the profile's text.
    pub profile_hash: ConfigHash,
    /// Test or live.
    pub mode: Mode,
    /// How it is connected.
    pub wire: WirePlan,
    /// Indexes in [`Plan::destinations`], ascending, each once, at least one.
    pub send_to: Vec<usize>,
    /// What becomes of another run of a test on one specimen, where `rules` say nothing of the test.
    pub reruns: Reruns,
    /// How long after it another run is one.
    pub rerun_within: Duration,
    /// What the site knows of it and its samples.
    pub rules: Rules,
    /// Its maps; `None` when it names none.
    pub table: Option<Arc<Table>>,
    /// The zone of its clock and its IANA name, where that is not the gateway's.
    pub timezone: Option<(TimeZone, String)>,
    /// How far its clock may be off.
    pub clock_limit: Duration,
    /// What comes and goes on its line is kept.
    pub capture: bool,
    /// What only a bedside device has; `Some` exactly for a profile that feeds its values.
    pub bedside: Option<BedsidePlan>,
}

/// What only a bedside device has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BedsidePlan {
    /// How often its values go; 1 s to 1 h.
    pub interval: Duration,
    /// How long a value holds that is not renewed, by its profile.
    pub stale_after: Duration,
    /// PV1-3 with its components; empty for what the device itself says.
    pub location: String,
    /// PV1-3 by the bed's label on the device; no label twice. Empty: each is taken.
    pub beds: Vec<(String, String)>,
    /// Its EUI-64.
    pub device_id: Option<u64>,
    /// What becomes of what has no value.
    pub absent: Absent,
    /// What becomes of values that are nobody's.
    pub nobodys: Nobodys,
    /// Who answers for [`Nobodys::Flag`].
    pub reviewed_by: Option<String>,
    /// A patient id that the device sends goes along.
    pub send_patient: bool,
}

/// What becomes of what is absent, invalid or stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// It goes without a value: OBX-11 is X.
    #[default]
    X,
    /// It does not go.
    Omit,
}

/// What becomes of values of a demonstration, a test or a calibration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Nobodys {
    /// They go without a value: OBX-11 is X.
    #[default]
    X,
    /// The value goes with its mark in OBX-8.
    Flag,
    /// They do not go.
    Omit,
}

impl InstrumentPlan {
    /// The zone of its clock.
    #[must_use]
    pub fn zone<'p>(&'p self, gateway: &'p GatewayPlan) -> &'p TimeZone {
        self.timezone.as_ref().map_or(&gateway.timezone, |(zone, _)| zone)
    }
}

impl fmt::Debug for InstrumentPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstrumentPlan")
            .field("name", &self.name)
            .field("profile", &self.profile_name)
            .field("profile_hash", &self.profile_hash)
            .field("mode", &self.mode)
            .field("wire", &self.wire)
            .field("send_to", &self.send_to)
            .field("reruns", &self.reruns)
            .field("rerun_within", &self.rerun_within)
            .field("timezone", &self.timezone.as_ref().map(|(_, name)| name))
            .field("clock_limit", &self.clock_limit)
            .field("rules", &self.rules)
            .field("capture", &self.capture)
            .field("bedside", &self.bedside)
            .field("maps", &self.table.as_ref().map(|table| table.provenance()))
            .finish()
    }
}

/// How an instrument is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WirePlan {
    /// By a serial port.
    Serial(SerialPlan),
    /// It connects to the gateway.
    Listen {
        /// Where the gateway listens. The port is not 0.
        bind: SocketAddr,
        /// Who may connect; not empty.
        allow: Vec<Allow>,
        /// `None`: plain TCP.
        tls: Option<TlsPlan>,
    },
    /// The gateway connects to it.
    Connect {
        /// `host:port`, as in [`DestinationPlan::address`].
        address: String,
        /// `None`: plain TCP.
        tls: Option<TlsPlan>,
    },
    /// Datagrams from and to it.
    Udp(UdpPlan),
}

/// UDP with one other side; nothing else is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpPlan {
    /// Of the device. The port is not 0.
    pub address: SocketAddr,
    /// Of this box, the same whenever the wire is opened; `None` leaves it to the system. Not 0.
    pub local_port: Option<u16>,
}

impl fmt::Display for UdpPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UDP with {}", self.address)?;
        self.local_port.map_or(Ok(()), |port| write!(f, " from port {port}"))
    }
}

/// A serial port. It is opened for this process alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialPlan {
    /// Absolute; no two instruments have the same.
    pub path: PathBuf,
    /// Rate and format.
    pub line: LineSettings,
    /// Flow control.
    pub flow: Flow,
    /// Level of RTS; `None` leaves it to the system. Always `None` with [`Flow::Hardware`].
    pub rts: Option<bool>,
    /// Level of DTR; `None` leaves it to the system.
    pub dtr: Option<bool>,
}

/// An address or network that may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allow {
    pub(super) network: IpAddr,
    pub(super) prefix: u8,
}

impl Allow {
    /// Every address.
    pub(super) const EVERYBODY: [Self; 2] = [
        Self { network: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 },
        Self { network: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix: 0 },
    ];

    /// Whether it covers this peer. An IPv4 peer that a socket shows as IPv6 (`::ffff:192.0.2.1`) counts as IPv4.
    #[must_use]
    pub fn covers(&self, peer: IpAddr) -> bool {
        match (self.network, peer.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(peer)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() == peer.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(peer)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() == peer.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.network, self.prefix) {
            (IpAddr::V4(ip), 32) => write!(f, "{ip}"),
            (IpAddr::V6(ip), 128) => write!(f, "{ip}"),
            (ip, prefix) => write!(f, "{ip}/{prefix}"),
        }
    }
}

/// Whether an instrument's results are for patients' charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// MSH-11 is T; only destinations that accept T are reached.
    Test,
    /// MSH-11 is P.
    Live,
}

impl Mode {
    /// Whether messages of this mode go to a destination that accepts these.
    #[must_use]
    pub fn reaches(self, accepts: Accepts) -> bool {
        matches!((self, accepts), (Self::Test, Accepts::Test) | (Self::Live, Accepts::Production))
    }
}

/// What stands behind a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DestinationRole {
    /// A laboratory system: people look at results before they count.
    Lis,
    /// A record without a laboratory system before it: nobody looks.
    Record,
}

/// Which messages a destination takes, by MSH-11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Accepts {
    /// Messages of live instruments.
    #[default]
    #[serde(rename = "P")]
    Production,
    /// Messages of instruments under test.
    #[serde(rename = "T")]
    Test,
}

/// Where the sample id stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SampleIdIn {
    /// In SPM-2 only.
    #[default]
    Specimen,
    /// In OBR-2 too.
    Placer,
    /// OBR-3 is the bare sample id.
    Filler,
}

/// The status of a corrected result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Corrections {
    /// OBX-11 is C.
    #[default]
    C,
    /// OBX-11 is F.
    F,
    /// It is held for a person.
    #[serde(rename = "hold")]
    Hold,
}

/// What becomes of a result that an instrument sends again after it was delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Resends {
    /// It is delivered again, with a note.
    #[default]
    Forward,
    /// It is not.
    Suppress,
}

/// What MSH-15 and MSH-16 ask for (HL7 2.5.1, section 2.9.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// Both are empty: one application acknowledgment.
    #[default]
    Original,
    /// Both are valued.
    Enhanced {
        /// MSH-15.
        accept: AckWhen,
        /// MSH-16.
        application: AckWhen,
    },
}

/// A value of table 0155.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckWhen {
    /// `AL`.
    Always,
    /// `NE`.
    Never,
}

impl AckWhen {
    /// As it stands in MSH-15 or MSH-16.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "AL",
            Self::Never => "NE",
        }
    }
}

/// A field of the patient record in which instruments send an identifier (LIS02-A2, section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PatientField {
    /// P.3, the practice-assigned patient id.
    P3,
    /// P.4, the laboratory-assigned patient id.
    P4,
    /// P.5, patient id number 3.
    P5,
}

/// Flow control of a serial line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// None.
    #[default]
    None,
    /// RTS/CTS.
    Hardware,
    /// XON/XOFF.
    Software,
}

/// Names a configuration text in the journal: SipHash-2-4 with 128 bits and a fixed key. It tells texts apart and is
/// the same for ever; it proves nothing against somebody who makes a text on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConfigHash([u8; 16]);

impl ConfigHash {
    /// Of some texts in their order; where one ends counts.
    pub(crate) fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Self(SipHasher24::new_with_key(b"orugate config 1").hash(&bytes).as_bytes())
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

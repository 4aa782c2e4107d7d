//! The broadcast by which a monitor says that it is there (connect indication, UDP port 24005).
//!
//! Promises that a datagram is taken for one only when its event, object and lengths are right. Leaves out sockets, and whether
//! the address in it is the one that the datagram came from.

use crate::interpreter::{SERIAL, production};
use crate::pdu::{ANNOUNCED, Attributes, Event};
use crate::read::Reader;
use crate::value::{eui64, id, system, wide};
use orugate_driver::{Announced, Beacon};
use std::net::Ipv4Addr;

/// Where monitors send their broadcast to.
pub const ANNOUNCE_PORT: u16 = 24005;
/// Where monitors listen for data export.
pub const EXPORT_PORT: u16 = 24105;

/// What a monitor says of itself in its broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Its IPv4 address.
    pub address: [u8; 4],
    /// The UDP port of its data export; [`EXPORT_PORT`] when it names none.
    pub port: u16,
    /// The bed label that somebody gave it; empty when nobody did.
    pub bed: String,
    /// The model, as it names itself (`866062`).
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// The identity that it gives itself.
    pub system: Option<u64>,
}

impl Announcement {
    /// The identity that it gives itself, or that [`mac`](Self::mac) stands for.
    #[must_use]
    pub fn eui64(&self) -> Option<u64> {
        self.system.or_else(|| eui64(&self.mac))
    }
}

/// Newer monitors say it to this group, others to all.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 23, 63);

/// How monitors say that they are there.
pub(crate) const BEACON: Beacon =
    Beacon { of: "Philips IntelliVue monitors", port: ANNOUNCE_PORT, groups: &[GROUP], read };

fn read(datagram: &[u8]) -> Option<Announced> {
    let said = announced(datagram)?;
    let eui64 = said.eui64();
    let address = (Ipv4Addr::from(said.address), said.port).into();
    Some(Announced { address, model: said.model, serial: said.serial, bed: said.bed, eui64 })
}

/// Protocol and transport of data export over UDP in a list of what a monitor supports.
const DATA_OUT: (u16, u16) = (5, 1);
/// The bed label in the broadcast of newer monitors, without a count before it.
const BED_PLAIN: u16 = 0xF135;

/// Reads a datagram that came to [`ANNOUNCE_PORT`]; `None` when it is no connect indication, or names no address.
#[must_use]
pub fn announced(datagram: &[u8]) -> Option<Announcement> {
    let mut reader = Reader::new(datagram);
    // The nomenclature's version, then an event report that wants no confirmation.
    reader.u32()?;
    let 1 = reader.u16()? else { return None };
    let mut report = Reader::new(reader.counted()?);
    report.u16()?;
    let (0 | 1) = report.u16()? else { return None };
    let event = Event::read(report.counted()?)?;
    if event.kind != ANNOUNCED {
        return None;
    }
    let attributes = Attributes::read(&mut Reader::new(event.info))?;
    let mut network = Reader::new(attributes.find(id::NETWORK)?);
    let mac = *network.take(6)?.first_chunk()?;
    let address = *network.take(4)?.first_chunk()?;
    let counted: String = attributes.find(id::BED).map(|value| wide(value).collect()).unwrap_or_default();
    let bed = if counted.is_empty() { plain_bed(attributes) } else { counted };
    Some(Announcement {
        mac,
        address,
        port: attributes.find(PROTOCOLS).and_then(port).unwrap_or(EXPORT_PORT),
        bed,
        model: attributes.find(id::MODEL).map(model).unwrap_or_default(),
        serial: attributes.find(id::PRODUCTION).and_then(serial).unwrap_or_default(),
        system: attributes.find(id::SYSTEM).and_then(system),
    })
}

/// What a monitor supports: protocols, transports, ports.
const PROTOCOLS: u16 = 0xF101;

fn port(value: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(value);
    reader.u32()?;
    loop {
        let kind = (reader.u16()?, reader.u16()?);
        let port = reader.u16()?;
        reader.u16()?;
        if kind == DATA_OUT {
            return Some(port);
        }
    }
}

fn plain_bed(attributes: Attributes<'_>) -> String {
    let text = attributes.find(BED_PLAIN).unwrap_or_default();
    let units =
        text.chunks_exact(2).filter_map(|unit| unit.first_chunk().map(|unit| u16::from_be_bytes(*unit)));
    let bed: String =
        char::decode_utf16(units.take_while(|unit| *unit != 0)).filter_map(Result::ok).collect();
    bed.trim().to_owned()
}

fn serial(value: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(production(value, SERIAL)?).into_owned())
}

fn model(value: &[u8]) -> String {
    let mut reader = Reader::new(value);
    reader.counted();
    let model = crate::value::narrow(&mut reader).unwrap_or_default();
    String::from_utf8_lossy(model).into_owned()
}

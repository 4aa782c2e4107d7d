//! What a client says to a monitor, as bytes.
//!
//! Nothing here sets anything at the monitor: it asks for an association, for polls, and for the association's end.

use crate::pdu::{ACTION, Association, CREATED, EVENT, Event, MDS, POLL, POLL_EXTENDED};
use crate::value::id;

/// Session data of every association message with a body.
const SESSION: [u8; 14] =
    [0x05, 0x08, 0x13, 0x01, 0x00, 0x16, 0x01, 0x02, 0x80, 0x00, 0x14, 0x02, 0x00, 0x02];
/// Begins the presentation's part; its length follows.
const PRESENTATION: u8 = 0xC1;
/// The presentation contexts that a client asks for: association control and data export, in BER without lengths.
pub(crate) const ASK: &[u8] = &[
    0x31, 0x80, 0xA0, 0x80, 0x80, 0x01, 0x01, 0x00, 0x00, 0xA2, 0x80, 0xA0, 0x03, 0x00, 0x00,
    0x01, // mode, protocol version
    0xA4, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0x06, 0x04, 0x52, 0x01, 0x00,
    0x01, // context 1: association control
    0x30, 0x80, 0x06, 0x02, 0x51, 0x01, 0x00, 0x00, 0x00, 0x00, // in basic encoding
    0x30, 0x80, 0x02, 0x01, 0x02, 0x06, 0x0C, // context 2: data export
    0x2A, 0x86, 0x48, 0xCE, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00, 0x01, 0x01, //
    0x30, 0x80, 0x06, 0x0C, // in the encoding of medical devices
    0x2A, 0x86, 0x48, 0xCE, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00, 0x02, 0x01, //
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // ends of the three
    0x61, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0xA0, 0x80, 0x60, 0x80, 0xA1, 0x80, 0x06,
    0x0C, // request in context 1
    0x2A, 0x86, 0x48, 0xCE, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00, 0x03, 0x01, //
    0x00, 0x00, 0xBE, 0x80, 0x28, 0x80, 0x06, 0x0C, // user data, in the encoding
    0x2A, 0x86, 0x48, 0xCE, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00, 0x01, 0x01, //
    0x02, 0x01, 0x02, 0x81, // of context 2; the user data's length follows
];
/// Ends of all that was left without a length.
const ENDS: [u8; 16] = [0; 16];

/// A second in the monitor's unit of time.
pub(crate) const SECOND: u32 = 8000;

/// What a client offers, and what a monitor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The shortest time between two answers, in eighths of a millisecond.
    pub(crate) period: u32,
    /// The longest unit that it takes, in bytes.
    pub(crate) receives: u32,
    /// The longest that it sends.
    pub(crate) sends: u32,
    /// The bits of the extended poll profile; 0 when it has none.
    pub(crate) extension: u32,
}

/// Numerics each second by extended polls.
pub(crate) const EACH_SECOND: u32 = 0x8000_0000;
/// Averages of 12 seconds.
pub(crate) const EACH_12_SECONDS: u32 = 0x4000_0000;

pub(crate) const CLIENT: u32 = 0x8000_0000;
/// The other side of an association.
pub(crate) const SERVER: u32 = 0x0080_0000;

pub(crate) fn put16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend(value.to_be_bytes());
}

pub(crate) fn put32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend(value.to_be_bytes());
}

/// A piece with its length, 16 bits, before it. Pieces are made here and are short.
pub(crate) fn put_counted(bytes: &mut Vec<u8>, piece: &[u8]) {
    put16(bytes, u16::try_from(piece.len()).unwrap_or(u16::MAX));
    bytes.extend(piece);
}

/// An attribute list.
pub(crate) fn list(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut inside = Vec::new();
    for (id, value) in attributes {
        put16(&mut inside, *id);
        put_counted(&mut inside, value);
    }
    let mut bytes = Vec::new();
    put16(&mut bytes, u16::try_from(attributes.len()).unwrap_or(u16::MAX));
    put_counted(&mut bytes, &inside);
    bytes
}

/// The user data of a request or an accept.
pub(crate) fn user_data(role: u32, terms: Terms) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Protocol version 1, nomenclature version, no functional units, who, cold start, no options.
    for word in [0x8000_0000, 0x4000_0000, 0, role, 0x2000_0000, 0] {
        put32(&mut bytes, word);
    }
    let mut extension = Vec::new();
    put32(&mut extension, terms.extension);
    put32(&mut extension, 0);
    let mut profile = Vec::new();
    for word in [0x8000_0000, terms.period, terms.receives, terms.sends, u32::MAX, 0x6000_0000] {
        put32(&mut profile, word);
    }
    let packages: &[(u16, &[u8])] =
        if terms.extension == 0 { &[] } else { &[(id::POLL_EXTENSION, &extension)] };
    profile.extend(list(packages));
    bytes.extend(list(&[(id::POLL_SUPPORT, &profile)]));
    bytes
}

/// An association message with a presentation part.
pub(crate) fn association(kind: Association, contexts: &[u8], user_data: &[u8]) -> Vec<u8> {
    let mut inside = contexts.to_vec();
    inside.push(u8::try_from(user_data.len()).unwrap_or(u8::MAX));
    inside.extend(user_data);
    inside.extend(ENDS);
    let mut body = SESSION.to_vec();
    body.push(PRESENTATION);
    put_long(&mut body, &inside);
    let mut bytes = vec![kind.byte()];
    put_long(&mut bytes, &body);
    bytes
}

/// A piece with its length in one byte, or in two behind FF.
fn put_long(bytes: &mut Vec<u8>, piece: &[u8]) {
    match u8::try_from(piece.len()) {
        Ok(short) if short < 0xFF => {
            bytes.push(short);
            bytes.extend(piece);
        }
        _ => {
            bytes.push(0xFF);
            put_counted(bytes, piece);
        }
    }
}

/// Asks for an association.
pub(crate) fn associate(terms: Terms) -> Vec<u8> {
    association(Association::Request, ASK, &user_data(CLIENT, terms))
}

/// Asks for the association's end, or says yes to that.
pub(crate) fn release(kind: Association) -> Vec<u8> {
    let tag = if kind == Association::Release { 0x62 } else { 0x63 };
    let mut bytes = vec![kind.byte(), 0x18, PRESENTATION, 0x16];
    bytes.extend([0x61, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0xA0, 0x80, tag, 0x80, 0x80, 0x01, 0x00]);
    bytes.extend([0; 8]);
    bytes
}

/// A unit of data export around what is asked or answered.
pub(crate) fn unit(kind: u16, inside: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xE1, 0x00, 0x00, 0x02];
    put16(&mut bytes, kind);
    put_counted(&mut bytes, inside);
    bytes
}

/// An invocation (1) or a result (2).
pub(crate) fn remote(kind: u16, invoke: u16, command: u16, body: &[u8]) -> Vec<u8> {
    let mut inside = Vec::new();
    put16(&mut inside, invoke);
    put16(&mut inside, command);
    put_counted(&mut inside, body);
    unit(kind, &inside)
}

/// Says that an event was heard. The monitor gives up an association when its create event is not confirmed.
pub(crate) fn confirm(invoke: u16, event: &Event<'_>) -> Vec<u8> {
    let mut body = event.object.to_vec();
    put32(&mut body, event.time);
    put16(&mut body, CREATED);
    put16(&mut body, 0);
    remote(2, invoke, EVENT, &body)
}

/// What a poll asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) invoke: u16,
    pub(crate) number: u16,
    pub(crate) class: u16,
    /// The attributes; 0 for all.
    pub(crate) group: u16,
    /// For how long the monitor shall go on answering, in its unit of time; `None` for one answer.
    pub(crate) period: Option<u32>,
}

/// Asks for one answer, or for answers during a time.
pub(crate) fn poll(poll: Poll) -> Vec<u8> {
    let mut arguments = Vec::new();
    for word in [poll.number, 1, poll.class, poll.group] {
        put16(&mut arguments, word);
    }
    if let Some(period) = poll.period {
        arguments.extend(list(&[(id::PERIOD, &period.to_be_bytes())]));
    }
    let mut body = Vec::new();
    // The monitor itself, and no scope.
    for word in [MDS, 0, 0, 0, 0] {
        put16(&mut body, word);
    }
    put16(&mut body, if poll.period.is_some() { POLL_EXTENDED } else { POLL });
    put_counted(&mut body, &arguments);
    remote(1, poll.invoke, ACTION, &body)
}

/// The terms in a request or an accept, found behind whatever presentation part it has.
pub(crate) fn terms(body: &[u8]) -> Option<Terms> {
    // The user data begins with the protocol's and the nomenclature's version.
    const VERSIONS: [u8; 8] = [0x80, 0, 0, 0, 0x40, 0, 0, 0];
    let at = body.windows(VERSIONS.len()).position(|window| window == VERSIONS)?;
    let mut reader = crate::read::Reader::new(body.get(at..)?);
    reader.take(20)?;
    // The options: how many, and their length.
    reader.u16()?;
    reader.counted()?;
    let profiles = crate::pdu::Attributes::read(&mut reader)?;
    let mut profile = crate::read::Reader::new(profiles.find(id::POLL_SUPPORT)?);
    profile.u32()?;
    let (period, receives, sends) = (profile.u32()?, profile.u32()?, profile.u32()?);
    profile.take(8)?;
    // Whoever has no list of them has none.
    let packages = crate::pdu::Attributes::read(&mut profile);
    let extension = packages.and_then(|packages| packages.find(id::POLL_EXTENSION));
    let extension = extension.and_then(|value| crate::read::Reader::new(value).u32()).unwrap_or(0);
    Some(Terms { period, receives, sends, extension })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::hex;
    use crate::pdu::{ALERTS, NUMERIC, Pdu, parse};

    #[test]
    fn the_association_request_is_the_published_one() {
        let terms = Terms { period: 1000, receives: 2500, sends: 1000, extension: 0x8C00_0000 };
        let request = associate(terms);
        assert_eq!((request.len(), &request[..2]), (238, &[0x0D, 0xEC][..]));
        assert_eq!(&request[16..18], [0xC1, 0xDC]);
        let user = hex("48 80000000 40000000 00000000 80000000 20000000 0000 0000 0001 002C 0001 0028 \
                        80000000 000003E8 000009C4 000003E8 FFFFFFFF 60000000 0001 000C F001 0008 8C000000 00000000");
        assert_eq!(&request[149..222], user);
        assert!(request[222..].iter().all(|byte| *byte == 0));
        let Some((Pdu::Association(Association::Request, body), 238)) = parse(&request) else { panic!() };
        assert_eq!(super::terms(body), Some(terms));
    }

    #[test]
    fn polls_have_the_shape_of_the_description() {
        let single = Poll { invoke: 7, number: 3, class: ALERTS, group: 0x0811, period: None };
        let expected =
            "E1000002 0001 001C 0007 0007 0016 0021 0000 0000 00000000 0C16 0008 0003 0001 0036 0811";
        assert_eq!(poll(single), hex(expected));
        let extended = Poll { invoke: 8, number: 4, class: NUMERIC, group: 0, period: Some(60 * SECOND) };
        let expected = "E1000002 0001 0028 0008 0007 0022 0021 0000 0000 00000000 F13B 0014 0004 0001 0006 0000 \
                        0001 0008 F13E 0004 00075300";
        assert_eq!(poll(extended), hex(expected));
    }

    #[test]
    fn releases_are_the_published_ones() {
        let asked = "09 18 C1 16 61 80 30 80 02 01 01 A0 80 62 80 80 01 00 00 00 00 00 00 00 00 00";
        assert_eq!(release(Association::Release), hex(asked));
        let said = "0A 18 C1 16 61 80 30 80 02 01 01 A0 80 63 80 80 01 00 00 00 00 00 00 00 00 00";
        assert_eq!(release(Association::Released), hex(said));
        assert!(parse(&release(Association::Release)).is_some());
    }

    #[test]
    fn an_association_message_of_more_than_254_bytes_has_the_long_length() {
        let long = association(Association::Accept, &[0x55; 200], &[0x66; 60]);
        assert_eq!(long[..2], [0x0E, 0xFF]);
        let Some((Pdu::Association(Association::Accept, body), used)) = parse(&long) else { panic!() };
        assert_eq!((used, body.len()), (long.len(), long.len() - 4));
    }
}

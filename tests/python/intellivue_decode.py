"""A second decoder of IntelliVue data export captures, written from the format's description and not from the driver's code.

It reads a recorder's log (time stamps between frames or datagrams) and prints one line for each protocol unit, with
all numeric values in it, and one line of counts at the end. The driver's test prints the same and compares.

    intellivue_decode.py serial|udp FILE
"""

import re
import struct
import sys
from decimal import Decimal

STAMP = re.compile(rb"\d{4}/\d\d/\d\dT\d\d:\d\d:\d\d,\d{3}")


def table():
    rows = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ 0x8408 if value & 1 else value >> 1
        rows.append(value)
    return rows


CRC = table()


def crc(data):
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ CRC[(value ^ byte) & 0xFF]
    return value


def frames(raw):
    """Good frames' user data, how many were bad, and how many runs of bytes stand in no frame."""
    good, bad, between, run = [], 0, 0, False
    inside, escaped, buffer = False, False, bytearray()
    for byte in raw:
        outside = byte != 0xC0 and not inside
        between += outside and not run
        run = outside
        if byte == 0xC0:
            if inside and buffer:
                bad += 1
            inside, escaped, buffer = True, False, bytearray()
        elif byte == 0xC1:
            if inside:
                whole = bytes(buffer)
                if escaped or len(whole) < 6 or crc(whole) != 0xF0B8:
                    bad += 1
                elif whole[:2] != b"\x11\x01" or struct.unpack(">H", whole[2:4])[0] != len(whole) - 6:
                    bad += 1
                else:
                    good.append(whole[4:-2])
            inside = False
        elif inside and byte == 0x7D:
            escaped = True
        elif inside:
            buffer.append(byte ^ 0x20 if escaped else byte)
            escaped = False
    return good, bad, between


def number(word):
    exponent = word >> 24
    exponent -= 256 if exponent > 127 else 0
    mantissa = word & 0xFFFFFF
    special = {0x7FFFFF: "nan", 0x800000: "nres", 0x7FFFFE: "+inf", 0x800002: "-inf", 0x800001: "reserved"}
    if mantissa in special:
        return special[mantissa]
    mantissa -= 1 << 24 if mantissa >> 23 else 0
    return format(Decimal(mantissa).scaleb(exponent), "f")


def u16(data, at):
    return struct.unpack(">H", data[at : at + 2])[0]


def u32(data, at):
    return struct.unpack(">I", data[at : at + 4])[0]


def attributes(data):
    count, length = u16(data, 0), u16(data, 2)
    at, out = 4, []
    for _ in range(count):
        kind, size = u16(data, at), u16(data, at + 2)
        value = data[at + 4 : at + 4 + size]
        assert len(value) == size
        out.append((kind, value))
        at += 4 + size
    assert at == 4 + length, (at, length)
    return out, at


def text(value):
    size = u16(value, 0)
    return value[2 : 2 + size].decode("utf-16-be").rstrip("\0 ")


def bcd(value):
    if value == b"\xff" * 8:
        return "-"
    return value.hex()


def observed(value):
    return "%04x/%04x/%04x=%s" % (u16(value, 0), u16(value, 2), u16(value, 4), number(u32(value, 6)))


def objects(info):
    """(context, handle, attributes) of a poll's list."""
    contexts, _ = u16(info, 0), u16(info, 2)
    at, out = 4, []
    for _ in range(contexts):
        context, count = u16(info, at), u16(info, at + 2)
        at += 6
        for _ in range(count):
            handle = u16(info, at)
            listed, size = attributes(info[at + 2 :])
            out.append((context, handle, listed))
            at += 2 + size
    assert at == len(info), (at, len(info))
    return out


def reply(action, body):
    poll = u16(body, 0)
    if action == 0xF13B:
        sequence, at = u16(body, 2), 4
    else:
        sequence, at = 0, 2
    relative = u32(body, at)
    kind = u16(body, at + 14)
    out = ["poll %d seq %d rel %d class %04x" % (poll, sequence, relative, kind)]
    for context, handle, listed in objects(body[at + 18 :]):
        words = ["%04x:%04x" % (context, handle)]
        for attribute, value in listed:
            if attribute == 0x0950:
                words.append("nu " + observed(value))
            elif attribute == 0x094B:
                for index in range(u16(value, 0)):
                    words.append("nu " + observed(value[4 + 10 * index :]))
            elif attribute == 0x0924:
                words.append("label %08x" % u32(value, 0))
            elif attribute == 0x0927:
                words.append("text " + text(value))
            elif attribute == 0x0990:
                words.append("at " + bcd(value))
            elif attribute == 0x093F:
                words.append("access %04x" % u16(value, 6))
            elif attribute == 0x0996:
                words.append("unit %04x" % u16(value, 0))
            else:
                words.append("+%04x" % attribute)
        out.append("  " + "; ".join(words))
    return out


ASSOCIATION = {0x0D: "request", 0x0E: "accept", 0x0C: "refuse", 0x09: "release", 0x0A: "released", 0x19: "abort"}


def unit(pdu):
    if pdu[0] in ASSOCIATION:
        return ["association " + ASSOCIATION[pdu[0]]]
    assert pdu[:4] == b"\xe1\x00\x00\x02", pdu[:8].hex()
    kind, size = u16(pdu, 4), u16(pdu, 6)
    body = pdu[8 : 8 + size]
    assert len(body) == size, (len(body), size)
    head = {1: "invoke", 2: "result", 3: "error", 5: "linked"}[kind]
    if kind == 5:
        head += " %d/%d" % (body[0], body[1])
        body = body[2:]
    if kind == 3:
        return ["%s id %d code %d" % (head, u16(body, 0), u16(body, 2))]
    command = u16(body, 2)
    content = body[6 : 6 + u16(body, 4)]
    head += " command %d" % command
    if kind == 1 and command == 1:
        listed, _ = attributes(content[20:])
        return [head + " create " + " ".join("%04x" % kind for kind, _ in listed)]
    if kind in (2, 5) and command == 7:
        action = u16(content, 6)
        out = reply(action, content[10:])
        return [head + " action %04x " % action + out[0]] + out[1:]
    return [head]


def main(kind, path):
    raw = open(path, "rb").read()
    if kind == "serial":
        pdus, bad, between = frames(STAMP.sub(b"", raw))
    else:
        cuts = [match.span() for match in STAMP.finditer(raw)] + [(len(raw), len(raw))]
        pdus, bad = [raw[a[1] : b[0]] for a, b in zip(cuts, cuts[1:])], 0
        between = 0
    for pdu in pdus:
        print("\n".join(unit(pdu)))
    print("units %d bad %d between %d" % (len(pdus), bad, between))


if __name__ == "__main__":
    main(*sys.argv[1:])

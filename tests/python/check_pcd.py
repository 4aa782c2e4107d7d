"""Judges HL7 2.6 ORU^R01 messages by IHE PCD-01 without any code of Orugate's.

    check_pcd.py TABLE [FILE]     MLLP frames one after the other; standard input without FILE

TABLE is the folder with terms.csv and units.csv. Prints and ends like check_oru.py, whose reading of frames and segments it
uses. hl7apy in its strict level judges structure, required fields and data types; what PCD-01 says beyond that is judged
here: the containment tree in OBX-4, statuses and their flags, and every code and unit of MDC against the table.
"""

import csv
import os
import re
import sys

from check_oru import CODECS, NUMBER, STAMP, Segment, by_hl7apy, escapes, frames, stamps

# What OBX-8 may have by IHE PCD: limits, priority of an alarm, measurement status; and whether a value may stand beside it.
STATUS = {
    "L": True, "H": True, "A": True, ">": True, "<": True, "PL": True, "PM": True, "PH": True,
    "QUES": True, "CAL": True, "TEST": True, "DEMO": True, "EARLY": True, "ALACT": True, "ALINH": True,
    "INV": False, "NAV": False, "BUSY": False, "NI": False, "OFF": False,
}
FOLLOWS = {
    "start": ["MSH"],
    "MSH": ["PID", "OBR"],
    "PID": ["PV1", "OBR"],
    "PV1": ["OBR"],
    "OBR": ["OBX"],
    "OBX": ["OBX"],
}


class Table:
    """What the two files say, by code."""

    def __init__(self, folder):
        self.terms = self.read(os.path.join(folder, "terms.csv"))
        self.units = self.read(os.path.join(folder, "units.csv"))

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if len(rows) < 90:
            raise OSError(f"{path} has {len(rows)} rows")
        return {row["code"]: row for row in rows}

    @staticmethod
    def wrong(rows, code, refid):
        """Why a code and its reference id do not stand in the table as one, or None."""
        if not code.isdigit():
            return f"code is {code!r}"
        if int(code) & 0xFFFF >= 0xF000:
            return f"code {code} is private to each vendor"
        row = rows.get(code)
        if row is None:
            return f"code {code} is not in the table"
        if refid != row["refid"] and refid not in row["also"].split():
            return f"{code} is {row['refid']}, not {refid}"
        return None


def coded(segment, number, rows, what):
    """A field in MDC: what is wrong with it."""
    if segment.component(number, 3) == "MDC":
        wrong = Table.wrong(rows, segment.component(number, 1), segment.component(number, 2))
        if wrong:
            yield segment.place(number), f"{what}: {wrong}"


def triplets(segment, number):
    """A code names its system, and a system its code; text may stand alone."""
    for repeat in filter(None, segment.field(number).split("~")):
        parts = repeat.split("^") + [""] * 6
        for code, system in ((parts[0], parts[2]), (parts[3], parts[5])):
            if bool(code) != bool(system):
                yield segment.place(number), f"code {code!r} of system {system!r}"


def with_offset(segment, number):
    """A time to the minute at least, and where on earth it is that."""
    if not STAMP.fullmatch(segment.field(number)) or not re.search(r"\d{12}.*[+-]\d{4}$", segment.field(number)):
        yield segment.place(number), f"{segment.field(number)!r} is no time with an offset"


def header(msh, payload, seen_ids):
    if msh.field(2) != "^~\\&":
        yield msh.place(2), f"encoding characters are {msh.field(2)!r}"
    if msh.field(9) != "ORU^R01^ORU_R01":
        yield msh.place(9), f"message type is {msh.field(9)!r}"
    if msh.field(12) != "2.6":
        yield msh.place(12), f"version is {msh.field(12)!r}"
    control = msh.field(10)
    if not 1 <= len(control) <= 199:
        yield msh.place(10), f"control id has {len(control)} characters, not 1 to 199"
    if control in seen_ids:
        yield msh.place(10), f"control id {control!r} was used by message {seen_ids[control]}"
    if msh.field(11) not in ("P", "T", "D"):
        yield msh.place(11), f"processing id is {msh.field(11)!r}"
    yield from with_offset(msh, 7)
    for number in (15, 16):
        if msh.field(number) not in ("", "AL", "NE", "ER", "SU"):
            yield msh.place(number), f"acknowledgment is {msh.field(number)!r}"
    if not re.fullmatch(r"[^^]+\^[^^]*\^[0-9.]+\^ISO", msh.field(21)):
        yield msh.place(21), f"profile is {msh.field(21)!r}"
    charset = msh.field(18)
    if charset and charset not in CODECS:
        yield msh.place(18), f"character set is {charset!r}"
    elif charset in ("", "ASCII") and not payload.isascii():
        yield msh.place(18), f"character set is {charset!r} and the message is not ASCII"


def equipment(segment, number, from_component):
    """An EUI-64 and its type."""
    kind, value = segment.component(number, from_component + 1), segment.component(number, from_component)
    first = segment.field(number).split("~")[0].split("^")
    value = first[from_component - 1] if len(first) >= from_component else ""
    kind = first[from_component] if len(first) > from_component else ""
    if (value or kind) and not (kind == "EUI-64" and re.fullmatch(r"[0-9A-F]{16}", value)):
        yield segment.place(number), f"{value!r} of type {kind!r} is no EUI-64"


def row_of_tree(obx, table):
    """A device, VMD or channel."""
    if obx.field(2) or obx.field(5):
        yield obx.place(5), "a row of the tree has a value"
    if obx.field(11) != "X":
        yield obx.place(11), f"a row of the tree has status {obx.field(11)!r}"
    code = obx.component(3, 1)
    level = obx.field(4).split(".").index("0")
    if obx.component(3, 3) == "MDC" and code.isdigit() and (int(code) >> 16 != 1 or int(code) % 4 != level):
        yield obx.place(3), f"{code} is no device term of level {level}"
    yield from equipment(obx, 18, 3)


def metric(obx, table):
    kind, value, status = obx.field(2), obx.field(5), obx.field(11)
    if value and not kind:
        yield obx.place(2), f"value without a type: {value!r}"
    if kind not in ("", "NM", "ST", "TX", "CWE"):
        yield obx.place(2), f"value type is {kind!r}"
    if kind == "NM" and value and not NUMBER.fullmatch(value):
        yield obx.place(5), f"NM is not a number: {value!r}"
    if status not in ("R", "F", "X"):
        yield obx.place(11), f"status is {status!r}"
    if (status == "X") != (not value):
        yield obx.place(11), f"status is {status!r} with value {value!r}"
    if kind == "CWE":
        yield from coded(obx, 5, table.terms, "value")
    for flag in filter(None, obx.field(8).split("~")):
        if flag not in STATUS:
            yield obx.place(8), f"{flag!r} is no measurement status"
        elif value and not STATUS[flag]:
            yield obx.place(8), f"{flag} beside a value"
    term = table.terms.get(obx.component(3, 1)) if obx.component(3, 3) == "MDC" else None
    if term is not None and int(term["code"]) >> 16 not in (2, 3, 258):
        yield obx.place(3), f"{term['refid']} is nothing that is measured or set"
    if obx.field(6):
        yield from unit(obx, term, table)
    yield from with_offset(obx, 14)
    yield from coded(obx, 20, table.terms, "site")
    for number in (3, 6, 17, 20, *((5,) if kind == "CWE" else ())):
        yield from triplets(obx, number)


def unit(obx, term, table):
    """OBX-6: both systems say the same, and the term takes it."""
    if obx.component(6, 3) != "MDC":
        if not obx.component(6, 1) or not obx.component(6, 3):
            yield obx.place(6), f"unit is {obx.field(6)!r}"
        return
    wrong = Table.wrong(table.units, obx.component(6, 1), obx.component(6, 2))
    if wrong:
        yield obx.place(6), f"unit: {wrong}"
        return
    row = table.units[obx.component(6, 1)]
    if obx.component(6, 4) not in [row["ucum"], *row["also_ucum"].split()] or obx.component(6, 6) != "UCUM":
        yield obx.place(6), f"{row['refid']} is {row['ucum']} in UCUM, not {obx.component(6, 4)!r}"
    if term is not None:
        listed = term["units"].split() + term["device_units"].split()
        if listed and row["refid"] not in listed:
            yield obx.place(6), f"{row['refid']} is no unit of {term['refid']}"


def body(segments, table):
    places = {}
    expected = 1
    for segment in segments:
        if segment.name == "PID" and segment.field(3).startswith("^"):
            yield segment.place(3), "patient id has an authority and no id"
        elif segment.name == "PV1" and not segment.field(2):
            yield segment.place(2), "patient class is empty"
        elif segment.name == "OBR":
            if not segment.component(3, 1):
                yield segment.place(3), "filler id is empty"
            yield from equipment(segment, 3, 3)
            for number in (7, 8):
                yield from with_offset(segment, number)
            if segment.field(4) != "182777000^monitoring of patient^SCT":
                yield segment.place(4), f"order is {segment.field(4)!r}"
            if not segment.field(7) or segment.field(7) > segment.field(8):
                yield segment.place(7), f"interval is {segment.field(7)!r} to {segment.field(8)!r}"
        elif segment.name == "OBX":
            if segment.field(1) != str(expected):
                yield segment.place(1), f"set id is {segment.field(1)!r}, not {expected}"
            expected += 1
            yield from node(segment, places)
            if not any(segment.component(3, n) for n in (1, 2)):
                yield segment.place(3), "there is no code"
            yield from coded(segment, 3, table.terms, "code")
            if re.fullmatch(r"[1-9]\d*(\.\d+)*\.0", segment.field(4)):
                yield from row_of_tree(segment, table)
            else:
                yield from metric(segment, table)


def node(obx, places):
    """OBX-4: unique, and everything above it stands before it. Only a channel may do without a row."""
    place = obx.field(4)
    parts = place.split(".")
    if not re.fullmatch(r"[1-9]\d*(\.\d+){3}", place):
        yield obx.place(4), f"{place!r} is no place in the tree"
        return
    if place in places:
        yield obx.place(4), f"same place as {places[place]}"
    places[place] = obx.place()
    for level in (1, 2):
        above = ".".join(parts[:level] + ["0"] * (4 - level))
        if above != place and parts[level - 1] != "0" and above not in places:
            yield obx.place(4), f"{place} stands before {above}"


def order(segments):
    at = "start"
    for segment in segments:
        if segment.name not in FOLLOWS.get(at, []):
            yield segment.place(), f"segment order: {segment.name} after {at}"
        at = segment.name
    if at != "OBX":
        yield segments[-1].place(), f"segment order: the message ends after {at}"


def problems(payload, seen_ids, table):
    """Everything that is wrong with one message, as (place, what)."""
    for offset, byte in enumerate(payload):
        if (byte < 0x20 and byte != 0x0D) or byte == 0x7F:
            yield "frame", f"byte 0x{byte:02X} at offset {offset}"
    charset = (payload.split(b"\r")[0].split(b"|") + [b""] * 18)[17].decode("ascii", "replace")
    codec = CODECS.get(charset, "utf-8")
    try:
        text = payload.decode("utf-8" if codec == "ascii" else codec)
    except UnicodeDecodeError as error:
        yield "frame", f"byte 0x{payload[error.start]:02X} at offset {error.start} is not {codec.upper()}"
        return
    if not text.startswith("MSH|") or not text.endswith("\r"):
        yield "frame", "the message does not begin with MSH| and end with a segment's end"
        return
    count, segments = {}, []
    for line in text.split("\r")[:-1]:
        count[line[:3]] = count.get(line[:3], 0) + 1
        segments.append(Segment(line, count[line[:3]]))
    yield from header(segments[0], payload, seen_ids)
    yield from order(segments)
    for segment in segments:
        yield from escapes(segment)
        yield from stamps(segment)
    yield from body(segments, table)
    yield from by_hl7apy(text)


def main(arguments):
    if not 1 <= len(arguments) <= 2 or any(a.startswith("-") for a in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        import hl7apy.parser  # noqa: F401  A judge that is missing must not look like a message that passed.

        table = Table(arguments[0])
        data = open(arguments[1], "rb").read() if len(arguments) > 1 else sys.stdin.buffer.read()
    except (ImportError, OSError, KeyError) as error:
        print(f"cannot judge: {error}", file=sys.stderr)
        return 2
    passed = failed = number = 0
    seen_ids = {}
    for payload, outside in frames(data):
        if outside:
            print(f"after message {number}: {outside}")
            failed += 1
            continue
        number += 1
        found = list(problems(payload, seen_ids, table))
        for place, what in found:
            print(f"message {number} {place}: {what}")
        fields = payload.split(b"\r")[0].split(b"|")
        if len(fields) > 9:
            seen_ids.setdefault(fields[9].decode("utf-8", "replace"), number)
        passed, failed = passed + (not found), failed + bool(found)
    if number == 0:
        print("there is no message")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not number else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))

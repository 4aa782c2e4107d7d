"""Judges HL7 2.5.1 ORU^R01 messages without any code of Orugate's.

    check_oru.py [FILE]        MLLP frames one after the other; standard input without FILE

Prints one line per problem, "message N PLACE: what", and last "N passed, M failed" (messages; trouble between frames
counts as one more that failed). Exits 0 when every message passed, 1 when one did not or there was none, 2 when it
could not judge.

hl7apy in its strict level, with groups, judges structure, required fields and data types. It accepts a number that
is none, a value without a type, wrong set ids and text that is too long, so those are judged here, with what Orugate
promises beyond the standard: one patient and one specimen to a message, unique MSH-10, ids that are not cut off.
Tables and code systems are not judged: sites have their own.
"""

import datetime
import os
import re
import sys
import tempfile

VT, FS, CR = 0x0B, 0x1C, 0x0D

# MSH-18 by table 0211, and what Orugate writes where the table has no value, as Python's codecs.
CODECS = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5hkscs",
    "KS X 1001": "euc_kr",
    "Shift_JIS": "cp932",
    "EUC-JP": "euc_jp",
    "KOI8-R": "koi8_r",
    "KOI8-U": "koi8_u",
    "windows-874": "cp874",
    **{f"8859/{n}": f"iso8859_{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    **{f"ISO-8859-{n}": f"iso8859_{n}" for n in (10, 11, 13, 14, 16)},
    **{f"windows-{n}": f"cp{n}" for n in range(1250, 1259)},
}

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+", re.ASCII)
SN_COMPARATORS = {"", "=", "<>", "<", "<=", ">", ">="}
SN_SEPARATORS = {"", "-", "+", "/", ".", ":"}
STAMP = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)"
    r"(?:(?P<second>\d\d)(?:\.\d{1,4})?)?)?)?)?)?(?P<zone>[+-]\d{4})?",
    re.ASCII,
)
ESCAPE = re.compile(r"\\(?:[FSTRE]|[HN]|X(?:[0-9A-F]{2})+|\.br)\\")

# Fields of type TS (or DR, whose first component is one), by segment.
STAMPS = {
    "MSH": [7],
    "PID": [7, 29],
    "PV1": [44, 45],
    "ORC": [9],
    "OBR": [6, 7, 8, 14, 22],
    "OBX": [12, 14, 19],
    "SPM": [17, 18],
}

# What may follow what in ORU^R01^ORU_R01 of 2.5.1 (chapter 7.3.1). Two names are not segments: an OBX below SPM takes
# no NTE, and NTE is followed by whatever may follow the segment that it comments.
NEXT_REPORT = ["PID", "ORC", "OBR", "DSC", "end"]
AFTER_OBX = ["OBX", "FT1", "CTI", "SPM"] + NEXT_REPORT
FOLLOWS = {
    "start": ["MSH"],
    "MSH": ["SFT", "PID", "ORC", "OBR"],
    "SFT": ["SFT", "PID", "ORC", "OBR"],
    "PID": ["PD1", "NTE", "NK1", "PV1", "ORC", "OBR"],
    "PD1": ["NTE", "NK1", "PV1", "ORC", "OBR"],
    "NK1": ["NK1", "PV1", "ORC", "OBR"],
    "PV1": ["PV2", "ORC", "OBR"],
    "PV2": ["ORC", "OBR"],
    "ORC": ["OBR"],
    "OBR": ["NTE", "TQ1", "CTD"] + AFTER_OBX,
    "TQ1": ["TQ1", "TQ2", "CTD"] + AFTER_OBX,
    "TQ2": ["TQ1", "TQ2", "CTD"] + AFTER_OBX,
    "CTD": AFTER_OBX,
    "OBX": ["NTE"] + AFTER_OBX,
    "FT1": ["FT1", "CTI", "SPM"] + NEXT_REPORT,
    "CTI": ["CTI", "SPM"] + NEXT_REPORT,
    "SPM": ["SPM", "OBX of SPM"] + NEXT_REPORT,
    "OBX of SPM": ["SPM", "OBX of SPM"] + NEXT_REPORT,
    "DSC": ["end"],
}


class Segment:
    """One segment: its name, which of its name it is in the message, and its fields by HL7 number."""

    def __init__(self, line, nth):
        self.name, self.nth = line[:3], nth
        fields = line.split("|")
        # MSH-1 is the separator itself.
        self.fields = ["MSH", "|"] + fields[1:] if self.name == "MSH" else fields

    def field(self, number):
        return self.fields[number] if number < len(self.fields) else ""

    def component(self, number, component):
        parts = self.field(number).split("^")
        return parts[component - 1] if component <= len(parts) else ""

    def place(self, number=None):
        return f"{self.name}[{self.nth}]" + (f"-{number}" if number else "")


def frames(data):
    """Splits MLLP frames. Yields (payload, None), or (None, what is wrong between two frames)."""
    at = 0
    while at < len(data):
        if data[at] != VT:
            start = data.find(VT, at)
            end = len(data) if start < 0 else start
            yield None, f"{end - at} bytes at offset {at} outside of a frame"
            at = end
            continue
        end = data.find(bytes([FS, CR]), at)
        if end < 0:
            yield None, f"the frame at offset {at} has no end"
            return
        yield data[at + 1 : end], None
        at = end + 2


def unescaped_length(text):
    """Characters of a value as a reader sees it; a hexadecimal escape counts its bytes."""
    return len(ESCAPE.sub(lambda m: "?" * ((len(m[0]) - 3) // 2 if m[0][1] == "X" else 1), text))


def stamp_problem(text):
    """Why text is no time stamp, or None."""
    match = STAMP.fullmatch(text)
    if not match:
        return "is no time stamp"
    part = {name: int(value) for name, value in match.groupdict().items() if value and name != "zone"}
    try:
        datetime.datetime(
            part["year"], part.get("month", 1), part.get("day", 1),
            part.get("hour", 0), part.get("minute", 0), part.get("second", 0),
        )
    except ValueError:
        return "names no time"
    zone = match["zone"]
    if zone and (int(zone[1:3]) > 14 or int(zone[3:]) > 59):
        return "names no offset"
    return None


def by_hl7apy(text):
    """What hl7apy says, at its strict level and with groups."""
    import hl7apy.consts
    import hl7apy.parser

    handle, report = tempfile.mkstemp(prefix="check-oru-")
    os.close(handle)
    try:
        hl7apy.parser.parse_message(
            text,
            validation_level=hl7apy.consts.VALIDATION_LEVEL.STRICT,
            find_groups=True,
            report_file=report,
            force_validation=True,
        )
    except Exception as error:  # Whatever it stumbles over, the message is not clean.
        with open(report, encoding="utf-8") as file:
            listed = [line.strip()[7:] for line in file if line.startswith("Error: ")]
        for what in listed or [f"{type(error).__name__} {error}"]:
            yield "hl7apy", what
    finally:
        os.unlink(report)


def header(msh, payload, seen_ids):
    if msh.field(2) != "^~\\&":
        yield msh.place(2), f"encoding characters are {msh.field(2)!r}"
    if msh.field(9) != "ORU^R01^ORU_R01":
        yield msh.place(9), f"message type is {msh.field(9)!r}"
    control = msh.field(10)
    if not 1 <= len(control) <= 20:
        yield msh.place(10), f"control id has {len(control)} characters, not 1 to 20: {control!r}"
    if control in seen_ids:
        yield msh.place(10), f"control id {control!r} was used by message {seen_ids[control]}"
    if msh.field(11) not in ("P", "T", "D"):
        yield msh.place(11), f"processing id is {msh.field(11)!r}"
    if msh.field(12) != "2.5.1":
        yield msh.place(12), f"version is {msh.field(12)!r}"
    if not msh.field(7):
        yield msh.place(7), "creation time is empty"
    charset = msh.field(18)
    if charset and charset not in CODECS:
        yield msh.place(18), f"character set is {charset!r}"
    elif charset in ("", "ASCII") and not payload.isascii():
        yield msh.place(18), f"character set is {charset!r} and the message is not ASCII"


def order(segments):
    """Segments at places where the structure has none."""
    at = comments = "start"
    for segment in segments:
        name = segment.name
        if name == "OBX" and comments in ("SPM", "OBX of SPM"):
            name = "OBX of SPM"
        allowed = FOLLOWS.get(comments, [])
        if name not in allowed:
            yield segment.place(), f"segment order: {segment.name} after {at}"
        at = segment.name
        if name != "NTE":
            comments = name
    if "end" not in FOLLOWS.get(comments, []):
        yield segments[-1].place(), f"segment order: the message ends after {at}"


def escapes(segment):
    for number, field in enumerate(segment.fields):
        if segment.name == "MSH" and number <= 2:
            continue
        if "\\" in ESCAPE.sub("", field):
            yield segment.place(number), f"escape character without a sequence: {field!r}"


def stamps(segment):
    for number in STAMPS.get(segment.name, []):
        value = segment.component(number, 1)
        if value and value != '""':
            problem = stamp_problem(value)
            if problem:
                yield segment.place(number), f"{value!r} {problem}"


def observation(obx):
    kind, value = obx.field(2), obx.field(5)
    if not obx.component(3, 1) and not obx.component(3, 4):
        yield obx.place(3), "observation has no code"
    if value and not kind:
        yield obx.place(2), f"value without a type: {value!r}"
    if not obx.field(11):
        yield obx.place(11), "status is empty"
    if obx.field(11) == "X" and value:
        yield obx.place(5), "a result that could not be obtained has a value"
    for repetition in value.split("~") if value else []:
        parts = repetition.split("^")
        if kind == "NM" and not NUMBER.fullmatch(repetition):
            yield obx.place(5), f"NM is not a number: {repetition!r}"
        if kind == "ST" and unescaped_length(repetition) > 199:
            yield obx.place(5), f"ST has {unescaped_length(repetition)} characters, more than 199"
        if kind in ("NM", "ST", "TX", "FT") and len(parts) > 1:
            yield obx.place(5), f"{kind} has components: {repetition!r}"
        if kind == "SN":
            parts += [""] * (4 - len(parts))
            good = (
                len(parts) == 4
                and parts[0] in SN_COMPARATORS
                and NUMBER.fullmatch(parts[1])
                and parts[2] in SN_SEPARATORS
                and (not parts[3] or NUMBER.fullmatch(parts[3]))
            )
            if not good:
                yield obx.place(5), f"SN is not structured: {repetition!r}"
        if kind in ("TS", "DT"):
            problem = stamp_problem(repetition)
            if problem:
                yield obx.place(5), f"{repetition!r} {problem}"


def report(obr, statuses):
    """One OBR with the OBX-11s below it."""
    if not obr.field(4):
        yield obr.place(4), "order has no code"
    filler = obr.component(3, 1)
    if not 1 <= len(filler) <= 20:
        yield obr.place(3), f"filler id has {len(filler)} characters, not 1 to 20: {filler!r}"
    if not obr.field(25):
        yield obr.place(25), "report status is empty"
    elif not obr.field(22):
        yield obr.place(22), "report status without its time"
    if "C" in statuses and obr.field(25) != "C":
        yield obr.place(25), f"report status is {obr.field(25)!r} with a corrected result below"
    if obr.field(25) == "F" and "P" in statuses:
        yield obr.place(25), "report status is 'F' with a preliminary result below"


def body(segments):
    """What needs more than one segment: set ids, uniqueness, one patient, one specimen."""
    next_id = {}

    def running(segment, *restarts):
        expected = next_id.get(segment.name, 1)
        next_id[segment.name] = expected + 1
        for name in restarts:
            next_id[name] = 1
        if segment.field(1) != str(expected):
            yield segment.place(1), f"set id is {segment.field(1)!r}, not {expected}"

    patients, specimens, reports = 0, {}, []
    observed = {}
    below_specimen = False
    for segment in segments:
        if segment.name == "PID":
            patients += 1
            if patients > 1:
                yield segment.place(), "a second patient in one message"
            for patient_id in segment.field(3).split("~"):
                if patient_id.startswith("^"):
                    yield segment.place(3), "patient id has an authority and no id"
            next_id["NTE"] = 1
        elif segment.name == "PV1" and not segment.field(2):
            yield segment.place(2), "patient class is empty"
        elif segment.name == "OBR":
            yield from running(segment, "OBX", "NTE", "SPM")
            reports.append((segment, []))
            observed, below_specimen = {}, False
        elif segment.name == "OBX":
            yield from running(segment, "NTE")
            yield from observation(segment)
            key = (segment.field(3), segment.field(4))
            if key in observed:
                yield segment.place(4), f"same OBX-3 and OBX-4 as {observed[key]}"
            observed[key] = segment.place()
            if reports and not below_specimen:
                reports[-1][1].append(segment.field(11))
        elif segment.name == "SPM":
            yield from running(segment, "OBX", "NTE")
            observed, below_specimen = {}, True
            specimens.setdefault(segment.field(2), segment)
            if len(specimens) == 2:
                yield segment.place(2), "a second specimen in one message"
        elif segment.name == "NTE":
            yield from running(segment)
    for obr, statuses in reports:
        yield from report(obr, statuses)


def problems(payload, seen_ids):
    """Everything that is wrong with one message, as (place, what)."""
    for offset, byte in enumerate(payload):
        if (byte < 0x20 and byte != CR) or byte == 0x7F:
            yield "frame", f"byte 0x{byte:02X} at offset {offset}"
    if not payload.endswith(b"\r"):
        yield "frame", "the last segment has no end"
    # Nothing but ASCII stands before MSH-18. A message without it is judged as UTF-8 and told so by its header.
    charset = (payload.split(b"\r")[0].split(b"|") + [b""] * 18)[17].decode("ascii", "replace")
    codec = CODECS.get(charset, "utf-8")
    codec = "utf-8" if codec == "ascii" else codec
    try:
        text = payload.decode(codec)
    except UnicodeDecodeError as error:
        yield "frame", f"byte 0x{payload[error.start]:02X} at offset {error.start} is not {codec.upper()}"
        return
    lines = text.split("\r")
    if lines[-1] == "":
        lines.pop()
    if not lines or not lines[0].startswith("MSH|"):
        yield "frame", "the message does not begin with MSH|"
        return
    count = {}
    segments = []
    for line in lines:
        name = line[:3]
        count[name] = count.get(name, 0) + 1
        segment = Segment(line, count[name])
        segments.append(segment)
        if not re.fullmatch(r"[A-Z][A-Z0-9]{2}", name) or line[3:4] not in ("|", ""):
            yield segment.place(), f"{line[:8]!r} begins no segment"
    yield from header(segments[0], payload, seen_ids)
    yield from order(segments)
    for segment in segments:
        yield from escapes(segment)
        yield from stamps(segment)
    yield from body(segments)
    yield from by_hl7apy(text)


def main(arguments):
    if len(arguments) > 1 or any(a.startswith("-") for a in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        import hl7apy.parser  # noqa: F401  A judge that is missing must not look like a message that passed.
    except ImportError as error:
        print(f"cannot judge: {error}", file=sys.stderr)
        return 2
    try:
        data = open(arguments[0], "rb").read() if arguments else sys.stdin.buffer.read()
    except OSError as error:
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
        found = list(problems(payload, seen_ids))
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

"""A second reader of what a MEDIBUS device said, written from the protocol and none of Orugate's code.

    medibus_reader.py FILE

FILE holds the device's side of a line, byte for byte. Prints what stands at its end: for each command's last good answer a line
`24:EB 98` for each of its records, alarms with their band, and the clock as `28 19931111111119`; then how many frames were good and bad.
"""

import re
import sys

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
GERMAN = {"MRZ": "MAR", "MAI": "MAY", "OKT": "OCT", "DEZ": "DEC"}


def frames(line):
    """Good frames, outer ones after those inside them; how many were bad."""
    stack, good, bad = [], [], 0
    for byte in (b for b in line if b < 0x80 and b not in (0x11, 0x13, 0x18)):
        if byte in (0x1B, 0x01):
            stack.append(bytearray([byte]))
        elif byte == 0x0D:
            if not stack:
                continue
            frame = bytes(stack.pop())
            if len(frame) >= 4 and b"%02X" % (sum(frame[:-2]) % 256) == frame[-2:]:
                good.append((frame[0], frame[1], frame[2:-2].decode("ascii")))
            else:
                bad += 1
        elif stack:
            stack[-1].append(byte)
    return good, bad + len(stack)


def number(field):
    """Digits as they can be written; `-` for none."""
    text = field.replace(" ", "")
    match = re.fullmatch(r"(-?)(\d*)(?:\.(\d*))?", text)
    if not match or not (match[2] or match[3]):
        return "-"
    return match[1] + (match[2] or "0") + ("." + match[3] if match[3] else "")


def clock(text):
    match = re.fullmatch(r"\s*(\d?\d):\s?(\d?\d)(?::(\d\d))?\s*(\d?\d)-(\w{3})-?\s*(\d+)", text)
    hour, minute, second, day, month, year = match.groups()
    month = MONTHS.index(GERMAN.get(month, month)) + 1
    year = int(year) + (0 if len(year) == 4 else 2000 if int(year) < 80 else 1900)
    return f"{year:04}{month:02}{int(day):02}{int(hour):02}{int(minute):02}{second or ''}"


def records(code, data):
    if code in (0x24, 0x25, 0x26, 0x2B, 0x2C, 0x2D):
        return [(data[i : i + 2], number(data[i + 2 : i + 6])) for i in range(0, len(data), 6)]
    if code == 0x29:
        return [(data[i : i + 2], number(data[i + 2 : i + 7])) for i in range(0, len(data), 7)]
    if code in (0x27, 0x2E, 0x23):
        found = []
        for i in range(0, len(data), 15):
            priority = ord(data[i]) - 48
            band = "Low" if priority <= 10 else "Medium" if priority <= 24 else "High"
            found.append((data[i + 1 : i + 3], f"{data[i + 3 : i + 15].strip()} {band}"))
        return found
    if code == 0x2A:
        return [(piece[:2], piece[3:].strip()) for piece in data.split("\x03")[:-1]]
    return []


def main(path):
    with open(path, "rb") as file:
        good, bad = frames(file.read())
    last = {code: data for kind, code, data in good if kind == 0x01}
    for code in sorted(last):
        for digits, text in records(code, last[code]):
            print(f"{code:02X}:{digits} {text}")
    if last.get(0x28):
        print("28", clock(last[0x28]))
    print(f"{len(good)} good, {bad} bad")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

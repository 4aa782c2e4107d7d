"""Texts in every charset by Python's codecs, and what became of them: an opinion of neither Orugate nor its library.

    charsets.py samples        one line for each charset: name, MSH-18, and in hexadecimal digits the name of an
                               invented patient, a unit, and the comments, in that charset
    charsets.py check FILE     lines as the test writes them: name, MSH-18, and an ORU in hexadecimal digits

`check` decodes each ORU with Python's codec for its MSH-18 before it splits anything, undoes HL7's escapes and compares
with what `samples` gave. Prints one line for each difference and last "N ORUs". Exits 1 when there was a difference.

The comments of a charset are all its characters that the codecs agree on. Left out are those that vendors read in
more than one way (Shift_JIS against Windows-31J, Big5 against CP950 and Big5-HKSCS) and those outside of any plane
that a person writes (controls, private use).
"""

import functools
import re
import sys
import unicodedata

# IANA's name, MSH-18, and Python's codecs: the first is the opinion, with the others it must agree.
CHARSETS = (
    [("US-ASCII", "ASCII", ["ascii"]), ("UTF-8", "UNICODE UTF-8", ["utf-8"])]
    + [(f"ISO-8859-{n}", f"8859/{n}", [f"iso8859_{n}"]) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)]
    + [(f"ISO-8859-{n}", f"ISO-8859-{n}", [f"iso8859_{n}"]) for n in (10, 11, 13, 14, 16)]
    + [(f"windows-{n}", f"windows-{n}", [f"cp{n}"]) for n in (874, *range(1250, 1259))]
    + [(name, name, [name.lower().replace("-", "_")]) for name in ("KOI8-R", "KOI8-U")]
    + [
        ("GB18030", "GB 18030-2000", ["gb18030"]),
        ("Big5", "BIG-5", ["big5", "cp950", "big5hkscs"]),
        ("Shift_JIS", "Shift_JIS", ["shift_jis", "cp932"]),
        ("EUC-JP", "EUC-JP", ["euc_jp"]),
        ("EUC-KR", "KS X 1001", ["euc_kr", "cp949"]),
    ]
)
LINE = 60
ESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}


def same(text, codecs):
    """The text goes into every codec as the same bytes, and each reads them as the same text."""
    try:
        encoded = text.encode(codecs[0])
        return all(text.encode(codec) == encoded and encoded.decode(codec) == text for codec in codecs)
    except UnicodeError:
        return False


def agreed(codecs):
    """All characters beyond ASCII on which the codecs agree."""
    last = 0x2FFFF if codecs[0] in ("utf-8", "gb18030") else 0xFFFF
    for code in range(0xA0, last + 1):
        character = chr(code)
        # What Unicode has added or moved since these tables were made, and ranges where there is nothing to see.
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") or 0x2000 <= code % 0x10000 < 0x3000 and code > 0x10000:
            continue
        # KOI8-U has box drawing there, browsers read Belarusian letters: Orugate takes neither.
        if codecs[0] == "koi8_u" and code in (0x255D, 0x256C):
            continue
        # GB 18030 moved these out of private use with its edition of 2005.
        if codecs[0] == "gb18030" and (0x9FB4 <= code <= 0x9FBB or 0xFE10 <= code <= 0xFE19):
            continue
        # Orugate's table is the one with Hong Kong's extensions, in which these have a second place.
        if codecs[0] == "big5" and code in (0x4EDD,):
            continue
        if codecs[0] == "euc_jp":
            # Wave dash, minus and their like are other characters in Windows: the trouble of Shift_JIS.
            if not same(character, ["euc_jp"]) or character.encode("euc_jp")[0] == 0x8F:
                continue
            if not same(character, ["shift_jis", "cp932"]):
                continue
        elif not same(character, codecs):
            continue
        yield character


@functools.cache
def texts(name):
    """Name, unit and comments."""
    codecs = next(codecs for known, _, codecs in CHARSETS if known == name)
    characters = list(agreed(codecs))
    if codecs[0] == "utf-8":
        characters = characters[::97]
    if codecs[0] == "gb18030":
        # Two bytes are all there; of the four-byte ones some.
        characters = [c for n, c in enumerate(characters) if len(c.encode("gb18030")) == 2 or n % 41 == 0]
    hidden = [c for c in characters if len(c.encode(codecs[0])) > 1 and c.encode(codecs[0])[-1] in b"|\\^~&"]
    letters = [c for c in characters if unicodedata.category(c) in ("Lu", "Lo")]
    name = "X" + "".join(hidden[:6] + letters[:6])
    unit = next((unit for unit in ("µmol/L", "мкмоль/л", "μmol/L", "mmol/L") if same(unit, codecs)))
    # No space at an end: those around a field are not part of it.
    lines = ["".join(characters[n : n + LINE]) for n in range(0, len(characters), LINE)]
    return name, unit, ["Note"] + ["." + line + "." for line in lines]


def samples():
    for name, msh_18, codecs in CHARSETS:
        patient, unit, comments = texts(name)
        encoded = [text.encode(codecs[0]).hex() for text in (patient, unit, *comments)]
        print("\t".join([name, msh_18, *encoded]))


def unescaped(text):
    return re.sub(r"\\([FSTRE])\\", lambda match: ESCAPES[match[1]], text)


def differences(name, msh_18, message):
    reader = next(codecs for _, known, codecs in CHARSETS if known == msh_18)[0]
    patient, unit, comments = texts(name)
    segments = [segment.split("|") for segment in message.decode(reader).split("\r")]
    field = lambda kind, n: [unescaped(s[n]) for s in segments if s[0] == kind and len(s) > n]
    if field("MSH", 17) != [msh_18]:
        yield f"MSH-18 is {field('MSH', 17)}"
    if field("PID", 5) != [patient + "^^^^^^L"]:
        yield f"PID-5 is {field('PID', 5)}, not {patient!r}"
    if field("OBX", 5) != ["5.4"]:
        yield f"OBX-5 is {field('OBX', 5)}"
    if [text.split("^")[0] for text in field("OBX", 6)] != [unit]:
        yield f"OBX-6 is {field('OBX', 6)}, not {unit!r}"
    if len(field("NTE", 3)) != len(comments):
        yield f"there are {len(field('NTE', 3))} comments, not {len(comments)}"
    for there, wanted in zip(field("NTE", 3), comments):
        wrong = [f"{b} (U+{ord(b):04X}) is U+{ord(a):04X}" for a, b in zip(there, wanted) if a != b]
        if there != wanted:
            yield f"NTE-3: {wrong[:5] or [there, wanted]}"


def check(path):
    failed = count = 0
    for line in open(path, encoding="ascii"):
        name, msh_18, message = line.rstrip("\n").split("\t")
        count += 1
        for what in differences(name, msh_18, bytes.fromhex(message)):
            print(f"{name} to {msh_18}: {what}")
            failed += 1
    print(f"{count} ORUs")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.argv[1:] == ["samples"]:
        samples()
    elif len(sys.argv) == 3 and sys.argv[1] == "check":
        sys.exit(check(sys.argv[2]))
    else:
        sys.exit(__doc__)

"""A second reader of the journal, written from gateway/journal/FORMAT.md and from nothing else.

    journal_reader.py DIRECTORY [KEYFILE...]

One JSON object a line, in the order of writing: each record of each commit that counts or is void, then what is damaged or
missing. A key file holds 32 bytes or 64 hexadecimal digits. Exit codes: 0 it was read, 1 it was and there is damage, 2 it is refused; then one
line says why. Standard library only, hence the AES below: it is for checking small journals, and slow.
"""

import hashlib
import hmac
import json
import os
import re
import struct
import sys

PAGE = 4096
FORMAT = 1
LANES = ["results", "snapshots"]


class Refused(Exception):
    pass


# --- checksum ---------------------------------------------------------------------------------------------------


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = _crc_table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


# --- AES-256-GCM and HKDF ---------------------------------------------------------------------------------------


def _sbox():
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p = p ^ (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        if q & 0x80:
            q ^= 0x09
        rotated = [q << n & 0xFF | q >> 8 - n for n in range(5)]
        box[p] = rotated[0] ^ rotated[1] ^ rotated[2] ^ rotated[3] ^ rotated[4] ^ 0x63
        if p == 1:
            return box


SBOX = _sbox()


def _double(byte):
    return byte << 1 & 0xFF ^ (0x1B if byte & 0x80 else 0)


class Aes256:
    def __init__(self, key):
        words = [list(key[at : at + 4]) for at in range(0, 32, 4)]
        round_constant = 1
        for n in range(8, 60):
            word = list(words[-1])
            if n % 8 == 0:
                word = [SBOX[byte] for byte in word[1:] + word[:1]]
                word[0] ^= round_constant
                round_constant <<= 1
            elif n % 8 == 4:
                word = [SBOX[byte] for byte in word]
            words.append([a ^ b for a, b in zip(word, words[n - 8])])
        self.keys = [sum(words[at : at + 4], []) for at in range(0, 60, 4)]

    def encrypt(self, block):
        state = [a ^ b for a, b in zip(block, self.keys[0])]
        for number in range(1, 15):
            state = [SBOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16)]
            if number < 14:
                mixed = []
                for at in range(0, 16, 4):
                    column = state[at : at + 4]
                    whole = column[0] ^ column[1] ^ column[2] ^ column[3]
                    mixed += [column[n] ^ whole ^ _double(column[n] ^ column[(n + 1) % 4]) for n in range(4)]
                state = mixed
            state = [a ^ b for a, b in zip(state, self.keys[number])]
        return bytes(state)


def gcm_open(key, nonce, aad, ciphertext, tag):
    """The plaintext, or None when the tag is wrong."""
    aes = Aes256(key)
    h = int.from_bytes(aes.encrypt(bytes(16)), "big")

    def times_h(x):
        product, v = 0, h
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                product ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        return product

    hashed = 0
    for data in (aad, ciphertext):
        for at in range(0, len(data), 16):
            hashed = times_h(hashed ^ int.from_bytes(data[at : at + 16].ljust(16, b"\0"), "big"))
    hashed = times_h(hashed ^ (len(aad) * 8 << 64 | len(ciphertext) * 8))
    counter = lambda n: aes.encrypt(nonce + struct.pack(">I", n))
    expected = (hashed ^ int.from_bytes(counter(1), "big")).to_bytes(16, "big")
    if not hmac.compare_digest(expected, tag):
        return None
    plain = bytearray()
    for number, at in enumerate(range(0, len(ciphertext), 16)):
        plain += bytes(a ^ b for a, b in zip(ciphertext[at : at + 16], counter(number + 2)))
    return bytes(plain)


def hkdf(key, salt, info, length):
    pseudorandom = hmac.digest(salt or bytes(32), key, "sha256")
    out, block, n = b"", b"", 0
    while len(out) < length:
        n += 1
        block = hmac.digest(pseudorandom, block + info + bytes([n]), "sha256")
        out += block
    return out[:length]


def key_id(key):
    return hkdf(key, b"", b"orugate journal key id", 8)


# --- postcard ---------------------------------------------------------------------------------------------------


class Postcard:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value


    def text(self):
        length = self.varint()
        self.at += length
        return self.data[self.at - length : self.at].decode()


# --- header pages -----------------------------------------------------------------------------------------------


def page_body(page):
    if len(page) == PAGE and struct.unpack("<I", page[4092:])[0] == crc32c(page[:4092]):
        return page[:4092]
    return None


def refuse_newer(name, oldest_reader):
    if oldest_reader > FORMAT:
        raise Refused(f"{name} needs a reader of format {oldest_reader}; this one reads {FORMAT}")


def read_identity(directory):
    try:
        with open(os.path.join(directory, "journal.id"), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise Refused("there is no journal.id") from None
    damaged, identity, ceilings = [], None, []
    for number in range(4):
        body = page_body(data[number * PAGE : (number + 1) * PAGE])
        if body and number < 2 and body[:8] == b"ORUGATEJ":
            identity = identity or body
        elif body and number >= 2 and body[:8] == b"ORUGATEC":
            ceilings.append(struct.unpack("<QQ", body[8:24]))
        else:
            damaged.append({"damage": "identity page", "file": "journal.id", "offset": number * PAGE, "bytes": PAGE})
    if len(ceilings) == 1:
        # A crash may tear the one that is being written.
        damaged = [damage for damage in damaged if damage["offset"] < 2 * PAGE]
    if identity is None:
        raise Refused("both pages of journal.id are damaged")
    refuse_newer("journal.id", struct.unpack("<H", identity[10:12])[0])
    return identity[16:32], damaged


# --- segments ---------------------------------------------------------------------------------------------------


class Segment:
    """The commits of one file, and what was passed over."""

    def __init__(self, directory, name, lane, number, journal, keys):
        with open(os.path.join(directory, name), "rb") as file:
            self.data = file.read()
        self.name, self.lane, self.number = name, lane, number
        self.damaged, self.commits, self.subkey, self.explains = [], [], None, False
        header = self.header(journal)
        if header is None:
            return
        self.salt = header[16:32]
        self.seed = crc32c(self.salt)
        self.sealed = header[13] == 1
        if self.sealed:
            found = [key for key in keys if key_id(key) == header[64:72]]
            if not found:
                raise Refused(f"{name} is sealed with the key {header[64:72].hex()}, which is not given")
            self.subkey = hkdf(found[0], self.salt, b"orugate journal segment 1" + journal, 32)
        self.walk()

    def damage(self, what, offset, length):
        self.damaged.append({"damage": what, "file": self.name, "offset": offset, "bytes": length})

    def header(self, journal):
        bodies = []
        for number in range(2):
            body = page_body(self.data[number * PAGE : (number + 1) * PAGE])
            if body and body[:8] == b"ORUGATES":
                oldest_reader = struct.unpack("<H", body[10:12])[0]
                refuse_newer(self.name, oldest_reader)
                if body[13] in (0, 1) and body[12] in (0, 1):
                    bodies.append((number, body))
                    continue
        if not bodies:
            if any(self.data[2 * PAGE :]):
                self.damage("header", 0, len(self.data))
            return None
        _, body = bodies[0]
        if body[12] != self.lane or struct.unpack("<Q", body[32:40])[0] != self.number or body[48:64] != journal:
            self.damage("foreign", 0, len(self.data))
            return None
        self.lost_copies = [number for number in range(2) if number not in [n for n, _ in bodies]]
        return body

    def seeded(self, data):
        return crc32c(data, self.seed)

    def walk(self):
        at, gap = 2 * PAGE, None
        while at < len(self.data):
            commit, end = self.commit(at)
            if commit is None:
                gap = at if gap is None else gap
            else:
                if gap is not None:
                    self.damage("passed over", gap, at - gap)
                if commit == "closed":
                    self.explains = True
                else:
                    commit["explained"] = gap is not None or self.explains
                    self.explains = False
                    self.commits.append(commit)
                gap = None
            at = end
        for number in self.lost_copies if self.commits else []:
            self.damage("header copy", number * PAGE, PAGE)

    def commit(self, at):
        """The commit on this page or None, and where to go on."""
        header = self.data[at : at + 64]
        if len(header) < 64 or header[:4] != b"OGCT" or struct.unpack("<I", header[4:8])[0] != self.seeded(header[8:64]):
            return None, at + PAGE
        number, previous, _next, time, length, count, crc, page, flags = struct.unpack("<QQQQIIIIH", header[8:58])
        if page != at // PAGE:
            return None, at + PAGE
        end = -(-(at + 64 + length) // PAGE) * PAGE
        if end > len(self.data):
            return None, at + PAGE
        body = self.data[at + 64 : at + 64 + length]
        if self.seeded(body) != crc:
            return None, end
        records, offset = [], 0
        while offset < length:
            if length - offset < 24:
                return None, end
            (size,) = struct.unpack("<I", body[offset : offset + 4])
            if size < 24 or size > length - offset:
                return None, end
            records.append((at + 64 + offset, body[offset : offset + size]))
            offset += size
        if len(records) != count:
            return None, end
        opened = [self.record(place, data) for place, data in records]
        if None in opened:
            self.damage("does not open", at, 64 + length)
            return "closed", end
        return {
            "segment": self,
            "at": at,
            "number": number,
            "previous": previous,
            "time": time,
            "length": length,
            "retry": bool(flags & 1),
            "records": opened,
        }, end

    def record(self, place, data):
        kind, version, flags, sequence, meta_length = struct.unpack("<HBBQI", data[8:24])
        rest = data[24:]
        if self.sealed:
            aad = data[:4] + bytes(4) + data[8:24]
            rest = gcm_open(self.subkey, bytes(4) + struct.pack("<Q", place), aad, rest[:-16], rest[-16:])
            if rest is None:
                return None
        if meta_length > len(rest):
            return None
        return {
            "offset": place,
            "sequence": sequence,
            "kind": kind,
            "version": version,
            "first": bool(flags & 1),
            "last": bool(flags & 2),
            "carried": bool(flags & 4),
            "meta": rest[:meta_length],
            "payload": rest[meta_length:],
        }


# --- the chain of a lane, and both lanes together -----------------------------------------------------------------


def chain(segments, damaged):
    """The lane's commits in order, each with whether it is void."""
    found, last, explained = [], 0, False
    for segment in segments:
        damaged += segment.damaged
        for commit in segment.commits:
            explained |= commit["explained"]
            whole = 64 + commit["length"]
            place = {"file": segment.name, "offset": commit["at"], "bytes": whole}
            if commit["number"] <= last:
                if commit["retry"] and commit["number"] == last:
                    commit["explained"] = found[-1]["explained"]
                    found[-1] = commit
                else:
                    damaged.append({"damage": "out of order", **place})
                continue
            commit["explained"] |= explained
            if commit["previous"] > last > 0 and not explained:
                damaged.append({"damage": "missing before", **place})
            last, explained = commit["number"], False
            found.append(commit)
        # What does not open at the end, or a segment of which nothing can be read.
        explained |= segment.explains or bool(segment.damaged and not segment.commits)
    for commit, following in zip(found, found[1:] + [None]):
        commit["void"] = following is not None and following["previous"] < commit["number"]
    return found


def own_records(commits):
    """What the newest whole checkpoint lists, or None without one, and what was given back."""
    parts, listed, freed = {}, None, set()
    for commit in commits:
        for record in commit["records"] if not commit["void"] else []:
            meta = Postcard(record["meta"])
            if record["kind"] == 0xFFFE:
                freed.add((meta.byte(), meta.varint()))
            elif record["kind"] == 0xFFFF:
                knows, part, of = meta.varint(), meta.varint(), meta.varint()
                parts = parts if part > 0 else {}
                parts[part] = (knows, record["payload"])
                if [parts.get(n, (None,))[0] for n in range(of)] == [knows] * of:
                    listed = listed_in(b"".join(parts[n][1] for n in range(of)))
    return listed, freed


def listed_in(checkpoint):
    """Lane and number of the segments with records in them."""
    (length,) = struct.unpack("<I", checkpoint[:4])
    head = Postcard(checkpoint[4 : 4 + length])
    head.varint(), head.varint(), head.varint()
    listed = set()
    for lane in (0, 1):
        for _ in range(head.varint()):
            number, _size, _time, records = head.varint(), head.varint(), head.varint(), head.varint()
            if records > 0:
                listed.add((lane, number))
    return listed


def message_of(record):
    """The message of a chunk or an ORU."""
    if record["version"] != 1 or record["kind"] not in (1, 5):
        return None
    meta = Postcard(record["meta"])
    meta.text()
    return meta.varint()


def dropped_of(record):
    """The destination of which everything up to a number was given up, and that number."""
    if record["version"] != 1 or record["kind"] != 13:
        return None
    meta = Postcard(record["meta"])
    return [meta.text(), meta.varint()]


def older_are_missing(lane, found, segments, listed, freed):
    """Whether the first commit of a lane says that older ones are missing, and nothing explains it."""
    if not found or found[0]["previous"] == 0 or found[0]["explained"] or listed is not None:
        return False
    return not any(number < segments[0].number for of, number in freed if of == lane)


def read(directory, keys):
    journal, damaged = read_identity(directory)
    lanes = [[], []]
    for name in sorted(os.listdir(directory)):
        match = re.fullmatch(r"(results|snapshots)-([0-9a-f]{16})\.seg", name)
        if match:
            lane = LANES.index(match[1])
            lanes[lane].append(Segment(directory, name, lane, int(match[2], 16), journal, keys))
    chains = [chain(lane, damaged) for lane in lanes]
    commits = sorted(chains[0] + chains[1], key=lambda commit: commit["number"])
    listed, freed = own_records(commits)
    for lane in (0, 1):
        if older_are_missing(lane, chains[lane], lanes[lane], listed, freed):
            first = chains[lane][0]
            place = {"file": first["segment"].name, "offset": first["at"], "bytes": 64 + first["length"]}
            damaged.append({"damage": "missing before", **place})
    present = {(segment.lane, segment.number) for lane in lanes for segment in lane}
    for lane, number in sorted((listed or set()) - present - freed):
        damaged.append({"damage": "lost", "file": f"{LANES[lane]}-{number:016x}.seg", "offset": 0, "bytes": 0})
    return commits, damaged


def sidecar_entries(data, salt, number, journal, keys):
    """Both lists of entries of the sidecar of this segment, or None when it cannot be used."""
    if len(data) < 80 or data[:8] != b"ORUGATEX" or struct.unpack("<H", data[10:12])[0] > FORMAT:
        return None
    (crc,) = struct.unpack("<I", data[76:80])
    header, body = data[:76] + bytes(4), data[80:]
    if crc != crc32c(header + body) or data[32:48] != salt or struct.unpack("<Q", data[48:56])[0] != number:
        return None
    if data[12] == 1:
        found = [key for key in keys if key_id(key) == data[56:64]]
        if not found:
            return None
        subkey = hkdf(found[0], data[16:32], b"orugate journal index 1" + journal, 32)
        body = gcm_open(subkey, bytes(12), header, body[:-16], body[-16:])
    first, second = struct.unpack("<II", data[68:76])
    if body is None or len(body) != 8 * (first + second):
        return None
    entries = list(struct.iter_unpack("<II", body))
    return entries[:first], entries[first:]


def read_key(file):
    with open(file, "rb") as opened:
        data = opened.read()
    return data if len(data) == 32 else bytes.fromhex(data.decode().strip())


def main(directory, *key_files):
    try:
        commits, damaged = read(directory, [read_key(file) for file in key_files])
    except Refused as why:
        print(why, file=sys.stderr)
        return 2
    for commit in commits:
        for record in commit["records"]:
            line = {
                "file": commit["segment"].name,
                "offset": record["offset"],
                "commit": commit["number"],
                "void": commit["void"],
                "sealed": commit["segment"].sealed,
                "sequence": record["sequence"],
                "kind": record["kind"],
                "version": record["version"],
                "carried": record["carried"],
                "message": message_of(record),
                "dropped": dropped_of(record),
                "meta": record["meta"].hex(),
                "payload": record["payload"].hex(),
            }
            print(json.dumps(line))
    for damage in damaged:
        print(json.dumps(damage))
    return 1 if damaged else 0


def self_test():
    """The worked example of FORMAT.md."""
    key = bytes(range(32))
    salt, journal = bytes(range(0xA0, 0xB0)), bytes(range(0xC0, 0xD0))
    assert key_id(key).hex() == "60a4dd57ce9a15ac"
    subkey = hkdf(key, salt, b"orugate journal segment 1" + journal, 32)
    assert subkey.hex() == "1bf6ed6140f847fae5805a152d4ce9bc4f1d0718a9d67274e330b8c274acf62b"
    record = bytes.fromhex(
        "35000000024465350700" "0103" "2a00000000000000" "03000000" "c3ac8d6ce36518c10cece79249" "9531b21079ba54daf468e11fae3763dd"
    )
    assert struct.unpack("<I", record[4:8])[0] == crc32c(record[:4] + record[8:], crc32c(salt))
    opened = gcm_open(
        subkey,
        bytes(4) + struct.pack("<Q", 8256),
        record[:4] + bytes(4) + record[8:24],
        record[24:-16],
        record[-16:],
    )
    assert opened == b"\x01\x02\x03sodium 140"
    sidecar = bytes.fromhex(
        "4f52554741544558" "0100010001000000" "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf" "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
        "0100000000000000" "60a4dd57ce9a15ac" "0100000001000000" "010000001a92c87c"
        "90597cacdf69b364a81c76e52913013b" "ac37cb52e07c931fe4a1bcfe3fb0d499"
    )
    assert sidecar_entries(sidecar, salt, 1, journal, [key]) == ([(0x5692161D, 8256)], [(0xFAA11E6E, 8256)])


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    sys.exit(main(*sys.argv[1:]))

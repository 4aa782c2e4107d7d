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
    return identity[16:32], max(ceilings)[1] if ceilings else None, damaged


# --- segments ---------------------------------------------------------------------------------------------------


class Segment:
    """The commits of one file, and what was passed over.

    `items` has its commits in order: whole ones, and those with a right header and wrong records. None stands among them for
    damage that was told."""

    def __init__(self, directory, name, lane, number, journal, keys):
        with open(os.path.join(directory, name), "rb") as file:
            self.data = file.read()
        self.name, self.lane, self.number = name, lane, number
        self.damaged, self.items, self.subkey = [], [], None
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

    def is_empty(self):
        """No commit begins in it, and nothing was said of it yet."""
        return not self.items and not self.damaged

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
                self.items.append(None)
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
        at, gap, passed = 2 * PAGE, None, []
        while at < len(self.data):
            commit, end = self.commit(at)
            if commit is None or commit["state"] == "wrong":
                gap = at if gap is None else gap
                passed += [commit] if commit else []
            else:
                if gap is not None:
                    self.damage("passed over", gap, at - gap)
                    self.items += [None] + [{**hollow, "told": True} for hollow in passed]
                    gap, passed = None, []
                if commit["state"] == "closed":
                    self.damage("does not open", at, end - at)
                    self.items.append(None)
                self.items.append(commit)
            at = end
        self.items += passed
        for number in self.lost_copies[: len(self.items)]:
            self.damage("header copy", number * PAGE, PAGE)

    def commit(self, at):
        """The commit on this page or None, and where to go on."""
        header = self.data[at : at + 64]
        if len(header) < 64 or header[:4] != b"OGCT" or struct.unpack("<I", header[4:8])[0] != self.seeded(header[8:64]):
            return None, at + PAGE
        number, previous, following, time, length, count, crc, page, flags = struct.unpack("<QQQQIIIIH", header[8:58])
        if page != at // PAGE:
            return None, at + PAGE
        end = -(-(at + 64 + length) // PAGE) * PAGE
        if end > len(self.data):
            return None, at + PAGE
        commit = {
            "segment": self,
            "at": at,
            "end": end,
            "number": number,
            "previous": previous,
            "next": following,
            "time": time,
            "retry": bool(flags & 1),
            "state": "wrong",
            "told": False,
            "decides": None,
        }
        body = self.data[at + 64 : at + 64 + length]
        if self.seeded(body) != crc:
            return commit, end
        records, offset = [], 0
        while offset < length:
            if length - offset < 24:
                return commit, end
            (size,) = struct.unpack("<I", body[offset : offset + 4])
            if size < 24 or size > length - offset:
                return commit, end
            if struct.unpack("<I", body[offset + 20 : offset + 24])[0] > size - 24:
                return commit, end
            records.append((at + 64 + offset, body[offset : offset + size]))
            offset += size
        if len(records) != count:
            return commit, end
        opened = [self.record(place, data) for place, data in records]
        if None in opened:
            return {**commit, "state": "closed", "told": True}, end
        return {**commit, "state": "whole", "records": opened}, end

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


def place(commit):
    """The pages of a commit."""
    return {"file": commit["segment"].name, "offset": commit["at"], "bytes": commit["end"] - commit["at"]}


def whole_file(segment):
    return {"file": segment.name, "offset": 0, "bytes": len(segment.data)}


class Chain:
    """A lane's whole commits in order, each with whether it is void, and what they say is missing."""

    def __init__(self, segments, beyond):
        self.found, self.damaged, self.front, self.empty = [], [], [], []
        # The last commit with a right header, the last whole one, and the end of the former.
        self.last, self.whole, self.behind = 0, 0, None
        self.explained, self.untold = False, None
        for segment in segments:
            self.damaged += segment.damaged
            if segment.is_empty():
                self.empty.append(segment)
            for item in segment.items:
                if item is None:
                    self.explained = True
                elif item["number"] >= beyond:
                    self.out_of_order(item)
                else:
                    self.take(item)
        for commit in self.found:
            commit["void"] = commit["decides"] is not None and commit["decides"] < commit["number"]

    def out_of_order(self, item):
        if not item["told"]:
            self.damaged.append({"damage": "out of order", **place(item)})

    def take(self, item):
        number, is_whole = item["number"], item["state"] == "whole"
        new, again = number > self.last, item["retry"] and number in (self.last, self.whole)
        if not new and not again:
            if is_whole:
                self.out_of_order(item)
            return
        if new:
            self.follow(item)
        if is_whole:
            if self.found and self.found[-1]["number"] == number:
                self.found.pop()
            self.found.append(item)
            self.last = self.whole = number
            self.explained, self.untold, self.behind = False, None, item
        elif new or number != self.whole and self.untold:
            self.untold = None if item["told"] else item
            self.behind = item

    def follow(self, item):
        """What a new commit says of those before it."""
        if self.found and self.found[-1]["decides"] is None:
            self.found[-1]["decides"] = item["previous"]
        if self.untold and item["previous"] >= self.untold["number"]:
            self.damaged.append({"damage": "passed over", **place(self.untold)})
            self.explained = True
        self.untold = None
        if item["previous"] > self.last and not self.explained:
            holes = [{"damage": "emptied", **whole_file(segment)} for segment in self.empty]
            holes = holes or [{"damage": "missing before", **place(item)}]
            if self.last:
                self.damaged += holes
            else:
                self.front = [(item["segment"].number, hole) for hole in holes]
        self.empty, self.last = [], item["number"]

    def beyond_the_end(self, last, segment):
        """What is missing at the end, of what a checkpoint knows: this commit, in this segment."""
        if self.untold and self.untold["number"] <= last:
            return [{"damage": "passed over", **place(self.untold)}]
        if self.last >= last or self.explained:
            return []
        at = self.behind["end"] if self.behind and self.behind["segment"] is segment else 2 * PAGE
        return [{"damage": "missing behind", "file": segment.name, "offset": at, "bytes": len(segment.data) - at}]


def own_records(commits):
    """The head of the newest whole checkpoint, or None without one, and what was given back."""
    parts, begun, head, freed = [], None, None, set()
    for commit in commits:
        for record in commit["records"] if not commit["void"] else []:
            meta = Postcard(record["meta"])
            if record["version"] != 1:
                continue
            if record["kind"] == 0xFFFE:
                freed.add((meta.byte(), meta.varint()))
            elif record["kind"] == 0xFFFF and commit["segment"].lane == 0:
                knows, part, of = meta.varint(), meta.varint(), meta.varint()
                if part == 0:
                    parts, begun = [], (knows, of)
                elif begun != (knows, of) or part != len(parts):
                    begun = None
                    continue
                parts.append(record["payload"])
                if len(parts) == of:
                    head, begun = head_of(b"".join(parts)), None
    return head, freed


def head_of(checkpoint):
    """The last commit of each lane, and each lane's segments with records in them: number and size."""
    (length,) = struct.unpack("<I", checkpoint[:4])
    head = Postcard(checkpoint[4 : 4 + length])
    last, _time = [head.varint(), head.varint()], head.varint()
    lanes = []
    for _ in (0, 1):
        segments = [[head.varint() for _ in range(4)] for _ in range(head.varint())]
        lanes.append([(number, size) for number, size, _time, records in segments if records > 0])
    return last, lanes


def message_of(record):
    """The message of a chunk or an ORU."""
    if record["version"] != 1 or record["kind"] not in (1, 5):
        return None
    meta = Postcard(record["meta"])
    meta.text()
    return meta.varint()


def dropped_of(record):
    """The destination of which everything up to a number was given up, and that number."""
    if record["version"] not in (1, 2) or record["kind"] != 13:
        return None
    meta = Postcard(record["meta"])
    return [meta.text(), meta.varint()]


def expected(head, freed, lanes, chains, in_doubt):
    """What the newest whole checkpoint knows and what is not there."""
    last, listed = head
    for lane in (0, 1):
        there, damaged = {segment.number: segment for segment in lanes[lane]}, chains[lane].damaged
        oldest = min(there, default=1 << 64)
        for number, size in listed[lane]:
            name = f"{LANES[lane]}-{number:016x}.seg"
            if (lane, number) in freed or any(d["file"] == name and d["damage"] != "header copy" for d in damaged):
                continue
            if number not in there:
                what = "possibly lost" if in_doubt and number < oldest else "lost"
                lost = {"damage": what, "file": name, "offset": 0, "bytes": size}
            elif there[number].is_empty():
                lost = {"damage": "emptied", **whole_file(there[number])}
            else:
                continue
            behind = f"{LANES[lane]}-{min((n for n in there if n > number), default=0):016x}.seg"
            same = [d for d in damaged if d["damage"] == "missing before" and d["file"] == behind]
            for gap in same[:1]:
                damaged.remove(gap)
            damaged.append(lost)
        for number, _size in listed[lane][-1:]:
            if (lane, number) not in freed and number in there and there[number].items:
                damaged += chains[lane].beyond_the_end(last[lane], there[number])


def read(directory, keys):
    journal, ceiling, damaged = read_identity(directory)
    lanes = [[], []]
    for name in sorted(os.listdir(directory)):
        match = re.fullmatch(r"(results|snapshots)-([0-9a-f]{16})\.seg", name)
        if match:
            lane = LANES.index(match[1])
            lanes[lane].append(Segment(directory, name, lane, int(match[2], 16), journal, keys))
        if re.fullmatch(r"(results|snapshots)-[0-9a-f]{16}\.seg\.bad", name):
            size = os.path.getsize(os.path.join(directory, name))
            damaged.append({"damage": "set aside", "file": name, "offset": 0, "bytes": size})
    beyond = 1 << 64 if ceiling is None else ceiling + (1 << 32)
    chains = [Chain(lane, beyond) for lane in lanes]
    commits = sorted(chains[0].found + chains[1].found, key=lambda commit: commit["number"])
    head, freed = own_records(commits)
    if head:
        reached = max([0] + [max(commit["number"] + 1, commit["next"]) for commit in commits])
        expected(head, freed, lanes, chains, ceiling is not None and ceiling > reached + 131072)
    else:
        for lane in (0, 1):
            for first, hole in chains[lane].front:
                if not any(of == lane and number < first for of, number in freed):
                    damaged.append(hole)
    return commits, damaged + chains[0].damaged + chains[1].damaged


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

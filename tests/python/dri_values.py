"""A second reader of S/5 computer interface records, written from the published structures and not from the driver.

Prints for each good record of displayed values `record N`, its time, and a line for each value of each group that exists,
with its scale applied by decimal arithmetic; `-` where there is no data. The last line counts good records of any kind,
those with values, and bad ones.
"""

import struct
import sys
from decimal import Decimal

H = "hdr"
PRESSURE = [("sys", 2), ("dia", 2), ("mean", 2), ("hr", 0)]
TEMP = [("temp", 2)]
SPO2 = [("spo2", 2), ("pr", 0), ("ir_amp", 2), ("so2", 2)]
BAND = ["delta", "theta", "alpha", "beta", "bsr"]


def eeg():
    out = [("femg", 1)]
    for n in "1234":
        out += [(f"{n}.ampl", 1), (f"{n}.sef", 1), (f"{n}.mf", 1)] + [(f"{n}.{b}", 0) for b in BAND]
    return out


def raw(names):
    return [(name, 0) for name in names.split()]


# Each class: groups in order, a number is reserved bytes. A group begins with its header unless it says otherwise.
BASIC = [
    ("ecg", [("hr", 0), ("st1", 2), ("st2", 2), ("st3", 2), ("imp_rr", 0)]),
    ("p1", PRESSURE), ("p2", PRESSURE), ("p3", PRESSURE), ("p4", PRESSURE),
    ("nibp", PRESSURE),
    ("t1", TEMP), ("t2", TEMP), ("t3", TEMP), ("t4", TEMP),
    ("spo2", SPO2),
    ("co2", [("et", 2), ("fi", 2), ("rr", 0), ("amb_press", 1)]),
    ("o2", [("et", 2), ("fi", 2)]),
    ("n2o", [("et", 2), ("fi", 2)]),
    ("aa", [("et", 2), ("fi", 2), ("mac_sum", 2)]),
    ("flow_vol", [("rr", 0), ("ppeak", 2), ("peep", 2), ("pplat", 2), ("tv_insp", 1), ("tv_exp", 1),
                  ("compliance", 2), ("mv_exp", 2)]),
    ("co_wedge", [("co", 3), ("blood_temp", 2), ("ref", 2), ("pcwp", 2)]),
    ("nmt", [("t1", 1), ("tratio", 1), ("ptc", "bits")]),
    ("ecg_extra", [("hr_ecg", 0), ("hr_max", 0), ("hr_min", 0)], "ecg"),
    ("svo2", [("svo2", 2)]),
    ("p5", PRESSURE), ("p6", PRESSURE),
    2,
]
EXT1 = [
    ("arrh", [("hr", 0), ("rr_time", 0), ("pvc", 0)]), 36,
    ("ecg12", [(f"st_{lead}", 2) for lead in "i ii iii avl avr avf v1 v2 v3 v4 v5 v6".split()]),
    ("p7", PRESSURE), ("p8", PRESSURE), ("spo2_2", SPO2), ("t5", TEMP), ("t6", TEMP),
    134,
]
EXT2 = [
    ("nmt2", raw("count t1 t2 t3 t4")), 8,
    ("eeg", eeg()),
    ("bis", raw("bis sqi emg sr")), 2,
    ("ent", raw("se re bsr")), 16,
    58, 32,
    ("spi", raw("spi")), 8,
    24,
]
EXT3 = [
    ("gasex", [("vo2", 1), ("vco2", 1), ("ee", 0), ("rq", 0)]),
    ("flow_vol2", [("ipeep", 2), ("pmean", 2), ("raw", 2), ("mv_insp", 2), ("epeep", 2), ("mv_spont", 2)]
     + raw("ie_ratio insp_time exp_time static_compliance static_pplat static_peepe static_peepi")), 14,
    ("bal", [("et", 2), ("fi", 2)]),
    ("tono", [("prco2", 2), ("pr_et", 2), ("pr_pa", 2), ("pa_delay", 0), ("phi", 2), ("phi_delay", 0),
              ("amb_press", 1), ("cpma", 0)]),
    ("aa2", [("mac_age_sum", 2)]), 16,
    ("delp", [("spv", 2), ("ppv", 2)]), ("cpp", [("value", 2)]), ("cpp2", [("value", 2)]),
    ("picco", raw("cci cco") + [("cfi", 2)] + raw("ci co cpi cpo dpmax elwi evlw gedi gedv") + [("gef", 1)]
     + raw("itbi itbv") + [("ppv", 1), ("pvpi", 2), ("sv", 1), ("svi", 1)] + raw("svr svri") + [("svv", 1)]
     + raw("tblood tinj")),
    74,
]


def frames(data):
    """Unescaped bytes between flags."""
    for piece in data.split(b"\x7e")[1:]:
        if piece:
            out, escaped = bytearray(), False
            for byte in piece:
                if escaped:
                    out.append(byte | 0x20)
                    escaped = False
                elif byte == 0x7D:
                    escaped = True
                else:
                    out.append(byte)
            yield bytes(out)


def values(groups, data):
    at, headers = 0, {}
    for item in groups:
        if isinstance(item, int):
            at += item
            continue
        name, fields = item[:2]
        if len(item) == 2:
            headers[name] = struct.unpack_from("<IH", data, at)
            at += 6
        status = headers[item[2] if len(item) == 3 else name][0]
        for field, scale in fields:
            (word,) = struct.unpack_from("<h", data, at)
            at += 2
            if not status & 1:
                continue
            active = status & 2
            if scale == "bits":
                word &= 0xFFFF
                for key, low, width, none in [("ptc", 0, 5, 31), ("count", 5, 4, 15), ("current", 9, 7, 0)]:
                    part = word >> low & (1 << width) - 1
                    yield name, key, str(part) if active and part != none else "-"
            elif word <= -32001 or not active:
                yield name, field, "-"
            else:
                yield name, field, str(Decimal(word).scaleb(-scale))
    assert at == 270, at


def main(path):
    good = shown = bad = 0
    for frame in frames(open(path, "rb").read()):
        record = frame[:-1]
        if len(record) < 40 or sum(record) % 256 != frame[-1] or struct.unpack_from("<H", record)[0] != len(record):
            bad += 1
            continue
        good += 1
        (main_type,) = struct.unpack_from("<h", record, 14)
        if main_type != 0:
            continue
        lines = []
        for n in range(8):
            offset, kind = struct.unpack_from("<hB", record, 16 + 3 * n)
            if kind == 0xFF:
                break
            if kind != 1:
                continue
            part = record[40 + offset:40 + offset + 278]
            group_class = struct.unpack_from("<H", part, 276)[0] >> 8 & 15
            for group, field, value in values([BASIC, EXT1, EXT2, EXT3][group_class], part[4:274]):
                lines.append(f"{group}.{field} {value}")
        if lines:
            print(f"record {shown} {struct.unpack_from('<I', record, 6)[0]}")
            print("\n".join(lines))
            shown += 1
    print(f"good {good} shown {shown} bad {bad}")


main(sys.argv[1])

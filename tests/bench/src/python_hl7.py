"""Reads the OBX-5 of the message in its argument with python-hl7. Prints the version, nanoseconds (median, tenth,
ninetieth percentile) and the values."""

import importlib.metadata
import sys
import time

import hl7

text = sys.argv[1]


def work():
    return [str(obx[5]) for obx in hl7.parse(text).segments("OBX")]


for _ in range(20):
    values = work()
times = []
for _ in range(200):
    began = time.perf_counter_ns()
    work()
    times.append(time.perf_counter_ns() - began)
times.sort()
print(importlib.metadata.version("hl7"))
print(times[100], times[20], times[180])
print("\n".join(values))

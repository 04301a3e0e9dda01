"""What a frame costs to write and to read, with each library that could do it.

Run by hand: ``python tests/benchmarks/codec.py``. Sizes in bytes, times in microseconds for one
item (best of several rounds), and how many times the time of ours for both ways it takes. Ours
reads strictly: it also writes again what it read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from time import perf_counter
from typing import Any

import msgspec
from pydantic import TypeAdapter

from penstock.host import BreakpointSpec, ThreadInfo, ThreadTable
from penstock.host.crossing.codec import decode, encode
from penstock.host.crossing.commands import SetBreakpoints, Start
from penstock.host.crossing.protocol import PoolUse
from penstock.observe import (
    ActivationFailed,
    FailureSummary,
    JobProgress,
    RoutineCount,
    SlotCount,
    ValueSummary,
)

NOW = 1_760_000_000.25
ROUNDS = 5


def progress(routines: int) -> JobProgress:
    slot = SlotCount(3, 100, 57, 10_412, 10_400, 5, 4, 0, 3)
    count = RoutineCount(
        "running", 10_400, 2, 3, 1, 12.345678, 0, {"value": slot, "other": slot}, {"out": 10_398}
    )
    rows = {f"routine_{number}": count for number in range(routines)}
    return JobProgress(4_711, "12", NOW, "RUNNING", 3, rows)


def items() -> dict[str, Any]:
    summary = ValueSummary("dict", "{'name': 'something', 'size': 12345}", 2)
    trace = '  File "routines.py", line 12, in logic\n' * 10
    failure = FailureSummary("parse", "ValueError", "bad", trace, {"value": summary})
    row = ThreadInfo("penstock-worker-3", 140_000_000, "worker", "running", "1", "b", 0.25, True)
    return {
        "JobProgress of 1 routine": progress(1),
        "JobProgress of 20 routines": progress(20),
        "JobProgress of 500 routines": progress(500),
        "ActivationFailed": ActivationFailed(99, "1", NOW, failure, "continue"),
        "ThreadTable of 16": ThreadTable(PoolUse(8, 5, 3, 0, 16, 17), (row,) * 16),
        "SetBreakpoints of 5": SetBreakpoints(
            tuple(BreakpointSpec(number, "parse") for number in range(5))
        ),
        "Start of 4 KB": Start("1", "x" * 4096, "/home", {"a.value": {"n": [1, 2.5, None, "x"]}}),
    }


Ways = dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]]


def ways(kind: type[Any]) -> Ways:
    adapter = TypeAdapter(kind)
    as_json, as_msgpack = msgspec.json, msgspec.msgpack
    from_json, from_msgpack = as_json.Decoder(kind), as_msgpack.Decoder(kind)
    return {
        "ours (strict)": (lambda item: encode((item,)), lambda data: decode(data)[0]),
        "msgspec json": (as_json.Encoder().encode, from_json.decode),
        "msgspec msgpack": (as_msgpack.Encoder().encode, from_msgpack.decode),
        "pydantic json": (adapter.dump_json, adapter.validate_json),
        "stdlib json": (
            lambda item: json.dumps(asdict(item)).encode(),
            lambda data: adapter.validate_python(json.loads(data)),
        ),
    }


def microseconds(call: Callable[[Any], Any], given: Any) -> float:
    times = 1
    while True:  # enough calls that the clock can tell
        begin = perf_counter()
        for _ in range(times):
            call(given)
        if perf_counter() - begin > 0.02:
            break
        times *= 2
    best = float("inf")
    for _ in range(ROUNDS):
        begin = perf_counter()
        for _ in range(times):
            call(given)
        best = min(best, perf_counter() - begin)
    return best / times * 1e6


def main() -> None:
    print(f"{'':28}{'':18}{'bytes':>9}{'write':>10}{'read':>10}{'ratio':>8}")
    for name, item in items().items():
        base = 0.0
        for way, (write, read) in ways(type(item)).items():
            data = write(item)
            assert read(data) == item, (name, way)
            there, back = microseconds(write, item), microseconds(read, data)
            base = base or there + back
            print(
                f"{name:28}{way:18}{len(data):9,}{there:10,.1f}{back:10,.1f}"
                f"{(there + back) / base:8.2f}"
            )
            name = ""


if __name__ == "__main__":
    main()

"""`penstock bench`: what the engine costs on this machine, beside what it must cost.

General layout, a file uses only those below it:
    lines, profile      the lines of the table, in order | where an activation's time goes
    throughput, jobs, latency, quiet, costs, fresh      a file per group of lines
    bare            the same work by a bare thread pool
    workloads, stopwatch    the flows that are measured | processor time per part
    measuring       rounds, medians, and the checks that nothing was lost
    rows, scale     what a line of the table says | how much is measured
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, get_args

from penstock.cli.bench.measuring import WrongResult
from penstock.cli.bench.rows import Row, as_json, machine, table
from penstock.cli.bench.scale import FULL, PLACEMENTS, QUICK, Placement, Scale

if TYPE_CHECKING:
    from penstock.cli.bench.lines import Line

MEASURED, WRONG = 0, 1


def add_parser(subparsers: Any) -> None:
    """Add the options of `penstock bench`."""
    parser = subparsers.add_parser(
        "bench",
        help="measure what the engine costs on this machine",
        description="Run flows that do next to nothing and print what the engine costs: as a ratio"
        " to the same work by a bare ThreadPoolExecutor, measured in turn with it, or in seconds"
        " and bytes; each beside what must be reached. Every run is checked for lost messages.",
        epilog="exit codes: 0 measured, 1 a run had a wrong result, 2 bad input. A figure that"
        " misses what must be reached is shown, and no error.",
    )
    parser.add_argument("--only", metavar="NAME,...", help="only these lines of the table")
    parser.add_argument("--rounds", type=_count, metavar="N", help="runs of each kind")
    parser.add_argument("--quick", action="store_true", help="less of everything, and noisier")
    parser.add_argument(
        "--loop", type=_placements, default=PLACEMENTS, metavar="LOOP,...",
        help=f"where jobs' loops run: {','.join(PLACEMENTS)} (default: both)",
    )  # fmt: skip
    parser.add_argument(
        "--profile", action="store_true",
        help="instead, tell where the time of one activation goes",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object only")


def run(options: argparse.Namespace) -> int:
    """Measure and print; raises PenstockError for a line that isn't there."""
    # Here, because the lines define routines, and no other command should wait for that.
    from penstock.cli.bench.lines import chosen

    lines = chosen(options.only)
    scale = _scale(options)
    error = (_profile if options.profile else partial(_table, lines))(scale, options.json)
    if error:
        print(f"penstock: wrong result: {error}", file=sys.stderr)
    return WRONG if error else MEASURED


def _table(lines: Sequence[Line], scale: Scale, json_wanted: bool) -> str | None:
    """Measure line by line and print what there is; the text of what went wrong."""
    begun = perf_counter()
    rows: list[Row] = []
    error = None
    try:
        for number, line in enumerate(lines, 1):
            print(f"bench: {line.name} ({number} of {len(lines)})", file=sys.stderr)
            rows += line.measure(scale)
    except WrongResult as wrong:
        error = str(wrong)
    seconds = perf_counter() - begun
    if json_wanted:
        print(json.dumps(as_json(rows, scale, seconds, error)))
    else:
        print(machine(scale), table(rows), f"{seconds:.0f} s", sep="\n")
    return error


def _profile(scale: Scale, json_wanted: bool) -> str | None:
    from penstock.cli.bench.profile import profile, profile_table

    found: dict[Placement, dict[str, float]] = {}
    error = None
    try:
        found = profile(scale)
    except WrongResult as wrong:
        error = str(wrong)
    if json_wanted:
        print(json.dumps({"profile": found, "error": error}))
    elif found:
        print(profile_table(found))
    return error


def _scale(options: argparse.Namespace) -> Scale:
    scale = QUICK if options.quick else FULL
    rounds = options.rounds or scale.rounds
    return replace(scale, rounds=rounds, placements=options.loop)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 1000, got {text!r}")
    return int(text)


def _placements(text: str) -> tuple[Placement, ...]:
    found = tuple(text.split(","))
    if not set(found) <= set(get_args(Placement)):
        raise argparse.ArgumentTypeError(f"expected of {','.join(PLACEMENTS)}, got {text!r}")
    return tuple(one for one in PLACEMENTS if one in found)

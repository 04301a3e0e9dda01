"""The lines of the table, in its order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from penstock.cli.bench import costs, fresh, jobs, latency, quiet, throughput
from penstock.cli.bench.rows import Row
from penstock.cli.bench.scale import Scale
from penstock.errors import PenstockError


@dataclass(frozen=True, slots=True)
class Line:
    """What is measured together. `measure` raises WrongResult when a run went wrong."""

    name: str
    measure: Callable[[Scale], list[Row]]


LINES = (
    Line("chain", throughput.measure_chain),
    Line("fan", throughput.measure_fan),
    Line("fan-at-once", throughput.measure_fan_at_once),
    Line("fan-blocking", throughput.measure_fan_blocking),
    Line("jobs", jobs.measure_time),
    Line("threads", jobs.measure_threads),
    Line("memory", fresh.measure_idle),
    Line("wait", latency.measure_wait),
    Line("quiet", quiet.measure),
    Line("pause", latency.measure_pause),
    Line("instruments", costs.measure_instruments),
    Line("unused", costs.measure_unused),
    Line("growth", fresh.measure_growth),
)


class UnknownLine(PenstockError):
    """There is no line of that name; the text lists those there are."""


def chosen(names: str | None) -> list[Line]:
    """The lines with these names, separated by commas; all of them for None."""
    if names is None:
        return list(LINES)
    wanted = [name.strip() for name in names.split(",")]
    known = [line.name for line in LINES]
    for name in wanted:
        if name not in known:
            raise UnknownLine(f"--only {name}: there is {', '.join(known)}")
    return [line for line in LINES if line.name in wanted]

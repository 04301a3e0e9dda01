"""What one line of the table says, and the table as text and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.cli.bench.scale import Scale

COLUMNS = ("line", "what", "loop", "measured", "must", "aim", "met")


@dataclass(frozen=True, slots=True)
class Goal:
    """What must be reached and what is aimed at, in `unit`; `most` when less is better."""

    must: float
    aim: float
    unit: str
    most: bool = False

    def is_met(self, measured: float) -> bool:
        """Whether the figure is as good as it must be."""
        return measured <= self.must if self.most else measured >= self.must


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `measured` is None where the system doesn't tell it; `note` says why, or more.

    Without a goal the figure is for information. `parts` holds what it was computed from.
    """

    line: str
    what: str
    placement: str
    measured: float | None
    unit: str
    goal: Goal | None = None
    note: str = ""
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """None without a goal or a figure."""
        if self.goal is None or self.measured is None:
            return None
        return self.goal.is_met(self.measured)


def judged(
    line: str, what: str, placement: str, measured: float | None, goal: Goal, note: str = "",
    **parts: float,
) -> Row:  # fmt: skip
    """A row whose figure has a goal."""
    return Row(line, what, placement, measured, goal.unit, goal, note, parts)


def machine(scale: Scale) -> str:
    """Under which conditions: one line."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores,"
        f" {scale.rounds} rounds in turn, medians; gc as the interpreter has it"
        + ("; quick: small runs, noisy figures" if scale.quick else "")
    )


def table(rows: Sequence[Row]) -> str:
    """All rows as text; notes stand under the row they belong to."""
    cells = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    lines = [_line(cells[0], widths), "  ".join("-" * width for width in widths)]
    for row, line in zip(rows, cells[1:], strict=True):
        lines.append(_line(line, widths))
        if row.note:
            lines.append(f"{' ' * (widths[0] + 4)}{row.note}")
    return "\n".join(lines)


def as_json(rows: Sequence[Row], scale: Scale, seconds: float, error: str | None) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "rounds": scale.rounds,
        "quick": scale.quick,
        "rows": [_plain(row) for row in rows],
        "error": error,
        "seconds": round(seconds, 1),
    }


def _plain(row: Row) -> dict[str, Any]:
    goal = row.goal
    return {
        "line": row.line,
        "what": row.what,
        "loop": row.placement,
        "measured": None if row.measured is None else _rounded(row.measured),
        "unit": row.unit,
        "must": goal.must if goal else None,
        "aim": goal.aim if goal else None,
        "less_is_better": goal.most if goal else None,
        "met": row.met,
        "note": row.note,
        "parts": {name: _rounded(value) for name, value in row.parts.items()},
    }


def _cells(row: Row) -> tuple[str, ...]:
    goal, met = row.goal, row.met
    measured = "?" if row.measured is None else _figure(row.measured, row.unit)
    must = aim = ""
    if goal is not None:
        must = f"{'<=' if goal.most else '>='} {_figure(goal.must, goal.unit)}"
        aim = _figure(goal.aim, goal.unit)
    told = "" if met is None else "yes" if met else "NO"
    return (row.line, row.what, row.placement, measured, must, aim, told)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:3], widths[:3], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join([*left, *right]).rstrip()


def _figure(value: float, unit: str) -> str:
    return f"{_rounded(value):g} {unit}".rstrip()


def _rounded(value: float) -> float:
    """Three significant digits, and whole numbers whole."""
    return float(f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}")

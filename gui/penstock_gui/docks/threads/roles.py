"""What the roles and states of threads are called and which icon they have."""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.host import ThreadInfo

PREFIX = "penstock-"


@dataclass(frozen=True, slots=True)
class Role:
    """``order`` sorts the table, ``work`` stands in the routine column of a thread without one."""

    order: int
    icon: str
    work: str
    meaning: str


ROLES = {
    "worker": Role(0, "cpu", "", "runs routines"),
    "loop": Role(1, "repeat", "event loop", "the event loop of one job"),
    "steward": Role(2, "timer", "timers", "keeps the time, and loops while all workers are busy"),
    "async": Role(3, "zap", "coroutines", "runs the coroutines of all jobs"),
    "host": Role(4, "plug", "commands", "takes this window's commands to the engine"),
    "window": Role(5, "table-2", "this window", "draws this window and answers you"),
    "foreign": Role(6, "circle-off", "foreign", "not started by Penstock"),
}
STATES = {
    "waits": "its body stands waiting for room or a resume; another worker has taken its place",
    "abandoned": "its activation is over, but the body hasn't ended; another worker has taken its"
    " place",
}
_UNKNOWN = ROLES["foreign"]
_DIGITS = re.compile(r"(\d+)")


def role_of(info: ThreadInfo) -> Role:
    """The role's row of `ROLES`; one nobody knows counts as foreign."""
    return ROLES.get(info.role, _UNKNOWN)


def meaning_of(info: ThreadInfo) -> str:
    """What it is for, and what a worker's odd state means."""
    said = role_of(info).meaning
    state = STATES.get(info.state, "") if info.role == "worker" else ""
    return f"{said}; {state}" if state else said


def short_name(info: ThreadInfo) -> str:
    """The thread's name without our prefix."""
    return info.name.removeprefix(PREFIX)


def place_of(info: ThreadInfo) -> tuple[int, list[tuple[int, str]], int]:
    """Sorts by role, then by name with numbers in their order."""
    parts = _DIGITS.split(info.name)
    natural = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return role_of(info).order, natural, info.ident

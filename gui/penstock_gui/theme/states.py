"""How each status of a routine, a job or a thread looks: icon, colour token, word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class StateLook(NamedTuple):
    """An icon name of `Theme.icon`, a colour token and a word for one status."""

    icon: str
    color: str
    word: str


STATES: Mapping[str, StateLook] = {
    # routines
    "idle": StateLook("circle", "state.idle", "idle"),
    "queued": StateLook("inbox", "state.queued", "queued"),
    "waiting": StateLook("clock", "state.waiting", "waits for a thread"),
    "matching": StateLook("clock", "state.waiting", "waits for a match"),
    "gated": StateLook("clock", "state.waiting", "waits: slot full"),
    "timed": StateLook("timer", "state.waiting", "waits for its time"),
    "retrying": StateLook("rotate-ccw", "state.waiting", "retrying"),
    "skipped": StateLook("skip-forward", "state.idle", "skipped"),
    "running": StateLook("loader-circle", "state.running", "running"),
    "held": StateLook("pause!", "state.held", "held"),
    "done": StateLook("check", "state.done", "done"),
    "failed": StateLook("x", "state.failed", "failed"),
    # threads
    "waits": StateLook("circle", "state.idle", "waits"),
    "abandoned": StateLook("ban", "state.waiting", "abandoned"),
    "": StateLook("circle", "state.idle", "unknown"),
    # jobs
    "PENDING": StateLook("clock", "state.idle", "pending"),
    "RUNNING": StateLook("loader-circle", "state.running", "running"),
    "PAUSING": StateLook("pause!", "state.held", "pausing"),
    "PAUSED": StateLook("pause!", "state.held", "paused"),
    "IDLE": StateLook("circle", "state.idle", "idle"),
    "STALLED": StateLook("triangle-alert", "queue.high", "stalled"),
    "COMPLETED": StateLook("check", "state.done", "completed"),
    "FAILED": StateLook("x", "state.failed", "failed"),
    "CANCELLED": StateLook("ban", "state.idle", "cancelled"),
    "LOST": StateLook("power", "state.failed", "lost"),
}
STATE_WORDS: Mapping[str, str] = {status: look.word for status, look in STATES.items()}
_UNKNOWN = STATES[""]


def state_icon(status: str) -> str:
    """The icon's name."""
    return STATES.get(status, _UNKNOWN).icon


def state_color(status: str) -> str:
    """The colour's token."""
    return STATES.get(status, _UNKNOWN).color


def state_word(status: str) -> str:
    """The word shown; a status nobody knows is shown as it is."""
    return STATE_WORDS.get(status, status)

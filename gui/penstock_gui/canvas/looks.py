"""What a node shows of a run, worked out from a job's view. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from penstock.observe import JobHeld, JobView, RoutineCount
from penstock_gui.session import shown_status
from penstock_gui.theme import state_color, state_icon, state_word
from penstock_gui.widgets.wording import short

AMBER_FROM = 0.6
RED_FROM = 0.85
_LONGEST_VALUE = 34


@dataclass(frozen=True, slots=True)
class QueueLook:
    """Messages waiting in one slot, how many find room, and how many were dropped there."""

    depth: int
    capacity: int
    dropped: int = 0

    @property
    def lost(self) -> str:
        """What was dropped, short enough for its mark: ``-3``; "" for nothing."""
        return f"\N{MINUS SIGN}{short(self.dropped)}" if self.dropped else ""

    @property
    def part(self) -> float:
        """How full the slot is, at most 1."""
        return min(1.0, self.depth / self.capacity) if self.capacity else 1.0

    @property
    def is_full(self) -> bool:
        return self.depth >= self.capacity

    @property
    def color(self) -> str:
        """Colour token of its bar."""
        if self.part >= RED_FROM:
            return "queue.high"
        return "state.waiting" if self.part >= AMBER_FROM else "state.done"


@dataclass(frozen=True, slots=True)
class HeldLook:
    """The activation that would go next: its slot ("" without one), its message, what follows."""

    slot: str
    text: str
    more: str


@dataclass(frozen=True, slots=True)
class Look:
    """State of one routine in one job, ready to paint.

    ``color`` is a token, ``chip`` the number beside the glyph, ``is_lively`` says whether the
    state tints the footer, ``queues`` has the slots in which messages wait or were dropped.
    """

    icon: str = "circle"
    color: str = "state.idle"
    words: str = "not run yet"
    count: str = ""
    chip: str = ""
    failures: int = 0
    is_lively: bool = False
    is_failed: bool = False
    spins: bool = False
    queues: Mapping[str, QueueLook] = field(default_factory=dict)
    held: HeldLook | None = None

    @property
    def foremost(self) -> tuple[str, QueueLook] | None:
        """The slot to show where there is room for one: what lost most, else the fullest."""
        if not self.queues:
            return None
        return max(self.queues.items(), key=lambda entry: (entry[1].dropped, entry[1].part))


AT_REST = Look()


def look_of(view: JobView | None, routine: str) -> Look:
    """How a routine looks in a job; `AT_REST` without one."""
    if view is None:
        return AT_REST
    count = view.routines.get(routine)
    if count is None:
        return replace(AT_REST, words=f"not in job {view.job_id}")
    if view.held is not None and view.held.place == routine:
        return _held(view.held, count)
    status = shown_status(view, routine, count)
    return Look(
        icon=state_icon(status),
        color=state_color(status),
        words=_words(view, status, count),
        count=f"{count.activations:,}",
        chip=_chip(status, count),
        failures=0 if status == "failed" else count.failures,
        is_lively=status not in ("idle", "CANCELLED", "held"),
        is_failed=status == "failed",
        spins=status == "running",
        queues=_queues(count),
    )


def problem_look(text: str) -> Look:
    """A routine that something is wrong with in the flow itself."""
    return Look(icon="circle-x", color="state.failed", words=text, is_lively=True, is_failed=True)


def _words(view: JobView, status: str, count: RoutineCount) -> str:
    if status == "failed":
        told = view.error.type if view.error is not None else ""
        return told or state_word(status)
    if status == "held":
        return f"{count.ready:,} ready" if count.ready else "ready"
    if status == "idle" and view.is_over:
        return "not run"
    return state_word(status)


def _chip(status: str, count: RoutineCount) -> str:
    """Threads when running, depth when queued, failures when failed."""
    if status == "running":
        return f"{count.running:,}" if count.running else ""
    if status == "queued":
        depth = sum(slot.depth for slot in count.slots.values())
        return f"{depth:,}" if depth else ""
    if status == "failed":
        return f"{count.failures:,}" if count.failures else ""
    return ""


def _queues(count: RoutineCount) -> dict[str, QueueLook]:
    return {
        name: QueueLook(slot.depth, slot.capacity, slot.dropped)
        for name, slot in count.slots.items()
        if slot.depth or slot.dropped
    }


def _held(held: JobHeld, count: RoutineCount) -> Look:
    return Look(
        icon="pause!",
        color="state.held",
        words=_why(held),
        count=f"{count.activations:,}",
        chip="HELD",
        failures=count.failures,
        is_lively=True,
        queues=_queues(count),
        held=HeldLook(
            held.messages[0].slot if held.messages else "",
            _message(held),
            f"+{held.waiting:,} more" if held.waiting else "",
        ),
    )


def _why(held: JobHeld) -> str:
    if held.why == "breakpoint" and held.breakpoints:
        return f"held: breakpoint {held.breakpoints[0]}"
    return "held: goes next"


def _message(held: JobHeld) -> str:
    """The first message bound to the activation; further slots are counted."""
    if not held.messages:
        return "goes next"
    first = held.messages[0]
    text = " ".join(first.value.text.split())
    if len(text) > _LONGEST_VALUE:
        text = text[: _LONGEST_VALUE - 1] + "…"
    others = len(held.messages) - 1
    more = f"  and {others} more slot{'s' if others > 1 else ''}" if others else ""
    return f"#{first.number}  {text}{more}"

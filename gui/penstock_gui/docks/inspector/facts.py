"""What the inspector says about counters, values and holds, as text."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.host import ValueSample
from penstock.observe import JobHeld, JobView, RoutineCount, SlotCount, ValueSummary
from penstock_gui.session import shown_status
from penstock_gui.widgets.wording import NONE, one_line, plural

_MAX_VALUE = 400
NOTHING_YET = "nothing yet"
NOT_KEPT = "no longer kept"


@dataclass(frozen=True)
class Stat:
    """A number with its unit below; ``color`` is a token."""

    text: str
    unit: str
    color: str = "text"


@dataclass(frozen=True)
class HeldLine:
    """A message that waits for the held routine to go on."""

    slot: str
    number: int
    text: str

    @property
    def place(self) -> str:
        """Where it waits, and which it is."""
        return f"{self.slot}  #{self.number:,}"


def stats(count: RoutineCount) -> tuple[Stat, ...]:
    """Activations, failures, mean and total time of a routine."""
    mean = precise(count.seconds / count.activations) if count.activations else NONE
    return (
        Stat(f"{count.activations:,}", "activations"),
        Stat(f"{count.failures:,}", "failures", "state.failed" if count.failures else "text"),
        Stat(mean, "mean"),
        Stat(precise(count.seconds), "total"),
    )


def precise(seconds: float) -> str:
    """A short time with two or three digits: ``850 us``, ``2.1 ms``, ``9.84 s``."""
    if seconds <= 0:
        return "0 ms"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} \N{MICRO SIGN}s"
    if seconds < 0.9995:
        milli = seconds * 1e3
        return f"{milli:.1f} ms" if milli < 99.95 else f"{milli:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min"


def chip(routine_id: str, view: JobView | None) -> tuple[str, str]:
    """Status and words of a routine's chip; "" stands for the status's own word."""
    count = view.routines.get(routine_id) if view else None
    if view is None or count is None:
        return "idle", "not run yet"
    if view.held is not None and view.held.place == routine_id:
        return "held", ""
    status = shown_status(view, routine_id, count)
    if status == "running" and count.running:
        threads = "1 thread" if count.running == 1 else f"{count.running} threads"
        return "running", f"running · {threads}"
    return status, "not run" if status == "idle" and view.is_over else ""


def depth(count: SlotCount) -> str:
    """``17/1,000``, or that nothing waits."""
    return f"{count.depth:,}/{count.capacity:,}" if count.depth else "empty"


def slot_line(count: SlotCount) -> str:
    """What passed through a slot: ``1,911 in · most 64``."""
    return f"{count.posted:,} in · most {count.high_water:,}"


def refusals(count: RoutineCount) -> str:
    """Emissions that weren't sent on: ``4 emissions revoked``; "" when there are none."""
    found = ((count.revoked, "revoked"), (count.refused, "refused"))
    return " · ".join(f"{plural(number, 'emission')} {kind}" for number, kind in found if number)


def depth_color(count: SlotCount) -> str:
    """Colour token of how full a slot is."""
    if not count.depth:
        return "text.3"
    full = count.depth / count.capacity if count.capacity else 0.0
    if full >= 0.85:
        return "queue.high"
    return "state.waiting" if full >= 0.6 else "text"


def newest(samples: tuple[ValueSample, ...]) -> ValueSample | None:
    """The last value of a port."""
    return samples[-1] if samples else None


def value_text(sample: ValueSample | None) -> str:
    """One bounded line of a value."""
    return NOTHING_YET if sample is None else one_line(sample.value.text, _MAX_VALUE)


def value_color(sample: ValueSample | None) -> str:
    """Colour token of a value by its type."""
    return "text.3" if sample is None else summary_color(sample.value)


def summary_color(value: ValueSummary) -> str:
    """Colour token of a value by its type."""
    if value.type == "str":
        return "syn.str"
    if value.type in ("int", "float", "complex", "bool", "NoneType"):
        return "syn.num"
    return "state.failed" if value.type == "Failure" else "text"


def value_tip(sample: ValueSample | None) -> str:
    """Type, size and number of a value's message."""
    return "" if sample is None else f"{summary_tip(sample.value)}, message {sample.number:,}"


def summary_tip(value: ValueSummary) -> str:
    """Type and size of a value."""
    size = "" if value.size is None else f", size {value.size:,}"
    return f"{value.type}{size}"


def held_title(view: JobView) -> str:
    """``Held here: breakpoint, 4 more ready in the job``."""
    held = view.held
    if held is None:
        return ""
    words = {"pause": "paused", "breakpoint": "breakpoint", "step": "after a step"}
    title = f"Held here: {words.get(held.why, held.why)}"
    return f"{title}, {held.waiting:,} more ready in the job" if held.waiting else title


def held_lines(held: JobHeld) -> tuple[HeldLine, ...]:
    """The messages the held activation would take."""
    return tuple(
        HeldLine(m.slot, m.number, one_line(m.value.text, _MAX_VALUE)) for m in held.messages
    )

"""Which ports a wire being drawn could end at, and why not at the others. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache

from penstock.flow import Connection, RoutineSpec, compatible
from penstock.ids import PortRef
from penstock_gui.canvas.geometry import FAILED
from penstock_gui.document import FlowDocument

FAILURE = "Failure"
CONNECTED = "connected already"


@dataclass(frozen=True)
class Anchor:
    """The port a wire is drawn from: a slot takes events, an event goes to slots."""

    ref: PortRef
    is_slot: bool
    type: str

    def wire_to(self, other: PortRef) -> Connection:
        """The connection made by ending at a port of the other kind."""
        return Connection(other, self.ref) if self.is_slot else Connection(self.ref, other)


@dataclass(frozen=True)
class Offer:
    """The ports of one routine that fit, or the reason why none does."""

    ports: tuple[str, ...] = ()
    reason: str = ""


def anchor_at(document: FlowDocument, ref: PortRef, is_slot: bool) -> Anchor | None:
    """The port as a start of a wire; None for one its routine hasn't got."""
    types = dict(_ports(document.spec(ref.routine), is_slot))
    return Anchor(ref, is_slot, types[ref.port]) if ref.port in types else None


def offers(
    document: FlowDocument,
    wires: Container[Connection],
    anchor: Anchor,
    routines: Iterable[str],
) -> dict[str, Offer]:
    """What each routine offers to a wire from `anchor`."""
    return {r: _offer(document.spec(r), wires, anchor, r) for r in routines}


def _offer(spec: RoutineSpec, wires: Container[Connection], anchor: Anchor, routine: str) -> Offer:
    fitting, reasons = [], []
    for name, type_name in _ports(spec, not anchor.is_slot):
        reason = why_not(wires, anchor, PortRef(routine, name), type_name)
        if reason is None:
            fitting.append(name)
        elif name != FAILED:
            reasons.append(reason)
    if fitting:
        return Offer(tuple(fitting))
    nothing = "has no events" if anchor.is_slot else "has no slots"
    if CONNECTED in reasons:
        return Offer(reason=CONNECTED)
    return Offer(reason=reasons[0] if reasons else nothing)


def why_not(
    wires: Container[Connection], anchor: Anchor, port: PortRef, type_name: str
) -> str | None:
    """None when a wire may end at a port, else the reason in words."""
    if anchor.wire_to(port) in wires:
        return CONNECTED
    given, taken = (type_name, anchor.type) if anchor.is_slot else (anchor.type, type_name)
    return _compatible(given, taken)


@lru_cache(maxsize=4096)
def _compatible(event_type: str, slot_type: str) -> str | None:
    return compatible(event_type, slot_type)


def _ports(spec: RoutineSpec, slots: bool) -> list[tuple[str, str]]:
    if slots:
        return [(slot.name, slot.type) for slot in spec.slots]
    return [*((event.name, event.type) for event in spec.events), (FAILED, FAILURE)]

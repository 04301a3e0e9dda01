"""What the canvas says in words: tool tips, and the selection for assistive technology."""

from __future__ import annotations

from html import escape
from typing import Protocol

from PySide6.QtCore import QEvent
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QToolTip, QWidget

from penstock.flow import RoutineSpec
from penstock_gui.canvas.geometry import FAILED
from penstock_gui.canvas.offers import FAILURE
from penstock_gui.canvas.painting import NodePicture
from penstock_gui.canvas.scene import FlowScene, Hit
from penstock_gui.session import Session, shown_losses, shown_room

_LONGEST_DOC = 200


class Tipped(Protocol):
    """The view, as far as tips need it."""

    graph: FlowScene
    session: Session

    def viewport(self) -> QWidget: ...


def show_tip(view: Tipped, event: QEvent, hit: Hit) -> bool:
    """Answer a request for a tool tip; plain text, whatever a flow's author wrote."""
    assert isinstance(event, QHelpEvent)
    words = tip_text(view.session, view.graph, hit)
    if words:
        QToolTip.showText(event.globalPos(), plain(words), view.viewport())
    else:
        QToolTip.hideText()
        event.ignore()
    return True


def plain(text: str) -> str:
    """Text that Qt won't take for markup: it guesses, so it is given markup that is escaped."""
    return f'<p style="white-space:pre-wrap">{escape(text)}</p>'


def tip_text(session: Session, graph: FlowScene, hit: Hit) -> str:
    """Words for what lies under the pointer, one fact a line; "" for nothing."""
    if hit.connection is not None:
        return str(hit.connection)
    if hit.routine is None or hit.routine not in graph.nodes:
        return ""
    spec = session.document.spec(hit.routine)
    node = graph.nodes[hit.routine]
    if hit.at_breakpoint:
        return "Remove the breakpoint (F9)" if node.touch.breakpoint else "Set a breakpoint (F9)"
    if hit.port is not None or hit.slot is not None:
        name, is_slot = hit.port or (hit.slot or "", True)
        lines = [_port_tip(spec, name, is_slot)]
        lines += _slot_counts(session, hit.routine, spec, name) if is_slot else ()
        return "\n".join(lines)
    problem = graph.live.problems.get(hit.routine, "")
    lines = [session.document.title(hit.routine), spec.type, _first_line(spec.doc), problem]
    return "\n".join(line for line in lines if line)


def _port_tip(spec: RoutineSpec, name: str, is_slot: bool) -> str:
    if name == FAILED and not is_slot:
        return f"{name}: {FAILURE}\nWhat a failed activation becomes when this is connected"
    for slot in spec.slots if is_slot else ():
        if slot.name == name:
            return f"{name}: {slot.type}\n{shown_room(slot)}" + _after(slot.doc)
    for event in () if is_slot else spec.events:
        if event.name == name:
            return f"{name}: {event.type}" + _after(event.doc)
    kind = "slot" if is_slot else "event"
    return f"{name}: no such {kind}" + _after(spec.error or "")


def _slot_counts(session: Session, routine: str, spec: RoutineSpec, name: str) -> list[str]:
    """What waits and what was lost at a slot in the job that is shown, in full numbers."""
    count = session.view.routines.get(routine) if session.view is not None else None
    slot = count.slots.get(name) if count is not None else None
    if slot is None:
        return []
    waiting = f"{slot.depth:,} of {slot.capacity:,} waiting" if slot.depth else ""
    declared = next((one for one in spec.slots if one.name == name), None)
    return [line for line in (waiting, shown_losses(slot, declared)) if line]


def _after(text: str) -> str:
    line = _first_line(text)
    return f"\n{line}" if line else ""


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _LONGEST_DOC else line[: _LONGEST_DOC - 1] + "…"


def spoken(picture: NodePicture) -> str:
    """A routine in one sentence."""
    look = picture.look
    parts = [picture.shape.title, look.words]
    if look.chip and look.held is None:
        parts[-1] += f" {look.chip}"
    for name, queue in look.queues.items():
        if queue.depth:
            parts.append(f"{queue.depth} of {queue.capacity} in slot {name}")
        if queue.dropped:
            parts.append(f"{queue.dropped:,} dropped at slot {name}")
    if picture.touch.breakpoint:
        parts.append(f"breakpoint {picture.touch.breakpoint}")
    return ", ".join(parts)

"""The state of a run on the canvas: many events, one pass per display tick."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from penstock.flow import Connection
from penstock.observe import JobView, RoutineCount
from penstock_gui.bridge import PacedTimer
from penstock_gui.canvas.edge_item import EdgeItem
from penstock_gui.canvas.geometry import FAILED
from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.looks import look_of, problem_look
from penstock_gui.canvas.node_item import NodeItem
from penstock_gui.session import Session

TICK_MS = 16
FADE_MS = 60
FADE_SECONDS = 1.5
BUDGET = 0.008
_BATCH = 20
_FADE_STEPS = 12
_SPIN_STEP = 30.0
_SPIN_SECONDS = 1 / 12


class Drawn(Protocol):
    """The items the pass brings up to date, and what it asks about them."""

    nodes: dict[str, NodeItem]
    edges: dict[Connection, EdgeItem]

    def wires_of(self, routine_id: str) -> Iterable[Connection]:
        """All connections that begin or end at a routine."""
        ...

    def is_seen(self, routine_id: str) -> bool:
        """Whether a routine or one of its wires may be in view."""
        ...

    def spinning_in_view(self) -> Iterable[NodeItem]:
        """Items with a turning glyph that somebody can see."""
        ...


class LiveState(QObject):
    """Shows the session's job on the scene's items.

    Events only mark routines. A timer, running only while something marked is in view, fades
    or turns, then brings what is in view up to date in one pass of at most `BUDGET` seconds; the
    rest keeps its mark until there is time, or until it comes into view (`look_again`).

    Signals:
        passed(): after each pass; what is painted in batches should be painted again
    """

    passed = Signal()

    def __init__(
        self,
        session: Session,
        drawn: Drawn,
        ink: Ink,
        *,
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.passes = 0
        self.problems: dict[str, str] = {}
        self._session = session
        self._drawn = drawn
        self._ink = ink
        self._clock = clock
        self._marked: set[str] = set()
        self._unseen: set[str] = set()
        self._emitted: dict[str, dict[str, int]] = {}
        self._lit: dict[Connection, float] = {}
        self._hot: dict[str, float] = {}
        self._turned = 0.0
        self._timer = QTimer(self, singleShot=True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.refresh)
        self._fading = PacedTimer(session.bridge.pace, FADE_MS, single_shot=True, parent=self)
        self._fading.timeout.connect(self.refresh)
        bridge = session.bridge
        bridge.job_changed.connect(self._on_job_changed)
        for signal in (bridge.job_held, bridge.job_resumed, bridge.job_ended):
            signal.connect(self._on_job_turned)
        session.job_selected.connect(self._on_job_selected)

    @property
    def is_busy(self) -> bool:
        """Whether another pass is due."""
        return self._timer.isActive() or self._fading.is_active()

    def mark(self, routines: Iterable[str]) -> None:
        """The picture of these routines may be out of date."""
        self._marked.update(routines)
        if self._marked:
            self._wake(0)

    def mark_all(self) -> None:
        self.mark(self._drawn.nodes)

    def refresh(self) -> None:
        """One pass: marked items, then what fades and turns."""
        self.passes += 1
        now, view = self._clock(), self._session.view
        self._work_off(view, now)
        self._fade(now)
        turns = self._turn(now)
        if self._marked:
            self._wake(TICK_MS)
        elif self._lit or self._hot or turns:
            self._fading.start()
        self.passed.emit()

    def look_again(self) -> None:
        """Other routines are in view now."""
        marked, self._unseen = self._unseen, set()
        self.mark(marked)

    def _work_off(self, view: JobView | None, now: float) -> None:
        end = now + BUDGET
        while self._marked and self._clock() < end:
            for _ in range(min(_BATCH, len(self._marked))):
                routine = self._marked.pop()
                if self._drawn.is_seen(routine):
                    self._update(routine, view, now)
                else:
                    self._unseen.add(routine)

    def _wake(self, ms: int) -> None:
        if not self._timer.isActive() or self._timer.remainingTime() > ms:
            self._timer.start(ms)

    def _update(self, routine: str, view: JobView | None, now: float) -> None:
        node = self._drawn.nodes.get(routine)
        if node is None:
            return
        problem = self.problems.get(routine)
        if problem is not None and (view is None or view.is_over):
            node.set_look(problem_look(problem))
        else:
            node.set_look(look_of(view, routine))
        count = view.routines.get(routine) if view is not None else None
        fresh = self._newly_emitted(routine, count)
        if FAILED in fresh:
            self._hot[routine] = now
            self._heat(routine)
        for connection in self._drawn.wires_of(routine):
            edge = self._drawn.edges[connection]
            if connection.source.routine == routine and connection.source.port in fresh:
                self._lit[connection] = now
                edge.set_look(glow=1.0)
            if connection.target.routine == routine:
                self._mark_slot(edge, view, count)

    def _mark_slot(self, edge: EdgeItem, view: JobView | None, count: RoutineCount | None) -> None:
        """Full and held wires, by the slot they end at."""
        target = edge.connection.target
        slot = count.slots.get(target.port) if count is not None else None
        held = view.held if view is not None else None
        edge.set_look(
            full=slot is not None
            and view is not None
            and not view.is_over
            and slot.depth >= slot.capacity,
            held=held is not None
            and held.place == target.routine
            and any(message.slot == target.port for message in held.messages),
        )

    def _newly_emitted(self, routine: str, count: RoutineCount | None) -> set[str]:
        """Events with values since the last pass; a first look lights nothing."""
        if count is None:
            self._emitted.pop(routine, None)
            return set()
        now = {FAILED: count.failures, **count.emitted}
        before = self._emitted.get(routine)
        self._emitted[routine] = now
        if before is None:
            return set()
        return {event for event, total in now.items() if total > before.get(event, 0)}

    def _fade(self, now: float) -> None:
        for connection, since in list(self._lit.items()):
            left = 1 - (now - since) / FADE_SECONDS
            edge = self._drawn.edges.get(connection)
            if left <= 0 or edge is None:
                del self._lit[connection]
            if edge is not None:
                edge.set_look(glow=max(0.0, round(left * _FADE_STEPS) / _FADE_STEPS))
        for routine, since in list(self._hot.items()):
            if now - since >= FADE_SECONDS:
                del self._hot[routine]
                self._heat(routine)

    def _heat(self, routine: str) -> None:
        """A failure a moment ago shows at the port of its routine."""
        node = self._drawn.nodes.get(routine)
        if node is not None:
            node.touch.hot = frozenset({FAILED}) if routine in self._hot else frozenset()
            node.update()

    def _turn(self, now: float) -> bool:
        """Turn the glyphs of running routines in view, at most twelve times a second."""
        spinning = list(self._drawn.spinning_in_view())
        if spinning and now - self._turned >= _SPIN_SECONDS:
            self._turned = now
            self._ink.spin = (self._ink.spin + _SPIN_STEP) % 360
            for node in spinning:
                node.update()
        return bool(spinning)

    def _on_job_changed(self, job_id: str, routines: frozenset[str]) -> None:
        if job_id == self._session.job_id:
            self.mark(routines)

    def _on_job_turned(self, job_id: str) -> None:
        """Held, resumed or ended: every routine may look different."""
        if job_id == self._session.job_id:
            self.mark_all()

    def _on_job_selected(self) -> None:
        self._emitted.clear()
        self._hot.clear()
        for connection in self._lit:
            edge = self._drawn.edges.get(connection)
            if edge is not None:
                edge.set_look(glow=0.0, full=False, held=False)
        self._lit.clear()
        self.mark_all()

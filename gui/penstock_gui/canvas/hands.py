"""The mouse on the canvas: which gesture a press begins, and what the pointer shows."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QMouseEvent, QPainter

from penstock.ids import PortRef
from penstock_gui.canvas.gestures import DragNodes, DrawWire, Gesture, Pan, RubberBand, Stage
from penstock_gui.canvas.hover import Hover
from penstock_gui.canvas.offers import anchor_at
from penstock_gui.canvas.scene import NOTHING_HIT, Hit


class Hands:
    """At most one gesture at a time; without one, what lies under the pointer is marked.

    ``show_cursor`` sets the pointer's shape, ``inspect`` asks for a routine's details.
    """

    def __init__(
        self,
        stage: Stage,
        show_cursor: Callable[[Qt.CursorShape], object],
        inspect: Callable[[str], object],
    ) -> None:
        self.gesture: Gesture | None = None
        self._stage = stage
        self._show_cursor = show_cursor
        self._inspect = inspect
        self._hover = Hover(stage)
        self._pans = False

    @property
    def hovered(self) -> Hit:
        """What lies under the pointer."""
        return self._hover.hit

    def set_panning(self, on: bool) -> None:
        """While the space bar is held the left button moves the view."""
        self._pans = on
        self._update_cursor()

    def press(self, event: QMouseEvent) -> None:
        if self.gesture is None:
            self.gesture = self._begin(event)
            self._update_cursor()

    def move(self, at: QPoint) -> None:
        if self.gesture is not None:
            self.gesture.move(at)
        else:
            self._point_at(self._hit(at))

    def release(self, at: QPoint) -> None:
        gesture, self.gesture = self.gesture, None
        if gesture is not None:
            gesture.release(at)
            self._point_at(self._hit(at))

    def double_click(self, event: QMouseEvent) -> None:
        """Select a routine and ask for its details; on its ports it is two clicks."""
        hit = self._hit(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and hit.routine and not hit.port:
            self._stage.session.select((hit.routine,))
            self._inspect(hit.routine)

    def leave(self) -> None:
        """The pointer is no longer over the canvas."""
        if self.gesture is None:
            self._point_at(NOTHING_HIT)

    def cancel(self) -> bool:
        """Give up what is being done; whether there was anything."""
        gesture, self.gesture = self.gesture, None
        if gesture is None:
            return False
        gesture.cancel()
        self._update_cursor()
        return True

    def forget(self) -> None:
        """The scene's items are others now."""
        self.cancel()
        self._hover.forget()

    def paint(self, painter: QPainter) -> None:
        """In viewport pixels, over everything."""
        if self.gesture is not None:
            self.gesture.paint(painter)

    def _begin(self, event: QMouseEvent) -> Gesture | None:
        at, button = event.position().toPoint(), event.button()
        left = button == Qt.MouseButton.LeftButton
        if button == Qt.MouseButton.MiddleButton or (left and self._pans):
            return Pan(self._stage, at)
        hit = self._hit(at)
        if left:
            return self._begin_on(hit, at, event.modifiers())
        if button == Qt.MouseButton.RightButton:
            self._select(hit)
        return None

    def _begin_on(self, hit: Hit, at: QPoint, modifiers: Qt.KeyboardModifier) -> Gesture | None:
        session = self._stage.session
        if hit.connection is not None:
            session.select(connection=hit.connection)
            return None
        if hit.routine is None:
            return RubberBand(self._stage, at, modifiers)
        if hit.at_breakpoint:
            session.toggle_breakpoint(hit.routine)
            return None
        if hit.port is not None:
            name, is_slot = hit.port
            anchor = anchor_at(session.document, PortRef(hit.routine, name), is_slot)
            if anchor is not None:
                return DrawWire(self._stage, at, anchor)
        return DragNodes(self._stage, at, hit.routine, modifiers)

    def _select(self, hit: Hit) -> None:
        """A menu is about to open on this; several selected routines stay selected."""
        session = self._stage.session
        if hit.routine is None:
            session.select(connection=hit.connection)
        elif hit.routine not in session.selection.routines:
            session.select((hit.routine,))

    def _hit(self, at: QPoint) -> Hit:
        stage = self._stage
        return stage.graph.hit(stage.to_scene(at), ports=not stage.is_overview)

    def _point_at(self, hit: Hit) -> None:
        self._hover.show(hit)
        self._update_cursor()

    def _update_cursor(self) -> None:
        hit = self._hover.hit
        if self.gesture is not None:
            shape = self.gesture.cursor
        elif self._pans:
            shape = Qt.CursorShape.OpenHandCursor
        elif hit.port is not None:
            shape = Qt.CursorShape.CrossCursor
        elif hit.at_breakpoint or hit.connection is not None:
            shape = Qt.CursorShape.PointingHandCursor
        else:
            shape = Qt.CursorShape.ArrowCursor
        self._show_cursor(shape)

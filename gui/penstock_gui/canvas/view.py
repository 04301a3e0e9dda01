"""The view of the flow: what is seen, keys, drops, and the hand-over to gestures."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from penstock.flow import describe
from penstock_gui.canvas import hints
from penstock_gui.canvas.camera import Camera
from penstock_gui.canvas.ground import GRID, paint_ground
from penstock_gui.canvas.hands import Hands
from penstock_gui.canvas.held_pointer import HeldPointer
from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.overview import Overview
from penstock_gui.canvas.painting import FULL_FROM
from penstock_gui.canvas.scene import FlowScene
from penstock_gui.canvas.steering import nearest, next_in_order
from penstock_gui.canvas.zoom_bar import ZoomBar
from penstock_gui.session import Session
from penstock_gui.theme import Theme

ROUTINE_MIME = "application/x-penstock-routine"
_BAR_GAP = 12
_DROP_LEFT, _DROP_TOP = 70, 15
_MOVING = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class FlowView(Camera):
    """The flow of a session, drawn, edited and lit by the job that is shown.

    Signals:
        inspect_requested(str): a routine was double-clicked, its details are wanted
    """

    inspect_requested = Signal(str)

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.ink = Ink(theme)
        self.graph = FlowScene(session, self.ink, self)
        self.setScene(self.graph)
        self.hands = Hands(self, self.viewport().setCursor, self.inspect_requested.emit)
        self.bar = ZoomBar(
            theme,
            zoom_out=self.zoom_out,
            zoom_in=self.zoom_in,
            reset=self.zoom_reset,
            fit=self.fit_all,
            lay_out=self.auto_layout,
            parent=self,
        )
        self._pointer = HeldPointer(self)
        self._overview = Overview()
        self._keys = self._key_table()
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Flow")
        self._listen()
        self.fit_all()

    def _listen(self) -> None:
        graph, session, document = self.graph, self.session, self.session.document
        self.zoom_changed.connect(self.bar.show_zoom)
        self.looked_elsewhere.connect(self._on_looked_elsewhere)
        graph.restructured.connect(self._on_restructured)
        graph.rebuilt.connect(self._on_rebuilt)
        graph.live.passed.connect(self._on_passed)
        self.ink.theme.changed.connect(self._on_theme_changed)
        session.centre_requested.connect(self.centre_on)
        session.selection_changed.connect(self._describe)
        document.routine_added.connect(self._on_routine_added)
        document.routine_removed.connect(self.hands.cancel)
        document.routine_renamed.connect(self.hands.cancel)

    # Looking.

    def fit_all(self) -> None:
        """Bring the whole flow into view, at most at 100 %."""
        self.fit(self.graph.bounds())

    def fit_selection(self) -> None:
        """Bring the selected routines into view; everything when none is selected."""
        chosen = self.session.selection.routines
        self.fit(self.graph.arrangement.around(chosen) if chosen else self.graph.bounds())

    def centre_on(self, routine_id: str) -> None:
        """Bring one routine to the middle; closer only where it could not be read."""
        self.graph.settle()
        node = self.graph.nodes.get(routine_id)
        if node is not None:
            self.look_at(node.body.center(), FULL_FROM if self.is_overview else None)

    def auto_layout(self) -> None:
        """Lay the whole flow out anew, as one edit."""
        self.graph.settle()
        self.session.edits.auto_layout(self.graph.arrangement.automatic_places())
        self.fit_all()

    # Keys.

    def _key_table(self) -> dict[tuple[int, Qt.KeyboardModifier], Callable[[], object]]:
        key, none = Qt.Key, Qt.KeyboardModifier.NoModifier
        ctrl = Qt.KeyboardModifier.ControlModifier
        return {
            (key.Key_F, none): self.fit_selection,
            (key.Key_Home, none): self.fit_all,
            (key.Key_Period, none): self.fit_all,
            (key.Key_Equal, ctrl): self.zoom_in,
            (key.Key_Plus, ctrl): self.zoom_in,
            (key.Key_Minus, ctrl): self.zoom_out,
            (key.Key_0, ctrl): self.zoom_reset,
            (key.Key_L, ctrl): self.auto_layout,
            (key.Key_A, ctrl): lambda: self.session.select(self.graph.nodes),
            (key.Key_Delete, none): self.session.edits.delete_selection,
            (key.Key_Backspace, none): self.session.edits.delete_selection,
            (key.Key_Escape, none): self._escape,
        }

    def _escape(self) -> None:
        if not self.hands.cancel():
            self.session.select()

    def _arrow(self, dx: int, dy: int, modifiers: Qt.KeyboardModifier) -> None:
        """Go to the nearest routine; with Ctrl or Shift move the selection instead."""
        if modifiers & _MOVING:
            self._nudge(dx, dy, 1 if modifiers & Qt.KeyboardModifier.ControlModifier else GRID)
            return
        found = nearest(self._bodies(), self.session.selection.routines, dx, dy)
        if found is not None:
            self._go_to(found)

    def _nudge(self, dx: int, dy: int, step: int) -> None:
        arrangement = self.graph.arrangement
        places = arrangement.places(self.session.selection.routines)
        if places:
            moved = {r: (x + dx * step, y + dy * step) for r, (x, y) in places.items()}
            self.session.edits.move(arrangement.unsaved_places() | moved)

    def _bodies(self) -> dict[str, QRectF]:
        return {routine: node.body for routine, node in self.graph.nodes.items()}

    def _go_to(self, routine: str) -> None:
        self.session.select((routine,))
        self.reveal(self.graph.nodes[routine].body)

    # What others tell.

    def _on_looked_elsewhere(self) -> None:
        self.graph.in_view, self.graph.is_far = self.seen, self.is_overview
        self.graph.live.look_again()
        self._pointer.place()

    def _on_restructured(self) -> None:
        self._overview.forget()
        if self.is_overview:
            self.repaint_all()

    def _on_rebuilt(self, is_other_flow: bool) -> None:
        self.hands.forget()
        if is_other_flow:
            self.fit_all()

    def _on_passed(self) -> None:
        self._overview.forget()
        if self.is_overview:
            self.repaint_all()
        self._pointer.place()

    def _on_theme_changed(self) -> None:
        self.resetCachedContent()
        self.repaint_all()

    def _on_routine_added(self, routine: str) -> None:
        """A routine that was put out of view is brought into it."""
        self.graph.settle()
        node = self.graph.nodes.get(routine)
        if node is not None and not self.seen.intersects(node.body):
            self.reveal(node.body)

    def _describe(self) -> None:
        """Tell assistive technology what is selected."""
        node = self.graph.nodes.get(self.session.selection.routine or "")
        self.setAccessibleDescription(hints.spoken(node.picture) if node is not None else "")

    # Drops from the palette.

    def _accepts(self, event: QDragEnterEvent | QDragMoveEvent | QDropEvent) -> bool:
        return event.mimeData().hasFormat(ROUTINE_MIME)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        event.setAccepted(self._accepts(event))

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.setAccepted(self._accepts(event))

    def dropEvent(self, event: QDropEvent) -> None:
        if not self._accepts(event):
            event.ignore()
            return
        type_name = bytes(event.mimeData().data(ROUTINE_MIME).data()).decode()
        spec = describe(type_name, self.session.document.code_folders)
        at = self.mapToScene(event.position().toPoint())
        # The header's middle comes to lie under the pointer.
        place = (float(round(at.x() - _DROP_LEFT)), float(round(at.y() - _DROP_TOP)))
        self.session.edits.add_routine(spec, place)
        event.acceptProposedAction()
        self.setFocus()

    # Qt's own.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        if event.button() == Qt.MouseButton.LeftButton and self._pointer.contains(at):
            self.centre_on(self._pointer.routine)
        else:
            self.hands.press(event)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.hands.move(event.position().toPoint())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.hands.release(event.position().toPoint())
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.hands.double_click(event)
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self.hands.leave()
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Space:
            self.hands.set_panning(True)
        elif key in _ARROWS:
            self._arrow(*_ARROWS[key], modifiers)
        elif (key, modifiers) in self._keys:
            self._keys[key, modifiers]()
        else:
            event.ignore()
            return
        event.accept()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.hands.set_panning(False)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.hands.set_panning(False)
        super().focusOutEvent(event)

    def focusNextPrevChild(self, forwards: bool) -> bool:
        """Tab goes through the routines; at the last one it leaves the canvas."""
        found = next_in_order(self._bodies(), self.session.selection.routine, forwards)
        if found is None:
            return super().focusNextPrevChild(forwards)
        self._go_to(found)
        return True

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            return hints.show_tip(self, event, self.hands.hovered)
        return super().viewportEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        size = self.bar.sizeHint()
        top = self.viewport().height() - size.height() - _BAR_GAP
        self.bar.setGeometry(_BAR_GAP, top, size.width(), size.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        with self.graph.guard.watch():
            if self.graph.settle():  # what has left its place is no part of this event's region
                QTimer.singleShot(0, self, self.repaint_all)
        if not self.is_overview:
            super().paintEvent(event)
            return
        painter, graph = QPainter(self.viewport()), self.graph
        painter.setWorldTransform(self.viewportTransform())
        self.drawBackground(painter, self.seen)
        with graph.guard.watch():
            nodes, edges = graph.nodes.values(), graph.edges.values()
            self._overview.paint(painter, self.ink, nodes, edges, self.zoom)
        self.drawForeground(painter, self.seen)
        painter.end()

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        with self.graph.guard.watch():
            paint_ground(painter, self.ink, QRectF(rect), self.zoom)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.resetTransform()
        painter.setOpacity(1.0)
        with self.graph.guard.watch():
            self._pointer.paint(painter)
            self.hands.paint(painter)
        painter.restore()

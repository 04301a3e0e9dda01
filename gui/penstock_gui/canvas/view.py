"""The view of the flow: zoom, pan, fit, keyboard, and the hand-over to gestures."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView, QWidget

from penstock.flow import describe
from penstock.ids import PortRef
from penstock_gui.canvas import hints
from penstock_gui.canvas.gestures import DragNodes, DrawWire, Gesture, Pan, RubberBand
from penstock_gui.canvas.ground import GRID, paint_ground
from penstock_gui.canvas.held_pointer import HeldPointer
from penstock_gui.canvas.hover import Hover
from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.offers import anchor_at
from penstock_gui.canvas.overview import Overview
from penstock_gui.canvas.painting import FULL_FROM, SMALL_FROM
from penstock_gui.canvas.scene import NOTHING_HIT, FlowScene, Hit
from penstock_gui.canvas.steering import nearest, next_in_order
from penstock_gui.canvas.zoom_bar import ZoomBar
from penstock_gui.session import Session
from penstock_gui.theme import Theme

ROUTINE_MIME = "application/x-penstock-routine"
FARTHEST, NEAREST = 0.002, 3.0
_ZOOM_STEP = 1.2
_WHEEL_STEP = 1.0015
_WORLD = 4_000_000.0
_MARGINS = (40, 56, 40, 60)


class FlowView(QGraphicsView):
    """The flow of a session, drawn, edited and lit by the job that is shown.

    Signals:
        zoom_changed(float)
        inspect_requested(str): a routine was double-clicked, its details are wanted
    """

    zoom_changed = Signal(float)
    inspect_requested = Signal(str)

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.ink = Ink(theme)
        self.graph = FlowScene(session, self.ink, self)
        self.setScene(self.graph)
        self.bar = ZoomBar(
            theme,
            zoom_out=self.zoom_out,
            zoom_in=self.zoom_in,
            reset=self.zoom_reset,
            fit=self.fit_all,
            lay_out=self.auto_layout,
            parent=self,
        )
        self._gesture: Gesture | None = None
        self._space_held = False
        self._fitted = True
        self._pointer = HeldPointer(self)
        self._hover = Hover(self)
        self._overview = Overview()
        self._keys = self._key_table()
        self._dress()
        self._listen()

    def _dress(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setRenderHints(
            QPainter.RenderHint.Antialiasing
            | QPainter.RenderHint.TextAntialiasing
            | QPainter.RenderHint.SmoothPixmapTransform
        )
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.SmartViewportUpdate)
        self.setCacheMode(QGraphicsView.CacheModeFlag.CacheBackground)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.AnchorViewCenter)
        self.setSceneRect(-_WORLD / 2, -_WORLD / 2, _WORLD, _WORLD)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Flow")

    def _listen(self) -> None:
        session = self.session
        self.graph.restructured.connect(self._on_restructured)
        self.graph.cleared.connect(self._on_cleared)
        self.graph.live.passed.connect(self._on_passed)
        self.ink.theme.changed.connect(self._on_theme_changed)
        session.centre_requested.connect(self.centre_on)
        session.selection_changed.connect(self._describe)
        session.document.routine_added.connect(self._on_routine_added)

    # Zoom and place.

    @property
    def zoom(self) -> float:
        """Screen pixels per unit of the scene."""
        return self.transform().m11()

    def zoom_in(self) -> None:
        self._zoom_at(self.viewport().rect().center(), self.zoom * _ZOOM_STEP)

    def zoom_out(self) -> None:
        self._zoom_at(self.viewport().rect().center(), self.zoom / _ZOOM_STEP)

    def zoom_reset(self) -> None:
        """To 100 %."""
        self._zoom_at(self.viewport().rect().center(), 1.0)

    def fit_all(self) -> None:
        """Bring the whole flow into view, at most at 100 %."""
        self._fit(self.graph.bounds())
        self._fitted = True

    def fit_selection(self) -> None:
        """Bring the selected routines into view; everything when none is selected."""
        chosen = self.session.selection.routines
        if chosen:
            self._fit(self.graph.bounds(chosen))
            self._fitted = False
        else:
            self.fit_all()

    def centre_on(self, routine_id: str) -> None:
        """Bring one routine to the middle, without changing the zoom unless it is unreadable."""
        node = self.graph.nodes.get(routine_id)
        if node is None:
            return
        self.graph.settle()
        if self.zoom < SMALL_FROM:
            self.set_zoom(FULL_FROM)
        self.centerOn(node.body.center())
        self._looked_elsewhere()

    def auto_layout(self) -> None:
        """Lay the whole flow out anew, as one edit."""
        self.session.auto_layout(self.graph.automatic_places())
        self.fit_all()

    def _fit(self, area: QRectF) -> None:
        if area.isEmpty():
            self.set_zoom(1.0)
            self.centerOn(0, 0)
            return
        left, top, right, bottom = _MARGINS
        width = max(50, self.viewport().width() - left - right)
        height = max(50, self.viewport().height() - top - bottom)
        zoom = min(1.0, width / area.width(), height / area.height())
        self.set_zoom(zoom)
        self.centerOn(area.center() + QPointF(right - left, bottom - top) / (2 * self.zoom))
        self._looked_elsewhere()

    def _zoom_at(self, at: QPoint, zoom: float) -> None:
        """Zoom so that the scene's point under a pixel stays there."""
        fixed = self.mapToScene(at)
        self.set_zoom(zoom)
        self.scroll_by(self.mapFromScene(fixed) - at)

    def set_zoom(self, zoom: float) -> None:
        """Change the zoom, within its limits; the top left corner stays."""
        zoom = min(NEAREST, max(FARTHEST, zoom))
        self.setTransform(QTransform.fromScale(zoom, zoom))
        self.bar.show_zoom(zoom)
        self._fitted = False
        self._looked_elsewhere()
        self.zoom_changed.emit(zoom)

    def _looked_elsewhere(self) -> None:
        self.graph.in_view = self.mapToScene(self.viewport().rect()).boundingRect()
        self.graph.live.look_again()
        self.viewport().update()

    @property
    def _is_overview(self) -> bool:
        return self.zoom < SMALL_FROM

    # What gestures need.

    def to_scene(self, at: QPoint) -> QPointF:
        """The scene's point under a pixel of the viewport."""
        return self.mapToScene(at)

    def to_view(self, at: QPointF) -> QPoint:
        """The viewport's pixel at a point of the scene."""
        return self.mapFromScene(at)

    def scroll_by(self, delta: QPoint) -> None:
        """Move what is seen by pixels; an empty flow stays where it is."""
        if not self.graph.nodes:
            return
        for bar, by in (
            (self.horizontalScrollBar(), delta.x()),
            (self.verticalScrollBar(), delta.y()),
        ):
            bar.setValue(bar.value() + by)
        self._fitted = False
        self._looked_elsewhere()

    def repaint_all(self) -> None:
        """Paint the whole view at the next chance."""
        self.viewport().update()

    @property
    def gesture(self) -> Gesture | None:
        """What the hands are doing."""
        return self._gesture

    # Hands.

    def _begin(self, event: QMouseEvent) -> Gesture | None:
        at = event.position().toPoint()
        button = event.button()
        if button == Qt.MouseButton.MiddleButton or (
            button == Qt.MouseButton.LeftButton and self._space_held
        ):
            return Pan(self, at)
        hit = self._hit(at)
        if button == Qt.MouseButton.RightButton:
            self._select_hit(hit)
            return None
        if button != Qt.MouseButton.LeftButton:
            return None
        if self._pointer.contains(at):
            self.centre_on(self._pointer.routine)
            return None
        return self._begin_on(hit, at, event.modifiers())

    def _begin_on(self, hit: Hit, at: QPoint, modifiers: Qt.KeyboardModifier) -> Gesture | None:
        if hit.connection is not None:
            self.session.select(connection=hit.connection)
            return None
        if hit.routine is None:
            return RubberBand(self, at, modifiers)
        if hit.at_breakpoint:
            self.session.toggle_breakpoint(hit.routine)
            return None
        if hit.port is not None:
            name, is_slot = hit.port
            ref = PortRef(hit.routine, name)
            anchor = anchor_at(self.session.document, ref, is_slot)
            if anchor is not None:
                return DrawWire(self, at, anchor)
        return DragNodes(self, at, hit.routine, modifiers)

    def _hit(self, at: QPoint) -> Hit:
        return self.graph.hit(self.mapToScene(at), ports=not self._is_overview)

    def _select_hit(self, hit: Hit) -> None:
        if hit.routine is None:
            self.session.select(connection=hit.connection)
        elif hit.routine not in self.session.selection.routines:
            self.session.select((hit.routine,))

    def cancel_gesture(self) -> bool:
        """Give up what the hands are doing; whether there was anything."""
        if self._gesture is None:
            return False
        gesture, self._gesture = self._gesture, None
        gesture.cancel()
        self._show_cursor(NOTHING_HIT)
        return True

    def _point_at(self, hit: Hit) -> None:
        self._hover.show(hit)
        self._show_cursor(hit)

    def _show_cursor(self, hit: Hit) -> None:
        if self._gesture is not None:
            shape = self._gesture.cursor
        elif self._space_held:
            shape = Qt.CursorShape.OpenHandCursor
        elif hit.port is not None:
            shape = Qt.CursorShape.CrossCursor
        elif hit.at_breakpoint or hit.connection is not None:
            shape = Qt.CursorShape.PointingHandCursor
        else:
            shape = Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)

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
            (key.Key_Delete, none): self.session.delete_selection,
            (key.Key_Backspace, none): self.session.delete_selection,
            (key.Key_Escape, none): self._escape,
        }

    def _escape(self) -> None:
        if not self.cancel_gesture():
            self.session.select()

    def _arrow(self, dx: int, dy: int, modifiers: Qt.KeyboardModifier) -> None:
        """Go to the nearest routine; with Ctrl or Shift move the selection instead."""
        if modifiers & _MOVING:
            step = 1 if modifiers & Qt.KeyboardModifier.ControlModifier else GRID
            places = self.graph.places(self.session.selection.routines)
            if places:
                moved = {r: (x + dx * step, y + dy * step) for r, (x, y) in places.items()}
                self.session.move(self.graph.unsaved_places() | moved)
            return
        bodies = {routine: node.body for routine, node in self.graph.nodes.items()}
        found = nearest(bodies, self.session.selection.routines, dx, dy)
        if found is not None:
            self._go_to(found)

    def _go_to(self, routine: str) -> None:
        self.session.select((routine,))
        self.ensureVisible(self.graph.nodes[routine].body, 40, 40)
        self._looked_elsewhere()

    # What others tell.

    def _on_restructured(self) -> None:
        self._overview.forget()
        if self._is_overview or not self.graph.nodes:
            self.viewport().update()

    def _on_cleared(self) -> None:
        self._hover.forget()
        self.cancel_gesture()
        self.fit_all()

    def _on_passed(self) -> None:
        self._overview.forget()
        if self._is_overview:
            self.viewport().update()
        self._pointer.place()

    def _on_theme_changed(self) -> None:
        self.resetCachedContent()
        self.viewport().update()

    def _on_routine_added(self, routine: str) -> None:
        self.graph.settle()
        node = self.graph.nodes.get(routine)
        if node is not None and not self.graph.in_view.intersects(node.body):
            self.ensureVisible(node.body, 60, 60)
            self._looked_elsewhere()

    def _describe(self) -> None:
        """Tell assistive technology what is selected."""
        chosen = self.session.selection.routine
        node = self.graph.nodes.get(chosen) if chosen else None
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
        self.session.add_routine(spec, (float(round(at.x() - 70)), float(round(at.y() - 15))))
        event.acceptProposedAction()
        self.setFocus()

    # Qt's own.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._gesture is None:
            self._gesture = self._begin(event)
            self._show_cursor(self._hover.hit)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        if self._gesture is not None:
            self._gesture.move(at)
        else:
            self._point_at(self._hit(at))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        gesture, at = self._gesture, event.position().toPoint()
        if gesture is not None:
            self._gesture = None
            gesture.release(at)
            self._point_at(self._hit(at))
            self._show_cursor(self._hover.hit)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        hit = self._hit(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and hit.routine and not hit.port:
            self.session.select((hit.routine,))
            self.inspect_requested.emit(hit.routine)
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or not turn.y():
            self.scroll_by(QPoint(-(turn.x() or turn.y()), 0))
        else:
            self._zoom_at(event.position().toPoint(), self.zoom * _WHEEL_STEP ** turn.y())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space_held = True
                self._show_cursor(self._hover.hit)
            event.accept()
            return
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        arrow = _ARROWS.get(Qt.Key(event.key()))
        if arrow is not None:
            self._arrow(*arrow, modifiers)
            event.accept()
            return
        handler = self._keys.get((Qt.Key(event.key()), modifiers))
        if handler is None:
            event.ignore()
            return
        handler()
        event.accept()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space_held = False
            self._show_cursor(self._hover.hit)
        event.accept()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space_held = False
        super().focusOutEvent(event)

    def focusNextPrevChild(self, forwards: bool) -> bool:
        """Tab goes through the routines; at the last one it leaves the canvas."""
        bodies = {routine: node.body for routine, node in self.graph.nodes.items()}
        found = next_in_order(bodies, self.session.selection.routine, forwards)
        if found is None:
            return super().focusNextPrevChild(forwards)
        self._go_to(found)
        return True

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.ignore()

    def leaveEvent(self, event: QEvent) -> None:
        if self._gesture is None:
            self._point_at(NOTHING_HIT)
        super().leaveEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            return hints.show_tip(self, event, self._hover.hit)
        return super().viewportEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        size: QSize = self.bar.sizeHint()
        self.bar.setGeometry(12, self.viewport().height() - size.height() - 12, *size.toTuple())
        if self._fitted:
            self.fit_all()
        self._looked_elsewhere()
        self._pointer.place()

    def paintEvent(self, event: QPaintEvent) -> None:
        self.graph.settle()
        if not self._is_overview:
            super().paintEvent(event)
            return
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setWorldTransform(self.viewportTransform())
        exposed = self.graph.in_view
        self.drawBackground(painter, exposed)
        graph = self.graph
        self._overview.paint(
            painter, self.ink, graph.nodes.values(), graph.edges.values(), self.zoom
        )
        self.drawForeground(painter, exposed)
        painter.end()

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        paint_ground(painter, self.ink, QRectF(rect), self.zoom)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        painter.save()
        painter.resetTransform()
        painter.setOpacity(1.0)
        self._pointer.paint(painter)
        if self._gesture is not None:
            self._gesture.paint(painter)
        painter.restore()


_MOVING = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}

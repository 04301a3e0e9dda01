"""Looking at a scene: zoom to a point, pan, fit, levels of detail."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QResizeEvent, QTransform, QWheelEvent
from PySide6.QtWidgets import QFrame, QGraphicsView, QWidget

from penstock_gui.canvas.painting import OVERVIEW_BELOW

FARTHEST, NEAREST = 0.002, 3.0
_ZOOM_STEP = 1.2
_WHEEL_STEP = 1.0015
_WORLD = 4_000_000.0
_MARGIN_LEFT, _MARGIN_TOP, _MARGIN_RIGHT, _MARGIN_BOTTOM = 40, 56, 40, 60
_EDGE = 60


class Camera(QGraphicsView):
    """A view whose transform is one zoom factor; a fitted scene stays fitted when it is resized.

    Signals:
        zoom_changed(float)
        looked_elsewhere(): another part of the scene is in view, or at another zoom
    """

    zoom_changed = Signal(float)
    looked_elsewhere = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fitted: QRectF | None = None
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

    @property
    def zoom(self) -> float:
        """Screen pixels per unit of the scene."""
        return self.transform().m11()

    @property
    def is_overview(self) -> bool:
        """Whether the scene is too far for single items."""
        return self.zoom < OVERVIEW_BELOW

    @property
    def seen(self) -> QRectF:
        """The part of the scene in view."""
        return self.mapToScene(self.viewport().rect()).boundingRect()

    def to_scene(self, at: QPoint) -> QPointF:
        """The scene's point under a pixel of the viewport."""
        return self.mapToScene(at)

    def to_view(self, at: QPointF) -> QPoint:
        """The viewport's pixel at a point of the scene."""
        return self.mapFromScene(at)

    def zoom_in(self) -> None:
        self.zoom_at(self.viewport().rect().center(), self.zoom * _ZOOM_STEP)

    def zoom_out(self) -> None:
        self.zoom_at(self.viewport().rect().center(), self.zoom / _ZOOM_STEP)

    def zoom_reset(self) -> None:
        """To 100 %."""
        self.zoom_at(self.viewport().rect().center(), 1.0)

    def zoom_at(self, at: QPoint, zoom: float) -> None:
        """Zoom so that the scene's point under a pixel stays there."""
        fixed = self.mapToScene(at)
        self._set_zoom(zoom)
        self.scroll_by(self.mapFromScene(fixed) - at)

    def scroll_by(self, delta: QPoint) -> None:
        """Move what is seen by pixels."""
        for bar, by in (
            (self.horizontalScrollBar(), delta.x()),
            (self.verticalScrollBar(), delta.y()),
        ):
            bar.setValue(bar.value() + by)
        self._look()

    def look_at(self, middle: QPointF, zoom: float | None = None) -> None:
        """Bring a point of the scene to the middle of the view."""
        if zoom is not None:
            self._set_zoom(zoom)
        self.centerOn(middle)
        self._look()

    def reveal(self, area: QRectF) -> None:
        """Bring a rectangle into view with as little movement as possible."""
        if not self.seen.contains(area):
            self.ensureVisible(area, _EDGE, _EDGE)
            self._look()

    def fit(self, area: QRectF) -> None:
        """Bring a rectangle into view as a whole, at most at 100 %."""
        if area.isEmpty():
            self.look_at(QPointF(0, 0), 1.0)
        else:
            width = max(50, self.viewport().width() - _MARGIN_LEFT - _MARGIN_RIGHT)
            height = max(50, self.viewport().height() - _MARGIN_TOP - _MARGIN_BOTTOM)
            zoom = min(1.0, width / area.width(), height / area.height())
            aside = QPointF(_MARGIN_RIGHT - _MARGIN_LEFT, _MARGIN_BOTTOM - _MARGIN_TOP)
            self.look_at(area.center() + aside / (2 * zoom), zoom)
        self._fitted = area

    def repaint_all(self) -> None:
        """Paint the whole view at the next chance."""
        self.viewport().update()

    def _set_zoom(self, zoom: float) -> None:
        zoom = min(NEAREST, max(FARTHEST, zoom))
        self.setTransform(QTransform.fromScale(zoom, zoom))
        self.zoom_changed.emit(zoom)

    def _look(self) -> None:
        self._fitted = None
        self.viewport().update()
        self.looked_elsewhere.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or not turn.y():
            self.scroll_by(QPoint(-(turn.x() or turn.y()), 0))
        else:
            self.zoom_at(event.position().toPoint(), self.zoom * _WHEEL_STEP ** turn.y())
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fitted is not None:
            self.fit(self._fitted)
        else:
            self.looked_elsewhere.emit()

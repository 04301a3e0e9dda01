"""The theme's colours, fonts and icons kept ready for painting many things many times."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap, QStaticText

from penstock_gui.theme import Theme

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTER = Qt.AlignmentFlag.AlignCenter
NO_PEN = Qt.PenStyle.NoPen
NO_BRUSH = Qt.BrushStyle.NoBrush
_MOST_WIDTHS, _MOST_TEXTS, _MOST_SPRITES, _MOST_PENS = 20_000, 4_000, 240, 400
_LARGEST_SPRITE = 3.0
_SIZES = {"badge": ("pill", 10)}


class Ink:
    """What the canvas paints with. Colours and pens it gives are shared: don't change them.

    ``spin`` is the angle of the spinners in degrees.
    """

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.spin = 0.0
        self._colors: dict[str, QColor] = {}
        self._mixes: dict[tuple[str, str, float], QColor] = {}
        self._pens: dict[tuple[str, float], QPen] = {}
        self._fonts: dict[str, QFont] = {}
        self._metrics: dict[str, QFontMetricsF] = {}
        self._widths: dict[tuple[str, str], float] = {}
        self._texts: dict[tuple[str, str], tuple[QStaticText, float]] = {}
        self._sprites: dict[Hashable, QPixmap] = {}
        self._icons: dict[tuple[str, int, int, int], QPixmap] = {}

    def refresh(self) -> None:
        """Forget everything of the former theme."""
        for kept in (
            self._colors,
            self._mixes,
            self._pens,
            self._fonts,
            self._icons,
            self._sprites,
        ):
            kept.clear()

    def color(self, token: str) -> QColor:
        found = self._colors.get(token)
        if found is None:
            found = self._colors[token] = self.theme.color(token)
        return found

    def mix(self, over: str, under: str, part: float) -> QColor:
        """``part`` of one token over another, opaque."""
        key = (over, under, part)
        found = self._mixes.get(key)
        if found is None:
            found = self._mixes[key] = self.theme.mix(over, under, part)
        return found

    def pen(self, token: str, width: float) -> QPen:
        found = self._pens.get((token, width))
        if found is None:
            if len(self._pens) > _MOST_PENS:
                self._pens.clear()
            found = self._pens[token, width] = QPen(self.color(token), width)
        return found

    def font(self, use: str) -> QFont:
        """The font of a use of the theme, or ``badge``: a smaller one for breakpoints."""
        found = self._fonts.get(use)
        if found is None:
            base, px = _SIZES.get(use, (use, 0))
            found = self.theme.font(base)
            if px:
                found.setPixelSize(px)
            self._fonts[use] = found
        return found

    def width(self, use: str, text: str) -> float:
        """Width of a text in a font use."""
        key = (use, text)
        found = self._widths.get(key)
        if found is None:
            if len(self._widths) > _MOST_WIDTHS:
                self._widths.clear()
            found = self._widths[key] = self._measure(use).horizontalAdvance(text)
        return found

    def elide(self, use: str, text: str, room: float) -> str:
        """The text, cut at its end with an ellipsis when there isn't room for it."""
        if self.width(use, text) <= room:
            return text
        return self._measure(use).elidedText(text, Qt.TextElideMode.ElideRight, max(0.0, room))

    def text(
        self,
        painter: QPainter,
        rect: QRectF,
        flags: Qt.AlignmentFlag,
        use: str,
        color: QColor,
        text: str,
    ) -> None:
        """One line of text, cut to the rectangle's width and level with its middle."""
        room = rect.width()
        if self.width(use, text) > room:
            text = self.elide(use, text, room)
        x = rect.x()
        if flags & Qt.AlignmentFlag.AlignRight:
            x += room - self.width(use, text)
        elif flags & Qt.AlignmentFlag.AlignHCenter:
            x += (room - self.width(use, text)) / 2
        laid_out, height = self._lay_out(use, text)
        painter.setFont(self.font(use))
        painter.setPen(color)
        painter.drawStaticText(QPointF(x, rect.y() + (rect.height() - height) / 2), laid_out)

    def icon(
        self, painter: QPainter, name: str, x: float, y: float, color: QColor, size: int = 14
    ) -> None:
        """A glyph with its top left corner at a point, sharp at any zoom."""
        scale = painter.worldTransform().m11() * painter.device().devicePixelRatioF()
        sharp = max(1, min(4, int(scale + 0.999)))
        key = (name, color.rgb(), size, sharp)
        pixmap = self._icons.get(key)
        if pixmap is None:
            pixmap = self._icons[key] = self.theme.pixmap(name, color, size, float(sharp))
        painter.drawPixmap(QRectF(x, y, size, size), pixmap, QRectF(pixmap.rect()))

    def spinner(self, painter: QPainter, x: float, y: float, color: QColor, size: int) -> None:
        """The glyph of a running routine, turned as far as ``spin`` says."""
        centre = QPointF(x + size / 2, y + size / 2)
        painter.save()
        painter.translate(centre)
        painter.rotate(self.spin)
        self.icon(painter, "loader-circle", -size / 2, -size / 2, color, size)
        painter.restore()

    def sprite(
        self,
        painter: QPainter,
        key: Hashable,
        rect: QRectF,
        paint: Callable[[QPainter], None],
    ) -> None:
        """Paint once to a pixmap, then only copy it, on whole pixels of the device.

        ``key`` names everything the picture depends on besides the zoom; ``rect`` is where it
        lies, ``paint`` makes it in the painter's own coordinates.
        """
        world, ratio = painter.worldTransform(), painter.device().devicePixelRatioF()
        scale = round(world.m11() * ratio, 3)
        if scale > _LARGEST_SPRITE:
            paint(painter)
            return
        pixmap = self._sprites.get((key, scale))
        if pixmap is None:
            if len(self._sprites) > _MOST_SPRITES:
                self._sprites.clear()
            pixmap = self._sprites[key, scale] = _picture(rect, scale, paint)
            pixmap.setDevicePixelRatio(ratio)
        corner = world.map(rect.topLeft()) * ratio
        painter.save()
        painter.resetTransform()
        painter.drawPixmap(QPointF(round(corner.x()), round(corner.y())) / ratio, pixmap)
        painter.restore()

    def routine(self, index: int) -> tuple[QColor, QColor]:
        """Fill and edge of a routine's swatch."""
        key = f"cat.{index % 10}"
        return self.color(key), self.color(f"{key}.edge")

    def _lay_out(self, use: str, text: str) -> tuple[QStaticText, float]:
        """Text ready to draw, and its height: laid out once, not in each frame."""
        key = (use, text)
        found = self._texts.get(key)
        if found is None:
            if len(self._texts) > _MOST_TEXTS:
                self._texts.clear()
            laid_out = QStaticText(text)
            laid_out.setTextFormat(Qt.TextFormat.PlainText)
            laid_out.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
            found = self._texts[key] = (laid_out, self._measure(use).height())
        return found

    def _measure(self, use: str) -> QFontMetricsF:
        found = self._metrics.get(use)
        if found is None:
            found = self._metrics[use] = QFontMetricsF(self.font(use))
        return found


def _picture(rect: QRectF, scale: float, paint: Callable[[QPainter], None]) -> QPixmap:
    pixmap = QPixmap(math.ceil(rect.width() * scale), math.ceil(rect.height() * scale))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    painter.translate(-rect.topLeft())
    paint(painter)
    painter.end()
    return pixmap

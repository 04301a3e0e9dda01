"""Icons: SVG files tinted in one colour, drawn once per colour, size and pixel ratio."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from penstock_gui.assets import resource

_RATIOS = (1.0, 2.0)


class IconSet:
    """Draws ``resources/icons/<name>.svg``; a name ending in ``!`` is drawn filled."""

    def __init__(self) -> None:
        self._pixmaps: dict[tuple[str, str, int, float], QPixmap] = {}
        self._icons: dict[tuple[str, str, str, int], QIcon] = {}

    def pixmap(self, name: str, color: QColor, size: int, dpr: float) -> QPixmap:
        """The icon in one colour; raises FileNotFoundError for a name there is no file of."""
        key = (name, color.name(), size, dpr)
        if key not in self._pixmaps:
            self._pixmaps[key] = _draw(name, color.name(), size, dpr)
        return self._pixmaps[key]

    def icon(self, name: str, color: QColor, disabled: QColor, size: int) -> QIcon:
        """An icon for buttons and menus, with its disabled look."""
        key = (name, color.name(), disabled.name(), size)
        if key not in self._icons:
            icon = QIcon()
            for dpr in _RATIOS:
                icon.addPixmap(self.pixmap(name, color, size, dpr), QIcon.Mode.Normal)
                icon.addPixmap(self.pixmap(name, disabled, size, dpr), QIcon.Mode.Disabled)
            self._icons[key] = icon
        return self._icons[key]


@cache
def _source(name: str) -> str:
    return resource("icons", f"{name}.svg").read_text(encoding="utf-8")


def _draw(name: str, color: str, size: int, dpr: float) -> QPixmap:
    svg = _source(name.removesuffix("!")).replace("currentColor", color)
    if name.endswith("!"):
        svg = svg.replace('fill="none"', f'fill="{color}"', 1)
    pixmap = QPixmap(round(size * dpr), round(size * dpr))
    pixmap.setDevicePixelRatio(dpr)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap

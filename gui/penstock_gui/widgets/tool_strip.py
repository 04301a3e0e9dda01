"""The line above a dock's table, and the flat buttons in it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets.search_line import SearchLine

_GLYPH = 14
_SEARCH_WIDTH = 220


class FlatButton(QToolButton):
    """An icon in the theme's colours, or text where ``icon`` is "", and what it does as its tip."""

    def __init__(self, theme: Theme, icon: str, tip: str, *, checkable: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self.setObjectName("flat")
        self.setIconSize(QSize(_GLYPH, _GLYPH))
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setCheckable(checkable)
        theme.changed.connect(self._tint)
        self._tint()

    def _tint(self) -> None:
        if self._icon:
            self.setIcon(self._theme.icon(self._icon, size=_GLYPH))


class ToolStrip(QWidget):
    """As high as a tab; a search field at the left, everything else at the right."""

    def __init__(
        self, theme: Theme, search: SearchLine, *others: QWidget, spacing: int = 4
    ) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(theme.px("size.tabs"))
        search.setMaximumWidth(_SEARCH_WIDTH)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(spacing)
        row.addWidget(search, 2)
        row.addStretch(1)
        for other in others:
            row.addWidget(other)

"""The small bar at the canvas's lower left corner: zoom, fit, lay out."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from penstock_gui.theme import Theme

_ICON = 16
_BUTTON = 28


class ZoomBar(QFrame):
    """Buttons for what the view does, and the zoom in per cent."""

    def __init__(
        self,
        theme: Theme,
        *,
        zoom_out: Callable[[], None],
        zoom_in: Callable[[], None],
        reset: Callable[[], None],
        fit: Callable[[], None],
        lay_out: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("float")
        self._theme = theme
        self._buttons: list[tuple[QToolButton, str]] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(3, 3, 3, 3)
        row.setSpacing(0)
        row.addWidget(self._button("minus", "Zoom out (Ctrl+-)", zoom_out))
        row.addWidget(self._percent(reset))
        row.addWidget(self._button("plus", "Zoom in (Ctrl+=)", zoom_in))
        row.addWidget(self._button("scan", "Fit the flow (Home)", fit))
        row.addWidget(self._button("network", "Lay out (Ctrl+L)", lay_out))
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self.adjustSize()

    @property
    def text(self) -> str:
        """The zoom shown."""
        return self._zoom.text()

    def show_zoom(self, zoom: float) -> None:
        self._zoom.setText(f"{zoom * 100:.0f} %" if zoom >= 0.01 else "< 1 %")

    def _percent(self, reset: Callable[[], None]) -> QToolButton:
        self._zoom = QToolButton(self)
        self._zoom.setObjectName("flat")
        self._zoom.setText("100 %")
        self._zoom.setToolTip("Zoom to 100 % (Ctrl+0)")
        self._zoom.setFont(self._theme.font("chip"))
        self._zoom.setFixedSize(48, _BUTTON)
        self._zoom.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._zoom.clicked.connect(reset)
        return self._zoom

    def _button(self, icon: str, tip: str, act: Callable[[], None]) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("flat")
        button.setToolTip(tip)
        button.setAccessibleName(tip.partition(" (")[0])
        button.setIconSize(QSize(_ICON, _ICON))
        button.setFixedSize(_BUTTON, _BUTTON)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(act)
        self._buttons.append((button, icon))
        return button

    def _on_theme_changed(self) -> None:
        for button, icon in self._buttons:
            button.setIcon(self._theme.icon(icon, "text.2", _ICON))

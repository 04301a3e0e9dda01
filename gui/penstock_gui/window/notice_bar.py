"""A line above the canvas that says what couldn't be done; it stays until closed or replaced."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget

from penstock_gui.theme import Theme
from penstock_gui.window.banner import Banner


class NoticeBar(Banner):
    """Plain text that can be selected, with a button that copies it and its details."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "state.failed", parent)
        self._details = ""
        self._copy = QPushButton("Copy")
        self._copy.clicked.connect(self._on_copy)
        self._close = QToolButton()
        self._close.setIconSize(QSize(14, 14))
        self._close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._close.setToolTip("Close")
        self._close.setAccessibleName("Close the notice")
        self._close.clicked.connect(self.hide)
        self._row.addWidget(self._copy)
        self._row.addWidget(self._close)
        theme.changed.connect(self._tint_close)
        self._tint_close()

    def say(self, text: str, details: str = "") -> None:
        """Show a line; ``details`` (a traceback) goes into what Copy copies."""
        self._text.setText(text)
        self._details = details
        self._copy.setText("Copy details" if details else "Copy")
        self.show()

    def _on_copy(self) -> None:
        parts = [self._text.text(), self._details]
        QGuiApplication.clipboard().setText("\n\n".join(part for part in parts if part))

    def _tint_close(self) -> None:
        self._close.setIcon(self._theme.icon("x"))

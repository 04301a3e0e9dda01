"""A line above the canvas that says what couldn't be done; it stays until closed or replaced."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel


class NoticeBar(QWidget):
    """Plain text that can be selected, with a button that copies it and its details."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._details = ""
        self._glyph = QLabel()
        self._text = PlainLabel(theme, wrap=True)
        self._copy = QPushButton("Copy")
        self._copy.clicked.connect(self._on_copy)
        self._close = QToolButton()
        self._close.setIconSize(QSize(14, 14))
        self._close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._close.setToolTip("Close")
        self._close.setAccessibleName("Close the notice")
        self._close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.setSpacing(8)
        row.addWidget(self._glyph)
        row.addWidget(self._text, 1)
        row.addWidget(self._copy)
        row.addWidget(self._close)
        theme.changed.connect(self._tint)
        self._tint()
        self.hide()

    @property
    def text(self) -> str:
        """What is said now."""
        return self._text.text()

    def say(self, text: str, details: str = "") -> None:
        """Show a line; ``details`` (a traceback) goes into what Copy copies."""
        self._text.setText(text)
        self._details = details
        self._copy.setText("Copy details" if details else "Copy")
        self.show()

    def _on_copy(self) -> None:
        parts = [self._text.text(), self._details]
        QGuiApplication.clipboard().setText("\n\n".join(part for part in parts if part))

    def _tint(self) -> None:
        ratio = self.devicePixelRatioF()
        self._glyph.setPixmap(self._theme.pixmap("triangle-alert", "state.failed", 16, ratio))
        self._close.setIcon(self._theme.icon("x"))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.color("bg.raised"))
        painter.fillRect(0, 0, 3, self.height(), self._theme.color("state.failed"))
        painter.fillRect(0, self.height() - 1, self.width(), 1, self._theme.color("line"))
        painter.end()

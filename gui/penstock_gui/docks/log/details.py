"""The pane below the log: everything known of one line, as text to read and copy."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets import FlatButton, PlainLabel


class DetailsPane(QWidget):
    """Hidden until there is something to show; foreign text is shown as plain text."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._title = PlainLabel(theme, font="body.strong", selectable=False)
        self.copy_button = FlatButton(theme, "copy", "Copy all of it")
        self.close_button = FlatButton(theme, "x", "Close; choosing a line opens it again")
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(theme.font("mono"))
        self.text.setAccessibleName("Details of the chosen line")
        self._lay_out()
        self.copy_button.clicked.connect(self.copy)
        self.close_button.clicked.connect(self.hide)
        self.hide()

    def show_text(self, title: str, text: str) -> None:
        """Show this; "" hides the pane."""
        if text and text != self.text.toPlainText():
            self._title.setText(title)
            self.text.setPlainText(text)
        self.setVisible(bool(text))

    def copy(self) -> None:
        """Put the text on the clipboard."""
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    def _lay_out(self) -> None:
        strip = QHBoxLayout()
        strip.setContentsMargins(10, 2, 8, 2)
        strip.setSpacing(2)
        strip.addWidget(self._title, 1)
        strip.addWidget(self.copy_button)
        strip.addWidget(self.close_button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(strip)
        rows.addWidget(self.text)

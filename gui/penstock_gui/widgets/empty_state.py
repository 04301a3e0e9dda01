"""What an empty panel shows: what would fill it, and the button that does."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets.plain_label import PlainLabel

_GLYPH = 20
_WIDTH = 300


class EmptyState(QWidget):
    """A glyph, one bold line, one sentence, and at most one button."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        title: str,
        why: str,
        button: QAction | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = icon
        self._action = button
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._glyph = QLabel()
        self._title = PlainLabel(theme, title, font="body.strong", wrap=True, selectable=False)
        self._why = PlainLabel(theme, why, color="text.2", wrap=True, selectable=False)
        self._button = self._make_button(button) if button is not None else None
        self._lay_out()
        self._draw_glyph()
        theme.changed.connect(self._draw_glyph)

    def press(self) -> None:
        """Press the button."""
        if self._button is not None:
            self._button.click()

    def drop_button(self) -> None:
        """There is nothing to press any more."""
        if self._button is not None:
            self._button.hide()

    def say(self, title: str, why: str) -> None:
        """Show another explanation."""
        self._title.setText(title)
        self._why.setText(why)

    def _lay_out(self) -> None:
        centre = Qt.AlignmentFlag.AlignHCenter
        column = QWidget()
        column.setMaximumWidth(_WIDTH)
        box = QVBoxLayout(column)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(6)
        box.addStretch(1)
        box.addWidget(self._glyph, 0, centre)
        for label in (self._title, self._why):
            label.setAlignment(centre)
            box.addWidget(label)
        if self._button is not None:
            box.addSpacing(4)
            box.addWidget(self._button, 0, centre)
        box.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 12, 12, 12)
        row.addStretch(1)
        row.addWidget(column, 1000)
        row.addStretch(1)

    def _make_button(self, action: QAction) -> QPushButton:
        button = QPushButton()
        button.setObjectName("primary")
        button.setFont(self._theme.font("ui.strong"))
        button.clicked.connect(action.trigger)
        action.changed.connect(self._on_action_changed)
        button.setIconSize(QSize(14, 14))
        self._button = button
        self._on_action_changed()
        return button

    def _on_action_changed(self) -> None:
        action, button = self._action, self._button
        if action is None or button is None:
            return
        key = action.shortcut().toString()
        button.setText(f" {action.text()}  {key}".rstrip())
        button.setEnabled(action.isEnabled())
        button.setToolTip(action.toolTip())

    def _draw_glyph(self) -> None:
        ratio = self.devicePixelRatioF()
        self._glyph.setPixmap(self._theme.pixmap(self._icon, "text.2", _GLYPH, ratio))

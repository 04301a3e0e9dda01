"""A field of a dialog: its name above, a note below that an error takes the place of."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel

_GLYPH = 12


class FormField(QWidget):
    """Name, input, maybe buttons beside it, and a note.

    An error makes the input's edge red; its words stand where the note was, behind a glyph.
    """

    def __init__(
        self,
        theme: Theme,
        name: str,
        editor: QWidget,
        note: str = "",
        beside: tuple[QWidget, ...] = (),
    ) -> None:
        super().__init__()
        self.editor = editor
        self._theme = theme
        self._note = note
        self._look = ("", "text.3")
        self._usual = editor.objectName()
        editor.setAccessibleName(name)
        editor.setAccessibleDescription(note)
        label = PlainLabel(theme, name, color="text.2", selectable=False)
        label.setBuddy(editor)
        self._glyph = QLabel()
        self._words = PlainLabel(theme, note, color="text.3", font="caption", wrap=True)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(editor, 1)
        for widget in beside:
            row.addWidget(widget)
        below = QHBoxLayout()
        below.setSpacing(4)
        below.addWidget(self._glyph)
        below.addWidget(self._words, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        box.addWidget(label)
        box.addLayout(row)
        box.addLayout(below)
        self._show(note, "", "text.3")
        theme.changed.connect(self._tint)

    @property
    def words(self) -> str:
        """What stands below the input."""
        return self._words.text()

    def refuse(self, text: str) -> None:
        """Say what is wrong with what stands in the input."""
        self._mark("error")
        self._show(text, "circle-x", "state.failed")

    def confirm(self, text: str) -> None:
        """Say that it was looked at and is well."""
        self._mark(self._usual)
        self._show(text, "check", "state.done")

    def say(self, text: str = "") -> None:
        """Say something else than the note, which "" gives back; takes an error away."""
        self._mark(self._usual)
        self._show(text or self._note, "", "text.3")

    def _mark(self, name: str) -> None:
        if self.editor.objectName() != name:
            self.editor.setObjectName(name)
            self.editor.style().unpolish(self.editor)
            self.editor.style().polish(self.editor)

    def _show(self, text: str, icon: str, color: str) -> None:
        self._look = (icon, color)
        self._words.setText(text)
        self._words.setVisible(bool(text))
        self._words.set_color(color)
        self._glyph.setVisible(bool(icon))
        self._tint()

    def _tint(self) -> None:
        icon, color = self._look
        if icon:
            ratio = self.devicePixelRatioF()
            self._glyph.setPixmap(self._theme.pixmap(icon, color, _GLYPH, ratio))

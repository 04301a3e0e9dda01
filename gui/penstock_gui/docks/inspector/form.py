"""The form of a routine: its id, its title and its config, with what is wrong under each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from penstock.flow import REQUIRED, FieldSpec, RoutineSpec
from penstock_gui.docks.inspector import fields
from penstock_gui.docks.inspector.parts import glyph_label
from penstock_gui.document import UNSET
from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel, plain_tip


class FieldBox(QWidget):
    """A label above an editor, and below it a note or, in its place, an error."""

    def __init__(self, theme: Theme, name: str, note: str, editor: QWidget) -> None:
        super().__init__()
        self.editor = editor
        self._note = note
        self._error = ""
        editor.setAccessibleName(name)
        editor.setAccessibleDescription(note)
        self.below = PlainLabel(theme, note, color="text.3", font="caption", wrap=True)
        self._glyph = glyph_label(theme, "circle-x", "state.failed")
        self._glyph.hide()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        self.head = QHBoxLayout()
        self.head.setSpacing(4)
        if not isinstance(editor, QCheckBox):
            label = PlainLabel(theme, name, color="text.2", selectable=False)
            label.setBuddy(editor)
            self.head.addWidget(label)
        else:
            self.head.addWidget(editor)
        self.head.addStretch(1)
        box.addLayout(self.head)
        if not isinstance(editor, QCheckBox):
            box.addWidget(editor)
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self._glyph, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.below, 1)
        box.addLayout(line)
        self.below.setVisible(bool(note))

    @property
    def error(self) -> str:
        """What is said to be wrong, "" when nothing."""
        return self._error

    def show_error(self, text: str | None) -> None:
        """Say what is wrong with the field, or that nothing is."""
        text = text or ""
        if text == self._error:
            return
        self._error = text
        self.below.setText(text or self._note)
        self.below.set_color("state.failed" if text else "text.3")
        self.below.setVisible(bool(text or self._note))
        self._glyph.setVisible(bool(text))
        self.editor.setObjectName("error" if text else "")
        style = self.editor.style()
        style.unpolish(self.editor)
        style.polish(self.editor)


class TextBox(FieldBox):
    """A field whose value is typed.

    Signals:
        entered(text): Enter was pressed or the field left, and the text is another.
        taken_back(): Escape brought the stored text back.
    """

    entered = Signal(str)
    taken_back = Signal()

    def __init__(self, theme: Theme, name: str, note: str, text: str, hint: str = "") -> None:
        self.line = QLineEdit()
        super().__init__(theme, name, note, self.line)
        self._shown = text
        self._rejected: str | None = None
        self.line.setFont(theme.font("body"))
        self.line.setMaxLength(fields.MAX_EDITED)
        self.line.setPlaceholderText(hint)
        if len(text) > fields.MAX_EDITED:
            self.line.setReadOnly(True)
        self.line.setText(text)
        self.line.setCursorPosition(0)
        self.line.editingFinished.connect(self.commit)
        self.line.installEventFilter(self)

    def set_read_only(self) -> None:
        """Have the text looked at and copied, not changed."""
        self.line.setReadOnly(True)

    def commit(self) -> None:
        """Hand in what was typed, once."""
        text = self.line.text()
        if not self.line.isReadOnly() and text not in (self._shown, self._rejected):
            self.entered.emit(text)

    @property
    def is_rejected(self) -> bool:
        """Whether the text stands as typed, with the reason why it isn't taken."""
        return self._rejected is not None and self.line.text() == self._rejected

    def reject(self, error: str) -> None:
        """Keep the text as typed, and say what is wrong with it."""
        self._rejected = self.line.text()
        self.show_error(error)

    def show_text(self, text: str) -> None:
        """Show what the document says, unless that is what is shown."""
        if text != self._shown or self._rejected is not None or self.line.text() != text:
            self._shown, self._rejected = text, None
            self.line.setText(text)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Escape gives the former text back."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            changed = self.line.text() != self._shown
            if event.key() == Qt.Key.Key_Escape and changed:
                self._rejected = None
                self.line.setText(self._shown)
                self.show_error(None)
                self.taken_back.emit()
                return True
        return super().eventFilter(watched, event)


class ConfigForm(QWidget):
    """Editors for a routine's config fields, or with `read_only` a look at them.

    Signals:
        changed(field name, value): a new value, or `UNSET` to give the default back.
    """

    changed = Signal(str, object)

    def __init__(self, theme: Theme, spec: RoutineSpec, read_only: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self._spec = spec
        self._read_only = read_only
        self._errors: dict[str, str] = {}
        self.boxes: dict[str, FieldBox] = {}
        self._resets: dict[str, QToolButton] = {}
        self._kinds: dict[str, str] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(12)
        for field in _all_fields(spec):
            self._add(field)
        self.show_spec(spec)

    def commit(self) -> None:
        """Hand in what was typed and not entered yet."""
        for box in self.boxes.values():
            if isinstance(box, TextBox):
                box.commit()

    def fits(self, spec: RoutineSpec) -> bool:
        """Whether this form can show another state of the routine."""
        kinds = {f.name: fields.kind_of(f, fields.value_of(spec, f)) for f in _all_fields(spec)}
        return spec.fields == self._spec.fields and kinds == self._kinds

    def show_spec(self, spec: RoutineSpec) -> None:
        """Show the values of a spec with the same fields."""
        self._spec = spec
        for field in _all_fields(spec):
            value = fields.value_of(spec, field)
            box = self.boxes[field.name]
            editor = box.editor
            with QSignalBlocker(editor):
                if isinstance(box, TextBox):
                    box.show_text(fields.text_of(field, value))
                elif isinstance(editor, QCheckBox):
                    editor.setChecked(bool(value))
                elif isinstance(editor, QComboBox):
                    _show_choice(editor, field, value)
            self._show_error(field.name)
            has_default = field.default is not REQUIRED
            is_given = has_default and field.name in spec.config
            self._resets[field.name].setVisible(is_given and not self._read_only)

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Say what is wrong with the stored values, by field."""
        self._errors = dict(errors)
        for name in self.boxes:
            self._show_error(name)

    def _show_error(self, name: str) -> None:
        """What was typed and can't be read is the nearer trouble."""
        box = self.boxes[name]
        if not (isinstance(box, TextBox) and box.is_rejected):
            box.show_error(self._errors.get(name))

    def _add(self, field: FieldSpec) -> None:
        value = fields.value_of(self._spec, field)
        kind = self._kinds[field.name] = fields.kind_of(field, value)
        note = fields.note(field)
        if kind == "check":
            box = self._check_box(field, note)
        elif kind == "choice":
            box = self._choice_box(field, note)
        else:
            box = self._text_box(field, note, value)
        if self._read_only:
            if isinstance(box, TextBox):
                box.set_read_only()
            else:
                box.editor.setEnabled(False)
        self._resets[field.name] = self._reset_button(field, box)
        self.boxes[field.name] = box
        self._layout.addWidget(box)

    def _check_box(self, field: FieldSpec, note: str) -> FieldBox:
        check = QCheckBox(field.name)
        check.setFont(self._theme.font("body"))
        check.toggled.connect(lambda on, name=field.name: self.changed.emit(name, on))
        return FieldBox(self._theme, field.name, field.doc and note, check)

    def _choice_box(self, field: FieldSpec, note: str) -> FieldBox:
        combo = NoWheelCombo()
        combo.setFont(self._theme.font("body"))
        for choice in field.choices:
            combo.addItem(fields.choice_text(choice), choice)
        combo.activated.connect(
            lambda at, name=field.name, box=combo: self.changed.emit(name, box.itemData(at))
        )
        return FieldBox(self._theme, field.name, field.doc and note, combo)

    def _text_box(self, field: FieldSpec, note: str, value: Any) -> TextBox:
        text = fields.text_of(field, value)
        box = TextBox(self._theme, field.name, note, text, fields.placeholder(field))
        box.entered.connect(lambda typed, f=field, b=box: self._on_entered(f, b, typed))
        box.taken_back.connect(lambda name=field.name: self._show_error(name))
        return box

    def _reset_button(self, field: FieldSpec, box: FieldBox) -> QToolButton:
        button = QToolButton()
        button.setObjectName("flat")
        button.setIcon(self._theme.icon("rotate-ccw", "text.3", 12))
        default = "" if field.default is REQUIRED else fields.text_of(field, field.default)
        button.setToolTip(plain_tip(f"Back to the default {default or 'value'}"[:80]))
        button.setAccessibleName(f"Reset {field.name}")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setStyleSheet("min-height: 12px; max-height: 12px;")  # no taller than the label
        button.clicked.connect(lambda _=False, name=field.name: self.changed.emit(name, UNSET))
        box.head.addWidget(button)
        return button

    def _on_entered(self, field: FieldSpec, box: TextBox, text: str) -> None:
        before = fields.value_of(self._spec, field)
        reading = fields.read(field, text, before)
        if reading.error is not None:
            box.reject(reading.error)
            return
        if _same(reading.value, before):
            self.show_spec(self._spec)
            return
        self.changed.emit(field.name, reading.value)


class NoWheelCombo(QComboBox):
    """A combo box that leaves the wheel to the page it is on."""

    def wheelEvent(self, event: Any) -> None:
        event.ignore()


def _all_fields(spec: RoutineSpec) -> tuple[FieldSpec, ...]:
    """The declared fields, and as JSON what else the file gives the config."""
    declared = {field.name for field in spec.fields}
    others = tuple(
        FieldSpec(name, "json", annotation="not a known field")
        for name in spec.config
        if name not in declared
    )
    return spec.fields + others


def _show_choice(combo: QComboBox, field: FieldSpec, value: Any) -> None:
    """Choose a value; one that is no choice is shown as an item of its own."""
    while combo.count() > len(field.choices):
        combo.removeItem(combo.count() - 1)
    at = next((i for i, choice in enumerate(field.choices) if _same(choice, value)), -1)
    if at < 0 and value is not UNSET:
        combo.addItem(fields.choice_text(value), value)
        at = combo.count() - 1
    combo.setCurrentIndex(at)


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b

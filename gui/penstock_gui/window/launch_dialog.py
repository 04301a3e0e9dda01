"""The launch settings of a flow as a form: where and how its jobs are run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from penstock.errors import InvalidValue
from penstock.host import LaunchSettings
from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel
from penstock_gui.window.form_field import FormField
from penstock_gui.window.interpreter_check import Check, InterpreterCheck
from penstock_gui.window.launch_text import (
    AUTOMATIC,
    BadField,
    arguments_text,
    environment_text,
    settings_of,
)

WIDTH = 520
FLOW, USER = "flow", "user"
_LOOPS = (("thread", "On a thread of its own"), ("pool", "On the workers, between activations"))
_WHEN_GONE = (
    ("end", "The engine ends, its jobs are cancelled"),
    ("resume", "Jobs go on until they are done, held ones too"),
    ("hold", "Jobs go on until they are done, held ones stay held"),
)
_ENVIRONMENT_LINES = 4
_NOT_CHECKED = "Not checked. Checking starts it once."


@dataclass(frozen=True)
class LaunchQuestion:
    """What the form begins with; ``beside`` is the file beside the flow, None without a flow file.

    ``kept`` is `FLOW` or `USER`: where the settings came from, and are kept. ``first_run`` asks
    whether to run with them, and ``running`` says that an engine runs with other ones.
    """

    flow: str
    settings: LaunchSettings
    folder: Path | None
    beside: Path | None
    kept: str = USER
    first_run: bool = False
    running: bool = False


class LaunchDialog(QDialog):
    """Stands over the window; what can't be used is said at its field, and keeps the form open.

    Signals:
        chosen(LaunchSettings, kept): saved, to be kept there
    """

    chosen = Signal(object, str)

    def __init__(
        self, theme: Theme, question: LaunchQuestion, check: Check, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Launch settings")
        self._theme = theme
        self._question = question
        self._check = InterpreterCheck(check, self)
        self._make_inputs(question)
        self._lay_out()
        self._connect()

    # Building.

    def _make_inputs(self, question: LaunchQuestion) -> None:
        given = question.settings
        self.interpreter = QLineEdit(given.interpreter or "")
        self.interpreter.setPlaceholderText(f"The one that runs Penstock: {sys.executable}")
        self.folder = QLineEdit(given.working_folder or "")
        self.folder.setPlaceholderText(
            f"The flow's folder: {question.folder}" if question.folder else "Where Penstock runs"
        )
        self.arguments = QLineEdit(arguments_text(given.arguments))
        self.environment = QPlainTextEdit(environment_text(given.environment))
        self.environment.setObjectName("field")
        self.environment.setTabChangesFocus(True)
        self.environment.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        for text in (self.interpreter, self.folder, self.arguments, self.environment):
            text.setFont(self._theme.font("mono"))
        line = self.environment.fontMetrics().lineSpacing()
        self.environment.setFixedHeight(_ENVIRONMENT_LINES * line + 16)
        self.workers = QSpinBox()
        self.workers.setRange(AUTOMATIC, 10_000)
        self.workers.setSpecialValueText("Automatic")
        self.workers.setValue(given.workers or AUTOMATIC)
        self.workers.setFixedHeight(self._theme.px("size.field"))
        self.workers.lineEdit().setTextMargins(6, 0, 0, 0)  # the sheet's padding isn't heeded
        self.loop = self._combo(_LOOPS, given.loop)
        self.when_gone = self._combo(_WHEN_GONE, given.when_window_goes)
        self.kept = self._combo(self._places(question), question.kept)
        self.check_button = self._button("Check")
        self.check_button.setEnabled(bool(given.interpreter))
        self.choose_interpreter = self._button("Choose…")
        self.choose_folder = self._button("Choose…")

    def _places(self, question: LaunchQuestion) -> tuple[tuple[str, str], ...]:
        mine = (USER, "For me, on this computer")
        if question.beside is None:
            return (mine,)
        return (mine, (FLOW, f"Beside the flow, for everybody: {question.beside.name}"))

    def _combo(self, choices: tuple[tuple[str, str], ...], now: str) -> QComboBox:
        combo = QComboBox()
        for value, words in choices:
            combo.addItem(words, value)
        combo.setCurrentIndex(max(0, combo.findData(now)))
        return combo

    def _button(self, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setFont(self._theme.font("ui.strong"))
        button.setAutoDefault(False)
        return button

    def _lay_out(self) -> None:
        theme, question = self._theme, self._question
        self.fields = {
            "interpreter": FormField(
                theme,
                "Interpreter",
                self.interpreter,
                _NOT_CHECKED if self.interpreter.text() else "",
                (self.choose_interpreter, self.check_button),
            ),
            "working_folder": FormField(
                theme, "Working folder", self.folder, "", (self.choose_folder,)
            ),
            "arguments": FormField(
                theme, "Arguments", self.arguments, "sys.argv[1:]; quote what has spaces in it"
            ),
            "environment": FormField(
                theme,
                "Environment",
                self.environment,
                "NAME=value sets a variable, -NAME takes one away; one a line",
            ),
            "workers": FormField(theme, "Workers", self.workers),
            "loop": FormField(theme, "A job's loop runs", self.loop),
            "when_window_goes": FormField(
                theme,
                "When the window is gone",
                self.when_gone,
                "Closed or killed. Run → Attach… finds what goes on",
            ),
        }
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 16)
        box.setSpacing(12)
        box.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        title = f"Launch settings of {question.flow}"
        head = PlainLabel(theme, title, font="title", wrap=True, selectable=False)
        head.setFixedWidth(WIDTH)
        box.addWidget(head)
        if question.first_run:
            box.addWidget(self._remark("They lie beside the flow and you haven't seen them yet."))
        for name in ("interpreter", "working_folder", "arguments", "environment"):
            box.addWidget(self.fields[name])
        small = QHBoxLayout()
        small.setSpacing(12)
        top = Qt.AlignmentFlag.AlignTop
        small.addWidget(self.fields["workers"], 1, top)
        small.addWidget(self.fields["loop"], 2, top)
        box.addLayout(small)
        box.addWidget(self.fields["when_window_goes"])
        box.addWidget(FormField(theme, "Kept", self.kept))
        if question.running:
            box.addWidget(self._remark("The engine that runs now keeps its settings to its end."))
        box.addLayout(self._buttons())

    def _remark(self, text: str) -> PlainLabel:
        label = PlainLabel(self._theme, text, color="text.2", wrap=True, selectable=False)
        label.setFixedWidth(WIDTH)
        return label

    def _buttons(self) -> QHBoxLayout:
        self.cancel_button = self._button("Cancel")
        self.save_button = self._button("Run" if self._question.first_run else "Save")
        self.save_button.setDefault(True)
        self.cancel_button.clicked.connect(self.reject)
        self.save_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.cancel_button)
        row.addWidget(self.save_button)
        return row

    def _connect(self) -> None:
        self.check_button.clicked.connect(self.check)
        self.interpreter.textChanged.connect(self._on_interpreter_changed)
        self.choose_interpreter.clicked.connect(self._choose_interpreter)
        self.choose_folder.clicked.connect(self._choose_folder)
        self._check.passed.connect(self._on_check_passed)
        self._check.failed.connect(self.fields["interpreter"].refuse)

    # What is done.

    def check(self) -> None:
        """Start the interpreter once and say whether the engine can run there."""
        try:
            typed = LaunchSettings(interpreter=self.interpreter.text().strip())
        except InvalidValue as error:
            self.fields["interpreter"].refuse(str(error))
            return
        path = typed.resolved(self._question.folder).interpreter
        self.fields["interpreter"].say("Checking…")
        self._check.ask(path or "")

    def accept(self) -> None:
        """Take the form, if all of it can be used."""
        for field in self.fields.values():
            if field.editor.objectName() == "error" and field is not self.fields["interpreter"]:
                field.say()
        try:
            settings = settings_of(
                self.interpreter.text(),
                self.folder.text(),
                self.environment.toPlainText(),
                self.arguments.text(),
                self.workers.value(),
                self.loop.currentData(),
                self.when_gone.currentData(),
            )
        except BadField as error:
            self.fields[error.field].refuse(str(error))
            self.fields[error.field].editor.setFocus()
            return
        self.chosen.emit(settings, str(self.kept.currentData()))
        super().accept()

    def done(self, result: int) -> None:
        self._check.forget()
        super().done(result)

    def _on_interpreter_changed(self, text: str) -> None:
        self._check.forget()
        self.check_button.setEnabled(bool(text.strip()))
        self.fields["interpreter"].say(_NOT_CHECKED if text.strip() else "")

    def _on_check_passed(self, version: str) -> None:
        self.fields["interpreter"].confirm(f"Python {version}: the engine can run there")

    def _choose_interpreter(self) -> None:
        self._choose(self.interpreter, QFileDialog.getOpenFileName(self, "Choose a Python")[0])

    def _choose_folder(self) -> None:
        self._choose(self.folder, QFileDialog.getExistingDirectory(self, "Choose a folder"))

    def _choose(self, field: QLineEdit, path: str) -> None:
        if path:
            field.setText(path)

"""Questions the window asks, and how they look. Foreign text in them is plain text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from penstock.host import WhenWindowGoes
from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel

FLOW_FILES = "Flows (*.flow.json *.json);;All files (*)"
SAVE, DISCARD, CANCEL = "save", "discard", "cancel"
END, STAY = "end", "stay"
_ATTACH = "Run\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}Attach…"


class Questions(Protocol):
    """What the window needs a person for."""

    def trust(self, folder: Path) -> bool:
        """Whether code in the folder may be run."""
        ...

    def close_running(self, jobs: int, when_gone: WhenWindowGoes | None) -> str:
        """`END` to cancel jobs that run and close the window, `STAY` to leave them, or `CANCEL`.

        ``when_gone`` is what was set for jobs without their window; None where they can't be left.
        """
        ...

    def unsaved(self, name: str) -> str:
        """`SAVE`, `DISCARD` or `CANCEL`."""
        ...

    def open_path(self, folder: Path) -> Path | None:
        """Which file to open."""
        ...

    def save_path(self, suggestion: Path) -> Path | None:
        """Where to save."""
        ...


class Dialogs:
    """Asks with dialogs over the window."""

    def __init__(self, theme: Theme, window: QWidget) -> None:
        self._theme = theme
        self._window = window

    def trust(self, folder: Path) -> bool:
        text = (
            "Running this flow imports and runs the Python files in its folder, with your rights:"
            " they can read and change your files and use the network. Opening it has run"
            " nothing. You are asked once per folder."
        )
        dialog = self._choice("Trust this folder?", text, str(folder))
        return dialog.ask(("Cancel", "cancel"), ("Trust and run", "trust")) == "trust"

    def close_running(self, jobs: int, when_gone: WhenWindowGoes | None) -> str:
        what = "1 job is" if jobs == 1 else f"{jobs} jobs are"
        choices = [("Keep open", CANCEL), ("Cancel and close", END)]
        text = "Closing the window cancels what runs. Results that haven't been kept are lost."
        if when_gone is not None:
            text = left_text(jobs, when_gone)
            choices.insert(1 if when_gone == "end" else 2, ("Leave running", STAY))
        return self._choice(f"{what} still running", text).ask(*choices) or CANCEL

    def unsaved(self, name: str) -> str:
        dialog = self._choice("Save the changes?", "They are lost when you don't.", name)
        return dialog.ask(("Cancel", CANCEL), ("Discard", DISCARD), ("Save", SAVE)) or CANCEL

    def open_path(self, folder: Path) -> Path | None:
        path, _ = QFileDialog.getOpenFileName(self._window, "Open flow", str(folder), FLOW_FILES)
        return Path(path) if path else None

    def save_path(self, suggestion: Path) -> Path | None:
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Save flow", str(suggestion), FLOW_FILES
        )
        return Path(path) if path else None

    def _choice(self, title: str, text: str, place: str = "") -> ChoiceDialog:
        return ChoiceDialog(self._theme, title, text, place, self._window)


class Silent:
    """Answers without a dialog, for a window that nobody sits before."""

    def trust(self, folder: Path) -> bool:
        return False

    def close_running(self, jobs: int, when_gone: WhenWindowGoes | None) -> str:
        return END

    def unsaved(self, name: str) -> str:
        return DISCARD

    def open_path(self, folder: Path) -> Path | None:
        return None

    def save_path(self, suggestion: Path) -> Path | None:
        return None


def left_text(jobs: int, when_gone: WhenWindowGoes) -> str:
    """What becomes of jobs that are left running, and of those that aren't."""
    one, many = ("it", "goes", "ends", "it"), ("they", "go", "end", "them")
    it, goes, ends, them = one if jobs == 1 else many
    held = "stays held" if when_gone == "hold" else "goes on, too"
    return (
        f"Left running, {it} {goes} on without a window and {ends} when done; {_ATTACH} finds"
        f" {them} until then. What is held {held}. Cancelling loses results that haven't been kept."
    )


class ChoiceDialog(QDialog):
    """A title, a sentence or two, maybe a place in mono, and buttons."""

    def __init__(
        self, theme: Theme, title: str, text: str, place: str, parent: QWidget | None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self._answer: str | None = None
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(24, 20, 24, 16)
        self._box.setSpacing(12)
        self._box.setSizeConstraint(QVBoxLayout.SizeConstraint.SetMinimumSize)
        self._theme = theme
        self._add(PlainLabel(theme, title, font="title", wrap=True, selectable=False))
        if place:
            self._add(PlainLabel(theme, place, font="mono", wrap=True))
        self._add(PlainLabel(theme, text, color="text.2", wrap=True, selectable=False))

    def ask(self, *choices: tuple[str, str]) -> str | None:
        """Show buttons for (words, answer), the last one the default; None when closed."""
        self._add_buttons(choices)
        self.exec()
        return self._answer

    def _add(self, widget: QWidget) -> None:
        widget.setFixedWidth(420)
        self._box.addWidget(widget)

    def _add_buttons(self, choices: Sequence[tuple[str, str]]) -> None:
        row = QHBoxLayout()
        self._box.addLayout(row)
        row.addStretch(1)
        for words, answer in choices:
            button = QPushButton(words, self)
            button.setFont(self._theme.font("ui.strong"))
            button.setAutoDefault(True)
            button.clicked.connect(lambda checked=False, answer=answer: self._take(answer))
            row.addWidget(button)
            if (words, answer) == choices[-1]:
                button.setDefault(True)
                button.setFocus()

    def _take(self, answer: str) -> None:
        self._answer = answer
        self.accept()

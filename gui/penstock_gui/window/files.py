"""New, open, save: the document's file, with the questions that go before."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from penstock.errors import FlowFileError
from penstock_gui.assets import example
from penstock_gui.session import Session
from penstock_gui.settings import Settings
from penstock_gui.window.dialogs import DISCARD, SAVE, Questions

SUFFIX = ".flow.json"


class Files(QObject):
    """File commands. Nothing is lost without a question, and a file that fails changes nothing.

    Signals:
        failed(text): a file couldn't be read or written
        opened(): another flow is under edit
    """

    failed = Signal(str)
    opened = Signal()

    def __init__(
        self,
        session: Session,
        settings: Settings,
        questions: Questions,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._settings = settings
        self._questions = questions

    def new(self) -> None:
        """Begin an empty flow."""
        if self.may_leave():
            self._session.document.new()
            self.opened.emit()

    def open(self) -> None:
        """Ask for a file and open it."""
        if not self.may_leave():
            return
        path = self._questions.open_path(self._session.document.folder)
        if path is not None:
            self.load(path)

    def open_file(self, path: Path) -> None:
        """Open a file, unless unsaved changes are to be kept."""
        if self.may_leave():
            self.load(path)

    def open_example(self, name: str) -> None:
        """Open a shipped example."""
        self.open_file(example(name))

    def load(self, path: Path) -> bool:
        """Open a file without asking; whether it could be read."""
        try:
            self._session.document.load(path)
        except FlowFileError as error:
            self.failed.emit(str(error))
            return False
        self._settings.add_recent(path.resolve())
        self.opened.emit()
        return True

    def save(self) -> bool:
        """Save to the flow's file, or ask for one; whether it is saved."""
        path = self._session.document.path
        return self.save_as() if path is None else self._write(path)

    def save_as(self) -> bool:
        """Ask for a file and save there; whether it is saved."""
        document = self._session.document
        suggestion = document.path or document.folder / f"{document.flow.name}{SUFFIX}"
        path = self._questions.save_path(suggestion)
        if path is None:
            return False
        return self._write(path if path.suffix else path.with_name(path.name + SUFFIX))

    def may_leave(self) -> bool:
        """Whether the flow under edit may go: saved, or its changes given up."""
        if not self._session.has_changes:
            return True
        answer = self._questions.unsaved(self._session.document.flow.name)
        if answer == SAVE:
            return self.save()
        return answer == DISCARD

    def _write(self, path: Path) -> bool:
        document = self._session.document
        try:
            document.save(path)
        except FlowFileError as error:
            self.failed.emit(str(error))
            return False
        self._settings.add_recent(path.resolve())
        return True

"""The launch settings of the flow under edit: where they come from, are kept, and are shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from penstock.errors import PenstockError
from penstock.host import (
    LaunchSettings,
    check_interpreter,
    launch_file,
    load_launch,
    save_launch,
)
from penstock_gui.session import Session
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window.interpreter_check import Check
from penstock_gui.window.launch_dialog import FLOW, USER, LaunchDialog, LaunchQuestion


class Launching(QObject):
    """Gives the session what its next engine is launched with.

    The user's own settings of a flow go before those beside it. Settings that came with a flow are
    shown once before they are used, as they may name any program; until then the session has plain
    ones.

    Signals:
        failed(text): settings couldn't be read or written
    """

    failed = Signal(str)

    def __init__(
        self,
        session: Session,
        theme: Theme,
        settings: Settings,
        window: QWidget,
        check: Check = check_interpreter,
    ) -> None:
        super().__init__(window)
        self._session = session
        self._theme = theme
        self._settings = settings
        self._window = window
        self._check = check
        self._kept = USER
        self._given = LaunchSettings()
        session.document.replaced.connect(self.load)
        session.document.path_changed.connect(self._on_path_changed)

    @property
    def given(self) -> LaunchSettings:
        """The settings as they are kept, with paths as they were typed."""
        return self._given

    @property
    def must_be_seen(self) -> bool:
        """Whether they came with the flow and nobody here has seen them."""
        return self._kept == FLOW and not self._settings.has_seen_launch(_digest(self._given))

    def load(self) -> None:
        """Take the settings of the flow that is under edit now."""
        self._kept, self._given = USER, LaunchSettings()
        path = self._session.document.path
        if path is not None:
            try:
                self._read(path)
            except PenstockError as error:
                self.failed.emit(f"Launch settings aren't used: {error}")
        self._use()

    def use_unseen(self) -> None:
        """Hand them to the session though nobody has seen them: the flow's code was trusted."""
        self._hand_over(self._given)

    def open(self, then: Callable[[], object] | None = None) -> LaunchDialog:
        """Show the form; ``then`` is done once it is accepted, and says so on its button."""
        document = self._session.document
        question = LaunchQuestion(
            document.flow.name,
            self._given,
            document.folder if document.path is not None else None,
            None if document.path is None else launch_file(document.path),
            self._kept,
            first_run=then is not None,
            running=self._session.engine.up is not None,
        )
        dialog = LaunchDialog(self._theme, question, self._check, self._window)
        dialog.chosen.connect(self.keep)
        if then is not None:
            dialog.accepted.connect(then)
        dialog.open()
        return dialog

    def keep(self, given: LaunchSettings, kept: str) -> None:
        """Use these settings from the next engine on, and keep them beside the flow or for me."""
        path = self._session.document.path
        changed = given != self._given or kept != self._kept
        self._given, self._kept = given, kept
        self._settings.add_seen_launch(_digest(given))
        self._use()
        if path is None or not changed:
            return
        try:
            if kept == FLOW:
                save_launch(given, launch_file(path))
                self._settings.set_launch(path, "")
            else:
                self._settings.set_launch(path, json.dumps(given.to_json()))
        except PenstockError as error:
            self.failed.emit(str(error))

    def _read(self, path: Path) -> None:
        own, beside = self._settings.launch(path), launch_file(path)
        if own:
            self._given = LaunchSettings.from_json(json.loads(own), "your launch settings")
        elif beside.exists():
            self._given, self._kept = load_launch(beside), FLOW

    def _use(self) -> None:
        self._hand_over(LaunchSettings() if self.must_be_seen else self._given)

    def _hand_over(self, settings: LaunchSettings) -> None:
        document = self._session.document
        folder = document.folder if document.path is not None else None
        self._session.use_launch(settings.resolved(folder))

    def _on_path_changed(self) -> None:
        """Saved elsewhere: relative paths begin there, the settings come along."""
        self._use()


def _digest(settings: LaunchSettings) -> str:
    text = json.dumps(settings.to_json(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

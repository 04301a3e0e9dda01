"""A window with all it needs to run jobs or watch those of a program, from begin to end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QObject

from penstock.host import EngineClient, HostProcess, LaunchSettings, Link, WhenWindowGoes
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session import Placement, Session
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window import MainWindow
from penstock_gui.window.attach_dialog import Attaching
from penstock_gui.window.dialogs import Questions


class Desk:
    """Client, bridge, document, session and window. `end` once, on the GUI's thread."""

    def __init__(
        self,
        theme: Theme,
        settings: Settings,
        link: Link | None,
        placement: Placement,
        trusted: Callable[[Path], bool],
        questions: Questions | None = None,
        attaching: Attaching | None = None,
    ) -> None:
        self._link = link
        self.client = EngineClient(link=link)
        self.document = FlowDocument()
        self.bridge = EngineBridge(self.client)
        self.session = Session(self.document, self.client, self.bridge, placement)
        self.session.launch_changed.connect(self._use_launch)
        self.session.trusted = trusted
        self.window = MainWindow(self.session, theme, settings, questions, attaching)
        self.window.jobs_left.connect(self.choose)
        self._left = False

    @property
    def is_left(self) -> bool:
        """Whether nobody sits here any more."""
        return self._left

    def choose(self, when_gone: WhenWindowGoes) -> None:
        """Say what becomes of live jobs when this is left, instead of what was set."""
        if isinstance(self._link, HostProcess):
            self._link.choose(when_gone)

    def leave(self, limit: float) -> None:
        """Let the engine go, within `limit` seconds, and show nothing any more; idempotent."""
        if self._left:
            return
        self._left = True
        self.window.vitals.stop()
        self.window.hide()
        self.client.close(limit)
        self.bridge.stop()

    def end(self, limit: float) -> None:
        """Leave, and take everything apart: engine, then what listens to it, then widgets."""
        self.leave(limit)
        self.window.deleteLater()
        for one in (self.session, self.bridge, self.document):
            one.deleteLater()
        delete_now()

    def _use_launch(self, settings: LaunchSettings) -> None:
        if isinstance(self._link, HostProcess):
            self._link.settings = settings


def delete_now() -> None:
    """Deliver the deletions while everything they may need is still there."""
    no_one: QObject | None = None
    QCoreApplication.sendPostedEvents(no_one, QEvent.Type.DeferredDelete.value)

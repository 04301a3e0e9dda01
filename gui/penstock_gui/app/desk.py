"""A window with all it needs to run jobs or watch those of a program, from begin to end."""

from __future__ import annotations

import threading
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
    """Client, bridge, document, session and window. `end` once, on the GUI's thread.

    The engine is let go on a thread of its own, so that other windows don't stand still meanwhile.
    That thread has nothing but the client, and this is to be kept until it is over: whatever drops
    the last of a client drops Qt objects with it, which only the GUI's thread may.
    """

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
        self._closing: threading.Thread | None = None

    @property
    def is_left(self) -> bool:
        """Whether nobody sits here any more."""
        return self._closing is not None

    @property
    def is_over(self) -> bool:
        """Whether its engine has been let go."""
        return self._closing is not None and not self._closing.is_alive()

    def choose(self, when_gone: WhenWindowGoes) -> None:
        """Say what becomes of live jobs when this is left, instead of what was set."""
        if isinstance(self._link, HostProcess):
            self._link.choose(when_gone)

    def leave(self, limit: float) -> None:
        """Show nothing any more, and let the engine go; returns at once, idempotent.

        That takes `limit` seconds at most: see `is_over`.
        """
        if self._closing is not None:
            return
        self.window.vitals.stop()
        self.window.hide()
        self.bridge.stop()
        self._closing = threading.Thread(
            target=self.client.close, args=(limit,), name="penstock-leave"
        )
        self._closing.start()

    def wait(self, limit: float) -> None:
        """Until the engine has been let go, or so many seconds."""
        if self._closing is not None:
            self._closing.join(limit)

    def end(self, limit: float) -> None:
        """Leave, wait for that, and take apart what listens to the engine, then widgets."""
        self.leave(limit)
        self.wait(limit)
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

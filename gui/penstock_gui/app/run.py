"""Builds application, engine, session and window, runs them, and ends them in order."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from PySide6.QtCore import QCoreApplication, QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication

from penstock.errors import FlowFileError
from penstock.host import Attached, HostProcess, Link, Listening, listening
from penstock_gui.app.collector import Collector
from penstock_gui.app.crash_log import CrashLog, state_folder
from penstock_gui.app.desk import Desk
from penstock_gui.app.display import choose_platform
from penstock_gui.app.guards import guard_references, share_the_interpreter
from penstock_gui.app.options import Options
from penstock_gui.app.programs import find_program
from penstock_gui.app.qt_messages import QtMessages
from penstock_gui.assets import resource
from penstock_gui.session import Placement
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window import ErrorReporter, FaultLog, Silent, install_hooks
from penstock_gui.window.attach_dialog import Attaching, Leaving, Listens

BAD_INPUT = 2
CLOSE_LIMIT = 3.0
LOOK_MS = 200
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(options: Options) -> int:
    """Open the window and stay until it is closed; returns the exit code.

    Raises BadOption for a program to attach to that isn't there.
    """
    program = None if options.attach is None else find_program(options.attach)
    reason = choose_platform(options.screenshot is not None, os.environ)
    if reason is not None:
        print(f"penstock open: {reason}", file=sys.stderr)
        return BAD_INPUT
    faults = FaultLog()
    messages = QtMessages(faults)
    messages.install()
    app = _make_application()
    messages.started()
    guard_references()
    share_the_interpreter()
    crash_log = CrashLog(state_folder())
    crash_log.open()
    unhook = install_hooks(faults)
    try:
        code = Program(app, options, faults, program).run()
    finally:
        unhook()
        messages.uninstall()
    crash_log.close()
    _leave(code)
    return code


def _make_application() -> QApplication:
    QCoreApplication.setOrganizationName("Penstock")
    QCoreApplication.setApplicationName("penstock")
    app = QApplication(sys.argv[:1])
    app.setApplicationDisplayName("Penstock")
    app.setDesktopFileName("penstock")
    return app


def _leave(code: int) -> None:
    """End the process at once if a thread would keep it: such a one hangs the exit for ever."""
    ours = {threading.main_thread(), threading.current_thread()}
    stuck = [t for t in threading.enumerate() if t not in ours and not t.daemon]
    if not stuck:
        return
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


class Program:
    """One run of the window, from its parts to their end."""

    def __init__(
        self,
        app: QApplication,
        options: Options,
        faults: FaultLog,
        program: Listening | None = None,
    ) -> None:
        self._app = app
        self._options = options
        self._code = 0
        store = QSettings(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, "Penstock", "penstock"
        )
        self._settings = Settings(store, read_only=options.silent)
        self._theme = Theme(options.theme or self._settings.theme)
        self._theme.apply(app)
        self._collector = Collector(self._is_idle)
        self._attaching = Attaching(listening, self._attach)
        link, placement = _way_to_engine(options, program)
        self._desk = Desk(
            self._theme,
            self._settings,
            link,
            placement,
            self._is_trusted,
            Silent() if options.silent else None,
            self._attaching,
        )
        self._others: list[Desk] = []
        self._left: list[Desk] = []  # closed, and their engines not known to be let go
        self._window, self._session = self._desk.window, self._desk.session
        self._look = QTimer(self._window, interval=LOOK_MS)
        self._look.timeout.connect(self._end_left)
        self._reporter = ErrorReporter(
            faults, self._theme, None if options.silent else self._window
        )
        self._runs_trusted = False

    def run(self) -> int:
        """Show the window until it is closed, or until the time given is over."""
        if not self._open_flow():
            self._end()
            return BAD_INPUT
        self._window.closed.connect(self._on_closed)
        restore = self._catch_signals()
        self._app.applicationStateChanged.connect(self._on_state)
        self._window.show()
        self._schedule()
        self._app.exec()
        self._end()
        restore()
        return self._code

    def _open_flow(self) -> bool:
        """Open what was asked for; a bad file is told in the window, or ends a silent run."""
        flow = self._options.flow
        if flow is None:
            return True
        if not self._options.silent:
            self._window.files.load(flow)
            return True
        try:
            self._desk.document.load(flow)
        except FlowFileError as error:
            print(f"penstock open: {error}", file=sys.stderr)
            return False
        return True

    def _schedule(self) -> None:
        QTimer.singleShot(0, self._window, self._collector.freeze)
        if self._options.run:
            QTimer.singleShot(0, self._window, self._start_trusted)
        after = self._options.quit_after
        if after is not None:
            self._session.notice.connect(lambda text: print(text, file=sys.stderr))
            self._quit_after(after)

    def _quit_after(self, seconds: float) -> None:
        """Time counts from now on; in a window on a program from its answer, or its absence."""
        timer = QTimer(self._window, singleShot=True, interval=round(seconds * 1000))
        timer.timeout.connect(self._finish)
        if self._session.engine.placement != "attached":
            timer.start()
            return
        for known in (self._desk.bridge.host_up, self._desk.bridge.host_gone):
            known.connect(lambda _: None if timer.isActive() else timer.start())

    def _start_trusted(self) -> None:
        """Typing ``--run`` is the trust for this run, and for this one only."""
        self._runs_trusted = True
        self._window.launching.use_unseen()
        self._session.run()
        self._runs_trusted = False

    def _is_trusted(self, folder: Path) -> bool:
        shipped = resource("examples").resolve()
        within = folder == shipped or shipped in folder.parents
        return self._runs_trusted or within or self._settings.is_trusted(folder)

    def _attach(self, listener: Listens, leaving: Leaving) -> None:
        """Open a window on a program; it is told there when the program isn't reached."""
        if not isinstance(listener, Listening):
            raise TypeError(f"{listener!r} wasn't listed here")
        link = Attached(listener, leaving)
        desk = Desk(
            self._theme,
            self._settings,
            link,
            "attached",
            self._is_trusted,
            attaching=self._attaching,
        )
        self._others.append(desk)
        desk.window.closed.connect(self._on_closed_later)
        desk.window.show()

    def _on_closed(self) -> None:
        """The first window's engine ends with it; windows on programs stay, and are the program."""
        self._end_closed()  # one may have been closed just before
        if self._others:
            self._desk.leave(CLOSE_LIMIT)
        else:
            self._leave()

    def _on_closed_later(self) -> None:
        """A window on a program was closed: it goes once Qt is done with its closing."""
        QTimer.singleShot(0, self._window, self._end_closed)

    def _end_closed(self) -> None:
        closed = [desk for desk in self._others if not desk.window.isVisible()]
        self._others = [desk for desk in self._others if desk not in closed]
        for desk in closed:
            desk.leave(CLOSE_LIMIT)
        self._left += closed
        self._look.start()
        if self._desk.is_left and not self._others:
            self._leave()

    def _end_left(self) -> None:
        """Take apart what was closed, once that takes no waiting: other windows are there."""
        over = [desk for desk in self._left if desk.is_over]
        self._left = [desk for desk in self._left if desk not in over]
        for desk in over:
            desk.end(CLOSE_LIMIT)
        if not self._left:
            self._look.stop()

    def _on_state(self, state: Qt.ApplicationState) -> None:
        """Whoever comes back from another window may have edited source files there."""
        if state == Qt.ApplicationState.ApplicationActive:
            for desk in (self._desk, *self._others):
                desk.session.client.check_sources()

    def _is_idle(self) -> bool:
        return not self._session.live_jobs

    def _finish(self) -> None:
        """The time given is over: take the picture, if one is asked for, and quit."""
        path = self._options.screenshot
        if path is not None and not self._window.grab().save(str(path)):
            print(f"penstock open: {path}: the picture can't be written", file=sys.stderr)
            self._code = 1
        self._leave()

    def _leave(self) -> None:
        """End the event loop. `quit` would close the window first, which asks questions."""
        self._app.exit(0)

    def _catch_signals(self) -> Callable[[], None]:
        """Ctrl-C and a request to end close the window without questions.

        Python runs a handler only between its own instructions, so a timer lets it.
        """
        before = {number: signal.getsignal(number) for number in SIGNALS}

        def on_signal(number: int, frame: FrameType | None) -> None:
            self._code = 128 + number
            QTimer.singleShot(0, self._leave)

        for number in SIGNALS:
            signal.signal(number, on_signal)
        heart = QTimer(self._window, interval=200)
        heart.timeout.connect(lambda: None)
        heart.start()

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return restore

    def _end(self) -> None:
        """Engine first, then what listens to it, then widgets, then what is left of both."""
        self._reporter.stop()
        self._look.stop()
        if self._options.silent:
            self._desk.choose("end")
        desks = (*self._left, *self._others, self._desk)
        for desk in desks:
            desk.leave(CLOSE_LIMIT)
        for desk in desks:
            desk.wait(CLOSE_LIMIT)
        self._settings.sync()
        self._reporter.deleteLater()
        for desk in desks:
            desk.end(CLOSE_LIMIT)
        self._collector.stop()
        gc.collect()


def _way_to_engine(options: Options, program: Listening | None) -> tuple[Link | None, Placement]:
    """Where the first window's jobs run."""
    if program is not None:
        return Attached(program, options.when_left), "attached"
    return (None, "window") if options.in_process else (HostProcess(), "own")

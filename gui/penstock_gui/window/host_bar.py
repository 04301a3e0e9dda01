"""Lines above the canvas about the engine's process: gone, stuck, out of date, or watched."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QWidget

from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import plain_tip
from penstock_gui.widgets.wording import one_line
from penstock_gui.window.banner import Banner
from penstock_gui.window.status_text import gone_text, sources_text

_MOST_IN_TIP = 20


class OfferBar(Banner):
    """A banner with buttons; it takes no keyboard by itself."""

    def __init__(
        self,
        theme: Theme,
        token: str,
        name: str,
        parent: QWidget | None = None,
        *,
        icon: str = "triangle-alert",
    ) -> None:
        super().__init__(theme, token, parent, icon=icon)
        self.setAccessibleName(name)
        self._row.setContentsMargins(12, 6, 12, 6)

    def _offer(self, words: str, done: Callable[[], object], tip: str = "") -> QPushButton:
        button = QPushButton(words)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setToolTip(tip)
        button.clicked.connect(lambda: done())
        self._row.addWidget(button)
        return button


class GoneBar(OfferBar):
    """Says how the engine ended and what was running, until it is closed or another has started.

    An end that was wanted and took no job along needs no words.

    Signals:
        output_wanted(): the last it wrote is to be shown
        settings_wanted(): what it was launched with is to be looked at
    """

    output_wanted = Signal()
    settings_wanted = Signal()

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "state.failed", "Engine ended", parent, icon="power")
        self._session = session
        self.output_button = self._offer(
            "Show output", self.output_wanted.emit, "The last that the engine's process wrote"
        )
        self.settings_button = self._offer(
            "Launch settings…", self.settings_wanted.emit, "What the engine is launched with"
        )
        self.restart_button = self._offer("Restart with the same input", session.restart_lost)
        self.close_button = self._offer("Close", self.hide)
        session.engine.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Show the end of the engine, or nothing while there is one."""
        engine, lost = self._session.engine, self._session.lost_jobs
        gone = engine.gone
        if gone is None or (gone.asked and not lost and not gone.running):
            self.hide()
            return
        self._text.setText(gone_text(engine, gone, len(lost)))
        self.restart_button.setVisible(bool(lost))
        self.output_button.setVisible(bool(gone.pid))
        self.settings_button.setVisible(engine.placement == "own" and not lost and not gone.running)
        jobs = f"job{'s' if len(lost) > 1 else ''} {', '.join(lost)}"
        self.restart_button.setToolTip(f"Start {jobs} once more, in a new process")
        self.show()


class StuckBar(OfferBar):
    """Stands while a job was told to stop and hasn't, with the way out if there is one."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "queue.high", "Engine doesn't stop", parent)
        self._session = session
        self.kill_button = self._offer("Kill engine", session.kill)
        self.close_button = self._offer("Wait", self.hide, "Leave the engine the time it takes")
        session.stopping.changed.connect(self.refresh)
        session.engine.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Show the job that should have ended, or nothing."""
        overdue, engine = self._session.stopping.overdue, self._session.engine
        if not overdue:
            self.hide()
            return
        which = f"Job {overdue[0]}" if len(overdue) == 1 else f"{len(overdue)} jobs"
        text = f"{which} should have stopped and {'has' if len(overdue) == 1 else 'have'}n't."
        why_not = engine.why_not_kill
        if why_not:
            text += f" It can't be killed: {why_not}."
        elif engine.up is not None:
            self.kill_button.setToolTip(
                f"End process {engine.up.pid} at once, with every job in it; what was seen of them"
                " stays"
            )
        self._text.setText(text)
        self.kill_button.setVisible(not why_not)
        self.show()


class WatchBar(OfferBar):
    """Stands while this window only watches the program it is attached to.

    Signals:
        detach_wanted()
    """

    detach_wanted = Signal()

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "accent", "View only", parent, icon="eye")
        self._session = session
        self.take_over_button = self._offer(
            "Take over",
            session.client.take_control,
            "Steer from here; if another window does so now, it will watch only",
        )
        self.detach_button = self._offer(
            "Detach", self.detach_wanted.emit, "Leave the program alone: it goes on"
        )
        session.engine.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Say why nothing can be steered, or nothing."""
        engine = self._session.engine
        if engine.up is None or engine.in_control:
            self.hide()
            return
        name = one_line(engine.name, 60)
        why = "this window doesn't steer it" if engine.may_take_over else "it allows no more"
        self._text.setText(f"You watch {name}: {why}.")
        self.take_over_button.setVisible(engine.may_take_over)
        self.detach_button.setVisible(engine.placement == "attached")
        self.show()


class SourcesBar(OfferBar):
    """Stands while what runs is another version than the source files, until it is closed."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "state.waiting", "Changed source files", parent, icon="info")
        self._session = session
        self._closed: tuple[str, ...] = ()
        self.close_button = self._offer("Close", self._on_closed)
        bridge = session.bridge
        for signal in (session.engine.changed, bridge.job_started, bridge.job_ended):
            signal.connect(self.refresh)

    def refresh(self) -> None:
        """Say which version runs, or nothing."""
        session = self._session
        paths = session.engine.changed_sources
        text = sources_text(session.engine, session.live_jobs, str(session.document.folder))
        self._text.setText(text)
        self._text.setToolTip(plain_tip("\n".join(paths[:_MOST_IN_TIP])))
        self.setVisible(bool(text) and paths != self._closed)

    def _on_closed(self) -> None:
        self._closed = self._session.engine.changed_sources
        self.hide()

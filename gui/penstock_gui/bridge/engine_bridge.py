"""The engine's events on their way to Qt: drained on a timer, folded, told as few signals."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from penstock.host import (
    Answer,
    CommandRefused,
    ControlChanged,
    FlowPicture,
    HostGone,
    HostUp,
    Printed,
    RoutineValues,
    SourcesChanged,
    StartRefused,
    ThreadTable,
    Told,
    ValuePage,
)
from penstock.observe import (
    ActivationFailed,
    EngineEvent,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    JobView,
    Stalled,
    StepIgnored,
)
from penstock_gui.bridge.alarm import Alarm
from penstock_gui.bridge.pace import Pace, PacedTimer

BUDGET = 0.004
_RATE_WINDOW = 1.0
_LOGGED = (JobStarted, JobEnded, JobHeld, JobResumed, Stalled, StepIgnored, ActivationFailed)


class Drained(Protocol):
    """The part of an engine client the bridge reads."""

    @property
    def lost(self) -> int:
        """Display events dropped because nobody drained in time."""
        ...

    def ask(self) -> None:
        """Ask moving jobs for their counters; returns at once."""
        ...

    def when_urgent(self, call: Callable[[], object]) -> None:
        """Call that, on any thread, when there is something to drain that shouldn't wait."""
        ...

    def drain(self, ask: bool = True) -> tuple[Told | Answer, ...]:
        """What was told since the last call, in order per job; returns at once."""
        ...

    def make_way(self, seconds: float) -> None:
        """Begin no activation for so long, so that the window gets the interpreter; 0: go on."""
        ...


class EngineBridge(QObject):
    """Asks the client for news once per tick and folds it into one `JobView` per job.

    Ticks go by the pace of the window's refreshes. Urgent news of another process brings one at
    once, and the next one `urgent_ms` after it at the soonest.

    The engine never sees this object. All ticks are on the GUI thread: of a paced timer, of an
    alarm that the thread rings which reads urgent news, and of a short timer that keeps urgent
    ticks apart. A tick works at most `BUDGET` seconds; what is left waits for the next tick, and
    meanwhile the client isn't drained, so that its own bound (and its count of lost events) holds.

    Signals:
        job_started(job id), job_resumed(job id), job_ended(job id)
        job_held(job id): the view's ``held`` says where and why
        job_stalled(job id): the view's ``stalled`` says what is full
        job_changed(job id, frozenset of routine ids): at most once per job and tick
        failed(job id, FailureSummary)
        refused(StartRefused | CommandRefused)
        host_up(HostUp), host_gone(HostGone): the process the jobs run in
        control_changed(bool): whether this window steers it
        sources_changed(SourcesChanged): what it has imported is another now, or is so no longer
        printed(Printed): text that the code of a flow wrote to stdout or stderr
        threads_told(ThreadTable), values_told(RoutineValues), page_told(ValuePage),
            flow_told(FlowPicture): the client's answers have come
        told(event): every state event and failure, in order, for a log
        ticked(): after a tick that brought news; answers are none
    """

    job_started = Signal(str)
    job_changed = Signal(str, object)
    job_held = Signal(str)
    job_stalled = Signal(str)
    job_resumed = Signal(str)
    job_ended = Signal(str)
    failed = Signal(str, object)
    refused = Signal(object)
    host_up = Signal(object)
    host_gone = Signal(object)
    control_changed = Signal(bool)
    sources_changed = Signal(object)
    printed = Signal(object)
    threads_told = Signal(object)
    values_told = Signal(object)
    page_told = Signal(object)
    flow_told = Signal(object)
    told = Signal(object)
    ticked = Signal()

    def __init__(
        self,
        client: Drained,
        interval_ms: int = 16,
        *,
        urgent_ms: int = 5,
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.views: dict[str, JobView] = {}
        self._client = client
        self._clock = clock
        self._pending: deque[Told | Answer] = deque()
        self._changed: dict[str, set[str]] = {}
        self._totals: dict[str, int] = {}
        self._counts: deque[tuple[float, int]] = deque()
        self.pace = Pace(client.make_way, parent=self)
        self.pace.between.connect(client.ask)
        self._timer = PacedTimer(self.pace, interval_ms, paints=False, parent=self)
        self._timer.timeout.connect(self.tick)
        self._timer.start()
        self._is_urgent = False
        self._urgent = QTimer(self, interval=urgent_ms, singleShot=True)
        self._urgent.setTimerType(Qt.TimerType.PreciseTimer)
        self._urgent.timeout.connect(self._tick_if_urgent)
        self._alarm = Alarm(self)
        self._alarm.rung.connect(self._on_urgent)
        client.when_urgent(self._alarm.ring)

    @property
    def lost(self) -> int:
        """Display events that never reached the window."""
        return self._client.lost

    @property
    def waiting(self) -> int:
        """Events drained but not folded yet."""
        return len(self._pending)

    @property
    def events_per_second(self) -> float:
        """Activations and messages of all jobs during the last second."""
        self._forget_old_counts()
        return sum(count for _, count in self._counts) / _RATE_WINDOW

    def stop(self) -> None:
        """Drain no more. Call before the client is closed and the window goes."""
        self._timer.stop()
        self._urgent.stop()
        self._alarm.close()
        self.pace.stop()

    def tick(self) -> None:
        """Fold what has come, within the budget, and tell it."""
        if not self._pending:
            self._is_urgent = False
            self._pending.extend(self._client.drain(ask=not self.pace.is_slow))
        if not self._pending:
            return
        self.pace.begin()
        end = self._clock() + BUDGET
        news = False
        while self._pending:
            told = self._pending.popleft()
            news |= not isinstance(told, Answer)
            self._take(told)
            if self._clock() >= end:
                break
        self._tell_changes()
        if news:
            self.ticked.emit()

    def _on_urgent(self) -> None:
        self._is_urgent = True
        if not self._urgent.isActive():
            self._tick_if_urgent()

    def _tick_if_urgent(self) -> None:
        if self._is_urgent:
            self.tick()
            self._is_urgent |= bool(self._pending)
            self._urgent.start()

    def _take(self, told: Told | Answer) -> None:
        if isinstance(told, StartRefused | CommandRefused):
            self.refused.emit(told)
            return
        if not isinstance(told, EngineEvent):
            self._take_other(told)
            return
        view = self.views.get(told.job_id)
        if view is None:
            view = self.views[told.job_id] = JobView(told.job_id)
        was = view.status, view.stalled
        changed = view.apply(told)
        if changed or (view.status, view.stalled) != was:
            self._changed.setdefault(told.job_id, set()).update(changed)
        if isinstance(told, JobProgress):
            self._count(told)
        elif isinstance(told, _LOGGED):
            self._tell(told)

    def _take_other(self, news: Told | Answer) -> None:
        match news:
            case HostUp():
                self.host_up.emit(news)
            case HostGone():
                self.host_gone.emit(news)
            case ControlChanged():
                self.control_changed.emit(news.in_control)
            case SourcesChanged():
                self.sources_changed.emit(news)
            case Printed():
                self.printed.emit(news)
            case ThreadTable():
                self.threads_told.emit(news)
            case RoutineValues():
                self.values_told.emit(news)
            case ValuePage():
                self.page_told.emit(news)
            case FlowPicture():
                self.flow_told.emit(news)
            case _:
                pass

    def _tell(self, event: EngineEvent) -> None:
        match event:
            case JobStarted():
                self.pace.expect_slow()
                self.job_started.emit(event.job_id)
            case JobHeld():
                self.job_held.emit(event.job_id)
            case JobResumed():
                self.pace.expect_slow()
                self.job_resumed.emit(event.job_id)
            case Stalled():
                self.job_stalled.emit(event.job_id)
            case JobEnded():
                self.job_ended.emit(event.job_id)
            case ActivationFailed():
                self.failed.emit(event.job_id, event.failure)
            case _:
                pass
        self.told.emit(event)

    def _tell_changes(self) -> None:
        changes, self._changed = self._changed, {}
        for job_id, routines in changes.items():
            self.job_changed.emit(job_id, frozenset(routines))

    def _count(self, progress: JobProgress) -> None:
        total = sum(
            routine.activations + sum(slot.posted for slot in routine.slots.values())
            for routine in progress.routines.values()
        )
        more = total - self._totals.get(progress.job_id, 0)
        self._totals[progress.job_id] = total
        if more > 0:
            self._counts.append((self._clock(), more))
        self._forget_old_counts()

    def _forget_old_counts(self) -> None:
        oldest = self._clock() - _RATE_WINDOW
        while self._counts and self._counts[0][0] < oldest:
            self._counts.popleft()

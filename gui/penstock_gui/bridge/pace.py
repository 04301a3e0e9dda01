"""How often the window refreshes what a run shows, by what a refresh costs.

Routines that compute share one interpreter with the window. With eight of them the window gets
a ninth of it or less (a thread in a C call gives nothing at all until it returns), and a window
that asks for more than its share freezes: each refresh then takes a second. So each refresh is
timed by the clock on the wall, and the next one waits until it was a small part of the time; while
refreshes are slow the engine is also asked to begin no activation during one. Whatever a panel does
again and again belongs into a refresh: it uses a `PacedTimer`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from shiboken6 import isValid

BEAT_MS = 16
SHARE = 4.0  # a refresh is at most one part in so many of the time
SLOWEST_MS = 500
SLOW_SECONDS = 0.04  # from here on the routines are asked to make way
MAKE_WAY_SECONDS = 0.25
EXPECT_SECONDS = 2.0
_FORGET = 0.5
_REMEMBER_SECONDS = 10.0


class Pace(QObject):
    """The display's beat: one Qt timer for all `PacedTimer`s, and the measure of refreshes.

    `make_way` asks the engine to begin nothing for so many seconds (0: go on).
    A refresh lasts from `begin` until everything it caused is painted, which is two turns of the
    event loop later: one for timers it started, one for painting.

    Signals:
        between(): half-way to the next refresh while refreshes are slow: the time to ask how the
            run is doing, as during a refresh the routines stand back
    """

    between = Signal()

    def __init__(
        self,
        make_way: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._make_way = make_way
        self._clock = clock
        self._began: float | None = None
        self._asking = False
        self._cost = 0.0
        self._slow_until = 0.0
        self._running: list[PacedTimer] = []
        self._beat = QTimer(self, interval=BEAT_MS)
        self._beat.setTimerType(Qt.TimerType.PreciseTimer)
        self._beat.timeout.connect(self.beat)
        self._first = QTimer(self, singleShot=True, interval=0)
        self._second = QTimer(self, singleShot=True, interval=0)
        self._first.timeout.connect(self._second.start)
        self._second.timeout.connect(self.end)
        self._middle = QTimer(self, singleShot=True)
        self._middle.timeout.connect(self.between)

    @property
    def interval_ms(self) -> int:
        """How long after a beat the next one comes."""
        return round(min(SLOWEST_MS, max(BEAT_MS, SHARE * 1000 * self._cost)))

    @property
    def is_slow(self) -> bool:
        """Whether routines leave the window little time; nothing should move for its own sake."""
        return self._clock() < self._slow_until

    @property
    def now(self) -> float:
        """The clock its timers go by, in seconds."""
        return self._clock()

    def beat(self) -> None:
        """Fire the timers that are due; called every `interval_ms` while there are any."""
        now = self._clock()
        # A timer goes with the widget it belongs to, and says nothing then.
        self._running = [timer for timer in self._running if isValid(timer)]
        due = [timer for timer in self._running if timer.due <= now]
        asking = [timer for timer in due if timer.asks]
        self._asking = bool(asking)
        for timer in asking:
            if isValid(timer):
                timer.fire()
        self._asking = False
        if any(timer.paints or timer.asks for timer in due):
            self.begin()
        for timer in due:
            if isValid(timer) and timer not in asking:
                timer.fire()
        if self._beat.interval() != self.interval_ms:
            self._beat.setInterval(self.interval_ms)

    def start(self, timer: PacedTimer) -> None:
        """Watch a timer; called by it."""
        if timer not in self._running:
            self._running.append(timer)
        if not self._beat.isActive():
            self._beat.start()

    def forget(self, timer: PacedTimer) -> None:
        """Watch a timer no more; called by it."""
        if timer in self._running:
            self._running.remove(timer)
        if not self._running:
            self._beat.stop()

    def begin(self) -> None:
        """A refresh begins; ignored during one, and while its timers still ask."""
        if self._began is not None or self._asking:
            return
        self._began = self._clock()
        if self.is_slow:
            self._make_way(MAKE_WAY_SECONDS)
        self._first.start()

    def expect_slow(self) -> None:
        """Routines begin to run: be careful until refreshes have shown what they cost."""
        self._slow_until = max(self._slow_until, self._clock() + EXPECT_SECONDS)
        if self._began is not None:
            self._make_way(MAKE_WAY_SECONDS)

    def end(self) -> None:
        """All that the refresh caused is painted."""
        if self._began is None:
            return
        took, self._began = self._clock() - self._began, None
        self._cost = max(took, _FORGET * self._cost)
        if took >= SLOW_SECONDS:
            # With the routines out of the way refreshes are quick again: that is no reason to
            # let them back in between, so it isn't forgotten at once.
            self._slow_until = self._clock() + _REMEMBER_SECONDS
        self._make_way(0.0)
        if self.is_slow:
            self._middle.start(self.interval_ms // 2)

    def stop(self) -> None:
        """Beat no more, and let the engine go on."""
        self._beat.stop()
        self._first.stop()
        self._second.stop()
        self.end()
        self._middle.stop()


class PacedTimer(QObject):
    """A timer that fires in the beats of a `Pace`: never sooner than asked, maybe later.

    Whoever doesn't paint each time it fires says so, and calls `Pace.begin` when it does. Whoever
    asks what the threads do fires first: they are seen at work, not making way.

    Signals:
        timeout()
    """

    timeout = Signal()

    def __init__(
        self,
        pace: Pace,
        ms: int,
        *,
        single_shot: bool = False,
        paints: bool = True,
        asks: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.paints = paints and not asks
        self.asks = asks
        self.due = 0.0
        self._pace = pace
        self._ms = ms
        self._single_shot = single_shot
        self._active = False

    def start(self, ms: int | None = None) -> None:
        """Begin (anew) to count, from now on with that interval if one is given."""
        self._ms = self._ms if ms is None else ms
        self.due = self._pace.now + self._ms / 1000
        self._active = True
        self._pace.start(self)

    def stop(self) -> None:
        """Fire no more."""
        self._active = False
        self._pace.forget(self)

    def is_active(self) -> bool:
        """Whether it will fire."""
        return self._active

    def fire(self) -> None:
        """Called by the pace when it is due."""
        if not self._active:
            return
        if self._single_shot:
            self.stop()
        else:
            self.due = self._pace.now + self._ms / 1000
        self.timeout.emit()

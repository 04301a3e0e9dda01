"""Garbage collection on the GUI thread only.

Automatic collection runs on whichever thread allocates; in a worker it would destroy widgets
there, and the process crashes. So it is switched off before the engine starts a thread, and a
timer collects here. What a collection costs is measured: with a million live syntax trees a
young one takes 30 ms, so the next waits until it is a small part of the time.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 200
FULL_EVERY = 60.0
FULL_WHEN_IDLE = 10.0
PART = 0.02  # of the time, at most, goes into collecting
_log = logging.getLogger(__name__)


class Collector(QObject):
    """Collects young garbage when enough has come, all of it once a minute or when idle."""

    def __init__(
        self,
        idle: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._idle = idle
        self._clock = clock
        self._last_full = clock()
        self._not_before = 0.0
        self._told = False
        gc.disable()
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self.tick)
        self._timer.start()

    def tick(self) -> int | None:
        """Collect what is due; returns the generation collected, or None."""
        self._keep_off()
        generation = self._due()
        if generation is not None:
            start = self._clock()
            gc.collect(generation)
            end = self._clock()
            self._not_before = end + (end - start) / PART
        return generation

    def freeze(self) -> None:
        """Collect once, and never look again at what was built at start."""
        gc.collect()
        gc.freeze()

    def stop(self) -> None:
        """Leave collection as Python has it. Only after the engine's threads have ended."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()

    def _keep_off(self) -> None:
        """A routine may have switched it on."""
        if gc.isenabled():
            gc.disable()
            if not self._told:
                self._told = True
                _log.info("something switched garbage collection on; it is off again")

    def _due(self) -> int | None:
        if self._clock() < self._not_before:
            return None
        since = self._clock() - self._last_full
        if since >= FULL_EVERY or (since >= FULL_WHEN_IDLE and self._idle()):
            self._last_full = self._clock()
            return 2
        counts, limits = gc.get_count(), gc.get_threshold()
        if counts[1] > limits[1]:
            return 1
        return 0 if counts[0] > limits[0] else None

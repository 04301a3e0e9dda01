"""A lock in whose calls a test makes something happen, so that a moment needn't be waited for."""

from __future__ import annotations

from _thread import LockType
from collections.abc import Callable


class ActingLock:
    """Stands in the place of `inner`; each act happens once."""

    def __init__(self, inner: LockType) -> None:
        self.inner = inner
        self.at_release: Callable[[], object] | None = None
        self.at_time_out: Callable[[], object] | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As a lock does; with `at_time_out` and a time limit: act, then the time is over."""
        if timeout >= 0 and (act := self.at_time_out) is not None:
            self.at_time_out = None
            act()
            return False
        return self.inner.acquire(blocking, timeout)

    def release(self) -> None:
        """Do what `at_release` says, and then release it."""
        act, self.at_release = self.at_release, None
        if act is not None:
            act()
        self.inner.release()

    def locked(self) -> bool:
        """As a lock does."""
        return self.inner.locked()

"""How long a thread that computes keeps the interpreter to itself."""

from __future__ import annotations

import sys
from time import monotonic

USUAL_SECONDS = 0.002
SHORT_SECONDS = 0.0005
HURRY_SECONDS = 0.05


class Turns:
    """Threads of this process take turns more often while state is to be told, or steered.

    Short turns let what mustn't wait past the bodies that compute, and cost these time: so they
    are short only for `HURRY_SECONDS` after each call of `hurry`. A host of our own does this; a
    user's program keeps the turns it has.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._is_short = False
        sys.setswitchinterval(USUAL_SECONDS)

    @property
    def ends(self) -> float | None:
        """When (`monotonic`) the hurry is over and `relax` is due; None outside of one."""
        return self._until if self._is_short else None

    def hurry(self) -> bool:
        """Take short turns for a while; True when they were long. On any thread, at once."""
        self._until = monotonic() + HURRY_SECONDS
        if self._is_short:
            return False
        self._is_short = True
        sys.setswitchinterval(SHORT_SECONDS)
        return True

    def relax(self) -> None:
        """Take long turns again if the hurry is over; on one thread, when `ends` has come."""
        if monotonic() < self._until:
            return
        sys.setswitchinterval(USUAL_SECONDS)
        self._is_short = False  # last: who hurries before sees short turns, and is seen below
        if monotonic() < self._until:
            self.hurry()

"""`Bell`: what wakes a server."""

from __future__ import annotations

from queue import SimpleQueue

from penstock.host.serving.turns import Turns

RUNG, RUNG_SOFTLY, HURRIED = object(), object(), object()


class Bell:
    """What engine and output ring when there is something to fetch.

    On any thread, also in the middle of a ring: in a signal handler or a ``__del__``. With `turns`
    threads of this process take them more often while there is hurry.
    """

    def __init__(self, turns: Turns | None = None) -> None:
        self.turns = turns
        self.mail: SimpleQueue[object] = SimpleQueue()
        self.has_rung = False
        self.has_news = False

    def ring(self) -> None:
        """State was told: fetch it at once."""
        # Whoever answers first takes the mark away and then fetches, so no news is left behind.
        if not self.has_rung:
            self.has_rung = True
            self.mail.put(RUNG)

    def hurry(self) -> None:
        """State is being told, or steered."""
        if self.turns is not None and self.turns.hurry():
            self.mail.put(HURRIED)

    def ring_softly(self) -> None:
        """There is something to show; it can wait for the display's next tick."""
        if not self.has_news:
            self.has_news = True
            self.mail.put(RUNG_SOFTLY)

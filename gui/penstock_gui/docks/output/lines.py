"""Printed text as lines: pieces are put together, controls made visible, everything bounded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.host import HostGone, Printed
from penstock_gui.widgets.wording import visible

LINE_LIMIT = 2_000
MOST_AT_THE_END = 300
# A colour or a movement on a terminal: says nothing here. The last form is one cut at the end.
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*$)")
_Key = tuple[str, str, str]


@dataclass(slots=True, eq=False)
class OutputLine:
    """A line and where it came from; while it is ``open`` its end hasn't come.

    Whoever drops it closes it: what comes later begins another line. ``kind`` is ``stdout`` or
    ``stderr``; ``lost`` for a line that says what was left out before the next one; ``gone`` for
    one that says how the jobs' process ended, ``engine`` for what that one wrote last.
    """

    job_id: str
    routine: str
    kind: str
    raw: str = ""
    cut: int = 0
    open: bool = False
    _text: str | None = None

    @property
    def text(self) -> str:
        """The line as it is shown."""
        if self._text is None:
            shown = visible(_TERMINAL.sub("", _overwritten(self.raw.rstrip("\r"))))
            self._text = f"{shown}… {self.cut:,} more characters" if self.cut else shown
        return self._text

    @property
    def source(self) -> str:
        """Who printed it: ``#7 parse``, ``job 7``, or ``engine``."""
        if self.routine:
            return f"#{self.job_id} {self.routine}" if self.job_id else self.routine
        return f"job {self.job_id}" if self.job_id else "engine"

    def extend(self, piece: str) -> None:
        """Add what came next; what is over `LINE_LIMIT` is counted only."""
        self._text = None
        whole = self.raw + piece
        self.raw = _overwritten(whole)
        if len(self.raw) < len(whole):
            self.cut = 0
        over = len(self.raw) - LINE_LIMIT
        if over > 0:
            self.raw, self.cut = self.raw[:LINE_LIMIT], self.cut + over

    def matches(self, words: tuple[str, ...]) -> bool:
        """Whether each of the lower-case words occurs in the line."""
        if not words:
            return True
        text = f"{self.source} {self.text}".lower()
        return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a piece of text came to.

    ``fresh`` are new lines, oldest first. ``extended`` says whether one that was given before has
    become longer, ``dropped`` how many lines before the fresh ones there is no room for.
    """

    fresh: list[OutputLine]
    extended: bool = False
    dropped: int = 0


class LineMaker:
    """Puts printed pieces together; each job, routine and stream has its own unfinished line.

    Of one piece at most `limit` lines are made: a burst may hold many times of what can be kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[_Key, OutputLine] = {}

    def take(self, printed: Printed) -> Taken:
        """Put the next piece to what came before it."""
        key = (printed.job_id, printed.routine, printed.stream)
        line = self._open.pop(key, None)
        if line is not None and printed.lost:
            line.open = False  # its end is among what was left out
        if line is not None and not line.open:
            line = None
        *whole, rest = printed.text.split("\n")
        extended = line is not None
        if line is not None and whole:
            line.extend(whole.pop(0))
            line.open = False
            line = None
        fresh: list[OutputLine] = []
        count = bool(printed.lost) + len(whole) + (line is None and bool(rest))
        dropped = max(0, count - self._limit)
        if printed.lost and not dropped:
            text = f"… {printed.lost:,} characters left out"
            fresh.append(OutputLine(printed.job_id, printed.routine, "lost", text))
        fresh += (_line(key, text) for text in whole[max(0, dropped - bool(printed.lost)) :])
        if line is None and rest:
            line = OutputLine(*key)
            fresh.append(line)
        if line is not None:
            line.extend(rest)
            line.open = True
            self._open[key] = line
        return Taken(fresh, extended, dropped)

    def forget(self) -> None:
        """Whatever comes next begins a line."""
        for line in self._open.values():
            line.open = False
        self._open.clear()


def last_words(gone: HostGone, lost: bool) -> list[OutputLine]:
    """The end of an engine's process, and what it wrote to its terminal before.

    An end that was wanted, and took no job along, is a line by the way.
    """
    if gone.asked and not lost:
        return [_line(("", "", "engine"), f"The engine's process {gone.pid}: {gone.text}")]
    written = gone.output.splitlines()
    shown = [_line(("", "", "engine"), text) for text in written[-MOST_AT_THE_END:]]
    head = f"The engine's process {gone.pid} has ended: {gone.text}"
    return [_line(("", "", "gone"), f"{head}. The last it wrote:" if shown else head), *shown]


def _overwritten(raw: str) -> str:
    """What a terminal shows once a carriage return has begun the line anew; one at the end waits.

    Progress bars print themselves many times that way.
    """
    end = len(raw.rstrip("\r"))
    begin = raw.rfind("\r", 0, end) + 1
    return raw[begin:] if begin else raw


def _line(key: _Key, text: str) -> OutputLine:
    """A whole one; most need nothing done to them, and they may be many."""
    if len(text) <= LINE_LIMIT and "\r" not in text:
        return OutputLine(*key, text)
    line = OutputLine(*key)
    line.extend(text)
    return line

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


class LineMaker:
    """Puts printed pieces together; each job, routine and stream has its own unfinished line."""

    def __init__(self) -> None:
        self._open: dict[_Key, OutputLine] = {}

    def take(self, printed: Printed) -> tuple[list[OutputLine], bool]:
        """The new lines, and whether one that was given before has become longer."""
        key = (printed.job_id, printed.routine, printed.stream)
        fresh: list[OutputLine] = []
        if printed.lost:
            self._open.pop(key, None)  # its end is among what was left out
            text = f"… {printed.lost:,} characters left out"
            fresh.append(OutputLine(printed.job_id, printed.routine, "lost", text))
        pieces = printed.text.split("\n")
        extended = False
        for number, piece in enumerate(pieces):
            ends = number < len(pieces) - 1
            line = self._open.pop(key, None)
            if line is None or not line.open:
                if not (piece or ends):
                    continue
                line = OutputLine(*key)
                fresh.append(line)
            else:
                extended = True
            line.extend(piece)
            line.open = not ends
            if line.open:
                self._open[key] = line
        return fresh, extended

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
        return [_of_engine("engine", f"The engine's process {gone.pid}: {gone.text}")]
    written = gone.output.splitlines()
    shown = [_of_engine("engine", text) for text in written[-MOST_AT_THE_END:]]
    head = f"The engine's process {gone.pid} has ended: {gone.text}"
    return [_of_engine("gone", f"{head}. The last it wrote:" if shown else head), *shown]


def _overwritten(raw: str) -> str:
    """What a terminal shows once a carriage return has begun the line anew; one at the end waits.

    Progress bars print themselves many times that way.
    """
    end = len(raw.rstrip("\r"))
    begin = raw.rfind("\r", 0, end) + 1
    return raw[begin:] if begin else raw


def _of_engine(kind: str, text: str) -> OutputLine:
    line = OutputLine("", "", kind)
    line.extend(text)
    return line

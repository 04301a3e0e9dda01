"""What code of flows prints: told apart by job and routine, and passed on to where it went before.

While a capture is installed, ``sys.stdout`` and ``sys.stderr`` are streams that ask of each write
which activation runs on the thread or in the coroutine it comes from. What C code writes to the
descriptors, and bytes written to ``sys.stdout.buffer``, go where they went, belonging to nobody.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import cache
from itertools import count
from threading import get_ident
from typing import TYPE_CHECKING, Any, Literal, TextIO

from penstock.host.crossing.protocol import Printed
from penstock.run import acting_token

if TYPE_CHECKING:
    from penstock.run.slices import Token

KEPT_CHARACTERS = 65_536
"""Of one routine's text, between two hand-outs; the newest is kept."""
KEPT_IN_ALL = 4_000_000
MAX_SOURCES = 1_000
MAX_LINE = 4_096
MAX_PARTS = 256
"""A line goes on as if it had ended when so much was written of it, or by so many writes."""
LOGGED = 32_768

StreamName = Literal["stdout", "stderr"]
_Key = tuple[str, str, StreamName]


class OutputCapture:
    """Collects what is printed in this process until `take`, in bounded memory.

    Nothing is captured before `install`. A line is handed out when it has ended, or has stood
    unended for one hand-out; so lines of bodies that print at the same time stay whole. All text is
    written on at once, each line flushed, to be there if the process dies the next moment; that
    raises what the replaced stream raises, and waits while that waits.

    `tell` is called, on the thread that writes or takes, when there is something to take again; it
    must return at once and not print. In a process that was forked from this one nothing is
    collected.

    Methods may be called on any thread. A write only appends to logs and so takes no lock, but when
    a log is long: it goes into the sources then. `_lock` guards those. It is re-entrant, as a
    signal handler or a ``__del__`` may print in the middle; never held while calling out.
    """

    def __init__(self, tell: Callable[[], None] | None = None) -> None:
        self._tell = tell
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._sources: dict[_Key, _Source] = {}
        self._size = 0
        self.told = False
        self._streams: tuple[CapturedStream, ...] = ()

    def install(self) -> None:
        """Replace ``sys.stdout`` and ``sys.stderr``; does nothing when it has."""
        if self._streams:
            return
        self._streams = (
            CapturedStream(self, "stdout", sys.stdout),
            CapturedStream(self, "stderr", sys.stderr),
        )
        _captures.add(self)
        _look_after_forks()
        for stream in self._streams:
            setattr(sys, stream.source, stream)

    def restore(self) -> None:
        """Put back what was there, unless somebody has put something else there meanwhile.

        Whoever kept a captured stream writes to the real one from now on. What was collected can
        still be taken.
        """
        streams, self._streams = self._streams, ()
        for stream in streams:
            if getattr(sys, stream.source) is stream:
                setattr(sys, stream.source, stream.real)
            stream.collects = False
            with self._lock:
                self._collect_lines(stream, all_of_them=True)

    def take(self) -> tuple[Printed, ...]:
        """What was printed since the last call, one for each job, routine and stream.

        What UTF-8 has no form for (half a surrogate pair) is written as an escape.
        """
        with self._lock:
            self.told = False  # before looking: whoever writes from now on tells
            for stream in self._streams:
                self._collect_lines(stream)
            sources, self._sources, self._size = self._sources, {}, 0
        if any(stream.stood for stream in self._streams):
            self.tell()
        return tuple(
            Printed(next(self._numbers), job, routine, stream, source.text(), source.lost)
            for (job, routine, stream), source in sources.items()
        )

    def tell(self) -> None:
        """For the streams: there is something to take, and that wasn't told yet."""
        self.told = True
        if self._tell is not None:
            self._tell()

    def collect(self, stream: CapturedStream) -> None:
        """For the streams: a log is long. What one activation wrote in a row goes in at once."""
        with self._lock:
            stream.logged = 0
            log = stream.log
            writer: Token | None = None
            texts: list[str] = []
            while log:
                try:
                    token, text = log.popleft()
                except IndexError:  # a write in the middle of this one has taken it
                    break
                if token is not writer and texts:
                    self._add(_key(writer, stream.source), "".join(texts))
                    texts.clear()
                writer = token
                texts.append(text)
            if texts:
                self._add(_key(writer, stream.source), "".join(texts))

    def _collect_lines(self, stream: CapturedStream, *, all_of_them: bool = False) -> None:
        """Under the lock: what is logged, and lines that stood unended when last looked at.

        A line that is still the same object hasn't ended since the log was emptied; its writer has
        to get it back before it can end it, so whoever takes it out has all of it so far.
        """
        self.collect(stream)
        stood, stream.stood = stream.stood, {}
        for writer, line in list(stream.lines.items()):
            if not all_of_them and stood.get(writer) is not line:
                stream.stood[writer] = line
            elif (taken := stream.lines.pop(writer, None)) is not None:
                token = None if isinstance(writer, int) else writer
                self._add(_key(token, stream.source), "".join(taken))

    def _add(self, key: _Key, text: str) -> None:
        """Under the lock: keep the text of a source, of which the oldest may have to go."""
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = _Source()
            if len(self._sources) > MAX_SOURCES:
                self._drop_oldest_source()
        source.texts.append(text)
        source.size += len(text)
        self._size += len(text)
        if source.size > KEPT_CHARACTERS or self._size > KEPT_IN_ALL:
            excess = max(source.size - KEPT_CHARACTERS, self._size - KEPT_IN_ALL)
            self._size -= source.shrink(excess)

    def _drop_oldest_source(self) -> None:
        """What it had counts as lost by nobody in particular."""
        oldest = next(key for key in self._sources if key[0])
        dropped = self._sources.pop(oldest)
        self._size -= dropped.size
        nobody = self._sources.setdefault(("", "", oldest[2]), _Source())
        nobody.lost += dropped.size + dropped.lost

    def forget(self) -> None:
        """In a forked child: nobody takes there, and a thread it hasn't got may hold the lock."""
        self._lock = threading.RLock()
        self._sources, self._size = {}, 0
        for stream in self._streams:
            stream.collects = False
            stream.log.clear()
            stream.lines.clear()


class CapturedStream(io.TextIOBase):
    """What ``sys.stdout`` or ``sys.stderr`` is meanwhile; all but writing is the real stream's.

    It can't be closed: it is everybody's. `log` has what ended lines, with the activation; `lines`
    the parts of lines that have no end yet, by activation or thread. Each operation on them is one
    step of the interpreter.
    """

    def __init__(self, capture: OutputCapture, source: StreamName, real: TextIO | None) -> None:
        self.source: StreamName = source
        self.real = real
        self.collects = True
        self.log: deque[tuple[Token | None, str]] = deque()
        self.logged = 0
        self.lines: dict[Token | int, list[str]] = {}
        self.stood: dict[Token | int, list[str]] = {}
        self._capture = capture

    def write(self, text: str, /) -> int:
        """Collect it and write it on."""
        if type(text) is not str:
            text = _exact(text)
        end = text.rfind("\n") + 1
        if self.collects and text:
            token = acting_token()
            writer = get_ident() if token is None else token
            lines = self.lines
            line = lines.pop(writer, None)
            if line is None:
                line = [text]
            else:
                line.append(text)
            if end and end == len(text):
                self._log(token, "".join(line))
            elif end:
                self._begin_line(token, writer, line, end)
            elif len(line) < MAX_PARTS and len(text) < MAX_LINE and len(lines) < MAX_SOURCES:
                lines[writer] = line
            else:
                self._log(token, "".join(line))
            if not self._capture.told:
                self._capture.tell()
        real = self.real
        if real is not None:
            real.write(text)
            if end:
                real.flush()
        return len(text)

    def _begin_line(
        self, token: Token | None, writer: Token | int, line: list[str], end: int
    ) -> None:
        """Log a line, the last part of which ends it at `end`; what is behind begins another."""
        line[-1], rest = line[-1][:end], line[-1][end:]
        if len(rest) < MAX_LINE and len(self.lines) < MAX_SOURCES:
            self.lines[writer] = [rest]
        else:
            line.append(rest)
        self._log(token, "".join(line))

    def _log(self, token: Token | None, text: str) -> None:
        self.log.append((token, text))
        self.logged += len(text)
        if self.logged > LOGGED:
            self._capture.collect(self)

    def flush(self) -> None:
        """The real stream's."""
        if self.real is not None:
            self.real.flush()

    # ---- as the real stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The real stream's."""
        return "utf-8" if self.real is None else self.real.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """The real stream's."""
        return "strict" if self.real is None else self.real.errors

    @property
    def newlines(self) -> Any:  # type: ignore[override]
        """The real stream's."""
        return None if self.real is None else self.real.newlines

    @property
    def buffer(self) -> Any:
        """The real stream's."""
        return self._real().buffer

    @property
    def name(self) -> Any:
        """The real stream's."""
        return self._real().name

    @property
    def line_buffering(self) -> Any:
        """The real stream's."""
        return self._real().line_buffering

    def reconfigure(self, **settings: Any) -> None:
        """The real stream."""
        self._real().reconfigure(**settings)  # type: ignore[attr-defined]

    def fileno(self) -> int:
        """The real stream's."""
        return self._real().fileno()

    def isatty(self) -> bool:
        """Whether the real stream is a terminal."""
        return self.real is not None and self.real.isatty()

    def writable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Nothing."""

    def _real(self) -> TextIO:
        if self.real is None:
            raise io.UnsupportedOperation(f"this process has no {self.source}")
        return self.real


class _Source:
    """The text of one routine (or of nobody) on one stream, since the last hand-out."""

    __slots__ = ("lost", "size", "texts")

    def __init__(self) -> None:
        self.texts: deque[str] = deque()
        self.size = self.lost = 0

    def shrink(self, excess: int) -> int:
        """Lose so many of the oldest characters, if there are; how many they were."""
        gone = 0
        while gone < excess and self.texts:
            oldest = self.texts.popleft()
            if len(oldest) > excess - gone:
                self.texts.appendleft(oldest[excess - gone :])
                gone = excess
            else:
                gone += len(oldest)
        self.size -= gone
        self.lost += gone
        return gone

    def text(self) -> str:
        """As text that can be sent anywhere."""
        text = "".join(self.texts)
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


_captures: weakref.WeakSet[OutputCapture] = weakref.WeakSet()


@cache
def _look_after_forks() -> None:
    """Once, as it can't be undone."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)


def _forked() -> None:
    for capture in tuple(_captures):
        capture.forget()


def _key(token: Token | None, source: StreamName) -> _Key:
    return ("", "", source) if token is None else (token.job_id, token.routine, source)


def _exact(text: object) -> str:
    """A plain string: no method of a class of the user's is called under a lock."""
    if not isinstance(text, str):
        raise TypeError(f"write() argument must be str, not {type(text).__name__}")
    return str.__str__(text)

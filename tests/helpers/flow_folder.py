"""A folder with routine sources and a flow file, for tests that open a flow from disk."""

from __future__ import annotations

import json
from pathlib import Path

SOURCE = '''\
"""Routines that count words."""

from typing import Literal

from pydantic import BaseModel, Field

from penstock import Event, Routine, Slot


class Lines(Routine):
    """Gives the lines of a text, one by one.

    A source: it has no slots.
    """

    line = Event(str)

    class Config(BaseModel):
        text: str = "a b a"
        times: int = Field(default=1, ge=1, le=9)

    def logic(self):
        for _ in range(self.config.times):
            for line in self.config.text.splitlines():
                self.line.emit(line)
                yield


class Split(Routine):
    """Splits a line of text into words."""

    line = Slot(str, capacity=16)
    word = Event(str)

    class Config(BaseModel):
        lower: bool = True
        case: Literal["keep", "fold", "upper"] = "keep"
        ratio: float = 0.5
        only: str | None = None
        stop_words: list[str] = []

    def logic(self, line: str) -> None:
        for word in line.split():
            self.word.emit(word.lower() if self.config.lower else word)


class Count(Routine):
    """Counts words."""

    word = Slot(str)
    total = Event(dict)

    class State:
        def __init__(self) -> None:
            self.counts = {}

    def logic(self, word: str) -> None:
        self.state.counts[word] = self.state.counts.get(word, 0) + 1

    def finish(self) -> None:
        self.total.emit(self.state.counts)


class Double(Routine):
    """Doubles a number."""

    number = Slot(int)
    doubled = Event(int)

    def logic(self, number: int) -> None:
        self.doubled.emit(2 * number)
'''

FLOW = {
    "version": 1,
    "name": "words",
    "folders": ["."],
    "routines": {
        "lines": {"type": "words:Lines", "config": {"text": "a b a"}, "position": [0, 0]},
        "split": {"type": "words:Split", "config": {"lower": True}, "position": [240, 0]},
        "count": {"type": "words:Count", "config": {}, "position": [480, 0]},
    },
    "connections": ["lines.line -> split.line", "split.word -> count.word"],
}


def write_words(folder: Path, flow: dict[str, object] | None = None, module: str = "words") -> Path:
    """Write ``words.py`` and ``words.flow.json``; returns the flow file.

    A test that runs the flow gives the module a name of its own: one process can't load two
    modules of one name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(SOURCE, encoding="utf-8")
    path = folder / "words.flow.json"
    text = json.dumps(flow or FLOW).replace('"words:', f'"{module}:')
    path.write_text(text, encoding="utf-8")
    return path

"""A small flow file and the module of its routines, as text and data."""

from __future__ import annotations

from typing import Any

WORDS = '''
"""Two routines."""
from pydantic import BaseModel
from penstock import Event, Routine, Slot


class Split(Routine):
    """Splits a line."""

    line = Slot(str)
    word = Event(str)

    class Config(BaseModel):
        lower: bool = True
        limit: int = 10

    def logic(self, line):
        for word in line.split():
            self.word.emit(word)


class Count(Routine):
    word = Slot(str, capacity=5)
    total = Event(dict)

    def logic(self, word):
        pass
'''

FLOW: dict[str, Any] = {
    "version": 1,
    "name": "words",
    "folders": ["."],
    "routines": {
        "split": {"type": "flow_words:Split", "config": {"lower": False}, "position": [10, 20.5]},
        "count": {"type": "flow_words:Count", "title": "Zähle"},
    },
    "connections": ["split.word -> count.word"],
}

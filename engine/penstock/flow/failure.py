"""A failure of a routine: what travels over its ``failed`` event and stands in ``JobState``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """One activation that raised.

    ``slots`` are the values it was working on by slot name, ``type`` and ``text`` the exception's
    class name and message, ``traceback`` its printed form. ``type`` is RoutineTimeout where the
    routine's ``timeout`` ran out. ``attempt`` counts tries of the same messages from 1.
    """

    routine: str
    slots: Mapping[str, Any]
    type: str
    text: str
    traceback: str = ""
    attempt: int = 1

    def __str__(self) -> str:
        return f"{self.routine}: {self.type}: {self.text}"

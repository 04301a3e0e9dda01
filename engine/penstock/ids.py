"""Names of things: jobs, routines and ports, parsed and printed in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

JobId = NewType("JobId", str)
RoutineId = NewType("RoutineId", str)

ID_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def is_valid_id(text: str) -> bool:
    """Whether `text` may name a routine in a flow."""
    return ID_PATTERN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class PortRef:
    """A slot or an event of one routine, written ``routine.port``."""

    routine: str
    port: str

    @classmethod
    def parse(cls, text: str) -> PortRef:
        """Read ``routine.port``; raises ValueError when it isn't written that way."""
        routine, dot, port = text.partition(".")
        if not dot or not is_valid_id(routine) or not port.isidentifier():
            raise ValueError(f"{text!r} is no port: expected 'routine.port'")
        return cls(routine, port)

    def __str__(self) -> str:
        return f"{self.routine}.{self.port}"

"""Activation rules: frozen values saying which queued messages make one activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Match = str | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class AllSlots:
    """Activate when every slot has a message, taking the oldest of each.

    With ``match`` (a field or key name, or a function of the value) take the oldest set of messages
    whose keys are equal; what finds no partner waits.
    """

    match: Match | None = None

    def __post_init__(self) -> None:
        if self.match is not None and not isinstance(self.match, str) and not callable(self.match):
            raise ValueError(
                f"match: expected a field or key name or a function, got {self.match!r}"
            )


def key_function(match: Match) -> Callable[[Any], Any]:
    """The function that finds a value's key; it raises whatever looking at the value raises."""
    if not isinstance(match, str):
        return match
    name = match

    def key_of(value: Any) -> Any:
        if isinstance(value, Mapping):
            return value[name]
        return getattr(value, name)

    return key_of

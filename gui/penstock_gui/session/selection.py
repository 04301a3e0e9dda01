"""What is selected on the canvas."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.flow import Connection


@dataclass(frozen=True)
class Selection:
    """What is chosen on the canvas: routines, or else one connection, or nothing."""

    routines: frozenset[str] = frozenset()
    connection: Connection | None = None

    @property
    def routine(self) -> str | None:
        """The routine, when exactly one is selected."""
        return next(iter(self.routines)) if len(self.routines) == 1 else None


NOTHING = Selection()

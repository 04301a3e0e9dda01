"""The breakpoints by the routine they stand before; they follow what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from penstock.host import BreakpointSpec


class Breakpoints:
    """Each method that changes the list returns whether it did."""

    def __init__(self) -> None:
        self._by_routine: dict[str, BreakpointSpec] = {}
        self._gone: dict[str, BreakpointSpec] = {}
        self._last = 0

    @property
    def by_routine(self) -> Mapping[str, BreakpointSpec]:
        """A live view."""
        return MappingProxyType(self._by_routine)

    def specs(self) -> tuple[BreakpointSpec, ...]:
        """The whole list, as the engine takes it."""
        return tuple(self._by_routine.values())

    def toggle(self, routine_id: str) -> bool:
        """Set one before a routine, or take it away."""
        if self._by_routine.pop(routine_id, None) is None:
            self._last += 1
            self._by_routine[routine_id] = BreakpointSpec(self._last, routine_id)
        return True

    def remove(self, routine_id: str) -> bool:
        """The routine goes; should it come back, so does its breakpoint."""
        spec = self._by_routine.pop(routine_id, None)
        if spec is not None:
            self._gone[routine_id] = spec
        return spec is not None

    def bring_back(self, routine_id: str) -> bool:
        """A routine of that id is there, perhaps again."""
        spec = self._gone.pop(routine_id, None)
        if spec is not None:
            self._by_routine[routine_id] = spec
        return spec is not None

    def rename(self, old: str, new: str) -> bool:
        """The routine is called otherwise."""
        spec = self._by_routine.pop(old, None)
        if spec is not None:
            self._by_routine[new] = replace(spec, place=new)
        return spec is not None

    def clear(self) -> None:
        """Forget all of them, also those of routines that are gone."""
        self._by_routine.clear()
        self._gone.clear()

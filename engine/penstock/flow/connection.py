"""A connection: what is emitted on an event of one routine goes to a slot of another."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import UnknownPort
from penstock.ids import PortRef

_ARROW = "->"


@dataclass(frozen=True, slots=True, order=True)
class Connection:
    """From an event to a slot, written ``a.event -> b.slot``."""

    source: PortRef
    target: PortRef

    @classmethod
    def parse(cls, text: str) -> Connection:
        """Read ``a.event -> b.slot``; raises UnknownPort when it isn't written that way."""
        source, arrow, target = text.partition(_ARROW)
        if not arrow:
            raise UnknownPort(f"{text!r} is no connection: expected 'a.event -> b.slot'")
        return cls(port_ref(source.strip()), port_ref(target.strip()))

    def touches(self, routine: str) -> bool:
        """Whether it begins or ends at that routine."""
        return routine in (self.source.routine, self.target.routine)

    def __str__(self) -> str:
        return f"{self.source} {_ARROW} {self.target}"


def port_ref(port: str | PortRef) -> PortRef:
    """Read ``routine.port``; raises UnknownPort when it isn't written that way."""
    if isinstance(port, PortRef):
        return port
    try:
        return PortRef.parse(port)
    except ValueError as error:
        raise UnknownPort(str(error)) from None

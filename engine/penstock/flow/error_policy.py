"""What happens when a body raises: frozen values without counters, chosen by ``on_error``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """The job fails; its queues are kept for inspection."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The failure is recorded, its messages go to the dead letters, the job goes on."""


ErrorPolicy = Stop | Continue

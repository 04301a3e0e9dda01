"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Placement = Literal["pool", "thread"]
PLACEMENTS: tuple[Placement, ...] = ("pool", "thread")


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of the runs; `rounds` is how often each kind of run is measured."""

    quick: bool
    rounds: int
    chain_messages: int
    fan_rounds: int
    blocking_rounds: int
    jobs: int
    idle_jobs: int
    waits: int
    quiet_jobs: int
    quiet_seconds: float
    ready_bodies: int
    pauses: int
    growth_messages: int
    placements: tuple[Placement, ...] = PLACEMENTS

    @property
    def cost_rounds(self) -> int:
        """Of comparisons of two short runs of ours, whose difference is small."""
        return 2 * self.rounds + 1

    @property
    def few_rounds(self) -> int:
        """Of figures that are for information."""
        return min(self.rounds, 3)


FULL = Scale(
    quick=False,
    rounds=7,
    chain_messages=5_000,
    fan_rounds=200,
    blocking_rounds=10,
    jobs=1_000,
    idle_jobs=1_000,
    waits=1_000,
    quiet_jobs=100,
    quiet_seconds=10.0,
    ready_bodies=2_000,
    pauses=20,
    growth_messages=2_000_000,
)

QUICK = Scale(
    quick=True,
    rounds=2,
    chain_messages=500,
    fan_rounds=20,
    blocking_rounds=2,
    jobs=100,
    idle_jobs=100,
    waits=50,
    quiet_jobs=10,
    quiet_seconds=0.5,
    ready_bodies=200,
    pauses=4,
    growth_messages=60_000,
)

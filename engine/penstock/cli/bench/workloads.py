"""The flows that are measured: routines that do next to nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from pydantic import BaseModel

from penstock.flow import Event, Flow, Routine, Slot

DEPTH = 10
FAN = 100
BLOCKS_FOR = 0.005
WIDE = 100_000
"""A capacity that is never reached."""


class Source(Routine):
    """Emits whole numbers in one plain body."""

    out = Event(int)

    class Config(BaseModel):
        messages: int

    def logic(self) -> None:
        for number in range(self.config.messages):
            self.out.emit(number)


class Steady(Source):
    """May be held back every hundred of them."""

    def logic(self) -> Iterator[None]:  # type: ignore[override]
        for number in range(self.config.messages):
            self.out.emit(number)
            if number % 100 == 99:
                yield


class Pass(Routine):
    """As a user writes it first: one at a time, room for 1,000 messages."""

    value = Slot(int)
    out = Event(int)

    def logic(self, value: int) -> None:
        self.out.emit(value + 1)


class End(Routine):
    value = Slot(int)

    def logic(self, value: int) -> None:
        pass


class Telling(End):
    """Emits what nobody takes: the job keeps the newest."""

    told = Event(int)

    def logic(self, value: int) -> None:
        self.told.emit(value)


class WidePass(Pass):
    """Several at once, and room for whatever comes."""

    value = Slot(int, capacity=WIDE)
    max_parallel = None


class WideEnd(End):
    value = Slot(int, capacity=WIDE)
    max_parallel = None


class BlockingPass(WidePass):
    """Waits for something else, as a request would."""

    def logic(self, value: int) -> None:
        threading.Event().wait(BLOCKS_FOR)
        self.out.emit(value + 1)


class BlockingEnd(WideEnd):
    def logic(self, value: int) -> None:
        threading.Event().wait(BLOCKS_FOR)


class Join(Routine):
    """Counts what comes from a fan; a complete round starts the next one."""

    value = Slot(int)
    again = Event(int)

    class Config(BaseModel):
        rounds: int

    class State:
        def __init__(self) -> None:
            self.count = 0

    def logic(self, value: int) -> None:
        state = self.state
        state.count += 1
        if state.count % FAN == 0 and state.count < self.config.rounds * FAN:
            self.again.emit(state.count // FAN)


class WideJoin(Join):
    value = Slot(int, capacity=WIDE)


def chain(
    messages: int,
    middle: type[Pass] = WidePass,
    end: type[End] = WideEnd,
    source: type[Source] = Source,
    depth: int = DEPTH,
) -> Flow:
    """``source`` and `depth` routines in a row, ``n0`` and so on."""
    flow = Flow("chain")
    flow.add("source", source(messages=messages))
    before = "source"
    for number in range(depth):
        name = f"n{number}"
        flow.add(name, middle() if number < depth - 1 else end())
        flow.connect(f"{before}.out", f"{name}.value")
        before = name
    return flow


def fan(rounds: int, leaf: type[Pass], *, at_once: bool) -> Flow:
    """``source``, ``begin``, `FAN` leaves and ``join``, which feeds ``begin`` unless `at_once`."""
    flow = Flow("fan")
    flow.add("source", Source(messages=rounds if at_once else 1))
    flow.add("begin", Pass() if leaf is Pass else WidePass())
    join = Join if leaf is Pass else WideJoin
    flow.add("join", join(rounds=rounds))
    flow.connect("source.out", "begin.value")
    for number in range(FAN):
        flow.add(f"leaf{number}", leaf())
        flow.connect("begin.out", f"leaf{number}.value")
        flow.connect(f"leaf{number}.out", "join.value")
    if not at_once:
        flow.connect("join.again", "begin.value")
    return flow


def three() -> Flow:
    """Three routines in a row and one message: ``source``, ``n0``, ``n1``."""
    return chain(1, Pass, End, depth=2)

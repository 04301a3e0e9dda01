"""Flows of a module a test writes, and a client's news until something was told."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from time import monotonic
from typing import Any

from helpers.bodies import Gate
from penstock.host import (
    Answer,
    EngineClient,
    EngineSnapshot,
    RoutineValues,
    ThreadTable,
    Told,
)
from penstock.observe import EngineEvent, JobEnded, JobView

DEADLINE = 10.0

SOURCE = """
import asyncio
from pydantic import BaseModel, Field
from helpers.bodies import Gate
from penstock import Continue, Event, Every, Routine, Slot

gate = Gate()

class Numbers(Routine):
    out = Event(int)
    class Config(BaseModel):
        many: int = Field(default=3, ge=0)
    def logic(self):
        for n in range(self.config.many):
            self.out.emit(n)
            yield

class Pass(Routine):
    value = Slot(int, capacity=2)
    out = Event(int)
    def logic(self, value):
        self.out.emit(value)

class Gated(Routine):
    value = Slot(int)
    out = Event(int)
    def logic(self, value):
        gate.wait_here()
        self.out.emit(value)

class Failing(Routine):
    value = Slot(int)
    on_error = Continue()
    def logic(self, value):
        raise ValueError(value)

class Many(Routine):
    out = Event(int)
    class Config(BaseModel):
        many: int = 4
    def logic(self):
        for n in range(self.config.many):
            self.out.emit(n)

class Both(Routine):
    value = Slot(int, capacity=2)
    other = Slot(int)
    def logic(self, value, other): pass

class Waits(Routine):
    async def logic(self):
        while not self.cancelled:
            await asyncio.sleep(0.01)

class Timed(Routine):
    activation = Every(60.0)
    def logic(self): pass

class Mean(Routine):
    out = Event(object)
    def logic(self):
        self.out.emit(Nasty())

class Nasty:
    def __repr__(self):
        raise SystemExit
"""

names = count(1)


class Folder:
    """A folder with one module of routines, and flows over it as a file's text."""

    def __init__(self, path: Path, source: str = SOURCE, module: str | None = None) -> None:
        path.mkdir(exist_ok=True)
        self.path = path
        self.module = module or f"flow_of_{next(names)}"
        self.file = path / f"{self.module}.py"
        self.file.write_text(source, encoding="utf-8")

    def flow(self, routines: dict[str, str], *connections: str, **config: Any) -> str:
        """Routines as id -> class name; config as id -> values."""
        return json.dumps(
            {
                "version": 1,
                "name": "flow",
                "folders": ["."],
                "routines": {
                    name: {"type": f"{self.module}:{cls}", "config": config.get(name, {})}
                    for name, cls in routines.items()
                },
                "connections": list(connections),
            }
        )

    def chain(self, *classes: str, **config: Any) -> str:
        ids = "abcdef"[: len(classes)]
        links = [f"{x}.out -> {y}.value" for x, y in pairwise(ids)]
        return self.flow(dict(zip(ids, classes, strict=True)), *links, **config)

    @property
    def gate(self) -> Gate:
        found: Gate = sys.modules[self.module].gate
        return found


class Watch:
    """Drains a client until something was told."""

    def __init__(self, client: EngineClient) -> None:
        self.client = client
        self.told: list[Told | Answer] = []
        self._tick = threading.Event()

    def drain(self) -> None:
        self.told += self.client.drain()

    def until(self, is_so: Callable[[], object], timeout: float = DEADLINE) -> None:
        end = monotonic() + timeout
        while not is_so():
            assert monotonic() < end, self.told[-12:]
            self.drain()
            self._tick.wait(0.002)

    def answer(self, kind: type[Any], ask: Callable[[], object]) -> Any:
        """What a question asked now is answered with."""
        self.until(lambda: not self.client._asked)
        ask()
        begin = len(self.told)
        self.until(lambda: any(isinstance(told, kind) for told in self.told[begin:]))
        return next(told for told in self.told[begin:] if isinstance(told, kind))

    def snapshot(self) -> EngineSnapshot:
        found: EngineSnapshot = self.answer(EngineSnapshot, self.client.snapshot)
        return found

    def threads(self) -> ThreadTable:
        found: ThreadTable = self.answer(ThreadTable, self.client.threads)
        return found

    def values(self, job_id: str, routine: str) -> RoutineValues:
        found: RoutineValues = self.answer(
            RoutineValues, lambda: self.client.last_values(job_id, routine)
        )
        return found

    def of(self, kind: type, job_id: str | None = None) -> list[Any]:
        found = [told for told in self.told if isinstance(told, kind)]
        return [told for told in found if job_id in (None, getattr(told, "job_id", None))]

    def ended(self, job_id: str) -> JobEnded:
        self.until(lambda: self.of(JobEnded, job_id))
        found: JobEnded = self.of(JobEnded, job_id)[0]
        return found

    def view(self, job_id: str) -> JobView:
        view = JobView(job_id)
        for told in self.told:
            if isinstance(told, EngineEvent) and told.job_id == job_id:
                view.apply(told)
        return view

"""A client that is closed, a server that is, and an interpreter that forgets the flows' modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from helpers.served import POOL, Desk, page
from penstock.host import EngineClient, EngineSnapshot, FlowPicture, RoutineValues, ThreadTable
from penstock.host.crossing.commands import (
    AskFlow,
    AskPage,
    AskSnapshot,
    AskThreads,
    AskValues,
    Command,
)


@pytest.fixture(autouse=True)
def forgets_modules() -> Iterator[None]:
    """Modules and path entries a test brought in are gone after it."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("flow_of_"):
            del sys.modules[name]


@pytest.fixture
def switch_interval() -> Iterator[None]:
    """How often threads take turns is as before after it."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def client(forgets_modules: None) -> Iterator[EngineClient]:
    made = EngineClient(workers=2)
    yield made
    made.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


@pytest.fixture
def answering(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Its engine answers questions at once."""
    submit = desk.engine.submit

    def answer(command: Command) -> None:
        submit(command)
        match command:
            case AskThreads():
                desk.engine.says(ThreadTable(POOL, ()))
            case AskSnapshot():
                desk.engine.says(EngineSnapshot((), POOL, 0))
            case AskValues():
                desk.engine.says(RoutineValues(command.job_id, command.routine, {}, {}))
            case AskFlow():
                desk.engine.says(FlowPicture(command.job_id, "flow", (), ()))
            case AskPage():
                desk.engine.says(page(command.reference, *command.path, offset=command.offset))

    monkeypatch.setattr(desk.engine, "submit", answer)
    return desk

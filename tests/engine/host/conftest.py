"""A client that is closed, and an interpreter that forgets the flows' modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from penstock.host import EngineClient


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

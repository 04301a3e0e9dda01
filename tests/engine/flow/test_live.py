"""What a live routine looks like as a spec: the same as read from its source."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from penstock.flow import REQUIRED, Event, FieldSpec, Flow, Routine, Slot, describe


class Busy(Routine):
    """Does much.

    And more.
    """

    tree = Slot(ast.Module, capacity=16, doc="A tree.")
    maybe = Slot(str | None)
    anything = Slot(object, 5, "drop_oldest")
    out = Event(list[int], copy=True, doc="Out.")
    either = Event(Literal["a", "b"])

    class Config(BaseModel):
        name: str
        flag: bool = True
        count: int = Field(default=3, ge=1, le=9, description="How many.")
        size: Annotated[int, Field(gt=0)] = 2
        mode: Literal["fast", "slow"] = "fast"
        folder: str | None = None
        made: list[str] = Field(default_factory=list)

    def logic(self, tree: Any, maybe: Any, anything: Any) -> None: ...


class Open(Routine):
    class Config(BaseModel):
        model_config = ConfigDict(extra="allow")

    def logic(self) -> None: ...


def test_a_live_routine_looks_like_its_source() -> None:
    flow = Flow("f")
    flow.add("a", Busy(name="x"))
    live = flow.spec("a")
    read = describe(f"{__name__}:Busy")
    short = [replace(slot, type=slot.type.rpartition(".")[2]) for slot in read.slots]

    assert read.error is None
    assert list(live.slots) == short
    assert [slot.overflow for slot in live.slots] == ["hold", "hold", "drop_oldest"]
    assert [(e.name, e.type, e.doc, e.copy) for e in live.events] == [
        (e.name, e.type, e.doc, e.copy) for e in read.events
    ]
    assert [event.copy for event in live.events] == [True, False]
    assert live.fields == read.fields
    assert (live.doc, live.source, live.config) == (read.doc, read.source, {"name": "x"})
    assert live.fields[0] == FieldSpec("name", "str", REQUIRED, annotation="str")


def test_only_given_fields_are_in_the_config() -> None:
    flow = Flow("f")
    flow.add("a", Busy(name="x", flag=True))
    flow.configure("a", {"name": "y"})

    assert flow.spec("a").config == {"name": "y"}


def test_a_class_of_a_function_has_a_spec_too() -> None:
    class Inner(Routine):
        def logic(self) -> None: ...

    flow = Flow("f")
    flow.add("a", Inner())

    assert flow.spec("a").type.endswith("<locals>.Inner")
    assert not flow.spec("a").open_config


def test_an_open_config_is_known() -> None:
    flow = Flow("f")
    flow.add("a", Open(x=1))

    assert flow.spec("a").open_config
    assert flow.problems() == []

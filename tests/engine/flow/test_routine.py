"""Routine classes: config, shape, binding to a job and what is refused."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from penstock.errors import FlowError, InvalidValue
from penstock.flow import (
    Activation,
    AllSlots,
    Batch,
    Continue,
    Emits,
    Event,
    Every,
    Flow,
    Retry,
    Routine,
    RunBinding,
    Skip,
    Slot,
    Stop,
    bind,
    set_state,
    shape_of,
)


class Collected:
    name = "word"

    def __init__(self) -> None:
        self.values: list[object] = []

    def emit(self, value: object) -> None:
        self.values.append(value)


class Tokenise(Routine):
    line = Slot(str)
    word = Event(str)

    class Config(BaseModel):
        lower: bool = True
        limit: int = Field(default=10, ge=1)

    class State:
        def __init__(self) -> None:
            self.seen = 0

    def logic(self, line: str) -> None:
        for word in line.split():
            self.word.emit(word.lower() if self.config.lower else word)


class Bare(Routine):
    def logic(self) -> None: ...


# --- config ---


def test_keyword_arguments_become_a_frozen_config() -> None:
    routine = Tokenise(lower=False)

    assert routine.config.lower is False
    assert routine.config.limit == 10
    assert isinstance(routine.config, Tokenise.Config)
    with pytest.raises(ValidationError, match="frozen"):
        routine.config.lower = True


def test_without_config_and_state_both_are_none() -> None:
    assert (Bare().config, Bare().state) == (None, None)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Tokenise(lowr=True), "Tokenise.lowr: unknown; no such field is expected"),
        (lambda: Bare(x=1), "Bare.x: unknown"),
        (lambda: Tokenise(limit=0), "Tokenise.limit: expected greater than or equal to 1, got 0"),
        (lambda: Tokenise(limit="many"), "Tokenise.limit: expected a valid integer"),
        (lambda: Tokenise(limit=0, lower="perhaps"), r"and 1 more"),
    ],
)
def test_a_wrong_argument_is_named(make: Callable[[], Routine], text: str) -> None:
    with pytest.raises(InvalidValue, match=text) as caught:
        make()

    assert "\n" not in str(caught.value)


def test_a_config_that_allows_extra_fields_keeps_them() -> None:
    class Open(Routine):
        class Config(BaseModel):
            model_config = ConfigDict(extra="allow")

        def logic(self) -> None: ...

    assert Open(anything=3).config.anything == 3


def test_a_config_that_is_no_model_is_refused() -> None:
    class Odd(Routine):
        class Config:
            pass

        def logic(self) -> None: ...

    with pytest.raises(FlowError, match=r"Odd.Config: expected a class derived from"):
        Odd()


def test_a_subclass_inherits_config_and_ports_in_order() -> None:
    class More(Tokenise):
        other = Slot(int)
        count = Event(int)

        def logic(self, line: str, other: int) -> None: ...  # type: ignore[override]

    assert More(lower=False).config.lower is False
    assert list(shape_of(More).slots) == ["line", "other"]
    assert list(shape_of(More).events) == ["word", "count"]


# --- shape ---


def test_the_shape_of_a_routine() -> None:
    shape = shape_of(Tokenise)

    assert (list(shape.slots), list(shape.events)) == (["line"], ["word"])
    assert (shape.is_generator, shape.has_state, shape.has_finish) == (False, True, False)
    assert shape_of(Tokenise) is shape


def test_a_generator_and_a_finish_are_seen() -> None:
    class Source(Routine):
        out = Event(int)

        def logic(self) -> Iterator[None]:
            yield

        def finish(self) -> None: ...

    assert shape_of(Source).is_generator
    assert shape_of(Source).has_finish


def test_a_generator_behind_a_decorator_is_seen() -> None:
    def decorated(body: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(body)
        def call(*args: Any, **kwargs: Any) -> Any:
            return body(*args, **kwargs)

        return call

    class Source(Routine):
        a = Slot()

        @decorated
        def logic(self, a: object) -> Iterator[None]:
            yield

    assert shape_of(Source).is_generator
    assert shape_of(Source).positional == ("a",)


def test_a_coroutine_is_seen() -> None:
    class Fetch(Routine):
        a = Slot()

        async def logic(self, a: object) -> None: ...

    shape = shape_of(Fetch)

    assert (shape.is_async, shape.is_generator) == (True, False)
    assert shape.positional == ("a",)
    assert not shape_of(Tokenise).is_async


def test_a_coroutine_behind_a_decorator_or_a_call_is_seen() -> None:
    def decorated(body: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(body)
        def call(*args: Any, **kwargs: Any) -> Any:
            return body(*args, **kwargs)

        return call

    class Called:
        async def __call__(self) -> None: ...

    class Calling:
        def __call__(self) -> Iterator[None]:
            yield

    assert shape_of(_class_with(logic=decorated(_coroutine))).is_async
    assert shape_of(_class_with(logic=Called())).is_async
    assert shape_of(_class_with(logic=Calling())).is_generator


@pytest.mark.parametrize(
    ("logic", "optional"),
    [
        (lambda self, a, b: None, set()),
        (lambda self, a, b=0: None, {"b"}),
        (lambda self, a=0, *, b=0: None, {"a", "b"}),
        (lambda self, a=0, /, b=0: None, {"b"}),
        (lambda self, a, *, b: None, set()),
        (lambda self, a, **rest: None, {"b"}),
    ],
)
def test_slots_that_a_call_can_leave_out(logic: Any, optional: set[str]) -> None:
    assert shape_of(_class_with(a=Slot(), b=Slot(), logic=logic)).optional == optional


def test_a_port_overridden_with_something_else_is_gone() -> None:
    class Less(Tokenise):
        line = None  # type: ignore[assignment]

        def logic(self) -> None: ...  # type: ignore[override]

    assert not shape_of(Less).slots


def test_slots_go_by_position_in_the_order_of_logic() -> None:
    class Swapped(Routine):
        a = Slot()
        b = Slot()
        c = Slot()

        def logic(self, b, a, extra=1, *, c, other=None) -> None: ...  # type: ignore[no-untyped-def]

    shape = shape_of(Swapped)

    assert (shape.positional, shape.keyword) == (("b", "a"), ("c",))


def test_a_body_with_keywords_takes_every_slot_by_name() -> None:
    class Loose(Routine):
        a = Slot()
        b = Slot()

        def logic(self, **values: object) -> None: ...

    assert shape_of(Loose).keyword == ("a", "b")


def test_static_and_class_methods_have_no_self_to_skip() -> None:
    class Static(Routine):
        a = Slot()

        @staticmethod
        def logic(a: object) -> None: ...

    class Classy(Routine):
        a = Slot()

        @classmethod
        def logic(cls, a: object) -> None: ...

    assert shape_of(Static).positional == ("a",)
    assert shape_of(Classy).positional == ("a",)


def test_a_class_made_by_type_works() -> None:
    made = type("Made", (Routine,), {"a": Slot(int), "logic": lambda self, a: None})
    flow = Flow("f")
    flow.add("made", made())

    assert list(shape_of(made).slots) == ["a"]


def _class_with(**body: Any) -> type[Routine]:
    return type("Odd", (Routine,), body)


async def _coroutine(self: object) -> None: ...


async def _async_generator(self: object) -> Any:
    yield


def _plain(self: object) -> None: ...


def _endless(self: object) -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Odd has no logic"),
        ({"logic": 3}, "Odd has no logic"),
        ({"a": Slot(), "logic": _plain}, r"no parameter for slot 'a': expected logic\(self, a\)"),
        ({"logic": lambda self, b: None}, "parameter 'b' is no slot of it and has no default"),
        ({"logic": lambda: None}, "takes no self"),
        ({"logic": _async_generator}, "logic is an async generator; expected a coroutine"),
        ({"logic": _plain, "finish": lambda self, x: None}, "finish takes no values; 'x'"),
        ({"logic": _plain, "finish": _coroutine}, "finish is async"),
        ({"logic": _plain, "finish": _endless}, "finish is a generator"),
        ({"logic": _plain, "state": Slot()}, "Odd.state: a slot or event can't have this name"),
        ({"logic": _plain, "failed": Event()}, "Odd.failed: a slot or event can't have"),
        ({"logic": _plain, "activation": AllSlots}, r"Odd.activation: expected an Activation like"),
        ({"logic": _plain, "max_parallel": 0}, "Odd.max_parallel: expected None or a whole"),
        ({"logic": _plain, "max_parallel": True}, "Odd.max_parallel: expected None or a whole"),
        ({"logic": _plain, "on_error": Stop}, r"Odd.on_error: expected Stop\(\), Continue"),
        ({"logic": _plain, "timeout": 0}, "Odd.timeout: expected None or seconds above 0, got 0"),
        ({"logic": _plain, "timeout": True}, "Odd.timeout: expected"),
        ({"logic": _plain, "timeout": Slot()}, "Odd.timeout: a slot or event can't have this"),
    ],
)
def test_a_class_that_cant_run_is_refused_when_added(body: dict[str, Any], text: str) -> None:
    flow = Flow("f")

    with pytest.raises(FlowError, match=text) as caught:
        flow.add("odd", _class_with(**body)())

    assert str(caught.value).startswith("odd: ")
    assert caught.value.routine == "odd"
    assert "odd" not in flow.routines


@pytest.mark.parametrize(
    "settings",
    [
        {"max_parallel": None},
        {"max_parallel": 8},
        {"on_error": Continue()},
        {"on_error": Skip()},
        {"on_error": Retry(then=Skip())},
        {"activation": Every(1)},
        {"activation": Batch(2)},
        {"activation": Activation()},
        {"timeout": None},
        {"timeout": 0.5},
    ],
)
def test_settings_that_are_possible(settings: dict[str, Any]) -> None:
    Flow("f").add("fine", _class_with(logic=_plain, **settings)())


@pytest.mark.parametrize(
    ("name", "value"),
    [("activation", Batch), ("max_parallel", 0), ("on_error", None), ("timeout", -1)],
)
def test_a_wrong_setting_of_the_instance_is_refused_when_added(name: str, value: object) -> None:
    routine = Bare()
    setattr(routine, name, value)

    with pytest.raises(FlowError, match=f"^odd: Bare.{name}: expected ") as caught:
        Flow("f").add("odd", routine)
    assert caught.value.routine == "odd"


def test_the_shape_of_a_forgotten_class_is_forgotten() -> None:
    made = _class_with(logic=_plain)
    shape_of(made)
    reference = weakref.ref(made)
    del made
    gc.collect()

    assert reference() is None


# --- belonging to a flow and to a job ---


def test_an_added_routine_cant_be_changed() -> None:
    routine = Tokenise()
    routine.note = "mine"
    Flow("f").add("a", routine)

    with pytest.raises(FlowError, match=r"Tokenise.note: .*keep .* in self.state"):
        routine.note = "other"
    with pytest.raises(FlowError, match=r"self.state"):
        del routine.note  # type: ignore[attr-defined]


def test_a_bound_twin_emits_through_its_own_emitters() -> None:
    routine = Tokenise(lower=False)
    Flow("f").add("a", routine)
    first, second = Collected(), Collected()

    bind(routine, [first], None).logic("A b")
    bind(routine, [second], None).logic("C")

    assert (first.values, second.values) == (["A", "b"], ["C"])
    assert "word" not in routine.__dict__


def test_binding_keeps_the_users_attributes_and_runs_no_init() -> None:
    class Counted(Routine):
        made = 0

        def __init__(self) -> None:
            super().__init__()
            type(self).made += 1
            self.tag = "mine"

        def logic(self) -> None: ...

    twin = bind(Counted(), (), None)

    assert Counted.made == 1
    assert twin.tag == "mine"  # type: ignore[attr-defined]
    with pytest.raises(FlowError):
        twin.tag = "other"


def test_a_bound_twin_gets_its_state_past_the_seal() -> None:
    routine = Tokenise()
    twin = bind(routine, (), None)
    set_state(twin, Tokenise.State())
    twin.state.seen += 1

    assert twin.state.seen == 1
    assert routine.state is None


class Run:
    """Notes what was asked of it."""

    def __init__(self) -> None:
        self.cancelled = True
        self.asked: list[object] = []

    def checkpoint(self) -> None:
        self.asked.append("checkpoint")

    def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)

    def late_emitter(self, routine: Routine, event: str) -> Emits:
        self.asked.append((routine, event))
        return Spoken()


class Spoken:
    def emit(self, value: object) -> None:
        raise AssertionError("nobody emits here")


def test_an_emitter_that_was_not_given_is_asked_for_when_it_is_used() -> None:
    run = Run()
    twin = bind(Tokenise(), (), run)
    assert run.asked == []

    assert isinstance(twin.failed, Spoken)
    assert run.asked == [(twin, "failed")]


def test_cancelled_checkpoint_and_sleep_ask_the_run() -> None:
    run = Run()
    binding: RunBinding = run
    twin = bind(Tokenise(), (), binding)

    assert twin.cancelled
    twin.checkpoint()
    twin.sleep(3)

    assert run.asked == ["checkpoint", 3]


def test_without_a_run_they_do_nothing() -> None:
    routine = Tokenise()

    assert not routine.cancelled
    routine.checkpoint()
    routine.sleep(0)


def test_an_init_that_forgets_its_base_is_refused() -> None:
    class Forgetful(Routine):
        def __init__(self) -> None:
            pass

        def logic(self) -> None: ...

    with pytest.raises(FlowError, match=r"Forgetful.__init__ doesn't call super"):
        Flow("f").add("a", Forgetful())


def test_a_literal_field_is_checked() -> None:
    class Choosy(Routine):
        class Config(BaseModel):
            mode: Literal["fast", "slow"] = "fast"

        def logic(self) -> None: ...

    with pytest.raises(InvalidValue, match=r"Choosy.mode: expected 'fast' or 'slow', got 'x'"):
        Choosy(mode="x")

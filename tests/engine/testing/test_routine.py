"""One routine on given messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from pydantic import BaseModel

from helpers.flows import burst, failing, pair, pass_on, routine, source
from penstock import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Continue,
    Event,
    Every,
    FlowError,
    InvalidValue,
    JobStatus,
    Latest,
    Retry,
    Routine,
    Skip,
    Slot,
    SlotFull,
    UnknownPort,
)
from penstock.testing import Gap, ManualClock, NeverEnds, run_routine


class Tokenise(Routine):
    """Splits a line of text into words."""

    line = Slot(str)
    word = Event(str)
    empty = Event(int)

    class Config(BaseModel):
        lower: bool = True

    def logic(self, line: str) -> None:
        words = line.split()
        for word in words:
            self.word.emit(word.lower() if self.config.lower else word)
        if not words:
            self.empty.emit(0)


class Count(Routine):
    word = Slot(str)
    total = Event(dict)

    class State:
        def __init__(self) -> None:
            self.counts: dict[str, int] = {}

    def logic(self, word: str) -> None:
        self.state.counts[word] = self.state.counts.get(word, 0) + 1

    def finish(self) -> None:
        self.total.emit(self.state.counts)


def test_values_go_in_and_emissions_come_out() -> None:
    result = run_routine(Tokenise(), "to be", "", "OR")

    assert result["word"] == ["to", "be", "or"]
    assert result["empty"] == [0]
    assert result.emissions == {"word": ("to", "be", "or"), "empty": (0,)}
    assert result.status is JobStatus.COMPLETED
    assert (result.failures, result.dead_letters, result.error) == ((), (), None)
    assert result.counts.activations == 3
    assert result.seconds == 0.0


def test_the_routine_is_as_it_was_configured_and_can_be_used_again() -> None:
    loud = Tokenise(lower=False)

    assert run_routine(loud, "To Be")["word"] == ["To", "Be"]
    assert run_routine(loud, "OR")["word"] == ["OR"]


def test_state_and_finish() -> None:
    count = Count()
    result = run_routine(count, "a", "b", "a")

    assert result["total"] == [{"a": 2, "b": 1}]
    assert result.state.counts == {"a": 2, "b": 1}
    assert run_routine(count)["total"] == [{}]
    assert run_routine(Tokenise(), "a").state is None


def test_the_result_is_frozen_and_knows_its_events() -> None:
    result = run_routine(Tokenise(), "a")
    result["word"].append("b")

    assert result["word"] == ["a"]
    with pytest.raises(FrozenInstanceError):
        result.status = JobStatus.FAILED  # type: ignore[misc]
    with pytest.raises(TypeError):
        result.emissions["word"] = ()  # type: ignore[index]
    with pytest.raises(KeyError, match=r"no event 'words' \(its events: word, empty\)"):
        result["words"]


def test_all_emissions_are_kept_however_many() -> None:
    assert run_routine(burst(range(5000)))["out"] == list(range(5000))


def test_several_slots_take_dicts() -> None:
    result = run_routine(
        pair(), {"left": 1, "right": "a"}, {"right": "b"}, {"left": 2}, {"left": 3}
    )

    assert result["out"] == [(1, "a"), (2, "b")]
    assert result.counts.slots["left"].discarded == 1


def test_one_slot_takes_a_dict_as_it_is() -> None:
    assert run_routine(pass_on(), {"value": 1})["out"] == [{"value": 1}]


def test_messages_that_do_not_fit_the_slots_are_refused() -> None:
    with pytest.raises(ValueError, match="with the slots left, right a message is a dict"):
        run_routine(pair(), 1)
    with pytest.raises(UnknownPort, match="middle"):
        run_routine(pair(), {"middle": 1})
    with pytest.raises(ValueError, match="a source takes no messages, got 1"):
        run_routine(source([1]), 1)
    with pytest.raises(InvalidValue, match="line"):
        run_routine(Tokenise(), 1)
    with pytest.raises(SlotFull, match="left is full"):
        run_routine(pair(capacity=1), {"left": 1}, {"left": 2})


def test_a_routine_that_cannot_run_is_refused() -> None:
    broken = routine(lambda self, a, b: None, slots={"a": Slot(int), "b": Slot(int)})
    broken.activation = Latest()

    with pytest.raises(FlowError):
        run_routine(broken, {"a": 1})
    with pytest.raises(FlowError):
        run_routine(Tokenise)  # type: ignore[arg-type]


# ---- kinds of bodies


def test_sources_and_generators() -> None:
    assert run_routine(source("abc"))["out"] == ["a", "b", "c"]

    def twice(self: Any, value: int) -> Iterator[None]:
        for _ in range(2):
            self.out.emit(value)
            yield

    assert run_routine(routine(twice, slots={"value": Slot(int)}), 1, 2)["out"] == [1, 1, 2, 2]


def test_coroutines() -> None:
    async def logic(self: Any, value: float) -> None:
        await asyncio.sleep(value)
        self.out.emit(value)

    slots = {"value": Slot(float)}
    one = run_routine(routine(logic, slots=slots), 2.0, 1.0)
    many = run_routine(routine(logic, slots=slots, max_parallel=None), 2.0, 1.0)

    assert (one["out"], one.seconds) == ([2.0, 1.0], 3.0)
    assert (many["out"], many.seconds) == ([1.0, 2.0], 2.0)


def test_bodies_that_sleep() -> None:
    def logic(self: Any, value: float) -> None:
        self.sleep(value)
        self.out.emit(value)

    slow = routine(logic, slots={"value": Slot(float)}, max_parallel=None)

    assert run_routine(slow, 2.0, 3.0).seconds == 5.0
    assert run_routine(slow, 2.0, 3.0, workers=2).seconds == 3.0


# ---- rules


def ticking(every: float, times: int | None = None) -> Routine:
    class State:
        ticks = 0

    def logic(self: Any) -> None:
        self.state.ticks += 1
        self.out.emit(self.state.ticks)

    return routine(logic, activation=Every(every, times), state=State)


def test_every_on_a_source() -> None:
    result = run_routine(ticking(10.0, times=4))

    assert result["out"] == [1, 2, 3, 4]
    assert result.seconds == 30.0


def test_an_endless_source_is_run_for_a_while() -> None:
    result = run_routine(ticking(10.0), seconds=25.0)

    assert result["out"] == [1, 2, 3]
    assert result.status is JobStatus.CANCELLED
    assert result.seconds == 25.0
    assert run_routine(ticking(10.0, times=2), seconds=25.0).status is JobStatus.COMPLETED


def test_an_endless_source_is_told_instead_of_hanging() -> None:
    with pytest.raises(NeverEnds, match="after 500 steps, at"):
        run_routine(ticking(10.0), limit=500)


def test_every_with_a_slot_keeps_the_interval() -> None:
    clock = ManualClock()
    slow = routine(
        lambda self, value: self.out.emit((value, clock.now())),
        slots={"value": Slot(str)},
        activation=Every(5.0),
    )

    assert run_routine(slow, "a", "b", Gap(20.0), "c", clock=clock)["out"] == [
        ("a", 0.0),
        ("b", 5.0),
        ("c", 20.0),
    ]


def test_batches_are_full_or_waited_long_enough() -> None:
    clock = ManualClock()
    batch = routine(
        lambda self, value: self.out.emit((value, clock.now())),
        slots={"value": Slot(int)},
        activation=Batch(3, max_wait=2.0),
    )

    assert run_routine(batch, 1, 2, 3, 4, Gap(10.0), 5, clock=clock)["out"] == [
        ([1, 2, 3], 0.0),
        ([4], 2.0),
        ([5], 10.0),
    ]


def test_a_batch_gives_what_is_left_at_the_end() -> None:
    batch = routine(
        lambda self, value: self.out.emit(value),
        slots={"value": Slot(int)},
        activation=Batch(3),
    )

    assert run_routine(batch, 1, 2, 3, 4)["out"] == [[1, 2, 3], [4]]


def test_latest_passes_over_what_is_older() -> None:
    latest = routine(
        lambda self, value: self.out.emit(value), slots={"value": Slot(int)}, activation=Latest()
    )
    result = run_routine(latest, 1, 2, 3, Gap(), 4)

    assert result["out"] == [1, 3, 4]
    assert result.counts.slots["value"].superseded == 1


def test_any_slot_and_matching() -> None:
    def either(self: Any, a: int | None = None, b: int | None = None) -> None:
        self.out.emit((a, b))

    slots = {"a": Slot(int), "b": Slot(int)}
    any_slot = routine(either, slots=slots, activation=AnySlot())
    matching = routine(
        lambda self, a, b: self.out.emit((a, b)),
        slots=slots,
        activation=AllSlots(match=lambda value: value % 10),
    )

    assert run_routine(any_slot, {"b": 1}, {"a": 2, "b": 3})["out"] == [
        (None, 1),
        (2, None),
        (None, 3),
    ]
    assert run_routine(matching, {"a": 1}, {"a": 2}, {"b": 12, "a": 3}, {"b": 21})["out"] == [
        (2, 12),
        (1, 21),
    ]


def test_a_rule_of_one_s_own() -> None:
    class Newest(Activation):
        def take(self, queues: Any) -> dict[str, int] | None:
            waiting = len(queues["value"])
            return {"value": waiting - 1} if waiting > 1 else None

    own = routine(
        lambda self, value: self.out.emit(value), slots={"value": Slot(int)}, activation=Newest()
    )
    result = run_routine(own, 1, 2, 3)

    assert result["out"] == [2, 3]
    assert result.counts.slots["value"].discarded == 1


@pytest.mark.parametrize(
    ("overflow", "kept"), [("drop_oldest", [3, 4]), ("drop_newest", [1, 2]), ("hold", [1, 2, 3, 4])]
)
def test_a_full_slot_drops_or_holds(overflow: Any, kept: list[int]) -> None:
    small = routine(
        lambda self, value: self.out.emit(value),
        slots={"value": Slot(int, capacity=2, overflow=overflow)},
    )
    result = run_routine(small, 1, 2, 3, 4)

    assert result["out"] == kept
    assert result.dropped == {"value": 4 - len(kept)}


# ---- failing


def test_a_failure_is_in_the_result() -> None:
    result = run_routine(failing(lambda: ValueError("no")), 1, 2)

    assert result.status is JobStatus.FAILED
    assert str(result.error) == "routine: ValueError: no"
    assert [failure.text for failure in result.failures] == ["no"]


def test_messages_after_the_end_are_not_given() -> None:
    result = run_routine(failing(lambda: ValueError("no")), 1, Gap(5.0), 2, 3)

    assert result.counts.activations == 1
    assert result.counts.slots["value"].posted == 1


def test_policies() -> None:
    def logic(self: Any, value: int) -> None:
        if value == 2:
            raise ValueError(value)
        self.out.emit(value)

    slots = {"value": Slot(int)}
    going_on = run_routine(routine(logic, slots=slots, on_error=Continue()), 1, 2, 3)
    skipped = run_routine(routine(logic, slots=slots, on_error=Skip()), 1, 2, 3)

    assert going_on["out"] == [1, 3]
    assert [failure.slots for failure in going_on.dead_letters] == [{"value": 2}]
    assert skipped["out"] == [1]
    assert skipped.counts.slots["value"].skipped == 1


def test_retries_wait_on_the_clock() -> None:
    class State:
        tries = 0

    def logic(self: Any, value: int) -> None:
        self.state.tries += 1
        self.out.emit(value)
        if self.state.tries < 4:
            raise ValueError(self.state.tries)

    policy = Retry(times=3, delay=1.0, backoff=2.0)
    flaky = routine(logic, slots={"value": Slot(int)}, on_error=policy, state=State)
    result = run_routine(flaky, 7)

    assert result["out"] == [7]
    assert [(f.text, f.attempt) for f in result.failures] == [("1", 1), ("2", 2), ("3", 3)]
    assert result.seconds == 7.0
    assert (result.counts.revoked, result.state.tries) == (3, 4)


def test_time_outs() -> None:
    def logic(self: Any, value: float) -> None:
        self.sleep(value)
        self.out.emit(value)

    slots = {"value": Slot(float)}
    result = run_routine(routine(logic, slots=slots, timeout=2.0, on_error=Continue()), 1.0, 9.0)

    assert result["out"] == [1.0]
    assert [failure.type for failure in result.failures] == ["RoutineTimeout"]
    assert result.seconds == 3.0
    whole = run_routine(routine(logic, slots=slots), 1.0, 9.0, timeout=4.0)
    assert whole.error is not None
    assert (whole.error.type, whole.seconds) == ("JobTimeout", 4.0)


def test_types_of_emissions_are_checked_on_request() -> None:
    class Wrong(Routine):
        value = Slot(int)
        out = Event(int)

        def logic(self, value: int) -> None:
            self.out.emit(str(value))

    assert run_routine(Wrong(), 1)["out"] == ["1"]
    result = run_routine(Wrong(), 1, check_types=True)
    assert result.error is not None
    assert result.error.type == "InvalidValue"

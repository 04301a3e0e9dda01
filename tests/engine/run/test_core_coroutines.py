"""Coroutines in a job fed by hand: each activation is a token of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, routine, sink
from penstock import Cancelled, Continue, EmitOutsideActivation, Failure, Flow, Retry, Routine, Slot
from penstock.observe import ActivationEnded, ActivationFailed, ActivationStarted
from penstock.run.messages import Cancel, Close, Pause, Resume, Start, Step

SLOT = {"value": Slot(object)}
LONG = 1000.0


def coroutine(seen: list[Any] | None = None, **attributes: Any) -> Routine:
    """Emits each value behind an `await`."""

    async def logic(self: Any, value: Any) -> None:
        if seen is not None:
            seen.append(value)
        await asyncio.sleep(0)
        self.out.emit(value)

    return routine(logic, slots=SLOT, **attributes)


def kept_open(made: Routine | Flow) -> Driven:
    job = Driven(made if isinstance(made, Flow) else flow_of({"a": made}), workers=2)
    job.feed(Start(keep_open=True))
    return job


def test_a_coroutine_goes_to_its_own_thread_and_emits_there() -> None:
    job = Driven(chain(burst([1, 2, 3]), coroutine(max_parallel=None)))
    job.start()
    job.run("a")
    out = job.news()

    assert ([t.routine for t in out.rare.coroutines], out.tokens) == (["b"] * 3, [])
    job.work()
    assert (job.status, job.outputs) == ("COMPLETED", {"b.out": [1, 2, 3]})
    count = job.count("b")
    assert (count.activations, count.slots["value"].consumed) == (3, 3)


@pytest.mark.parametrize(("limit", "tokens"), [(None, 9), (1, 1), (3, 3)])
def test_as_many_run_at_once_as_max_parallel_says_and_without_it_all(
    limit: int | None, tokens: int
) -> None:
    job = kept_open(coroutine(max_parallel=limit))

    job.post("a.value", *range(9))

    assert len(job.tokens) == tokens
    job.feed(Close())
    job.work()
    assert sorted(job.outputs["a.out"]) == list(range(9))


def test_they_begin_and_end_like_other_activations() -> None:
    job = kept_open(coroutine())
    job.post("a.value", 1)
    job.work()

    kinds = [type(e) for e in job.events if isinstance(e, ActivationStarted | ActivationEnded)]
    assert kinds == [ActivationStarted, ActivationEnded]


def test_one_that_raises_has_failed() -> None:
    async def logic(self: Any, value: int) -> None:
        self.out.emit(value)
        await asyncio.sleep(0)
        raise ValueError(value)

    job = kept_open(routine(logic, slots=SLOT, on_error=Continue()))
    job.post("a.value", 1)
    job.work()

    assert [str(failure) for failure in job.core.dead_letters] == ["a: ValueError: 1"]
    assert job.outputs == {"a.out": [1]}
    assert job.slot_count("a.value").dead == 1


def test_under_retry_what_it_emits_is_kept_back() -> None:
    tries: list[int] = []

    async def logic(self: Any, value: int) -> None:
        tries.append(value)
        self.out.emit(len(tries))
        if len(tries) == 1:
            raise ValueError

    job = kept_open(routine(logic, slots=SLOT, on_error=Retry()))
    job.post("a.value", 7)
    job.work()

    assert tries == [7, 7]
    assert job.outputs == {"a.out": [2]}
    assert job.count("a").revoked == 1


def test_one_that_lasts_too_long_is_cancelled_and_has_failed() -> None:
    async def logic(self: Any, value: int) -> None:
        job.news()
        job.pass_time(LONG)
        with pytest.raises(Cancelled):
            self.out.emit(value)
        raise asyncio.CancelledError

    job = kept_open(routine(logic, slots=SLOT, timeout=LONG, on_error=Continue()))
    job.post("a.value", 1)
    job.work()

    assert [token.routine for token in job.leaving] == ["a"], "its thread is told to cancel it"
    assert [failure.type for failure in job.core.dead_letters] == ["RoutineTimeout"]
    assert (job.count("a").refused, job.slot_count("a.value").dead) == (1, 1)
    assert job.status == "IDLE"


def test_a_cancellation_that_a_coroutine_makes_itself_is_its_failure() -> None:
    async def logic(self: Any, value: int) -> None:
        raise asyncio.CancelledError("mine")

    failures: list[Failure] = []
    job = kept_open(flow_of({"a": routine(logic, slots=SLOT), "z": sink(failures)},
                            "a.failed -> z.value"))  # fmt: skip
    job.post("a.value", 1)
    job.work()

    assert [failure.type for failure in failures] == ["CancelledError"]


def test_cancel_reaches_a_coroutine_and_it_can_not_emit_any_more() -> None:
    caught: list[type[BaseException]] = []

    async def logic(self: Any, value: int) -> None:
        job.feed(Cancel())
        try:
            self.out.emit(value)
        except BaseException as error:
            caught.append(type(error))
            raise

    job = kept_open(routine(logic, slots=SLOT))
    job.post("a.value", 1)
    job.run("a")
    job.news()

    assert caught == [Cancelled]
    assert [token.routine for token in job.leaving] == ["a"]
    assert (job.status, job.count("a").refused) == ("CANCELLED", 1)


def test_what_outlives_the_coroutine_can_not_emit() -> None:
    kept: list[Any] = []

    async def logic(self: Any, value: int) -> None:
        kept.append(asyncio.get_running_loop())

        async def later() -> None:
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            finally:
                try:
                    self.out.emit(value)
                except BaseException as error:  # noqa: BLE001  kept for the test
                    kept.append(type(error))

        kept.append(asyncio.ensure_future(later()))

    job = kept_open(routine(logic, slots=SLOT))
    job.post("a.value", 1)
    job.run("a")
    job.work()

    assert kept[-1] is EmitOutsideActivation
    assert job.outputs == {"a.out": []}
    assert job.count("a").refused == 1


def test_none_begins_while_the_job_is_held_and_a_step_lets_one_go() -> None:
    seen: list[Any] = []
    job = kept_open(coroutine(seen))
    job.feed(Pause(1))
    job.post("a.value", 1, 2)
    assert job.tokens == []

    job.feed(Step())
    job.work()

    assert (seen, job.status) == ([1], "PAUSED")
    job.feed(Resume(9))
    job.work()
    assert seen == [1, 2]


def test_a_hold_finds_those_not_begun_and_takes_them_back() -> None:
    seen: list[Any] = []
    job = kept_open(coroutine(seen))
    job.post("a.value", 1, 2)
    job.hook_mark("a", lambda: job.feed(Pause(1)))
    job.run("a")
    job.work()
    assert (seen, job.status) == ([], "PAUSED")
    assert job.slot_count("a.value").depth == 2

    job.feed(Resume(9))
    job.work()

    assert seen == [1, 2]


def test_its_state_is_made_on_a_worker_before_the_first_one() -> None:
    made: list[str] = []

    class State:
        def __init__(self) -> None:
            made.append("state")
            self.many = 0

    async def logic(self: Any, value: int) -> None:
        self.state.many += 1
        self.out.emit(self.state.many)

    job = kept_open(routine(logic, slots=SLOT, state=State))
    out = job.feed()
    job.post("a.value", 1, 2)
    assert out.rare.coroutines == []
    assert made == []
    job.run("a")
    assert made == ["state"]
    job.work()

    assert job.outputs == {"a.out": [1, 2]}
    assert made == ["state"]


def test_a_state_that_can_not_be_made_is_the_failure_of_an_activation() -> None:
    class State:
        def __init__(self) -> None:
            raise OSError("no state")

    async def logic(self: Any, value: int) -> None: ...

    job = kept_open(routine(logic, slots=SLOT, state=State, on_error=Continue()))
    job.post("a.value", 1, 2)
    job.feed(Close())
    job.work()

    assert job.status == "COMPLETED"
    assert [failure.text for failure in job.core.dead_letters] == ["no state"] * 2
    assert job.slot_count("a.value").dead == 2


def test_its_finish_runs_on_a_worker() -> None:
    seen: list[Any] = []
    made = coroutine(seen, finish=lambda self: seen.append("finish"))
    job = Driven(chain(burst([1, 2]), made))
    job.start()
    while job.status == "RUNNING" and not job.core.by_id["b"].continued:
        job.news() if job.inbox else job.run()

    assert [token.routine for token in job.tokens] == ["b"]
    job.work()
    assert (seen, job.status) == ([1, 2, "finish"], "COMPLETED")


def test_a_message_that_comes_while_finish_waits_for_a_worker_still_is_a_coroutine() -> None:
    seen: list[Any] = []
    job = kept_open(coroutine(seen, finish=lambda self: seen.append("finish")))
    job.feed(Close())
    assert len(job.core.by_id["a"].continued) == 1
    job.post("a.value", 1)

    job.work()

    assert sorted(map(str, seen)) == ["1", "finish"]
    assert (job.status, job.outputs) == ("COMPLETED", {"a.out": [1]})


def test_too_many_emissions_park_on_instead_of_blocking_the_thread() -> None:
    seen: list[Any] = []

    async def logic(self: Any) -> None:
        for value in range(9):
            self.out.emit(value)

    job = Driven(chain(routine(logic), sink(seen, capacity=1)))
    job.start()
    job.work()

    assert seen == list(range(9))
    assert job.slot_count("b.value").high_water == 1


def test_a_failure_keeps_the_others_going() -> None:
    async def logic(self: Any, value: int) -> None:
        if value == 2:
            raise ValueError
        self.out.emit(value)

    job = kept_open(routine(logic, slots=SLOT, on_error=Continue()))
    job.post("a.value", 1, 2, 3)
    job.work()

    assert job.outputs == {"a.out": [1, 3]}
    assert [event.action for event in job.of(ActivationFailed)] == ["continue"]

"""When emissions are seen downstream: line 4."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.conservation import finished
from helpers.flows import burst, chain, flow_of, routine, sink
from helpers.kinds import KINDS, Kind, closed, of_kind, post, posted
from helpers.waiting import DEADLINE, run_another_job, until
from penstock import Continue, Retry, Runtime, Slot


@pytest.mark.parametrize("kind", KINDS)
def test_4_emissions_are_visible_downstream_when_emitted(runtime: Runtime, kind: Kind) -> None:
    arrived = [threading.Event(), threading.Event()]
    seen: list[int] = []

    def body(self: Any, value: Any) -> Iterator[Any]:
        for n in range(2):
            self.out.emit(n)
            yield lambda n=n: seen.append(arrived[n].wait(DEADLINE))

    def marks(self: Any, value: int) -> None:
        arrived[value].set()

    flow = chain(of_kind(kind, body), routine(marks, slots={"value": Slot(int)}))

    finished(runtime.exec(flow, {"a.value": 1}))

    assert seen == [True, True]


@pytest.mark.parametrize("kind", KINDS)
def test_4_retry_keeps_back_an_attempts_emissions(runtime: Runtime, kind: Kind) -> None:
    gate = Gate()
    seen: list[int] = []

    def body(self: Any, value: Any) -> Iterator[Any]:
        self.out.emit(1)
        yield
        self.out.emit(2)
        yield gate.wait_here
        self.out.emit(3)

    job = runtime.exec(
        chain(of_kind(kind, body, on_error=Retry(), events=("out",)), sink(seen)), {"a.value": 0}
    )
    gate.wait_came()
    run_another_job(runtime)
    assert job.routines["b"].slots["value"].posted == 0
    gate.open()
    finished(job)

    assert seen == [1, 2, 3]
    assert job.routines["a"].revoked == 0


@pytest.mark.parametrize("kind", KINDS)
def test_4_what_a_failed_attempt_emitted_is_revoked_and_counted(
    runtime: Runtime, kind: Kind
) -> None:
    seen: list[Any] = []

    class State:
        attempt = 0

    def body(self: Any, value: Any) -> Iterator[Any]:
        self.state.attempt += 1
        for n in range(3):
            self.out.emit((value, self.state.attempt, n))
            yield
        if self.state.attempt < 3:
            raise ValueError("again")
        self.state.attempt = 0

    made = of_kind(kind, body, state=State, on_error=Retry(times=2))
    job = finished(runtime.exec(chain(burst(range(4)), made, sink(seen))))

    assert seen == [(value, 3, n) for value in range(4) for n in range(3)]
    count = job.routines["b"]
    assert count.revoked == 4 * 2 * 3
    assert count.failures == 4 * 2
    assert job.dead_letters == []
    assert count.slots["value"].consumed == 4


@pytest.mark.parametrize("kind", KINDS)
def test_4_all_is_revoked_when_no_attempt_succeeds(runtime: Runtime, kind: Kind) -> None:
    seen: list[Any] = []

    def body(self: Any, value: Any) -> Iterator[Any]:
        self.out.emit(value)
        self.other.emit(value)
        yield
        raise ValueError("never")

    made = of_kind(kind, body, events=("out", "other"), on_error=Retry(times=1, then=Continue()))
    flow = flow_of(
        {"s": burst(range(5)), "r": made, "z": sink(seen)}, "s.out -> r.value", "r.out -> z.value"
    )
    job = finished(runtime.exec(flow))

    assert seen == []
    assert job.outputs["r.other"] == []
    assert job.routines["r"].revoked == 5 * 2 * 2
    assert job.routines["r"].slots["value"].dead == 5


def test_4_kept_back_emissions_of_two_events_come_in_the_order_of_their_emission(
    runtime: Runtime,
) -> None:
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        for n in range(0, 20, 2):
            self.one.emit(n)
            self.two.emit(n + 1)

    made = routine(logic, slots={"value": Slot(int)}, events=("one", "two"), on_error=Retry())
    flow = flow_of({"r": made, "z": sink(seen, 1)}, "r.one -> z.value", "r.two -> z.value")

    finished(runtime.exec(flow, {"r.value": 0}))

    assert seen == list(range(20))


def test_4_a_source_under_retry_is_warned_of_and_emits_when_it_has_ended(runtime: Runtime) -> None:
    seen: list[Any] = []
    gate = Gate()

    class State:
        attempt = 0

    def logic(self: Any) -> Iterator[None]:
        self.state.attempt += 1
        for n in range(3):
            self.out.emit((self.state.attempt, n))
            yield
        if self.state.attempt == 1:
            raise ValueError("again")
        gate.wait_here()

    flow = chain(routine(logic, state=State, on_error=Retry()), sink(seen))
    assert [(p.severity, p.routine) for p in flow.problems()] == [("warning", "a")]

    job = runtime.exec(flow)
    gate.wait_came()
    run_another_job(runtime)
    assert job.routines["b"].slots["value"].posted == 0
    gate.open()
    finished(job)
    assert seen == [(2, 0), (2, 1), (2, 2)]
    assert job.routines["a"].revoked == 3


def test_4_what_was_kept_back_waits_for_room_without_holding_up_its_body(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[Any] = []
    over = threading.Event()

    def logic(self: Any, value: int) -> None:
        for n in range(20):
            self.out.emit((value, n))
        if value == 0:
            over.set()

    def stands(self: Any, value: Any) -> None:
        gate.wait_here()
        seen.append(value)

    made = routine(logic, slots={"value": Slot(int)}, on_error=Retry())
    stand = routine(stands, slots={"value": Slot(object, capacity=1)})
    job = runtime.exec(chain(burst(range(3)), made, stand))
    assert over.wait(DEADLINE)
    gate.wait_came()
    gate.open()
    finished(job)

    assert seen == [(value, n) for value in range(3) for n in range(20)]
    assert job.routines["c"].slots["value"].high_water == 1


def test_4_attempts_at_once_are_each_kept_back_and_delivered_in_one_piece(
    runtime: Runtime,
) -> None:
    seen: list[Any] = []

    class State:
        def __init__(self) -> None:
            self.tried: set[int] = set()

    def logic(self: Any, value: int) -> None:
        for n in range(5):
            self.out.emit((value, n))
        if value % 3 == 0 and value not in self.state.tried:
            self.state.tried.add(value)
            raise ValueError("again")

    made = routine(logic, slots={"value": Slot(int)}, state=State, max_parallel=4, on_error=Retry())
    job = finished(runtime.exec(chain(burst(range(30)), made, sink(seen))))

    assert sorted(seen) == [(value, n) for value in range(30) for n in range(5)]
    for start in range(0, 150, 5):
        assert seen[start : start + 5] == [(seen[start][0], n) for n in range(5)]
    assert job.routines["b"].revoked == 10 * 5


def test_4_kept_back_emissions_that_do_not_fit_a_refusing_slot_fail_the_attempt_whole(
    runtime: Runtime,
) -> None:
    gate = Gate()
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        for n in range(value):
            self.out.emit(n)

    def stands(self: Any, value: int) -> None:
        gate.wait_here()
        seen.append(value)

    again = Retry(times=1, then=Continue())
    made = routine(logic, slots={"value": Slot(int)}, on_error=again)
    stand = routine(stands, slots={"value": Slot(int, capacity=2, overflow="fail")})
    flow = flow_of({"r": made, "z": stand}, "r.out -> z.value")
    job = runtime.exec(flow, {"r.value": 1}, keep_open=True)
    gate.wait_came()

    post(runtime, job, "value", 3)
    until(lambda: job.routines["r"].failures == 2)
    assert job.routines["z"].slots["value"].posted == 1
    post(runtime, job, "value", 2)
    posted(job, "z.value", 3)
    gate.open()
    closed(runtime, job)

    assert seen == [0, 0, 1]
    assert [(failure.type, failure.attempt) for failure in job.dead_letters] == [("SlotFull", 2)]
    assert job.routines["r"].revoked == 6

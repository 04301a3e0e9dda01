"""Any slot, the latest, at most so often, and rules of one's own: line 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.conservation import finished
from helpers.flows import burst, chain, flow_of, pass_on, routine, sink, source
from helpers.kinds import NOTHING, closed, opened, post, recorder
from helpers.recording import RecordingInstrument
from helpers.waiting import run_another_job, until
from penstock import (
    Activation,
    AnySlot,
    Batch,
    Every,
    JobStatus,
    Latest,
    PenstockError,
    Routine,
    Runtime,
    Slot,
)
from penstock.observe import MessageDropped
from penstock.run.executor import Loop

LONG = 3600.0

# ---- 3: any slot


def test_3_any_slot_takes_the_oldest_across_its_slots_and_leaves_defaults(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[Any] = []

    def logic(self: Any, left: Any = NOTHING, right: Any = NOTHING) -> None:
        gate.wait_here()
        seen.append((left, right))

    slots = {"left": Slot(int), "right": Slot(int)}
    job = opened(runtime, routine(logic, slots=slots, activation=AnySlot()))
    post(runtime, job, "left", 0)
    gate.wait_came()
    for number, slot in enumerate(["right", "left", "left", "right", "right", "left"], 1):
        post(runtime, job, slot, number)
    gate.open()
    closed(runtime, job)

    n = NOTHING
    assert seen == [(0, n), (n, 1), (2, n), (3, n), (n, 4), (n, 5), (6, n)]
    assert job.routines["r"].activations == 7


def test_3_any_slot_keeps_each_connection_in_order(runtime: Runtime) -> None:
    seen: list[Any] = []
    flow = flow_of(
        {
            "r": recorder(seen, "left", "right", activation=AnySlot(), left=Slot(int, capacity=2)),
            "x": burst(range(100)),
            "y": source(range(100)),
        },
        "x.out -> r.left",
        "y.out -> r.right",
    )

    finished(runtime.exec(flow))

    assert [left for left, right in seen if right is NOTHING] == list(range(100))
    assert [right for left, right in seen if left is NOTHING] == list(range(100))


def logic_of_two(self: Any, left: Any, right: Any) -> None:
    raise AssertionError("never runs")


def one_and_any(self: Any, left: Any, right: Any = None) -> None:
    raise AssertionError("never runs")


@pytest.mark.parametrize(
    ("logic", "rule"),
    [
        (logic_of_two, AnySlot()),
        (one_and_any, AnySlot()),
        (logic_of_two, Batch(2)),
        (logic_of_two, Latest()),
    ],
)
def test_3_a_rule_that_does_not_go_with_the_slots_is_a_problem_and_no_job(
    runtime: Runtime, logic: Any, rule: Activation
) -> None:
    slots = {"left": Slot(int), "right": Slot(int)}
    flow = flow_of({"r": routine(logic, slots=slots, activation=rule)})

    errors = [problem for problem in flow.problems() if problem.severity == "error"]
    assert [problem.routine for problem in errors] == ["r"]
    with pytest.raises(PenstockError):
        runtime.exec(flow)
    assert runtime.jobs.list() == []


# ---- 3: the latest


def test_3_latest_takes_the_newest_and_counts_what_it_passes_over(loop: Loop) -> None:
    recording = RecordingInstrument()
    gate = Gate()
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        seen.append(value)

    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = opened(runtime, routine(logic, slots={"value": Slot(int)}, activation=Latest()))
        post(runtime, job, "value", 0)
        gate.wait_came()
        post(runtime, job, "value", *range(1, 10))
        gate.let_go()
        gate.wait_came(2)
        post(runtime, job, "value", 10, 11)
        gate.open()
        closed(runtime, job)

    assert seen == [0, 9, 11]
    slot = job.routines["r"].slots["value"]
    assert (slot.consumed, slot.superseded, slot.discarded) == (3, 9, 0)
    told = [event for event in recording.of(MessageDropped) if event.reason == "superseded"]
    assert len(told) == 9
    assert {event.slot for event in told} == {"r.value"}


def test_3_latest_takes_every_message_while_it_keeps_up(runtime: Runtime) -> None:
    seen: list[int] = []
    job = opened(runtime, sink(seen, activation=Latest()))

    for n in range(20):
        post(runtime, job, "value", n)
        until(lambda: len(seen) == n + 1)  # noqa: B023  waited for here
    closed(runtime, job)

    assert seen == list(range(20))
    assert job.routines["r"].slots["value"].superseded == 0


@pytest.mark.parametrize("capacity", [1, 2, 1000])
def test_3_the_last_message_always_reaches_latest(runtime: Runtime, capacity: int) -> None:
    seen: list[int] = []
    flow = chain(source(range(200)), pass_on(capacity), sink(seen, capacity, activation=Latest()))

    job = finished(runtime.exec(flow))

    assert seen == sorted(seen)
    assert seen[-1] == 199
    slot = job.routines["c"].slots["value"]
    assert (slot.consumed, slot.superseded) == (len(seen), 200 - len(seen))


# ---- 3: every


def ticks(into: list[float], **attributes: Any) -> Routine:
    def logic(self: Any) -> None:
        into.append(monotonic())
        self.out.emit(len(into))

    return routine(logic, **attributes)


def test_3_every_on_a_source_is_a_timer_of_so_many_times(runtime: Runtime) -> None:
    at: list[float] = []
    begin = monotonic()
    job = runtime.exec(chain(ticks(at, activation=Every(0.02, times=5)), pass_on()))

    finished(job)

    assert job.outputs["b.out"] == [1, 2, 3, 4, 5]
    assert at[-1] - begin >= 4 * 0.02 - 0.005
    assert job.routines["a"].activations == 5


def test_3_every_on_a_source_runs_at_once_and_until_cancel(runtime: Runtime) -> None:
    at: list[float] = []
    job = runtime.exec(chain(ticks(at, activation=Every(0.005)), pass_on()))
    hourly: list[float] = []
    slow = runtime.exec(chain(ticks(hourly, activation=Every(LONG)), pass_on()))

    until(lambda: len(at) >= 5)
    until(lambda: len(hourly) == 1)
    assert not job.status.is_final
    assert not slow.status.is_final
    for one in (job, slow):
        runtime.jobs.cancel(one.id)
        finished(one, JobStatus.CANCELLED)
    told = len(at)
    run_another_job(runtime)
    assert len(at) <= told + 1
    assert len(hourly) == 1


def test_3_every_with_slots_activates_at_most_once_per_interval(runtime: Runtime) -> None:
    seen: list[int] = []
    begin = monotonic()

    finished(runtime.exec(chain(burst(range(5)), sink(seen, activation=Every(0.03)))))

    assert monotonic() - begin >= 4 * 0.03 - 0.005
    assert seen == list(range(5))


def test_3_every_with_slots_takes_the_oldest_of_each(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, recorder(seen, "left", "right", activation=Every(0.005)))

    post(runtime, job, "left", 1, 2, 3)
    run_another_job(runtime)
    assert seen == []
    post(runtime, job, "right", "a", "b")
    closed(runtime, job)

    assert seen == [(1, "a"), (2, "b")]
    assert job.routines["r"].slots["left"].discarded == 1


def test_3_every_lets_the_first_go_at_once_and_the_next_wait(runtime: Runtime) -> None:
    seen: list[int] = []
    job = opened(runtime, sink(seen, activation=Every(LONG)))

    post(runtime, job, "value", 0, 1)
    until(lambda: seen == [0])
    run_another_job(runtime)

    assert seen == [0]
    assert job.routines["r"].slots["value"].queued == 1
    assert not job.status.is_final
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)


# ---- 3: rules of one's own


Queues = Mapping[str, Sequence[Any]]


class TwoAndOne(Activation):
    """Two of ``left`` with one of ``right``."""

    def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
        if len(queues["left"]) < 2 or not queues["right"]:
            return None
        return {"left": [0, 1], "right": 0}


class FirstAndThird(Activation):
    def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
        return {"value": (0, 2)} if len(queues["value"]) > 2 else None


class LeftAlone(Activation):
    """``left`` without ``right`` when there is one, else ``right``."""

    def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
        for name in ("left", "right"):
            if queues[name]:
                return {name: 0}
        return None


class Highest(Activation):
    def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
        waiting = list(queues["value"])
        return {"value": waiting.index(max(waiting))} if waiting else None


def test_3_a_rule_of_one_s_own_takes_positions(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, recorder(seen, "left", "right", activation=TwoAndOne()))

    post(runtime, job, "right", "a", "b", "c")
    post(runtime, job, "left", 1)
    run_another_job(runtime)
    assert seen == []
    post(runtime, job, "left", 2, 3, 4, 5)
    closed(runtime, job)

    assert seen == [([1, 2], "a"), ([3, 4], "b")]
    slots = job.routines["r"].slots
    assert (slots["left"].consumed, slots["left"].discarded) == (4, 1)
    assert (slots["right"].consumed, slots["right"].discarded) == (2, 1)


def test_3_a_rule_of_one_s_own_may_leave_older_ones_waiting(runtime: Runtime) -> None:
    seen: list[Any] = []

    job = finished(runtime.exec(chain(burst(range(8)), sink(seen, activation=FirstAndThird()))))

    assert seen == [[0, 2], [1, 4], [3, 6]]
    assert job.routines["b"].slots["value"].discarded == 2


def test_3_a_slot_that_a_rule_leaves_out_is_not_passed(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, recorder(seen, "left", "right", activation=LeftAlone()))

    post(runtime, job, "left", 1)
    post(runtime, job, "right", 2)
    closed(runtime, job)

    assert sorted(seen, key=repr) == sorted([(1, NOTHING), (NOTHING, 2)], key=repr)


def test_3_a_rule_of_one_s_own_chooses_among_all_that_waits(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        seen.append(value)

    job = opened(runtime, routine(logic, slots={"value": Slot(int)}, activation=Highest()))
    post(runtime, job, "value", 0)
    gate.wait_came()
    post(runtime, job, "value", 2, 5, 1)
    gate.let_go()
    gate.wait_came(2)
    post(runtime, job, "value", 4, 9)
    gate.open()
    closed(runtime, job)

    assert seen == [0, 5, 9, 4, 2, 1]


def test_3_a_rule_of_one_s_own_sees_every_slot_oldest_first(runtime: Runtime) -> None:
    looks: list[dict[str, list[Any]]] = []

    class Looks(Activation):
        def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
            looks.append({name: list(values) for name, values in queues.items()})
            return None

    job = opened(runtime, recorder([], "left", "right", activation=Looks()))
    post(runtime, job, "left", 1, 2)
    post(runtime, job, "right", 3)
    closed(runtime, job)

    assert {"left": [1, 2], "right": [3]} in looks
    assert all(set(look) == {"left", "right"} for look in looks)
    assert job.routines["r"].slots["left"].discarded == 2


@pytest.mark.parametrize("error", [ValueError, SystemExit, GeneratorExit])
def test_3_a_take_that_raises_fails_the_job_and_says_where(
    runtime: Runtime, error: type[BaseException]
) -> None:
    class Raises(Activation):
        def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
            if 3 in queues["value"]:
                raise error("no three")
            return {"value": 0} if queues["value"] else None

    seen: list[int] = []
    flow = chain(burst(range(6)), pass_on(), sink(seen, activation=Raises()))

    job = finished(runtime.exec(flow), JobStatus.FAILED)

    assert job.error is not None
    assert (job.error.routine, job.error.type) == ("c", error.__name__)
    assert seen == list(range(len(seen)))
    assert len(seen) <= 3
    run_another_job(runtime)


@pytest.mark.parametrize(
    "answer",
    [
        {"nope": 0},
        {"value": 5},
        {"value": -1},
        {"value": [0, 0]},
        {"value": [0, 7]},
        {"value": []},
        {"value": "0"},
        {"value": 0.0},
        {"value": None},
        {},
        7,
        "value",
        [("value", 0)],
        False,
    ],
    ids=repr,
)
def test_3_a_take_whose_answer_makes_no_sense_fails_the_job_and_says_where(
    runtime: Runtime, answer: Any
) -> None:
    class Nonsense(Activation):
        def take(self, queues: Queues) -> Any:
            return answer if queues["value"] else None

    seen: list[int] = []
    job = opened(runtime, sink(seen, activation=Nonsense()))

    post(runtime, job, "value", 1)

    finished(job, JobStatus.FAILED)
    assert job.error is not None
    assert job.error.routine == "r"
    assert job.error.text
    assert seen == []
    run_another_job(runtime)


def test_3_a_rule_without_take_is_a_problem_and_no_job(runtime: Runtime) -> None:
    class Empty(Activation):
        pass

    flow = flow_of({"r": sink([], activation=Empty())})

    errors = [problem for problem in flow.problems() if problem.severity == "error"]
    assert [problem.routine for problem in errors] == ["r"]
    with pytest.raises(PenstockError):
        runtime.exec(flow)
    assert runtime.jobs.list() == []

"""Flows are copied, jobs share nothing; a test's number names the line it asks."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from helpers.bodies import Gate, gated, gated_source
from helpers.conservation import finished
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink, source
from helpers.kinds import Kind, Steps, closed, of_kind
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, until
from penstock import (
    Batch,
    Continue,
    Event,
    Flow,
    FlowFileError,
    JobStatus,
    PenstockError,
    Routine,
    Runtime,
    Slot,
)
from penstock.observe import ActivationEnded, JobEnded, JobStarted
from penstock.run.executor import Loop


class Adder(Routine):
    """Adds a step to a number."""

    number = Slot(int)
    total = Event(int)

    class Config(BaseModel):
        step: int = 1

    def logic(self, number: int) -> None:
        self.total.emit(number + self.config.step)


def adders(*steps: int) -> Flow:
    """A chain of adders of classes that a flow file can name."""
    sys.modules.setdefault(__name__, ModuleType(__name__))
    vars(sys.modules[__name__]).setdefault("Adder", Adder)
    flow = Flow("adders")
    for n, step in enumerate(steps):
        flow.add(f"a{n}", Adder(step=step))
        if n:
            flow.connect(f"a{n - 1}.total", f"a{n}.number")
    return flow


# ---- 23: a job runs the flow as it was


def test_23_a_job_runs_the_flow_as_it_was_at_exec(runtime: Runtime) -> None:
    gate = Gate()
    flow = flow_of({"s": gated_source(gate), "p": pass_on()}, "s.out -> p.value")
    job = runtime.exec(flow)
    gate.wait_came()

    flow.disconnect("s.out", "p.value")
    flow.remove("p")
    flow.rename("s", "t")
    flow.add("u", source([9]))
    flow.name = "changed"
    later = runtime.exec(flow)
    gate.open()

    finished(job)
    finished(later)
    assert job.outputs == {"p.out": [1]}
    assert set(job.routines) == {"s", "p"}
    assert job.flow == "flow"
    assert later.outputs == {"t.out": [1], "u.out": [9]}
    assert later.flow == "changed"


def test_23_a_flow_emptied_right_after_exec_changes_nothing(runtime: Runtime) -> None:
    for _ in range(20):
        flow = flow_of(
            {"s": burst(range(5)), "p": pass_on(), "q": pass_on()},
            "s.out -> p.value",
            "p.out -> q.value",
        )
        job = runtime.exec(flow)
        for routine_id in ("q", "p", "s"):
            flow.remove(routine_id)
        finished(job)
        assert job.outputs == {"q.out": [0, 1, 2, 3, 4]}


def test_23_to_json_during_a_run_equals_the_one_before(runtime: Runtime) -> None:
    flow = adders(1, 20, 300)
    before = flow.to_json()

    job = runtime.exec(flow, {"number": 0}, keep_open=True)
    assert flow.to_json() == before
    until(lambda: job.outputs == {"a2.total": [321]})
    assert flow.to_json() == before
    runtime.post(job.id, "a1.number", 0)
    closed(runtime, job)

    assert flow.to_json() == before
    assert job.outputs == {"a2.total": [321, 320]}


def test_23_the_copy_does_not_go_through_json(runtime: Runtime) -> None:
    """What no file can hold runs: a class made here, a lock, a function, a socket to nowhere."""
    lock = threading.Lock()
    seen: list[Any] = []

    class Local(Routine):
        value = Slot(object)

        def __init__(self, double: Callable[[int], int]) -> None:
            super().__init__()
            self.lock = lock
            self.double = double

        def logic(self, value: int) -> None:
            with self.lock:
                seen.append((self.double(value), self.lock is lock))

    flow = Flow("local")
    flow.add("r", Local(lambda n: n * 2))
    with pytest.raises(FlowFileError):
        flow.to_json()

    finished(runtime.exec(flow, {"value": 4}))

    assert seen == [(8, True)]


def test_23_a_routine_made_by_type_runs(runtime: Runtime) -> None:
    def logic(self: Any, value: int) -> None:
        self.out.emit(value + 1)

    made = type("", (Routine,), {"logic": logic, "value": Slot(int), "out": Event(int)})()

    assert finished(runtime.exec(flow_of({"r": made}), {"value": 1})).outputs == {"r.out": [2]}


def test_23_two_runtimes_run_one_flow_object_at_once(loop: Loop) -> None:
    gate = Gate()

    class State:
        seen = 0

    def logic(self: Any, value: int) -> None:
        self.state.seen += 1
        gate.wait_here()
        self.out.emit((value, self.state.seen))

    flow = chain(
        source(range(3)), routine(logic, slots={"value": Slot(int)}, state=State), pass_on()
    )
    with Runtime(workers=1, loop=loop) as one, Runtime(workers=2, loop=loop) as other:
        jobs = [one.exec(flow), other.exec(flow), other.exec(flow)]
        gate.wait_inside(3)
        gate.open()
        for job in jobs:
            assert finished(job).outputs == {"c.out": [(0, 1), (1, 2), (2, 3)]}
    assert [job.routines["b"].slots["value"].consumed for job in jobs] == [3, 3, 3]


def test_23_one_placement_does_not_hinder_the_other(loop: Loop) -> None:
    flow = chain(burst(range(50)), pass_on(3), pass_on(1))
    with Runtime(workers=2, loop=loop) as runtime:
        jobs = [runtime.exec(flow, loop=own) for own in ("thread", "pool", None) * 5]
        for job in jobs:
            assert finished(job).outputs == {"c.out": list(range(50))}


# ---- 23: jobs share nothing


def test_23_a_job_sees_nothing_that_another_left_in_a_slot(runtime: Runtime) -> None:
    flow = flow_of({"p": pair(), "b": sink([], activation=Batch(5))})

    left = finished(runtime.exec(flow, {"p.left": "old", "b.value": 0}))
    right = finished(runtime.exec(flow, {"p.right": "new"}))
    both = finished(runtime.exec(flow, {"p.left": 1, "p.right": 2}))

    assert left.outputs == right.outputs == {"p.out": []}
    assert both.outputs == {"p.out": [(1, 2)]}
    assert left.routines["p"].slots["left"].discarded == 1
    assert right.routines["p"].slots["left"].posted == 0
    assert right.routines["b"].slots["value"].posted == 0


def test_23_a_failed_job_s_queues_stay_its_own(runtime: Runtime) -> None:
    def logic(self: Any, value: int) -> None:
        if value == 0:
            raise ValueError(value)
        self.out.emit(value)

    flow = flow_of({"r": routine(logic, slots={"value": Slot(int)})})
    failed = runtime.exec(flow, {"value": 0})
    finished(failed, JobStatus.FAILED)

    job = finished(runtime.exec(flow, {"value": 1}))

    assert job.outputs == {"r.out": [1]}
    assert failed.outputs == {"r.out": []}
    assert job.error is None
    assert failed.routines["r"].slots["value"].dead == 1


def test_23_a_job_s_state_is_its_own_and_dies_with_it(runtime: Runtime) -> None:
    class State:
        def __init__(self) -> None:
            self.words: list[str] = []

    def logic(self: Any, value: str) -> None:
        self.state.words.append(value)

    def finish(self: Any) -> None:
        self.out.emit((id(self.state), self.state.words))

    counter = routine(logic, slots={"value": Slot(str)}, state=State, finish=finish)
    flow = chain(burst("abc"), counter)
    jobs = [runtime.exec(flow) for _ in range(10)]
    for job in jobs:
        finished(job)

    outputs = [job.outputs["b.out"][0] for job in jobs]
    assert [words for _, words in outputs] == [["a", "b", "c"]] * 10
    assert len({id(words) for _, words in outputs}) == 10


def test_23_two_routines_of_one_class_have_each_their_own_state(runtime: Runtime) -> None:
    class State:
        many = 0

    def logic(self: Any, value: int) -> None:
        self.state.many += 1
        self.out.emit(self.state.many)

    body = {"logic": logic, "value": Slot(int), "out": Event(int), "State": State}
    made: type[Routine] = type("Counts", (Routine,), body)
    flow = flow_of(
        {"s": burst(range(5)), "t": burst(range(3)), "x": made(), "y": made()},
        "s.out -> x.value",
        "t.out -> y.value",
    )

    job = finished(runtime.exec(flow))

    assert job.outputs == {"x.out": [1, 2, 3, 4, 5], "y.out": [1, 2, 3]}


def test_23_nothing_of_a_job_can_be_kept_on_the_routine(runtime: Runtime) -> None:
    raised: list[str] = []

    def logic(self: Any, value: int) -> None:
        with pytest.raises(PenstockError) as caught:
            self.mine = value
        raised.append(str(caught.value))

    finished(runtime.exec(flow_of({"r": routine(logic, slots={"value": Slot(int)})}), {"value": 1}))

    assert ["self.state" in text for text in raised] == [True]


def test_23_one_job_s_end_leaves_the_others_alone(runtime: Runtime) -> None:
    gate = Gate()
    flow = chain(burst(range(3)), gated(gate, max_parallel=2), pass_on())
    cancelled, other = runtime.exec(flow), runtime.exec(flow)
    gate.wait_came(4)

    runtime.jobs.cancel(cancelled.id)
    finished(cancelled, JobStatus.CANCELLED)
    gate.open()

    assert sorted(finished(other).outputs["c.out"]) == [0, 1, 2]
    assert cancelled.outputs == {"c.out": []}


# ---- 23: two flows of one name


def test_23_two_flows_of_one_name_run_at_once(runtime: Runtime) -> None:
    gate = Gate()
    one = flow_of({"s": gated_source(gate), "p": pass_on()}, "s.out -> p.value", name="same")
    other = flow_of({"s": gated_source(gate), "q": pair()}, "s.out -> q.left", name="same")

    jobs = [runtime.exec(flow) for flow in (one, other, one, other)]
    gate.wait_inside(4)
    runtime.handle_event_emit(jobs[1].id, "q.out", "from outside")
    gate.open()
    for job in jobs:
        finished(job)

    assert [job.flow for job in jobs] == ["same"] * 4
    assert jobs[0].outputs == jobs[2].outputs == {"p.out": [1]}
    assert jobs[1].outputs == {"q.out": ["from outside"]}
    assert jobs[3].outputs == {"q.out": []}
    assert jobs[3].routines["q"].slots["left"].discarded == 1
    assert len({job.id for job in jobs}) == 4


def test_23_exec_of_a_flow_registers_nothing(runtime: Runtime) -> None:
    flow = chain(source([1]), name="mine")
    finished(runtime.exec(flow))
    with pytest.raises(PenstockError):
        runtime.exec("mine")

    runtime.register(flow)
    other = chain(source([2]), name="mine")
    assert finished(runtime.exec(other)).outputs == {"a.out": [2]}
    assert finished(runtime.exec("mine")).outputs == {"a.out": [1]}
    runtime.register(other)
    assert finished(runtime.exec("mine")).outputs == {"a.out": [2]}


# ---- 23: every body sees the job it runs for


def context_flow(kind: Kind, wrong: list[Any]) -> Flow:
    """Three routines that each compare the value they are given with what they keep of the job."""

    class State:
        def __init__(self) -> None:
            self.mine: Any = None
            self.turns = 0

    def body(self: Any, value: Any) -> Steps:
        state = self.state
        for turn in range(3):
            if state.mine is None:
                state.mine = value
            if self.state is not state or state.mine != value or state.turns != turn:
                wrong.append((value, turn, state.mine, state.turns))
            state.turns += 1
            self.note.emit((value, turn))
            yield None
        self.out.emit(value)

    def finish(self: Any) -> None:
        self.note.emit(("finish", self.state.mine))

    def one() -> Routine:
        return of_kind(kind, body, state=State, events=("out", "note"), finish=finish)

    return flow_of({"a": one(), "b": one(), "c": one()}, "a.out -> b.value", "b.out -> c.value")


@pytest.mark.parametrize(("kind", "many"), [("plain", 1000), ("generator", 300), ("async", 300)])
def test_23_every_body_of_a_thousand_jobs_sees_its_own_job(
    loop: Loop, kind: Kind, many: int
) -> None:
    wrong: list[Any] = []
    flow = context_flow(kind, wrong)
    with Runtime(workers=4, loop=loop) as runtime:
        jobs = [runtime.exec(flow, {"value": f"job {n}"}) for n in range(many)]
        assert runtime.jobs.wait_all(60)

    assert not wrong
    for n, job in enumerate(jobs):
        value = f"job {n}"
        notes = [(value, turn) for turn in range(3)] + [("finish", value)]
        assert job.status is JobStatus.COMPLETED
        assert job.outputs == {
            "c.out": [value],
            "a.note": notes,
            "b.note": notes,
            "c.note": notes,
        }


def test_23_jobs_that_run_at_once_are_told_apart_in_every_body(loop: Loop) -> None:
    """All stand inside a body at once, then go on: nothing of another job shows there."""
    wrong: list[Any] = []
    gate = Gate()
    many = 40

    class State:
        mine: Any = None

    def logic(self: Any, value: int) -> None:
        self.state.mine = value
        self.out.emit(("before", value))
        gate.wait_here()
        if self.state.mine != value or self.cancelled != (value % 4 == 0):
            wrong.append((value, self.state.mine, self.cancelled))
        self.out.emit(("after", value))

    flow = flow_of({"r": routine(logic, slots={"value": Slot(int)}, state=State)})
    with Runtime(workers=many, loop=loop) as runtime:
        jobs = [runtime.exec(flow, {"value": n}) for n in range(many)]
        gate.wait_inside(many)
        for job in jobs[::4]:
            runtime.jobs.cancel(job.id)
            finished(job, JobStatus.CANCELLED)
        gate.open()
        for n, job in enumerate(jobs):
            if n % 4:
                finished(job)
                assert job.outputs == {"r.out": [("before", n), ("after", n)]}

    assert not wrong


def test_23_jobs_whose_coroutines_interleave_are_told_apart(loop: Loop) -> None:
    wrong: list[Any] = []

    class State:
        def __init__(self) -> None:
            self.mine: set[int] = set()

    async def logic(self: Any, value: tuple[int, int]) -> None:
        job, _ = value
        for _ in range(5):
            self.state.mine.add(job)
            if self.state.mine != {job}:
                wrong.append((value, self.state.mine))
            await asyncio.sleep(0)
        self.out.emit(value)

    slots = {"value": Slot(tuple)}
    flow = flow_of({"r": routine(logic, slots=slots, state=State, max_parallel=None)})
    with Runtime(workers=2, loop=loop) as runtime:
        jobs = [runtime.exec(flow, {"value": (n, 0)}, keep_open=True) for n in range(50)]
        for turn in range(1, 5):
            for n, job in enumerate(jobs):
                runtime.post(job.id, "r.value", (n, turn))
        for job in jobs:
            closed(runtime, job)

    assert not wrong
    for n, job in enumerate(jobs):
        assert sorted(job.outputs["r.out"]) == [(n, turn) for turn in range(5)]


def test_23_context_variables_of_one_body_are_not_seen_in_another(loop: Loop) -> None:
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable", default=None)
    found: list[Any] = []

    async def logic(self: Any, value: int) -> None:
        found.append(variable.get())
        variable.set(value)
        await asyncio.sleep(0)
        found.append(variable.get() == value)

    slots = {"value": Slot(int)}
    with Runtime(workers=1, loop=loop) as runtime:
        flow = chain(burst(range(20)), routine(logic, slots=slots, max_parallel=None))
        finished(runtime.exec(flow))

    assert [one for one in found if one is not True] == [None] * 20


def test_23_dead_letters_and_events_belong_to_one_job(loop: Loop) -> None:
    recording = RecordingInstrument()

    def logic(self: Any, value: str) -> None:
        raise ValueError(value)

    bad = routine(logic, slots={"value": Slot(str)}, on_error=Continue())
    flow = flow_of({"r": bad, "z": pass_on()}, "r.failed -> z.value")
    plain = flow_of({"r": bad})
    with Runtime(workers=3, loop=loop, instruments=[recording]) as runtime:
        jobs = [runtime.exec(flow, {"r.value": f"{n}"}) for n in range(30)]
        jobs += [runtime.exec(plain, {"value": f"{n}"}) for n in range(30, 60)]
        for job in jobs:
            finished(job)

    for n, job in enumerate(jobs):
        kept = job.dead_letters if n >= 30 else job.outputs["z.out"]
        assert [failure.text for failure in kept] == [f"{n}"]
        assert len(recording.of(JobStarted, job.id)) == len(recording.of(JobEnded, job.id)) == 1
        ended = recording.of(ActivationEnded, job.id)
        assert {event.routine for event in ended} <= set(job.routines)


def test_23_an_endless_job_does_not_keep_others_from_advancing(loop: Loop) -> None:
    def endless(self: Any) -> Iterator[None]:
        while True:
            self.out.emit(1)
            yield

    with Runtime(workers=1, loop=loop) as runtime:
        busy = runtime.exec(chain(routine(endless), pass_on(10), sink([], 10)))
        until(lambda: busy.routines["c"].activations > 50)
        others = [runtime.exec(chain(burst(range(30)), pass_on(2))) for _ in range(10)]
        for job in others:
            assert finished(job).outputs == {"b.out": list(range(30))}
        assert not busy.status.is_final
        runtime.jobs.cancel(busy.id)
        assert busy.wait(DEADLINE) is JobStatus.CANCELLED

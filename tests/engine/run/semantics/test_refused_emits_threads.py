"""Where one may emit: line 17."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.conservation import check_conservation, finished
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink
from helpers.kinds import KINDS, AsyncGate, Kind, Steps, of_kind
from helpers.waiting import DEADLINE, Call, raised_by, run_another_job, until
from penstock import (
    AllSlots,
    Cancelled,
    EmitOutsideActivation,
    JobStatus,
    Retry,
    Runtime,
    Slot,
    Stop,
)


@pytest.mark.parametrize("policy", [Stop(), Retry()])
def test_17_a_thread_of_the_body_may_not_emit_even_with_its_context(
    runtime: Runtime, policy: Any
) -> None:
    raised: list[Any] = []

    def logic(self: Any, value: int) -> None:
        context = contextvars.copy_context()
        bare = Call(lambda: raised_by(lambda: self.out.emit("bare")))
        copied = Call(lambda: raised_by(lambda: context.run(self.out.emit, "with the context")))
        raised.extend(call.result() for call in (bare, copied))
        self.out.emit("right")

    def finish(self: Any) -> None:
        raised.append(Call(lambda: raised_by(lambda: self.out.emit("late"))).result())
        self.out.emit("end")

    made = routine(logic, slots={"value": Slot(int)}, finish=finish, on_error=policy)
    job = finished(runtime.exec(chain(burst([1]), made)))

    assert raised == [EmitOutsideActivation] * 3
    assert job.outputs["b.out"] == ["right", "end"]
    assert job.routines["b"].refused == 3


def test_17_every_refused_emit_is_counted_whatever_the_thread(runtime: Runtime) -> None:
    def logic(self: Any, value: int) -> None:
        def strays() -> None:
            for _ in range(500):
                with pytest.raises(EmitOutsideActivation):
                    self.out.emit("stray")

        for call in [Call(strays) for _ in range(4)]:
            call.result()

    job = finished(runtime.exec(chain(burst([1]), routine(logic, slots={"value": Slot(int)}))))

    assert job.routines["b"].refused == 2000
    assert job.outputs["b.out"] == []


def test_17_a_thread_left_behind_by_a_body_may_not_emit(runtime: Runtime) -> None:
    go = threading.Event()
    calls: list[Call] = []

    def logic(self: Any, value: int) -> None:
        emit = self.out.emit

        def later() -> Any:
            assert go.wait(DEADLINE)
            return raised_by(lambda: emit("stray"))

        calls.append(Call(later))
        self.out.emit(value)

    job = runtime.exec(
        chain(burst([1]), routine(logic, slots={"value": Slot(int)})), keep_open=True
    )
    until(lambda: job.outputs["b.out"] == [1])
    go.set()
    assert calls[0].result() is EmitOutsideActivation
    runtime.jobs.close(job.id)
    finished(job)

    assert job.outputs["b.out"] == [1]
    assert job.routines["b"].refused == 1


@pytest.mark.parametrize("policy", [Stop(), Retry()])
def test_17_an_emit_that_comes_after_its_job_is_refused_and_counted(
    runtime: Runtime, policy: Any
) -> None:
    kept: list[Any] = []

    def logic(self: Any, value: int) -> None:
        kept.append(self.out)

    made = routine(logic, slots={"value": Slot(int)}, on_error=policy)
    job = finished(runtime.exec(chain(burst([1]), made)))

    assert raised_by(lambda: kept[0].emit("stray")) is EmitOutsideActivation
    assert Call(lambda: raised_by(lambda: kept[0].emit("stray"))).result() is (
        EmitOutsideActivation
    )
    assert job.outputs == {"b.out": []}
    assert job.routines["b"].refused == 2


def test_17_an_emit_in_a_match_function_is_refused(runtime: Runtime) -> None:
    kept: list[Any] = []
    raised: list[Any] = []

    def match(value: Any) -> Any:
        raised.append(raised_by(lambda: kept[0].emit("stray")))
        return value

    def logic(self: Any) -> None:
        kept.append(self.out)
        self.out.emit(1)

    flow = flow_of(
        {"s": routine(logic), "p": pair(activation=AllSlots(match=match))},
        "s.out -> p.left",
        "s.out -> p.right",
    )
    job = finished(runtime.exec(flow))

    assert set(raised) == {EmitOutsideActivation}
    assert job.outputs["p.out"] == [(1, 1)]
    assert job.routines["s"].refused == len(raised)


@pytest.mark.parametrize("policy", [Stop(), Retry()])
def test_17_a_coroutine_and_what_copies_its_context_may_emit(runtime: Runtime, policy: Any) -> None:
    async def logic(self: Any, value: int) -> None:
        self.out.emit((value, "itself"))
        await asyncio.sleep(0)
        self.out.emit((value, "after an await"))
        await asyncio.to_thread(self.out.emit, (value, "to_thread"))

        async def other(word: str) -> None:
            await asyncio.sleep(0)
            self.out.emit((value, word))

        await asyncio.create_task(other("task"))
        await asyncio.gather(other("one"), other("two"))
        context = contextvars.copy_context()
        await asyncio.to_thread(
            lambda: Call(lambda: context.run(self.out.emit, (value, "copied"))).result()
        )

    slots = {"value": Slot(int)}
    made = routine(logic, slots=slots, on_error=policy, max_parallel=None)
    job = finished(runtime.exec(chain(burst(range(10)), made)))

    words = ["itself", "after an await", "to_thread", "task", "one", "two", "copied"]
    assert len(job.outputs["b.out"]) == 70
    for value in range(10):
        mine = [word for one, word in job.outputs["b.out"] if one == value]
        assert mine[:4] == words[:4]
        assert sorted(mine) == sorted(words)
    assert job.routines["b"].refused == 0


def test_17_a_thread_without_the_coroutine_s_context_may_not_emit(runtime: Runtime) -> None:
    raised: list[Any] = []

    async def logic(self: Any, value: int) -> None:
        call = Call(lambda: raised_by(lambda: self.out.emit("stray")))
        raised.append(await asyncio.to_thread(call.result))
        self.out.emit(value)

    job = finished(runtime.exec(chain(burst([1]), routine(logic, slots={"value": Slot(int)}))))

    assert raised == [EmitOutsideActivation]
    assert job.outputs["b.out"] == [1]
    assert job.routines["b"].refused == 1


def test_17_after_its_coroutine_ended_nobody_emits_with_its_context(runtime: Runtime) -> None:
    kept: list[tuple[contextvars.Context, Any]] = []

    async def logic(self: Any, value: int) -> None:
        kept.append((contextvars.copy_context(), self.out))
        self.out.emit(value)

    slots = {"value": Slot(int)}
    job = runtime.exec(chain(burst([1]), routine(logic, slots=slots)), keep_open=True)
    until(lambda: job.outputs["b.out"] == [1])
    until(lambda: job.routines["b"].slots["value"].consumed == 1)
    context, out = kept[0]
    assert raised_by(lambda: context.run(out.emit, "stray")) is EmitOutsideActivation
    assert Call(lambda: raised_by(lambda: context.run(out.emit, "stray"))).result() is (
        EmitOutsideActivation
    )
    runtime.jobs.close(job.id)
    finished(job)

    assert job.outputs["b.out"] == [1]
    assert job.routines["b"].refused == 2


def test_17_a_task_that_outlives_its_coroutine_may_not_emit(runtime: Runtime) -> None:
    gate = AsyncGate()
    raised: list[Any] = []
    tasks: list[asyncio.Task[None]] = []

    async def logic(self: Any, value: int) -> None:
        async def later() -> None:
            await gate.wait_here()
            raised.append(raised_by(lambda: self.out.emit("stray")))

        tasks.append(asyncio.create_task(later()))
        await asyncio.sleep(0)
        self.out.emit(value)

    slots = {"value": Slot(int)}
    job = runtime.exec(chain(burst([1]), routine(logic, slots=slots)), keep_open=True)
    until(lambda: job.routines["b"].slots["value"].consumed == 1)
    gate.open()
    until(lambda: raised)
    runtime.jobs.close(job.id)
    finished(job)

    assert raised == [EmitOutsideActivation]
    assert job.outputs["b.out"] == [1]
    assert job.routines["b"].refused == 1


def test_17_one_coroutine_may_not_emit_for_another_routine_or_job(runtime: Runtime) -> None:
    kept: list[Any] = []
    raised: list[Any] = []
    gate = AsyncGate()

    async def logic(self: Any, value: int) -> None:
        kept.append(self.out)
        if value == 0:
            await gate.wait_here()
            self.out.emit("mine")
        else:
            raised.append(raised_by(lambda: kept[0].emit("stray")))

    flow = flow_of({"r": routine(logic, slots={"value": Slot(int)})})
    first = runtime.exec(flow, {"r.value": 0})
    until(lambda: gate.came)
    second = finished(runtime.exec(flow, {"r.value": 1}))
    gate.open()
    finished(first)

    assert raised == [EmitOutsideActivation]
    assert first.outputs == {"r.out": ["mine"]}
    assert second.outputs == {"r.out": []}
    assert first.routines["r"].refused + second.routines["r"].refused == 1


@pytest.mark.parametrize("policy", [Stop(), Retry()])
@pytest.mark.parametrize("kind", KINDS)
def test_17_in_a_body_whose_job_has_ended_emit_raises_cancelled_and_is_counted(
    runtime: Runtime, kind: Kind, policy: Any
) -> None:
    gate = Gate()
    raised: list[Any] = []
    over = threading.Event()

    def body(self: Any, value: Any) -> Steps:
        self.out.emit("before")
        try:
            yield gate.wait_here
        finally:
            gate.open()
            raised.append(self.cancelled)
            raised.extend(raised_by(lambda: self.out.emit("late")) for _ in range(3))
            raised.append(raised_by(self.checkpoint))
            over.set()

    seen: list[Any] = []
    job = runtime.exec(chain(burst([1]), of_kind(kind, body, on_error=policy), sink(seen)))
    gate.wait_came()
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)
    gate.open()
    assert over.wait(DEADLINE)

    assert raised == [True, *[Cancelled] * 4]
    until(lambda: job.routines["b"].refused == 3)
    run_another_job(runtime)
    assert "late" not in seen
    check_conservation(job)


def test_17_emits_after_another_routine_stopped_the_job_raise_cancelled(runtime: Runtime) -> None:
    gate = Gate()
    raised: list[Any] = []
    over = threading.Event()

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        raised.append(raised_by(lambda: self.out.emit("late")))
        over.set()

    def fails(self: Any, value: int) -> None:
        gate.wait_came()
        raise ValueError("stop")

    slots = {"value": Slot(int)}
    flow = flow_of(
        {"s": burst([1]), "r": routine(logic, slots=slots), "bad": routine(fails, slots=slots)},
        "s.out -> r.value",
        "s.out -> bad.value",
    )
    job = finished(runtime.exec(flow), JobStatus.FAILED)
    gate.open()
    assert over.wait(DEADLINE)

    assert raised == [Cancelled]
    assert job.outputs["r.out"] == []
    assert job.routines["r"].refused == 1


def test_17_a_body_of_one_job_may_not_emit_for_another(runtime: Runtime) -> None:
    gate = Gate()
    kept: list[Any] = []
    raised: list[Any] = []

    def logic(self: Any) -> None:
        kept.append(self.out)
        if len(kept) == 1:
            gate.wait_here()
        else:
            raised.append(raised_by(lambda: kept[0].emit("stray")))

    flow = chain(routine(logic), pass_on())
    one = runtime.exec(flow)
    gate.wait_came()
    other = finished(runtime.exec(flow))
    gate.open()
    finished(one)

    assert raised == [EmitOutsideActivation]
    assert one.outputs == other.outputs == {"b.out": []}


def test_17_a_body_that_swallows_cancelled_is_still_of_an_ended_job(runtime: Runtime) -> None:
    gate = Gate()
    over = threading.Event()

    def logic(self: Any) -> None:
        gate.wait_here()
        for _ in range(100):
            raised_by(lambda: self.out.emit("late"))
        over.set()

    job = runtime.exec(chain(routine(logic), pass_on()))
    gate.wait_came()
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)
    gate.open()
    assert over.wait(DEADLINE)

    until(lambda: job.routines["a"].refused == 100)
    assert job.routines["b"].slots["value"].posted == 0


def test_17_finish_may_emit_and_a_coroutine_s_routine_may_have_a_plain_finish(
    runtime: Runtime,
) -> None:
    async def logic(self: Any, value: int) -> None:
        await asyncio.sleep(0)
        self.out.emit(value)

    def finish(self: Any) -> None:
        self.out.emit("end")

    made = routine(logic, slots={"value": Slot(int)}, finish=finish)
    job = finished(runtime.exec(chain(burst([1, 2]), made, pass_on())))

    assert job.outputs["c.out"] == [1, 2, "end"]


def test_17_gated_bodies_of_an_ended_job_do_not_take_the_next_job_s_workers(
    runtime: Runtime,
) -> None:
    stuck, gate = Gate(), Gate()
    job = runtime.exec(chain(gated_source(stuck), pass_on()))
    stuck.wait_came()
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)

    other = runtime.exec(chain(burst(range(4)), gated(gate, max_parallel=None)))
    gate.wait_inside(4)
    gate.open()
    finished(other)
    stuck.open()
    until(lambda: job.routines["a"].refused == 1)

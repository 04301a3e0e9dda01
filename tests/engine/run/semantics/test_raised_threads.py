"""Whatever is raised, and by whom: line 16."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from helpers.bodies import Gate, gated
from helpers.conservation import check_conservation, finished
from helpers.failing import error_of
from helpers.flows import burst, chain, flow_of, pass_on, routine
from helpers.kinds import KINDS, Kind, Steps, of_kind
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, run_another_job, until
from penstock import Cancelled, Continue, Instrument, JobStatus, Routine, Runtime, Slot
from penstock.observe import ActivationEnded, ActivationStarted, JobStarted
from penstock.observe import JobEnded as JobEndedEvent
from penstock.run.executor import Loop


class Grim(BaseException):
    """Nothing can be learned about it."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


RAISED: list[type[BaseException]] = [
    ValueError,
    StopIteration,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    asyncio.CancelledError,
    Cancelled,
    MemoryError,
    RecursionError,
    Grim,
]


def raising(kind: Kind, error: type[BaseException], **attributes: Any) -> Routine:
    def plain(self: Any, value: Any) -> None:
        raise error

    def generator(self: Any, value: Any) -> Iterator[None]:
        yield
        raise error

    async def coroutine(self: Any, value: Any) -> None:
        await asyncio.sleep(0)
        raise error

    logic = {"plain": plain, "generator": generator, "async": coroutine}[kind]
    return routine(logic, slots={"value": Slot(object)}, **attributes)


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize("kind", KINDS)
def test_16_whatever_a_body_raises_is_its_failure(
    loop: Loop, kind: Kind, error: type[BaseException]
) -> None:
    # Python itself turns a StopIteration out of a generator or coroutine into this.
    name = "RuntimeError" if error is StopIteration and kind != "plain" else error.__name__
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        stopped = runtime.exec(chain(burst([1]), raising(kind, error)))
        finished(stopped, JobStatus.FAILED)
        assert (error_of(stopped).routine, error_of(stopped).type) == ("b", name)

        flow = chain(burst([1, 2]), raising(kind, error, on_error=Continue()), pass_on())
        job = finished(runtime.exec(flow))
        assert [failure.type for failure in job.dead_letters] == [name] * 2

        full = runtime.exec(chain(burst([1, 2]), gated(gate, max_parallel=None)))
        gate.wait_inside(2)
        gate.open()
        finished(full)


@pytest.mark.parametrize("error", RAISED)
def test_16_whatever_finish_raises_is_its_failure(
    runtime: Runtime, error: type[BaseException]
) -> None:
    def finish(self: Any) -> None:
        raise error

    job = finished(runtime.exec(chain(burst([1]), pass_on(finish=finish))), JobStatus.FAILED)

    assert (error_of(job).routine, error_of(job).type) == ("b", error.__name__)


def test_16_several_failures_at_once_are_all_kept(loop: Loop) -> None:
    recording = RecordingInstrument()
    gate = Gate()

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        raise ValueError(value)

    def bad() -> Routine:
        return routine(logic, slots={"value": Slot(int)}, max_parallel=2)

    names = ["x", "y", "z"]
    flow = flow_of(
        {"s": burst([0, 1]), **{name: bad() for name in names}},
        *(f"s.out -> {name}.value" for name in names),
    )
    with Runtime(workers=6, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(flow)
        gate.wait_inside(6)
        gate.open()
        finished(job, JobStatus.FAILED)
        until(lambda: sum(job.routines[name].failures for name in names) == 6)
        check_conservation(job)

    kept = [(f.routine, f.slots["value"]) for f in (error_of(job), *job.dead_letters)]
    assert sorted(set(kept)) == [(name, n) for name in names for n in (0, 1)]
    assert isinstance(recording.events[-1], JobEndedEvent)


@pytest.mark.parametrize("kind", KINDS)
def test_16_letting_cancelled_pass_is_no_failure(runtime: Runtime, kind: Kind) -> None:
    gate = Gate()
    over = threading.Event()

    def body(self: Any, value: Any) -> Steps:
        try:
            self.out.emit(value)
            yield gate.wait_here
            self.out.emit("late")
        finally:
            gate.open()
            over.set()

    job = runtime.exec(chain(burst([1]), of_kind(kind, body, on_error=Continue())))
    gate.wait_came()
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)
    gate.open()
    assert over.wait(DEADLINE)
    run_another_job(runtime)
    run_another_job(runtime)

    assert job.routines["b"].failures == 0
    assert job.dead_letters == []
    assert job.error is None


def test_16_an_error_while_cleaning_up_does_not_hide_the_first(runtime: Runtime) -> None:
    def logic(self: Any, value: int) -> Iterator[None]:
        try:
            yield
            raise ValueError("first")
        finally:
            raise KeyError("second")

    made = routine(logic, slots={"value": Slot(int)})
    job = finished(runtime.exec(chain(burst([1]), made)), JobStatus.FAILED)

    assert error_of(job).type == "KeyError"
    assert "ValueError: first" in error_of(job).traceback


def test_16_a_generator_that_raises_when_it_is_closed_ends_nothing_else(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    closing = threading.Event()

    def logic(self: Any) -> Iterator[None]:
        try:
            while True:
                self.out.emit(1)
                yield
        finally:
            closing.set()
            raise SystemExit("while closing")

    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(routine(logic), gated(gate, capacity=1)))
        gate.wait_came()
        runtime.jobs.cancel(job.id)
        finished(job, JobStatus.CANCELLED)
        gate.open()
        assert closing.wait(DEADLINE)
        run_another_job(runtime)

    assert job.status is JobStatus.CANCELLED
    caplog.clear()  # it may be logged, as the job it might fail has ended


def test_16_a_failure_s_traceback_shows_the_user_s_lines_only(runtime: Runtime) -> None:
    def deeper() -> None:
        raise ValueError("deep")

    def logic(self: Any, value: int) -> None:
        deeper()

    made = routine(logic, slots={"value": Slot(int)})
    job = finished(runtime.exec(chain(burst([1]), made)), JobStatus.FAILED)

    assert "in deeper" in error_of(job).traceback
    assert "penstock/run" not in error_of(job).traceback


class Bad(Instrument):
    """Raises in one method, or while it is looked up."""

    def __init__(self, method: str, error: type[BaseException], when: str) -> None:
        self._method = method
        self._error = error
        self._when = when

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") or name[:3] != "on_" or name != self._method:
            return object.__getattribute__(self, name)
        if self._when == "looked up":
            raise self._error("in look-up")

        def method(event: Any) -> None:
            raise self._error("in call")

        return method


@pytest.mark.parametrize("when", ["looked up", "called"])
@pytest.mark.parametrize("error", [ValueError, SystemExit])
@pytest.mark.parametrize(
    "method", ["on_job_started", "on_message_queued", "on_activation_ended", "on_job_ended"]
)
def test_16_an_instrument_that_raises_is_removed_and_logged_and_the_others_hear_all(
    loop: Loop, caplog: pytest.LogCaptureFixture, method: str, error: type[BaseException], when: str
) -> None:
    recording = RecordingInstrument()
    bad = Bad(method, error, when)
    with Runtime(workers=2, loop=loop, instruments=[bad, recording]) as runtime:
        for _ in range(2):
            job = finished(runtime.exec(chain(burst(range(5)), pass_on(), pass_on())))
            assert job.outputs["c.out"] == list(range(5))

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "Bad" in caplog.records[0].getMessage()
    caplog.clear()
    assert len(recording.of(JobEndedEvent)) == 2
    assert len(recording.of(ActivationEnded)) == 2 * (1 + 5 + 5)


def test_16_events_come_of_every_routine_however_far_downstream(loop: Loop) -> None:
    recording = RecordingInstrument()
    parts = 40
    ids = ["s", *(f"p{n:02}" for n in range(parts))]
    routines = {"s": burst(range(3)), **{name: pass_on() for name in ids[1:]}}
    links = [f"{one}.out -> {other}.value" for one, other in pairwise(ids)]
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = finished(runtime.exec(flow_of(routines, *links)))

    assert job.outputs == {f"{ids[-1]}.out": [0, 1, 2]}
    for told in (
        [event.routine for event in recording.of(ActivationStarted)],
        [event.routine for event in recording.of(ActivationEnded)],
    ):
        assert {name: told.count(name) for name in ids} == {"s": 1} | dict.fromkeys(ids[1:], 3)
    assert isinstance(recording.events[0], JobStarted)
    assert isinstance(recording.events[-1], JobEndedEvent)
    assert [event.seq for event in recording.events] == sorted(
        {event.seq for event in recording.events}
    )

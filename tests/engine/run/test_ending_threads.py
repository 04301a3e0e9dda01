"""Cancel, stuck bodies, late emits, shutdown and waiting, on real threads."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.flows import burst, chain, flow_of, pass_on, routine, sink, source
from helpers.recording import RecordingInstrument
from helpers.waiting import until
from penstock import (
    Cancelled,
    EmitOutsideActivation,
    Instrument,
    JobState,
    JobStatus,
    PenstockError,
    Runtime,
    Slot,
)
from penstock.observe import JobEnded, JobHeld
from penstock.run import Step

DEADLINE = 20.0


def in_thread(act: Any) -> Any:
    """What a function returns on a thread of its own."""
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(act()))
    thread.start()
    thread.join(DEADLINE)
    return result[0]


def raised_by(act: Any) -> type[BaseException] | None:
    try:
        act()
    except BaseException as error:  # noqa: BLE001
        return type(error)
    return None


# ---- emits where none may be


def test_an_emit_on_a_thread_of_the_body_is_refused_and_counted() -> None:
    raised: list[Any] = []

    def logic(self: Any) -> None:
        context = contextvars.copy_context()
        raised.append(in_thread(lambda: raised_by(lambda: self.out.emit(1))))
        raised.append(in_thread(lambda: raised_by(lambda: context.run(self.out.emit, 2))))
        self.out.emit(3)

    with Runtime(workers=2) as runtime:
        job = runtime.exec(chain(routine(logic)))
        job.wait(DEADLINE)

    assert raised == [EmitOutsideActivation] * 2
    assert job.outputs["a.out"] == [3]
    assert job.routines["a"].refused == 2


def test_an_emit_of_another_routine_s_event_is_refused_and_counted() -> None:
    kept: list[Any] = []
    raised: list[Any] = []

    def first(self: Any) -> None:
        kept.append(self.out)
        self.out.emit(1)

    def second(self: Any, value: int) -> None:
        raised.append(raised_by(lambda: kept[0].emit(2)))

    body = routine(second, slots={"value": Slot(int)})
    with Runtime(workers=2) as runtime:
        job = runtime.exec(chain(routine(first), body))
        job.wait(DEADLINE)

    assert raised == [EmitOutsideActivation]
    assert job.routines["a"].refused == 1
    assert job.routines["b"].slots["value"].posted == 1


def test_an_emit_of_the_definition_is_refused() -> None:
    made = source([1])

    with pytest.raises(EmitOutsideActivation):
        made.out.emit(1)  # type: ignore[attr-defined]


def test_an_emit_of_one_job_in_a_body_of_another_is_refused() -> None:
    kept: list[Any] = []
    raised: list[Any] = []
    gate = Gate()

    def logic(self: Any) -> None:
        kept.append(self.out)
        if len(kept) == 1:
            gate.wait_here()
        else:
            raised.append(raised_by(lambda: kept[0].emit("stray")))

    flow = chain(routine(logic))
    with Runtime(workers=2) as runtime:
        one = runtime.exec(flow)
        gate.wait_came()
        other = runtime.exec(flow)
        other.wait(DEADLINE)
        gate.open()
        one.wait(DEADLINE)

    assert raised == [EmitOutsideActivation]
    assert one.outputs == other.outputs == {"a.out": []}


# ---- cancel


def test_cancel_is_final_at_once_and_late_emits_are_refused_and_counted() -> None:
    gate = Gate()
    raised: list[Any] = []
    ended = threading.Event()

    def logic(self: Any) -> None:
        self.out.emit(1)
        gate.wait_here()
        raised.append(self.cancelled)
        raised.extend(raised_by(lambda: self.out.emit(2)) for _ in range(3))
        raised.append(raised_by(self.checkpoint))
        raised.append(raised_by(lambda: self.sleep(60)))
        ended.set()

    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(routine(logic), pass_on()))
        gate.wait_came()
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        assert job.error is None
        gate.open()
        assert ended.wait(DEADLINE)
        assert raised == [True, *[Cancelled] * 5]
        assert job.routines["a"].refused == 3
        assert runtime.exec(chain(source([1]))).wait(DEADLINE) is JobStatus.COMPLETED
        runtime.jobs.cancel(job.id)


def test_sleep_ends_early_when_the_job_is_cancelled() -> None:
    begun = threading.Event()
    over = threading.Event()

    def logic(self: Any) -> None:
        begun.set()
        try:
            self.sleep(3600)
        except Cancelled:
            over.set()
            raise

    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(routine(logic)))
        assert begun.wait(DEADLINE)
        runtime.jobs.cancel(job.id)
        assert over.wait(DEADLINE)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED


def test_a_suspended_generator_of_a_cancelled_job_runs_its_finally() -> None:
    closed = threading.Event()

    def logic(self: Any) -> Iterator[None]:
        try:
            yield
            yield
        finally:
            closed.set()

    recording = RecordingInstrument()
    with Runtime(workers=1, instruments=[recording]) as runtime:
        runtime.jobs.pause()
        job = runtime.exec(chain(routine(logic)))
        runtime.jobs.get(job.id).send(Step())
        recording.wait_for(JobHeld, lambda held: held.why == "step")
        assert not closed.is_set()
        runtime.jobs.cancel(job.id)
        assert closed.wait(DEADLINE)


def test_the_next_job_gets_the_full_pool_while_bodies_of_a_cancelled_one_are_stuck() -> None:
    stuck, gate = Gate(), Gate()
    with Runtime(workers=3) as runtime:
        first = runtime.exec(chain(burst(range(3)), gated(stuck, max_parallel=None)))
        stuck.wait_inside(3)
        runtime.jobs.cancel(first.id)
        assert first.wait(DEADLINE) is JobStatus.CANCELLED

        second = runtime.exec(chain(burst(range(3)), gated(gate, max_parallel=None)))
        gate.wait_inside(3)
        statistics = runtime.statistics()
        assert (statistics.workers, statistics.busy, statistics.idle) == (3, 3, 0)
        assert statistics.abandoned_threads == 3
        gate.open()
        assert second.wait(DEADLINE) is JobStatus.COMPLETED
        stuck.open()
        until(lambda: runtime.statistics().abandoned_threads == 0)
        assert first.outputs["b.out"] == []


def test_stop_frees_the_pool_of_bodies_that_still_run() -> None:
    stuck, gate = Gate(), Gate()

    def fail(self: Any, value: int) -> None:
        stuck.wait_came()
        raise ValueError("stop")

    with Runtime(workers=2) as runtime:
        flow = flow_of(
            {
                "s": burst([1]),
                "stuck": gated(stuck),
                "bad": routine(fail, slots={"value": Slot(int)}),
            },
            "s.out -> stuck.value",
            "s.out -> bad.value",
        )
        job = runtime.exec(flow)
        assert job.wait(DEADLINE) is JobStatus.FAILED
        other = runtime.exec(chain(burst(range(2)), gated(gate, max_parallel=None)))
        gate.wait_inside(2)
        gate.open()
        assert other.wait(DEADLINE) is JobStatus.COMPLETED
        stuck.open()


# ---- shutdown


def test_leaving_with_cancels_what_runs_and_stops_all_threads() -> None:
    before = set(threading.enumerate())
    gate = Gate()
    with Runtime(workers=3) as runtime:
        job = runtime.exec(chain(gated_source(gate), pass_on()))
        held = runtime.exec(chain(source([1])))
        held.wait(DEADLINE)
        gate.wait_came()
        ours = set(threading.enumerate()) - before
        assert ours
        assert all(thread.daemon for thread in ours)
        assert all(thread.name.startswith("penstock-") for thread in ours)

        def let_go() -> None:
            job.wait(DEADLINE)
            gate.open()

        threading.Thread(target=let_go).start()

    assert job.status is JobStatus.CANCELLED
    assert not [t for t in ours if t.is_alive()]


@pytest.mark.leaves_threads("a stuck body is abandoned until the test lets it go")
def test_shutdown_returns_in_time_even_with_stuck_bodies() -> None:
    gate = Gate()
    runtime = Runtime(workers=2)
    job = runtime.exec(chain(burst([1, 2]), gated(gate, max_parallel=2)))
    gate.wait_inside(2)

    begin = monotonic()
    runtime.shutdown(timeout=0.3)

    assert monotonic() - begin < 2.0
    assert job.status is JobStatus.CANCELLED
    gate.open()
    for thread in threading.enumerate():
        if thread.name.startswith("penstock-worker"):
            thread.join(DEADLINE)
            assert not thread.is_alive(), thread


def test_a_runtime_that_is_shut_down_starts_no_jobs_and_may_be_shut_down_again() -> None:
    runtime = Runtime(workers=1)
    runtime.shutdown()
    runtime.shutdown()

    with pytest.raises(PenstockError):
        runtime.exec(chain(source([1])))


def test_shutdown_without_wait_returns_at_once() -> None:
    gate = Gate()
    runtime = Runtime(workers=1)
    job = runtime.exec(chain(gated_source(gate)))
    gate.wait_came()
    begin = monotonic()
    runtime.shutdown(wait=False)
    assert monotonic() - begin < 1.0

    gate.open()
    assert job.wait(DEADLINE) is JobStatus.CANCELLED
    runtime.shutdown()


STUCK = """
import threading
from penstock import Flow, Routine, Runtime

class Stuck(Routine):
    def logic(self):
        begun.set()
        while True:
            try:
                threading.Event().wait(3600)
            except BaseException:
                pass

begun = threading.Event()
flow = Flow("stuck")
flow.add("stuck", Stuck())
runtime = Runtime(workers=1)
runtime.exec(flow)
begun.wait(10)
runtime.shutdown(timeout=0.2)
print("out")
"""


def test_a_stuck_body_does_not_keep_the_interpreter_from_its_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "")


# ---- waiting


def test_wait_returns_the_status_at_its_time_out() -> None:
    gate = Gate()
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(gated_source(gate)))
        gate.wait_came()
        assert job.wait(timeout=0) is JobStatus.RUNNING
        assert job.wait(timeout=0.01) is JobStatus.RUNNING
        assert runtime.jobs.wait(job.id, 0.01) is JobStatus.RUNNING
        assert runtime.jobs.wait_all(0.01) is False
        gate.open()
        assert job.wait() is JobStatus.COMPLETED
        assert job.wait() is JobStatus.COMPLETED
        assert runtime.jobs.wait_all(1) is True


def test_wait_joins_the_loop_thread() -> None:
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(source([1])))
        job.wait(DEADLINE)
        thread = runtime.jobs.get(job.id).event_loop_thread

        assert thread is not None
        assert not thread.is_alive()
        assert thread.name == f"penstock-job-{job.id}"


def test_wait_inside_a_body_returns_the_present_status() -> None:
    seen: list[Any] = []
    known = threading.Event()
    jobs: list[JobState] = []

    def logic(self: Any) -> Iterator[None]:
        assert known.wait(DEADLINE)
        seen.append(jobs[0].wait())
        yield

    def finish(self: Any) -> None:
        seen.append(jobs[0].wait())

    with Runtime(workers=1) as runtime:
        jobs.append(runtime.exec(chain(routine(logic, finish=finish))))
        known.set()
        jobs[0].wait(DEADLINE)

    assert seen == [JobStatus.RUNNING, JobStatus.RUNNING]


def test_wait_in_an_instrument_returns_the_present_status() -> None:
    seen: list[Any] = []

    class Waits(Instrument):
        def on_job_ended(self, event: JobEnded) -> None:
            seen.append(runtime.jobs.get(event.job_id).wait())

    with Runtime(workers=1, instruments=[Waits()]) as runtime:
        job = runtime.exec(chain(source([1])))
        job.wait(DEADLINE)

    assert seen == [JobStatus.COMPLETED]


def test_all_events_are_told_before_wait_returns() -> None:
    for _ in range(30):
        recording = RecordingInstrument()
        with Runtime(workers=2, instruments=[recording]) as runtime:
            job = runtime.exec(chain(source(range(5)), pass_on(2), sink([])))
            job.wait(DEADLINE)
            told = len(recording.events)
            assert isinstance(recording.events[-1], JobEnded)
        assert len(recording.events) == told


def test_many_may_wait_for_one_job() -> None:
    gate = Gate()
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(gated_source(gate)))
        got: list[JobStatus] = []
        threads = [threading.Thread(target=lambda: got.append(job.wait())) for _ in range(10)]
        for thread in threads:
            thread.start()
        gate.open()
        for thread in threads:
            thread.join(DEADLINE)

    assert got == [JobStatus.COMPLETED] * 10


def test_shutdown_without_waiting_still_ends_all_threads() -> None:
    runtime = Runtime(workers=3)
    runtime.exec(chain(source(range(5)), pass_on()))

    runtime.shutdown(wait=False)

    runtime.shutdown(timeout=DEADLINE)
    assert not [info for info in runtime.pool.infos() if info.busy]
    assert not [t for t in threading.enumerate() if t.name.startswith("penstock-worker")]


def test_shutdown_inside_a_body_returns_at_once_and_ends_the_job() -> None:
    ended: list[bool] = []
    runtime = Runtime(workers=2)

    def logic(self: Any, value: int) -> None:
        runtime.shutdown()
        ended.append(True)

    job = runtime.exec(flow_of({"a": routine(logic, slots={"value": Slot(int)})}), {"a.value": 1})

    assert job.wait(DEADLINE) is JobStatus.CANCELLED
    runtime.shutdown(timeout=DEADLINE)
    assert ended == [True]

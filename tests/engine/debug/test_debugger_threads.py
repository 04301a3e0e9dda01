"""Pausing, stepping and breakpoints on real threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.flows import burst, chain, flow_of, pass_on, routine, sink, source
from helpers.recording import RecordingInstrument
from helpers.waiting import until
from penstock import Debugger, JobState, JobStatus, PenstockError, Runtime, Slot
from penstock.debug import Held
from penstock.observe import ActivationStarted, EngineEvent, JobHeld, JobResumed, StepIgnored

DEADLINE = 20.0


class Bench:
    """A runtime, its debugger and everything that was told."""

    def __init__(self, workers: int = 4) -> None:
        self.recording = RecordingInstrument()
        self.runtime = Runtime(workers=workers, instruments=[self.recording])
        self.debugger = Debugger(self.runtime)

    def held(self, job: JobState) -> Held:
        held = self.debugger.wait_held(job.id, DEADLINE)
        assert held is not None, job
        return held


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.runtime.shutdown()


def test_the_program_of_the_api_page(bench: Bench) -> None:
    seen: list[Any] = []
    debugger = bench.debugger
    mark = debugger.breakpoints.add("count", when="before", suspend="job")
    flow = flow_of({"words": burst("ab"), "count": sink(seen)}, "words.out -> count.value")

    job = bench.runtime.exec(flow)
    held = debugger.wait_held(job.id, timeout=5)

    assert held is not None
    assert (held.job_id, held.place, held.why) == (job.id, "count", "breakpoint")
    assert held.breakpoints == (mark.id,)
    assert [message.value.text for message in held.messages] == ["'a'"]
    assert seen == []
    debugger.step(job.id)
    assert bench.held(job).why == "step"
    assert seen == ["a"]
    debugger.breakpoints.clear()
    debugger.resume(job.id)
    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert seen == ["a", "b"]


def test_pause_and_resume(bench: Bench) -> None:
    gate = Gate()
    job = bench.runtime.exec(chain(burst(range(3)), gated(gate)))
    gate.wait_came()

    bench.debugger.pause(job.id)
    held = bench.held(job)

    assert held.running == ("b",)
    assert held.why == "pause"
    assert job.status is JobStatus.PAUSING
    gate.let_go()
    until(lambda: job.snapshot().status is JobStatus.PAUSED)
    assert gate.came == 1
    assert [activation.routine for activation in bench.debugger.ready(job.id)] == ["b", "b"]
    gate.open()
    bench.debugger.resume(job.id)
    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert job.outputs["b.out"] == [0, 1, 2]


def test_a_job_that_runs_nothing_is_paused_at_once(bench: Bench) -> None:
    bench.debugger.pause()
    job = bench.runtime.exec(chain(source([1])))

    held = bench.held(job)

    assert (held.place, held.running, job.status) == ("a", (), JobStatus.PAUSED)


def test_wait_held_gives_none_at_its_time_out_and_when_the_job_ends(bench: Bench) -> None:
    gate = Gate()
    job = bench.runtime.exec(chain(gated_source(gate)))
    gate.wait_came()
    begin = monotonic()
    assert bench.debugger.wait_held(job.id, timeout=0.05) is None
    assert monotonic() - begin < 5

    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(bench.debugger.wait_held(job.id)))
    thread.start()
    gate.open()
    thread.join(DEADLINE)

    assert got == [None]
    assert bench.debugger.wait_held(job.id, timeout=DEADLINE) is None


def test_wait_held_returns_the_unresumed_one_at_once(bench: Bench) -> None:
    bench.debugger.pause()
    job = bench.runtime.exec(chain(source([1])))

    assert bench.held(job) == bench.held(job)
    assert bench.debugger.held(job.id) == bench.debugger.held() == [bench.held(job)]


def test_after_a_step_the_next_hold_is_waited_for_not_the_former(bench: Bench) -> None:
    seen: list[Any] = []
    bench.debugger.pause()
    job = bench.runtime.exec(chain(burst(range(20)), sink(seen)))
    ids = [bench.held(job).id]
    for n in range(10):
        bench.debugger.step(job.id)
        held = bench.held(job)
        ids.append(held.id)
        assert len(seen) == n
        assert job.status is JobStatus.PAUSED

    assert ids == sorted(set(ids))


def test_pause_without_an_id_also_holds_jobs_started_later(bench: Bench) -> None:
    gate = Gate()
    running = bench.runtime.exec(chain(gated_source(gate), pass_on()))
    gate.wait_came()

    bench.debugger.pause()
    later = [bench.runtime.exec(chain(source([1]))) for _ in range(3)]

    for job in [running, *later]:
        bench.held(job)
    assert len(bench.debugger.held()) == 4
    assert all(job.routines["a"].activations == 0 for job in later)
    bench.debugger.resume(later[0].id)
    assert later[0].wait(DEADLINE) is JobStatus.COMPLETED
    assert later[1].status is JobStatus.PAUSED
    gate.open()
    bench.debugger.resume()
    for job in [running, *later]:
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
    free = bench.runtime.exec(chain(source([1])))
    assert free.wait(DEADLINE) is JobStatus.COMPLETED


def test_pausing_one_job_lets_others_run(bench: Bench) -> None:
    gate = Gate()
    one = bench.runtime.exec(chain(gated_source(gate), pass_on()))
    gate.wait_came()
    bench.debugger.pause(one.id)
    bench.held(one)

    assert bench.runtime.exec(chain(source([1]))).wait(DEADLINE) is JobStatus.COMPLETED
    gate.open()
    bench.debugger.resume(one.id)
    one.wait(DEADLINE)


def test_resume_is_idempotent(bench: Bench) -> None:
    bench.debugger.pause()
    job = bench.runtime.exec(chain(source([1])))
    bench.held(job)

    for _ in range(3):
        bench.debugger.resume()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert len(bench.recording.of(JobResumed)) == 1


def test_resume_of_a_given_hold_is_of_that_one_only(bench: Bench) -> None:
    seen: list[Any] = []
    bench.debugger.breakpoints.add("b")
    job = bench.runtime.exec(chain(burst(range(3)), sink(seen)))
    first = bench.held(job)
    bench.debugger.resume(held=first)
    second = bench.held(job)
    assert second.id != first.id

    bench.debugger.resume(held=first)
    bench.debugger.pause(job.id)  # comes behind it in the job's queue
    until(lambda: bench.runtime.jobs.get(job.id).task_queue.__len__() == 0)

    assert seen == [0]
    assert job.status is JobStatus.PAUSED
    assert bench.debugger.wait_held(job.id, DEADLINE) is not None


def test_a_resume_meant_for_an_earlier_pause_leaves_the_job_held_and_found(bench: Bench) -> None:
    """The job is paused again before the resume of the first hold comes: it stays held."""
    bench.debugger.pause()
    job = bench.runtime.exec(chain(source(range(3)), pass_on()))
    first = bench.held(job)

    bench.debugger.pause(job.id)
    bench.debugger.resume(held=first)
    until(lambda: not bench.runtime.jobs.get(job.id).task_queue)

    if job.status is JobStatus.PAUSED:
        assert bench.debugger.held(job.id), "held, and nobody can see it"
        assert bench.debugger.wait_held(job.id, timeout=1) is not None


def test_quick_pausing_and_resuming_ends_as_the_last_word_says(bench: Bench) -> None:
    for n in range(40):
        seen: list[Any] = []
        job = bench.runtime.exec(chain(source(range(30)), pass_on(2), sink(seen)))
        for _ in range(5):
            bench.debugger.pause(job.id)
            bench.debugger.resume(job.id)
        if n % 2:
            bench.debugger.pause(job.id)
            bench.debugger.wait_held(job.id, DEADLINE)
            bench.debugger.resume(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        assert seen == list(range(30))


def test_on_an_ended_job_steering_does_nothing(bench: Bench) -> None:
    job = bench.runtime.exec(chain(source([1])))
    job.wait(DEADLINE)
    told = len(bench.recording.events)

    bench.debugger.pause(job.id)
    bench.debugger.resume(job.id)
    bench.debugger.step(job.id)

    assert job.status is JobStatus.COMPLETED
    assert len(bench.recording.events) == told
    assert bench.debugger.held() == []
    assert bench.debugger.ready(job.id) == ()


def test_a_stranger_s_id_is_an_error(bench: Bench) -> None:
    for act in (bench.debugger.pause, bench.debugger.resume, bench.debugger.step):
        with pytest.raises(PenstockError):
            act("no such job")


def test_a_cancelled_job_is_held_no_more(bench: Bench) -> None:
    bench.debugger.pause()
    job = bench.runtime.exec(chain(source([1])))
    bench.held(job)

    bench.runtime.jobs.cancel(job.id)
    job.wait(DEADLINE)

    assert bench.debugger.held() == []
    assert bench.debugger.wait_held(job.id, DEADLINE) is None


def test_a_held_job_occupies_no_worker(bench: Bench) -> None:
    bench.debugger.pause()
    jobs = [bench.runtime.exec(chain(source(range(5)), pass_on())) for _ in range(10)]
    for job in jobs:
        bench.held(job)

    until(lambda: bench.runtime.statistics().busy == 0)
    assert bench.runtime.statistics().backlog == 0


# ---- after Held nothing starts


def _numbered(starts: list[int], clock: Any, gate: threading.Barrier | None = None) -> Any:
    def logic(self: Any, value: Any) -> None:
        starts.append(next(clock))
        self.out.emit(value)

    return logic


def test_no_activation_starts_after_held_is_told() -> None:
    bench = Bench(workers=4)
    try:
        for n in range(200):
            clock = count()
            starts: list[int] = []
            body = routine(
                _numbered(starts, clock), slots={"value": Slot(object)}, max_parallel=None
            )
            job = bench.runtime.exec(chain(burst(range(60)), body, pass_on(max_parallel=2)))
            if n % 3:
                threading.Event().wait(0.0002 * (n % 7))
            bench.debugger.pause(job.id)
            held = bench.debugger.wait_held(job.id, DEADLINE)
            if held is not None:
                # What had begun may still be on its way to its first line; nothing else may.
                time, running = next(clock), held.running.count("b")
                until(lambda j=job: j.status is not JobStatus.PAUSING)  # type: ignore[misc]
                threading.Event().wait(0.0005)
                late = [start for start in starts if start > time]
                assert len(late) <= running, (n, held, late)
            bench.debugger.resume(job.id)
            assert job.wait(DEADLINE) is JobStatus.COMPLETED
            assert len(starts) == 60
    finally:
        bench.runtime.shutdown()


def test_starts_of_what_runs_are_told_before_the_hold_and_no_others_after_it() -> None:
    bench = Bench(workers=4)
    try:
        for _ in range(100):
            job = bench.runtime.exec(
                chain(burst(range(40)), pass_on(max_parallel=None), pass_on(max_parallel=2))
            )
            bench.debugger.pause(job.id)
            bench.debugger.wait_held(job.id, DEADLINE)
            bench.debugger.resume(job.id)
            job.wait(DEADLINE)
            _check_story(bench.recording.of(EngineEvent, job.id))
    finally:
        bench.runtime.shutdown()


def _check_story(events: list[EngineEvent]) -> None:
    is_held = False
    began: set[tuple[str, int]] = set()
    for event in events:
        if isinstance(event, JobHeld):
            is_held = True
        elif isinstance(event, JobResumed):
            is_held = event.stepping and is_held
        elif isinstance(event, ActivationStarted):
            assert not is_held, (event, events)
            assert (event.routine, event.number) not in began, "told twice"
            began.add((event.routine, event.number))


def test_a_step_is_exactly_one_activation() -> None:
    bench = Bench(workers=4)
    try:
        for _ in range(10):
            lock = threading.Lock()
            ran: list[Any] = []

            def logic(self: Any, value: Any, ran: list[Any] = ran, lock: Any = lock) -> None:
                with lock:
                    ran.append(value)
                self.out.emit(value)

            made = [
                routine(logic, slots={"value": Slot(object)}, max_parallel=None) for _ in range(2)
            ]
            bench.debugger.pause()
            job = bench.runtime.exec(chain(burst(range(10)), *made))
            bench.held(job)
            bench.debugger.step(job.id)
            bench.held(job)
            steps = 0
            while bench.debugger.ready(job.id):
                bench.debugger.step(job.id)
                if bench.debugger.wait_held(job.id, DEADLINE) is None:
                    break
                steps += 1
                assert len(ran) == steps
            bench.debugger.resume()
            assert job.wait(DEADLINE) is JobStatus.COMPLETED
            assert len(ran) == 20
    finally:
        bench.runtime.shutdown()


def test_a_step_during_a_step_is_ignored_and_told(bench: Bench) -> None:
    gate = Gate()
    bench.debugger.pause()
    job = bench.runtime.exec(chain(burst(range(3)), gated(gate)))
    bench.held(job)
    bench.debugger.step(job.id)
    bench.held(job)
    bench.debugger.step(job.id)
    gate.wait_came()

    bench.debugger.step(job.id)
    bench.recording.wait_for(StepIgnored)
    assert gate.came == 1
    gate.let_go()
    held = bench.held(job)

    assert held.why == "step"
    assert gate.came == 1
    gate.open()


def test_a_step_names_its_activation(bench: Bench) -> None:
    bench.debugger.pause()
    flow = flow_of({"x": pass_on(), "y": pass_on()})
    job = bench.runtime.exec(flow, {"x.value": 1, "y.value": 2})
    bench.held(job)
    wanted = next(a for a in bench.debugger.ready(job.id) if a.routine == "y")

    bench.debugger.step(job.id, activation=wanted)
    bench.held(job)

    assert job.outputs == {"x.out": [], "y.out": [2]}


def test_only_steps_that_exist_are_taken(bench: Bench) -> None:
    job = bench.runtime.exec(chain(source([1])))
    with pytest.raises(ValueError, match="over"):
        bench.debugger.step(job.id, kind="sideways")
    job.wait(DEADLINE)


# ---- breakpoints


def test_a_breakpoint_is_set_before_there_is_a_job_and_none_is_missed() -> None:
    bench = Bench(workers=4)
    try:
        bench.debugger.breakpoints.add("a")
        for _ in range(50):
            seen: list[Any] = []
            job = bench.runtime.exec(flow_of({"a": sink(seen)}), {"a.value": 1})
            assert bench.held(job).why == "breakpoint"
            assert seen == []
            bench.debugger.resume(job.id)
            assert job.wait(DEADLINE) is JobStatus.COMPLETED
    finally:
        bench.runtime.shutdown()


def test_an_unknown_place_is_unbound_and_no_error(bench: Bench) -> None:
    made = bench.debugger.breakpoints.add("nobody")
    job = bench.runtime.exec(chain(source([1])))

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert bench.debugger.breakpoints.list() == [made]


def test_a_breakpoint_of_one_job_holds_that_one_only(bench: Bench) -> None:
    bench.debugger.breakpoints.add("a", job_id="second")

    first = bench.runtime.exec(chain(source([1])), job_id="first")
    second = bench.runtime.exec(chain(source([1])), job_id="second")

    assert first.wait(DEADLINE) is JobStatus.COMPLETED
    assert bench.held(second).place == "a"


def test_a_breakpoint_is_hit_once_for_each_activation(bench: Bench) -> None:
    seen: list[Any] = []
    bench.debugger.breakpoints.add("b")
    job = bench.runtime.exec(chain(source(range(5)), sink(seen, max_parallel=3)))
    hits = 0
    while bench.debugger.wait_held(job.id, DEADLINE) is not None:
        hits += 1
        bench.debugger.resume(job.id)

    assert hits == 5
    assert sorted(seen) == list(range(5))


def test_breakpoints_on_both_branches_come_to_an_end(bench: Bench) -> None:
    one: list[Any] = []
    two: list[Any] = []
    bench.debugger.breakpoints.add("x")
    bench.debugger.breakpoints.add("y")
    flow = flow_of(
        {"s": burst(range(5)), "x": sink(one), "y": sink(two)},
        "s.out -> x.value",
        "s.out -> y.value",
    )
    job = bench.runtime.exec(flow)
    hits = 0
    while bench.debugger.wait_held(job.id, DEADLINE) is not None:
        hits += 1
        assert hits <= 40, "they hold each other up for ever"
        bench.debugger.resume(job.id)

    assert one == two == list(range(5))
    assert hits == 10


def test_a_removed_breakpoint_holds_no_more(bench: Bench) -> None:
    seen: list[Any] = []
    made = bench.debugger.breakpoints.add("b")
    job = bench.runtime.exec(chain(burst(range(5)), sink(seen)))
    bench.held(job)

    bench.debugger.breakpoints.remove(made.id)
    bench.debugger.resume(job.id)

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert seen == list(range(5))


def test_the_repr_of_a_hold_runs_no_code_of_a_payload(bench: Bench) -> None:
    class Mean:
        def __repr__(self) -> str:
            raise SystemExit("user code ran")

        __str__ = __repr__

    bench.debugger.breakpoints.add("b")
    job = bench.runtime.exec(chain(burst([Mean()]), pass_on()))

    assert "Mean" in repr(bench.held(job))


def test_calls_return_at_once_while_the_loop_is_busy(bench: Bench) -> None:
    gate = Gate()

    class Slow:
        def on_job_started(self, event: object) -> None:
            gate.wait_here()

    bench.runtime.instruments.add(Slow())
    job = bench.runtime.exec(chain(source([1])))
    gate.wait_came()
    begin = monotonic()
    bench.debugger.pause(job.id)
    bench.debugger.step(job.id)
    bench.debugger.resume(job.id)
    bench.debugger.breakpoints.add("a")

    assert monotonic() - begin < 1.0
    bench.debugger.breakpoints.clear()
    gate.open()
    bench.debugger.resume(job.id)
    assert job.wait(DEADLINE) is JobStatus.COMPLETED

"""Jobs on the test's own thread: what `Runtime` does, when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from helpers.flows import burst, chain, failing, flow_of, pair, pass_on, routine, sink, source
from helpers.recording import RecordingInstrument
from penstock import (
    Cancelled,
    Continue,
    Debugger,
    Every,
    FlowError,
    InvalidValue,
    JobEnded,
    JobStatus,
    Retry,
    Routine,
    Runtime,
    Slot,
    SlotFull,
)
from penstock.observe import ActivationStarted, JobHeld
from penstock.observe import JobEnded as JobEndedEvent
from penstock.run.timers import Timers
from penstock.testing import InlineRuntime, ManualClock, NeverEnds, run_flow


@pytest.fixture
def runtime() -> Iterator[InlineRuntime]:
    with InlineRuntime() as runtime:
        yield runtime


def sleeper(seconds: float, log: list[Any], runtime: InlineRuntime, **attributes: Any) -> Routine:
    """Takes that long by the clock, and notes when it began and ended."""

    def logic(self: Any, value: Any) -> None:
        log.append((value, runtime.clock.now()))
        try:
            self.sleep(seconds)
        finally:
            log.append((value, runtime.clock.now()))
        self.out.emit(value)

    return routine(logic, slots={"value": Slot(object)}, **attributes)


def ticking(every: float, times: int | None = None) -> Routine:
    class State:
        ticks = 0

    def logic(self: Any) -> None:
        self.state.ticks += 1
        self.out.emit(self.state.ticks)

    return routine(logic, activation=Every(every, times), state=State)


# ---- when things happen


def test_exec_returns_at_once_and_no_body_runs_before_run(runtime: InlineRuntime) -> None:
    seen: list[Any] = []
    job = runtime.exec(chain(source(range(3)), sink(seen)))

    assert (job.status.value, job.routines["a"].activations, seen) == ("RUNNING", 0, [])
    runtime.run()
    assert job.status is JobStatus.COMPLETED
    assert seen == [0, 1, 2]


def test_no_thread_is_started() -> None:
    before = set(threading.enumerate())

    async def logic(self: Any, value: Any) -> None:
        started.append(set(threading.enumerate()) - before)
        self.out.emit(value)

    started: list[set[threading.Thread]] = []
    flow = chain(ticking(1.0, 2), routine(logic, slots={"value": Slot(object)}), pass_on())
    with InlineRuntime(workers=3) as runtime:
        job = runtime.exec(flow, loop="thread")
        runtime.run_to_end(job)
        assert runtime.jobs.get(job.id).event_loop_thread is None

    assert job.outputs == {"c.out": [1, 2]}
    assert started == [set(), set()]


def test_one_step_is_one_activation_or_one_look_of_the_loop(runtime: InlineRuntime) -> None:
    seen: list[int] = []
    runtime.exec(chain(burst([1, 2]), sink(seen)))
    counts = []
    while runtime.step():
        counts.append(len(seen))

    assert counts == sorted(counts)
    assert {0, 1, 2} == set(counts)


def test_a_step_takes_a_generator_to_its_next_yield(runtime: InlineRuntime) -> None:
    reached: list[int] = []

    def logic(self: Any) -> Iterator[None]:
        for i in range(3):
            reached.append(i)
            yield

    runtime.exec(flow_of({"a": routine(logic)}))
    counts = []
    while runtime.step():
        counts.append(len(reached))

    assert {1, 2, 3} == set(counts)


def test_an_endless_generator_can_be_stepped(runtime: InlineRuntime) -> None:
    def logic(self: Any) -> Iterator[None]:
        number = 0
        while True:
            self.out.emit(number)
            yield
            number += 1

    job = runtime.exec(flow_of({"a": routine(logic)}))
    while len(job.outputs["a.out"]) < 5:
        assert runtime.step()

    assert job.outputs["a.out"] == [0, 1, 2, 3, 4]
    with pytest.raises(NeverEnds, match="after 100 steps"):
        runtime.run(limit=100)


def test_several_jobs_share_it_in_turns(runtime: InlineRuntime) -> None:
    jobs = [runtime.exec(chain(source(range(4)), pass_on()), job_id=name) for name in "xy"]

    runtime.run()

    assert [job.status for job in jobs] == [JobStatus.COMPLETED] * 2
    assert [job.outputs for job in jobs] == [{"b.out": [0, 1, 2, 3]}] * 2
    assert [executor.id for executor in runtime.jobs.list()] == ["x", "y"]


def test_wait_works_until_the_job_has_ended(runtime: InlineRuntime) -> None:
    job = runtime.exec(chain(ticking(2.0, 3), pass_on()))

    assert job.wait() is JobStatus.COMPLETED
    assert job.outputs == {"b.out": [1, 2, 3]}
    assert runtime.clock.now() == 4.0
    assert job.wait() is JobStatus.COMPLETED


def test_wait_returns_the_status_when_its_time_is_over(runtime: InlineRuntime) -> None:
    job = runtime.exec(chain(ticking(2.0), pass_on()))

    assert job.wait(5.0) is JobStatus.RUNNING
    assert job.outputs == {"b.out": [1, 2, 3]}
    assert runtime.clock.now() == 5.0


def test_wait_returns_when_nothing_is_left_to_do(runtime: InlineRuntime) -> None:
    job = runtime.exec(chain(source([1]), pass_on()), keep_open=True)

    assert job.wait() is JobStatus.IDLE
    assert not runtime.jobs.wait_all()
    runtime.jobs.close(job.id)
    assert runtime.jobs.wait_all()
    assert runtime.clock.now() == 0.0


def test_statistics_are_of_this_moment(runtime: InlineRuntime) -> None:
    found: list[Any] = []
    job = runtime.exec(flow_of({"a": routine(lambda self: found.append(runtime.statistics()))}))

    runtime.run()

    (inside,) = found
    assert inside.running == {job.id: {"a": 1}}
    assert (inside.workers, inside.busy, inside.loop_threads) == (1, 1, 0)
    assert runtime.statistics().busy == 0


# ---- posting


def test_posts_are_taken_when_it_runs(runtime: InlineRuntime) -> None:
    job = runtime.exec(chain(pass_on(), pass_on()), keep_open=True)
    runtime.post(job.id, "a.value", 1)
    runtime.handle_event_emit(job.id, "a.out", 2)

    assert job.outputs == {"b.out": []}
    runtime.run()
    assert sorted(job.outputs["b.out"]) == [1, 2]
    assert job.status is JobStatus.IDLE


def test_a_post_to_a_full_slot_works_until_there_is_room(runtime: InlineRuntime) -> None:
    job = runtime.exec(chain(pass_on(capacity=2)), keep_open=True)

    for value in range(7):
        runtime.post(job.id, "a.value", value)
    runtime.run()

    assert job.outputs == {"a.out": [0, 1, 2, 3, 4, 5, 6]}
    assert job.routines["a"].slots["value"].high_water == 2


def test_a_post_for_which_nothing_makes_room_is_refused(runtime: InlineRuntime) -> None:
    job = runtime.exec(flow_of({"a": pair(capacity=1)}), keep_open=True)
    runtime.post(job.id, "a.left", 1)

    with pytest.raises(SlotFull, match=r"a\.left is full"):
        runtime.post(job.id, "a.left", 2)
    runtime.post(job.id, "a.right", 1)
    runtime.run()
    assert job.outputs == {"a.out": [(1, 1)]}


def test_a_post_waits_by_the_clock_but_no_longer_than_it_is_given(runtime: InlineRuntime) -> None:
    slow = routine(
        lambda self, value: self.out.emit(value),
        slots={"value": Slot(int, capacity=1)},
        activation=Every(10.0),
    )
    job = runtime.exec(flow_of({"a": slow}), keep_open=True)
    for value in range(2):
        runtime.post(job.id, "a.value", value)
        runtime.run()

    with pytest.raises(SlotFull):
        runtime.post(job.id, "a.value", 2, timeout=3.0)
    assert runtime.clock.now() < 10.0
    runtime.post(job.id, "a.value", 2, timeout=15.0)
    assert runtime.clock.now() == 10.0


def test_a_slot_that_refuses_does_so_at_once(runtime: InlineRuntime) -> None:
    picky = routine(
        lambda self, value: None, slots={"value": Slot(int, capacity=1, overflow="fail")}
    )
    job = runtime.exec(flow_of({"a": picky}), keep_open=True)
    runtime.post(job.id, "a.value", 1)

    with pytest.raises(SlotFull):
        runtime.post(job.id, "a.value", 2)
    assert job.routines["a"].activations == 0


def test_a_body_s_post_to_a_full_slot_waits_at_the_door(runtime: InlineRuntime) -> None:
    def logic(self: Any) -> None:
        for value in range(5):
            runtime.post(jobs[0].id, "b.value", value)

    seen: list[int] = []
    flow = flow_of({"a": routine(logic), "b": sink(seen, capacity=1)})
    jobs = [runtime.exec(flow)]
    runtime.run_to_end(jobs[0])

    assert seen == [0, 1, 2, 3, 4]


def test_posts_are_checked(runtime: InlineRuntime) -> None:
    typed = routine(lambda self, value: None, slots={"value": Slot(int)})
    job = runtime.exec(flow_of({"a": typed}), keep_open=True)

    with pytest.raises(InvalidValue):
        runtime.post(job.id, "a.value", "text")
    runtime.jobs.close(job.id)
    with pytest.raises(JobEnded):
        runtime.post(job.id, "a.value", 1)


def test_what_overruns_a_slot_parks(runtime: InlineRuntime) -> None:
    seen: list[int] = []
    job = runtime.exec(chain(burst(range(50)), pass_on(capacity=2), sink(seen, capacity=1)))

    runtime.run_to_end(job)

    assert seen == list(range(50))
    assert job.routines["b"].slots["value"].high_water == 2


# ---- time


def test_advance_does_on_the_way_what_each_moment_brings(runtime: InlineRuntime) -> None:
    times: list[float] = []
    flow = flow_of({"a": routine(lambda self: times.append(runtime.clock.now()))})
    ticks = flow_of({"a": ticking(1.0), "b": pass_on()}, "a.out -> b.value")
    job = runtime.exec(ticks)
    runtime.exec(flow)

    runtime.advance(2.5)
    assert job.outputs == {"b.out": [1, 2, 3]}
    assert runtime.clock.now() == 2.5
    runtime.advance(0.5)
    assert job.outputs == {"b.out": [1, 2, 3, 4]}
    assert times == [0.0]
    with pytest.raises(ValueError, match="only goes forward"):
        runtime.advance(-1)
    with pytest.raises(NeverEnds, match=r"after 40 steps, at \d+ of 1003 s"):
        runtime.advance(1000, limit=40)


def test_sleeping_moves_the_clock(runtime: InlineRuntime) -> None:
    log: list[Any] = []
    flow = chain(burst("xy"), sleeper(3.0, log, runtime))
    job = runtime.run_to_end(runtime.exec(flow))

    assert log == [("x", 0.0), ("x", 3.0), ("y", 3.0), ("y", 6.0)]
    assert job.outputs == {"b.out": ["x", "y"]}
    assert (job.started_at, job.finished_at) == (0.0, 6.0)


@pytest.mark.parametrize(
    ("workers", "times"), [(1, [0.0, 3.0, 3.0, 6.0, 6.0, 9.0]), (3, [0.0, 0.0, 0.0, 3.0, 3.0, 3.0])]
)
def test_bodies_sleep_at_the_same_time_where_there_are_workers(
    workers: int, times: list[float]
) -> None:
    log: list[Any] = []
    with InlineRuntime(workers) as runtime:
        flow = chain(burst("xyz"), sleeper(3.0, log, runtime, max_parallel=None))
        job = runtime.run_to_end(runtime.exec(flow))

    assert [when for _, when in log] == times
    assert sorted(job.outputs["b.out"]) == ["x", "y", "z"]


def test_a_body_that_sleeps_too_long_times_out_in_time(runtime: InlineRuntime) -> None:
    log: list[Any] = []
    flow = chain(burst("xy"), sleeper(30.0, log, runtime, timeout=2.0, on_error=Continue()))
    job = runtime.run_to_end(runtime.exec(flow))

    assert log == [("x", 0.0), ("x", 2.0), ("y", 2.0), ("y", 4.0)]
    assert [failure.type for failure in job.dead_letters] == ["RoutineTimeout"] * 2


def test_a_sleeping_body_is_cancelled_with_its_job() -> None:
    raised: list[type[BaseException]] = []

    def logic(self: Any) -> None:
        try:
            self.sleep(1e9)
        except BaseException as error:
            raised.append(type(error))
            raise

    job = run_flow(flow_of({"a": routine(logic)}), timeout=5.0)

    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert (job.error.type, job.finished_at) == ("JobTimeout", 5.0)
    assert raised == [Cancelled]


def test_events_tell_the_clock_s_time() -> None:
    told = RecordingInstrument()
    run_flow(chain(ticking(0.5, 3), pass_on()), instruments=[told], clock=ManualClock(100.0))

    times = [event.time for event in told.of(ActivationStarted) if event.routine == "b"]
    assert times == [100.0, 100.5, 101.0]
    assert [event.time for event in told.of(JobEndedEvent)] == [101.0]


def test_runtimes_can_share_a_clock() -> None:
    clock = ManualClock()
    with InlineRuntime(clock=clock) as one, InlineRuntime(clock=clock) as other:
        jobs = [r.exec(chain(ticking(1.0, 3), pass_on())) for r in (one, other)]
        other.run()
        one.run_to_end(jobs[0])
        assert clock.now() == 2.0
        other.run()

    assert jobs[1].outputs["b.out"] == [1, 2]


def test_retries_are_repeatable_also_with_jitter() -> None:
    def times(**seed: Any) -> list[float]:
        told: list[float] = []
        clock = ManualClock()

        def logic(self: Any) -> None:
            told.append(clock.now())
            raise ValueError

        flow = flow_of(
            {"a": routine(logic, on_error=Retry(times=4, delay=1.0, backoff=2.0, jitter=0.5))}
        )
        with InlineRuntime(clock=clock) as runtime:
            runtime.run_to_end(runtime.exec(flow, **seed))
        return told

    assert times() == times()
    assert times() == times(seed=0)
    assert times() != times(seed=1)
    assert times(seed=None) != times(seed=None)


# ---- jobs that don't end


def test_a_stalled_job_is_told_with_its_slots(caplog: pytest.LogCaptureFixture) -> None:
    def feed(self: Any) -> None:
        for value in range(5):
            self.out.emit(value)

    flow = flow_of({"a": routine(feed), "b": pair(capacity=1)}, "a.out -> b.left")

    clock = ManualClock()
    with pytest.raises(NeverEnds, match=r"stalled; full are b\.left,"):
        run_flow(flow, clock=clock)
    with pytest.raises(NeverEnds, match=r"stalled; full are b\.left,"):
        run_flow(flow, clock=clock, timeout=100.0)
    assert clock.now() == 0.0
    caplog.clear()


def test_a_stalled_job_that_is_given_room_ends(caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of({"a": burst(range(5)), "b": pair(capacity=1)}, "a.out -> b.left")
    with InlineRuntime() as runtime:
        job = runtime.exec(flow)
        assert job.wait() is JobStatus.RUNNING
        assert job.stalled == ("b.left",)
        runtime.jobs.unstall(job.id, "drop")
        runtime.run_to_end(job)
    caplog.clear()

    assert job.routines["b"].slots["left"].dropped == 4


def test_an_endless_timer_is_told_with_what_it_did(runtime: InlineRuntime) -> None:
    job = runtime.exec(chain(ticking(60.0), pass_on()))

    with pytest.raises(NeverEnds, match=r"still RUNNING after 300 steps, at \d+ s; .*a \d+, b"):
        runtime.run_to_end(job, limit=300)


def test_a_job_that_was_kept_open_is_told(runtime: InlineRuntime) -> None:
    job = runtime.exec(chain(source([1]), pass_on()), keep_open=True)

    with pytest.raises(NeverEnds, match=r"IDLE.*close") as caught:
        runtime.run_to_end(job)
    assert caught.value.job == job.id


def test_a_held_job_is_told(runtime: InlineRuntime) -> None:
    job = runtime.exec(chain(source([1]), pass_on()), held=True)

    with pytest.raises(NeverEnds, match="PAUSED; somebody must resume it"):
        runtime.run_to_end(job)


def test_a_flow_that_cannot_run_is_refused_like_anywhere() -> None:
    with pytest.raises(FlowError, match="no flow is registered"), InlineRuntime() as runtime:
        runtime.exec("unknown")


# ---- failing, ending


def test_a_failed_job_has_ended_too() -> None:
    job = run_flow(chain(burst([1, 2]), failing(lambda: ValueError("no"))))

    assert job.status is JobStatus.FAILED
    assert str(job.error) == "b: ValueError: no"


def test_finish_runs_in_its_turn() -> None:
    def finish(self: Any) -> None:
        self.out.emit("end")

    last = routine(
        lambda self, value: self.out.emit(value), slots={"value": Slot(object)}, finish=finish
    )

    assert run_flow(chain(source([1, 2]), last)).outputs == {"b.out": [1, 2, "end"]}


def test_leaving_cancels_and_closes_what_has_begun() -> None:
    closed: list[str] = []

    def logic(self: Any) -> Iterator[None]:
        try:
            while True:
                yield
        finally:
            closed.append("generator")

    with InlineRuntime() as runtime:
        job = runtime.exec(flow_of({"a": routine(logic)}))
        for _ in range(5):
            runtime.step()
        assert closed == []

    assert job.status is JobStatus.CANCELLED
    assert closed == ["generator"]


def test_a_flow_may_be_run_inside_a_body_of_another() -> None:
    def logic(self: Any, value: int) -> None:
        inner = run_flow(chain(burst(range(value)), pass_on()))
        for found in inner.outputs["b.out"]:
            self.out.emit(found)

    outer = chain(burst([2, 3]), routine(logic, slots={"value": Slot(int)}))

    assert run_flow(outer).outputs == {"b.out": [0, 1, 0, 1, 2]}
    with Runtime(workers=1) as runtime:
        job = runtime.exec(outer)
        assert job.wait(20) is JobStatus.COMPLETED
        assert job.outputs == {"b.out": [0, 1, 0, 1, 2]}


@pytest.mark.parametrize(
    ("workers", "found"), [(2, (JobStatus.COMPLETED, [1, 2])), (1, (JobStatus.RUNNING, []))]
)
def test_a_body_may_wait_for_another_job_where_there_is_a_worker_for_it(
    workers: int, found: tuple[JobStatus, list[int]]
) -> None:
    with InlineRuntime(workers) as runtime:

        def logic(self: Any) -> None:
            job = runtime.exec(chain(burst([1, 2]), pass_on()))
            self.out.emit((job.wait(1.0), job.outputs["b.out"]))

        outer = runtime.run_to_end(runtime.exec(flow_of({"a": routine(logic)})))

    assert outer.outputs["a.out"] == [found]


# ---- the debugger


def test_a_job_is_held_stepped_and_let_go(runtime: InlineRuntime) -> None:
    seen: list[int] = []
    debugger = Debugger(runtime)
    debugger.breakpoints.add("b")
    job = runtime.exec(chain(burst([1, 2, 3]), sink(seen)))
    runtime.run()

    (held,) = debugger.held(job.id)
    assert (held.place, held.why, held.messages[0].value.text) == ("b", "breakpoint", "1")
    debugger.step(job.id)
    runtime.run()
    assert seen == [1]
    (held,) = debugger.held(job.id)
    assert (held.place, held.why) == ("b", "step")
    debugger.breakpoints.clear()
    debugger.resume(job.id)
    runtime.run()
    assert seen == [1, 2, 3]
    assert job.status is JobStatus.COMPLETED


def test_waiting_for_a_hold_works_until_there_is_one(runtime: InlineRuntime) -> None:
    debugger = Debugger(runtime)
    breakpoint_ = debugger.breakpoints.add("b")
    job = runtime.exec(chain(ticking(1.0, 3), pass_on()))

    held = debugger.wait_held(job.id, timeout=5)
    assert held is not None
    assert held.breakpoints == (breakpoint_.id,)
    debugger.resume(job.id)
    held = debugger.wait_held(job.id)
    assert held is not None
    assert runtime.clock.now() == 1.0
    debugger.breakpoints.clear()
    debugger.resume(job.id)
    assert debugger.wait_held(job.id) is None
    assert job.status is JobStatus.COMPLETED


def test_waiting_for_a_hold_in_vain_takes_the_clock_s_time(runtime: InlineRuntime) -> None:
    debugger = Debugger(runtime)
    job = runtime.exec(chain(ticking(1.0), pass_on()))

    assert debugger.wait_held(job.id, timeout=2.5) is None
    assert runtime.clock.now() == 2.5
    assert job.outputs["b.out"] == [1, 2, 3]


def test_pausing_acts_between_two_steps(runtime: InlineRuntime) -> None:
    told = RecordingInstrument()
    runtime.instruments.add(told)
    debugger = Debugger(runtime)
    job = runtime.exec(chain(source(range(10)), pass_on()))
    for _ in range(6):
        runtime.step()
    debugger.pause(job.id)
    runtime.run()

    assert job.status is JobStatus.PAUSED
    emitted = len(job.outputs["b.out"])
    assert emitted < 10
    assert [held.why for held in told.of(JobHeld)] == ["pause"]
    debugger.resume(job.id)
    runtime.run()
    assert job.outputs["b.out"] == list(range(10))


@pytest.mark.parametrize("paused_for", [0.1, 0.2, 0.3, 1.1, 1e-9])
@pytest.mark.parametrize("every", [0.1, 0.3, 0.7])
def test_timers_of_a_held_job_stand_still_and_then_go_on(every: float, paused_for: float) -> None:
    with InlineRuntime(clock=ManualClock(0.1)) as runtime:
        debugger = Debugger(runtime)
        job = runtime.exec(chain(ticking(every, 20), pass_on()))
        for _ in range(10):
            runtime.advance(every * 0.9)
            debugger.pause(job.id)
            runtime.run()
            emitted = len(job.outputs["b.out"])
            runtime.advance(paused_for)
            assert len(job.outputs["b.out"]) == emitted
            debugger.resume(job.id)
        runtime.run_to_end(job)

    assert job.outputs["b.out"] == list(range(1, 21))
    assert runtime.clock.now() == pytest.approx(0.1 + 19 * every + 10 * paused_for)


def test_at_the_time_it_asks_for_a_timer_is_due() -> None:
    """However the sum of its time and the time the clock stood still is rounded."""
    tenths = [i / 10 for i in range(1, 60)]
    for when in tenths:
        for lost in tenths:
            timers = Timers()
            fired: list[bool] = []
            timers.stop(0.0)
            timers.go(lost)
            timers.add(when, partial(fired.append, True), keeps=True)
            asked = timers.next()
            assert asked is not None
            timers.fire(asked)
            assert fired, (when, lost)

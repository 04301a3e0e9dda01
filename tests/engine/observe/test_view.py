"""JobView: the pure fold of a job's events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from helpers.bodies import Gate, gated
from helpers.flows import burst, chain, flow_of, pair, pass_on, sink, source
from helpers.recording import RecordingInstrument
from penstock import Debugger, Runtime
from penstock.observe import (
    ActivationEnded,
    ActivationFailed,
    ActivationStarted,
    FailureSummary,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    JobView,
    RoutineCount,
    Stalled,
)
from penstock.run import Sample

FAILURE = FailureSummary("a", "ValueError", "no", "…")


def started() -> JobStarted:
    return JobStarted(1, "j", 10.0, "flow", ("a", "b"))


def held(seq: int = 2, running: tuple[str, ...] = (), place: str = "a") -> JobHeld:
    return JobHeld(seq, "j", 11.0, 1, 1, "pause", place, (), (), running, 0)


def count(**more: Any) -> RoutineCount:
    base = RoutineCount("idle", 0, 0, 0, 0, 0.0, 0, {}, {})
    return replace(base, **more)


def view(*events: Any) -> JobView:
    made = JobView("j")
    for event in events:
        made.apply(event)
    return made


def test_a_started_job_runs_and_knows_its_routines() -> None:
    made = JobView("j")

    changed = made.apply(started())

    assert changed == {"a", "b"}
    assert (made.status, made.flow, made.started) == ("RUNNING", "flow", 10.0)
    assert list(made.routines) == ["a", "b"]


def test_before_it_starts_it_is_pending_and_has_run_no_time() -> None:
    made = JobView("j")

    assert (made.status, made.seconds, made.is_over) == ("PENDING", 0.0, False)


def test_an_ended_job_keeps_its_last_status_and_time() -> None:
    ended = JobEnded(3, "j", 14.5, "FAILED", FAILURE, {"a.x": 2})
    made = view(started(), held(), ended)
    late = JobProgress(2, "j", 20.0, "RUNNING", 3, {})

    assert made.is_over
    assert (made.status, made.error, made.held, made.running) == ("FAILED", FAILURE, None, 0)
    assert made.discarded == {"a.x": 2}
    made.apply(late)
    made.apply(held(5))
    made.apply(JobResumed(6, "j", 21.0, 1, False, "a"))
    assert (made.status, made.held) == ("FAILED", None)
    assert made.seconds == 4.5


def test_held_while_bodies_run_is_pausing_and_paused_when_they_ended() -> None:
    made = view(started(), held(running=("a", "a")))
    assert (made.status, made.running) == ("PAUSING", 2)

    made.apply(JobProgress(3, "j", 12.0, "PAUSED", 0, {}))
    assert (made.status, made.running) == ("PAUSED", 0)
    assert made.held is not None


def test_held_and_resumed_tell_which_routines_look_different() -> None:
    made = view(started())

    assert made.apply(held()) == {"a"}
    assert made.apply(held(3, place="b")) == {"a", "b"}
    assert made.apply(JobResumed(4, "j", 12.0, 1, True, "b")) == {"b"}
    assert made.held is None
    assert made.status == "RUNNING"


def test_progress_overrides_and_names_what_changed() -> None:
    made = view(started())
    first = {"a": count(activations=3, running=1, status="running"), "b": count()}

    assert made.apply(JobProgress(2, "j", 11.0, "RUNNING", 1, first)) == {"a"}
    assert made.apply(JobProgress(3, "j", 12.0, "RUNNING", 1, first)) == set()
    assert made.routines["a"].activations == 3


def test_activations_told_one_by_one_are_counted() -> None:
    made = view(
        started(),
        ActivationStarted(2, "j", 11.0, "a", 1, "w"),
        ActivationStarted(3, "j", 11.0, "a", 2, "w"),
        ActivationEnded(4, "j", 11.0, "a", 1, "w", 0.1),
    )

    assert made.routines["a"].running == 1
    assert made.routines["a"].activations == 1
    assert made.running == 1


def test_failures_are_counted() -> None:
    made = view(started(), ActivationFailed(2, "j", 11.0, FAILURE, "continue"))

    assert made.failures == 1
    assert made.routines["a"].failures == 1


def test_a_failed_activation_no_longer_runs() -> None:
    made = view(
        started(),
        ActivationStarted(2, "j", 11.0, "a", 1, "w"),
        ActivationFailed(3, "j", 11.0, FAILURE, "continue"),
        ActivationEnded(4, "j", 11.0, "a", 1, "w", 0.1),
    )

    assert made.routines["a"].running == 0
    assert made.running == 0


def test_the_fold_of_a_real_job_equals_what_the_job_says() -> None:
    recording = RecordingInstrument()
    seen: list[Any] = []
    with Runtime(workers=3, instruments=[recording]) as runtime:
        flow = chain(source(range(50)), pass_on(3, max_parallel=None), sink(seen))
        job = runtime.exec(flow)
        job.wait(20)

    made = view(*recording.events)
    assert made.status == job.status.value
    told = {name: routine.activations for name, routine in made.routines.items()}
    assert told == {name: routine.activations for name, routine in job.routines.items()}
    assert all(routine.running == 0 for routine in made.routines.values())
    assert made.running == 0


def test_the_fold_of_a_held_job_shows_what_still_runs() -> None:
    recording = RecordingInstrument()
    gate = Gate()
    with Runtime(workers=2, instruments=[recording]) as runtime:
        debugger = Debugger(runtime)
        job = runtime.exec(chain(burst(range(5)), gated(gate)))
        gate.wait_came()
        debugger.pause(job.id)
        assert debugger.wait_held(job.id, 10) is not None
        made = view(*recording.events)
        assert (made.status, made.running, made.routines["b"].running) == ("PAUSING", 1, 1)
        gate.open()
        recording.wait_for(ActivationEnded, lambda event: event.routine == "b")
        made = view(*recording.events)
        assert (made.status, made.running) == ("PAUSED", 0)
        debugger.resume(job.id)
        job.wait(20)


STALLED = Stalled(2, "j", 11.0, ("b.x", "b.y"), ("a",))


def test_a_stall_is_shown_and_marks_whoever_is_in_it() -> None:
    made = view(started())

    assert made.apply(STALLED) == {"a", "b"}
    assert (made.stalled, made.status) == (("b.x", "b.y"), "RUNNING")
    made.apply(JobProgress(3, "j", 12.0, "RUNNING", 0, {"a": count()}, ("b.x", "b.y")))
    assert made.stalled == ("b.x", "b.y"), "counters of a job that is still stalled"


@pytest.mark.parametrize(
    "event",
    [
        JobProgress(3, "j", 12.0, "RUNNING", 0, {}),
        JobProgress(3, "j", 12.0, "IDLE", 0, {}, ("b.x",)),
        ActivationStarted(3, "j", 12.0, "b", 7, "w"),
        held(3),
        JobEnded(3, "j", 12.0, "CANCELLED", None, {}),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_stall_is_over_when_the_job_goes_on_is_held_or_ends(event: Any) -> None:
    made = view(started(), STALLED)

    made.apply(event)

    assert made.stalled == ()


def test_a_stall_told_late_does_not_reach_an_ended_job() -> None:
    made = view(started(), JobEnded(3, "j", 12.0, "CANCELLED", None, {}), STALLED)

    assert made.stalled == ()


def test_an_idle_job_runs_again_with_its_next_activation() -> None:
    made = view(started(), JobProgress(2, "j", 11.0, "IDLE", 0, {}))
    assert (made.status, made.is_over) == ("IDLE", False)

    made.apply(ActivationStarted(3, "j", 12.0, "a", 1, "w"))

    assert made.status == "RUNNING"


def test_the_fold_of_a_stalled_job_says_so_until_it_goes_on() -> None:
    class Counting(RecordingInstrument):
        def on_job_progress(self, event: JobProgress) -> None:
            self._keep(event)

    recording = Counting()
    flow = flow_of(
        {"a": burst(range(4)), "b": pair(capacity=2)}, "a.out -> b.left", name="half a join"
    )
    with Runtime(workers=2, instruments=[recording]) as runtime:
        job = runtime.exec(flow)
        recording.wait_for(Stalled)
        assert view(*recording.events).stalled == ("b.left",) == job.stalled
        runtime.jobs.get(job.id).send(Sample())
        recording.wait_for(JobProgress, lambda event: event.stalled == ("b.left",))
        runtime.jobs.unstall(job.id, "grow")
        assert job.wait(20).value == "COMPLETED"

    made = view(*recording.events)
    assert (made.stalled, made.status) == ((), "COMPLETED")
    assert made.discarded == {"b.left": 4}

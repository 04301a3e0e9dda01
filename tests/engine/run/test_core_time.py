"""Time-outs of a job and of its routines, in a job fed by hand whose clock the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, pass_on, routine, sink
from penstock import Cancelled, Continue, Failure, Flow, Retry, Routine, Skip, Slot, Stop
from penstock.observe import ActivationFailed, ActivationStarted, JobEnded
from penstock.run.emitters import local
from penstock.run.messages import Close, Pause, Resume, Start, Step

SLOT = {"value": Slot(object)}
LONG = 1000.0
"""Seconds: many batches of a job by hand, each of which takes one."""


def started(
    made: Routine | Flow, *, keep_open: bool = True, timeout: float | None = None
) -> Driven:
    """A started job, of a flow or of one routine ``a``."""
    job = Driven(made if isinstance(made, Flow) else flow_of({"a": made}))
    job.feed(Start(timeout=timeout, keep_open=keep_open))
    return job


# ---- the job's


def test_a_job_fails_when_its_time_is_over() -> None:
    job = started(chain(burst([1]), pass_on()), keep_open=False, timeout=LONG)
    assert job.core.deadline() == pytest.approx(LONG, abs=5)

    job.pass_time(LONG)

    assert job.status == "FAILED"
    assert job.core.error == Failure("", {}, "JobTimeout", "the job hasn't ended within 1000.0 s")
    assert job.of(JobEnded)[0].status == "FAILED"
    job.tokens.clear()


def test_a_job_that_ends_in_time_has_no_deadline_any_more() -> None:
    job = started(chain(burst([1]), pass_on()), keep_open=False, timeout=LONG)
    job.work()

    assert (job.status, job.core.deadline()) == ("COMPLETED", None)
    job.pass_time(LONG)
    assert job.status == "COMPLETED"


def test_a_body_of_a_job_whose_time_is_over_can_not_emit() -> None:
    caught: list[type[BaseException]] = []

    def logic(self: Any, value: int) -> None:
        job.pass_time(LONG)
        try:
            self.out.emit(value)
        except BaseException as error:
            caught.append(type(error))
            raise

    job = started(routine(logic, slots=SLOT), timeout=LONG)
    job.post("a.value", 1)
    job.run("a")
    job.news()

    assert caught == [Cancelled]
    assert list(job.core.dead_letters) == []
    assert [token.routine for token in job.leaving] == ["a"]
    assert job.count("a").refused == 1


def test_the_time_in_which_a_job_is_held_does_not_count() -> None:
    job = started(pass_on(), timeout=100.0)
    job.post("a.value", 1)
    job.feed(Pause(1))
    assert job.core.deadline() is None
    job.pass_time(LONG)
    assert job.status == "PAUSED"
    job.feed(Resume(9))
    job.work()
    job.post("a.value", 2)
    assert job.status == "RUNNING"

    job.pass_time(100.0)

    assert job.status == "FAILED"
    job.tokens.clear()


def test_the_time_in_which_a_job_is_idle_does_not_count() -> None:
    job = started(pass_on(), timeout=100.0)
    assert (job.status, job.core.deadline()) == ("IDLE", None)
    job.pass_time(LONG)
    job.post("a.value", 1)
    deadline = job.core.deadline()
    assert deadline is not None
    assert deadline - job.time == pytest.approx(100.0, abs=3)
    job.work()
    job.pass_time(LONG)
    job.post("a.value", 2)

    job.pass_time(100.0)

    assert job.status == "FAILED"
    job.tokens.clear()


def test_time_that_was_used_before_the_job_was_idle_counts() -> None:
    job = started(pass_on(), timeout=LONG)
    job.post("a.value", 1)
    job.pass_time(LONG * 0.75)
    job.work()
    assert job.status == "IDLE"
    job.pass_time(LONG)
    job.post("a.value", 2)

    deadline = job.core.deadline()

    assert deadline is not None
    assert deadline - job.time == pytest.approx(LONG * 0.25, abs=10)
    job.feed(Close())
    job.work()
    assert job.status == "COMPLETED"


def test_a_job_that_starts_held_has_all_its_time_left() -> None:
    job = Driven(chain(burst([1]), pass_on()))
    job.feed(Start(hold_generation=1, timeout=100.0))
    job.pass_time(LONG)
    assert job.status == "PAUSED"

    job.feed(Resume(9))
    job.work()

    assert job.status == "COMPLETED"


# ---- a routine's


class Slow:
    """A body that lasts `lasts` seconds for the values named, and emits before and after."""

    def __init__(self, *values: Any, lasts: float = LONG, timeout: float = LONG) -> None:
        self.job: Driven
        self.began: list[Any] = []
        self.ended: list[Any] = []
        self.caught: list[type[BaseException]] = []
        self._values, self._lasts, self._timeout = values, lasts, timeout

    def routine(self, **attributes: Any) -> Routine:
        def logic(body: Any, value: Any) -> None:
            self.began.append(value)
            body.out.emit((value, "before"))
            if value in self._values:
                self.job.news()
                self.job.pass_time(self._lasts)
            try:
                body.out.emit((value, "after"))
            except Cancelled as error:
                self.caught.append(type(error))
                raise
            self.ended.append(value)

        return routine(logic, slots=SLOT, timeout=self._timeout, **attributes)

    def drive(self, *values: Any, **attributes: Any) -> Driven:
        """A job of it that is given these values."""
        self.job = started(self.routine(**attributes))
        self.job.post("a.value", *values)
        self.job.work()
        return self.job


def actions(job: Driven) -> list[str]:
    return [event.action for event in job.of(ActivationFailed)]


def test_an_activation_that_lasts_too_long_has_failed() -> None:
    slow = Slow(1)
    job = slow.drive(1, 2)

    assert job.status == "FAILED"
    assert job.core.error == Failure("a", {"value": 1}, "RoutineTimeout", "no end within 1000.0 s")
    assert slow.caught == [Cancelled]
    assert [token.routine for token in job.leaving] == ["a"]
    count = job.count("a")
    assert (count.slots["value"].dead, count.slots["value"].queued) == (1, 1)
    assert (count.failures, count.activations) == (1, 1)


def test_one_that_ends_in_time_has_not() -> None:
    slow = Slow(1, 2, lasts=LONG / 2)
    job = slow.drive(1, 2)

    assert slow.ended == [1, 2]
    assert (job.core.deadline(), job.core.by_id["a"].clocks) == (None, {})
    job.pass_time(LONG * 5)
    assert job.status == "IDLE"


def test_with_continue_the_next_begins_at_once_though_the_body_runs_on() -> None:
    during: list[tuple[str, ...]] = []

    def logic(self: Any, value: int) -> None:
        if value == 1:
            job.news()
            job.pass_time(LONG)
            during.append(tuple(token.routine for token in job.tokens))
            job.run("a")

        self.out.emit(value)

    job = started(routine(logic, slots=SLOT, timeout=LONG, on_error=Continue(), max_parallel=1))
    job.post("a.value", 1, 2)
    job.run("a")
    job.feed(Close())
    job.work()

    assert during == [("a",)]
    assert job.outputs == {"a.out": [2]}
    count = job.count("a")
    assert (count.refused, count.slots["value"].dead, count.slots["value"].consumed) == (1, 1, 1)
    assert job.status == "COMPLETED"
    assert [failure.type for failure in job.core.dead_letters] == ["RoutineTimeout"]


def test_what_a_body_emitted_before_its_time_was_over_is_on_its_way() -> None:
    slow = Slow(1)
    job = slow.drive(1, on_error=Continue())

    assert job.outputs == {"a.out": [(1, "before")]}


def test_under_retry_what_it_had_emitted_is_revoked_and_it_is_tried_again() -> None:
    tries: list[int] = []

    def logic(self: Any, value: int) -> None:
        tries.append(value)
        self.out.emit("before")
        if len(tries) == 1:
            job.news()
            job.pass_time(LONG)
        self.out.emit("after")

    job = started(routine(logic, slots=SLOT, timeout=LONG, on_error=Retry(), max_parallel=1))
    job.post("a.value", 7)
    job.work()

    assert tries == [7, 7]
    assert job.outputs == {"a.out": ["before", "after"]}
    assert (job.count("a").revoked, actions(job)) == (1, ["retry"])
    assert job.slot_count("a.value").consumed == 1


def test_a_time_out_is_retried_only_where_the_policy_takes_time_outs() -> None:
    slow = Slow(1)
    job = slow.drive(1, on_error=Retry(on=ValueError, then=Continue()))

    assert (slow.began, actions(job)) == ([1], ["continue"])


def test_a_time_out_can_skip_the_routine() -> None:
    slow = Slow(1)
    job = slow.drive(1, 2, 3, on_error=Skip(), max_parallel=1)

    count = job.slot_count("a.value")
    assert (slow.began, count.dead, count.skipped) == ([1], 1, 2)


def test_a_time_out_goes_where_failed_is_connected() -> None:
    failures: list[Failure] = []
    slow = Slow(1)
    flow = flow_of({"a": slow.routine(on_error=Stop()), "z": sink(failures)}, "a.failed -> z.value")
    slow.job = started(flow)
    slow.job.post("a.value", 1)
    slow.job.work()

    assert [failure.type for failure in failures] == ["RoutineTimeout"]
    assert slow.job.status == "IDLE"


def test_two_bodies_at_once_have_a_clock_each() -> None:
    def logic(self: Any, value: int) -> None:
        job.news()
        if value == 1:
            job.pass_time(LONG / 2)
            job.run("a")
        else:
            job.pass_time(LONG / 2 + 10)
        self.out.emit(value)

    made = routine(logic, slots=SLOT, timeout=LONG, on_error=Continue(), max_parallel=2)
    job = started(made)
    job.post("a.value", 1, 2)
    job.run("a")
    job.work()

    assert job.outputs == {"a.out": [2]}
    assert [failure.slots["value"] for failure in job.core.dead_letters] == [1]


def test_the_time_of_an_activation_stands_still_while_the_job_is_held() -> None:
    def logic(self: Any, value: int) -> None:
        job.news()
        job.feed(Pause(1))
        job.pass_time(LONG * 5)
        job.feed(Resume(9))
        job.pass_time(LONG / 2)
        self.out.emit(value)

    job = started(routine(logic, slots=SLOT, timeout=LONG))
    job.post("a.value", 1)
    job.run("a")
    job.work()

    assert job.outputs == {"a.out": [1]}


def test_an_end_that_lies_in_the_inbox_when_the_time_is_over_counts() -> None:
    def logic(self: Any, value: int) -> None:
        job.news()
        self.out.emit(value)

    job = started(routine(logic, slots=SLOT, timeout=LONG))
    job.post("a.value", 1)
    job.run("a")

    job.pass_time(LONG * 2)

    assert (job.status, job.outputs) == ("RUNNING", {"a.out": [1]})
    job.work()
    assert job.slot_count("a.value").consumed == 1


def test_a_failure_that_lies_in_the_inbox_when_the_time_is_over_is_the_one_that_counts() -> None:
    def logic(self: Any, value: int) -> None:
        job.news()
        raise ValueError(value)

    job = started(routine(logic, slots=SLOT, timeout=LONG))
    job.post("a.value", 1)
    job.run("a")

    job.pass_time(LONG * 2)
    job.work()

    assert str(job.core.error) == "a: ValueError: 1"
    assert job.slot_count("a.value").dead == 1


def standing(closed: list[int], **attributes: Any) -> Routine:
    """A generator that emits, stands at a yield, and emits again."""

    def logic(self: Any, value: int) -> Iterator[None]:
        try:
            self.out.emit((value, 1))
            yield
            self.out.emit((value, 2))
        finally:
            closed.append(value)

    return routine(logic, slots=SLOT, timeout=LONG, **attributes)


def test_a_generator_that_stands_at_a_yield_can_be_late_too() -> None:
    closed: list[int] = []
    job = started(standing(closed, on_error=Continue()))
    job.post("a.value", 1)
    job.run("a")
    job.news()
    assert len(job.core.by_id["a"].continued) == 1, "it stands at its yield"

    job.pass_time(LONG)

    assert [body.entry[1] for body in job.closing] == [1]
    job.closing[0].body.close()
    job.work()
    assert (closed, job.outputs) == ([1], {"a.out": [(1, 1)]})
    assert job.slot_count("a.value").dead == 1
    assert job.status == "IDLE"


def test_what_a_late_generator_kept_back_is_revoked() -> None:
    closed: list[int] = []
    job = started(standing(closed, on_error=Retry(times=0, then=Continue())))
    job.post("a.value", 1)
    job.run("a")
    job.news()

    job.pass_time(LONG)

    assert job.count("a").revoked == 1
    job.closing[0].body.close()
    job.work()


def test_the_time_of_a_generator_runs_from_its_first_line_to_its_end() -> None:
    job = started(standing([]))
    job.post("a.value", 1)
    job.run("a")
    job.news()
    job.pass_time(LONG * 0.75)
    job.run("a")
    job.news()

    job.pass_time(LONG)

    assert job.outputs == {"a.out": [(1, 1), (1, 2)]}
    assert job.status == "IDLE"


@pytest.mark.parametrize("policy", [Stop(), Continue()])
def test_a_finish_that_lasts_too_long_has_failed(policy: Stop | Continue) -> None:
    def finish(self: Any) -> None:
        job.news()
        job.pass_time(LONG)

    made = routine(
        lambda self, value: None, slots=SLOT, finish=finish, timeout=LONG, on_error=policy
    )
    job = started(made)
    job.post("a.value", 1)
    job.work()
    job.feed(Close())
    job.work()

    assert job.status == ("FAILED" if policy == Stop() else "COMPLETED")
    count = job.count("a")
    assert (count.activations, count.failures) == (2, 1)
    assert count.slots["value"].consumed == 1


def test_a_finish_that_ended_in_time_leaves_no_clock() -> None:
    """Else the job would be woken for it while the others finish."""

    def finish(self: Any) -> None:
        job.news()

    made = routine(lambda self, value: None, slots=SLOT, finish=finish, timeout=LONG)
    last = routine(lambda self, value: None, slots=SLOT, finish=lambda self: None)
    job = started(flow_of({"a": made, "z": last}))
    job.feed(Close())
    job.run("a")
    job.news()

    assert (job.core.deadline(), job.core.by_id["a"].clocks) == (None, {})
    job.work()
    assert job.status == "COMPLETED"


def test_what_a_step_let_go_has_time_without_end() -> None:
    def logic(self: Any, value: int) -> None:
        job.news()
        job.pass_time(LONG * 5)
        self.out.emit(value)

    job = started(routine(logic, slots=SLOT, timeout=LONG))
    job.feed(Pause(1))
    job.post("a.value", 1, 2)
    job.feed(Step())
    job.run("a")
    job.work()

    assert (job.status, job.outputs) == ("PAUSED", {"a.out": [1]})


def test_a_late_body_was_told_as_begun_before_it_failed() -> None:
    slow = Slow(1)
    job = slow.drive(1, on_error=Continue())

    kinds = [type(e) for e in job.events if isinstance(e, ActivationStarted | ActivationFailed)]
    assert kinds == [ActivationStarted, ActivationFailed]


def test_a_source_can_be_late() -> None:
    def logic(self: Any) -> None:
        job.news()
        job.pass_time(LONG)

    job = Driven(chain(routine(logic, timeout=LONG, on_error=Continue())))
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert [dict(failure.slots) for failure in job.core.dead_letters] == [{}]


def test_an_activation_that_succeeds_as_its_time_is_over_gets_no_second_clock() -> None:
    """Its worker has decided, and hands in its report a moment later."""
    deadlines: list[float | None] = []

    def logic(self: Any, value: Any) -> None:
        token = local.token
        assert token is not None
        job.news()
        deadlines.append(job.core.deadline())
        assert token.decide()
        job.pass_time(2.0)
        token.run_.announce()
        job.news()
        deadlines.append(job.core.deadline())
        token.fate = None

    slots = {"value": Slot(int)}
    job = Driven(chain(routine(logic, slots=slots, timeout=1.0, on_error=Retry()), sink([])))
    job.start(a__value=1)
    job.work()

    assert deadlines[0] is not None
    assert deadlines[1] is None
    assert job.slot_count("a.value").consumed == 1

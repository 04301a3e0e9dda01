"""What becomes of an activation that raises."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, failing, flow_of, pass_on, routine, sink
from penstock import Continue, Failure, Retry, Skip, Slot, Stop
from penstock.observe import ActivationFailed, JobEnded
from penstock.run.failures import Decision, decide, failure_of


class Grim(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


def test_stop_fails_the_job_and_keeps_the_queues() -> None:
    job = Driven(chain(burst(range(5)), failing(lambda: ValueError("no"), on_error=Stop())))
    job.start()
    job.work()

    assert job.status == "FAILED"
    error = job.core.error
    assert error is not None
    assert str(error) == "b: ValueError: no"
    assert dict(error.slots) == {"value": 0}
    assert "ValueError: no" in error.traceback
    count = job.slot_count("b.value")
    assert (count.dead, count.queued, count.discarded) == (1, 4, 0)
    ended = job.of(JobEnded)[0]
    assert ended.error is not None
    assert ended.error.type == "ValueError"
    assert job.of(ActivationFailed)[0].action == "stop"


def test_continue_records_the_failure_and_the_job_goes_on() -> None:
    def logic(self: Any, value: int) -> None:
        if value % 2:
            raise ValueError(value)
        self.out.emit(value)

    body = routine(logic, slots={"value": Slot(int)}, on_error=Continue())
    job = Driven(chain(burst(range(6)), body))
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert job.core.error is None
    assert job.outputs["b.out"] == [0, 2, 4]
    assert [f.slots["value"] for f in job.core.dead_letters] == [1, 3, 5]
    count = job.slot_count("b.value")
    assert (count.consumed, count.dead, count.posted) == (3, 3, 6)
    assert job.count("b").failures == 3


@pytest.mark.parametrize("policy", [Stop(), Continue()])
def test_a_connected_failed_event_wins_over_the_policy(policy: Stop | Continue) -> None:
    seen: list[Failure] = []
    job = Driven(
        flow_of(
            {
                "s": burst([1, 2]),
                "bad": failing(lambda: KeyError("k"), on_error=policy),
                "z": sink(seen),
            },
            "s.out -> bad.value",
            "bad.failed -> z.value",
        )
    )
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert [f.slots["value"] for f in seen] == [1, 2]
    assert [(type(f), f.type, f.attempt) for f in seen] == [(Failure, "KeyError", 1)] * 2
    assert not job.core.dead_letters
    assert job.slot_count("bad.value").consumed == 2


def test_emissions_before_the_failure_are_delivered() -> None:
    def logic(self: Any, value: int) -> None:
        self.out.emit(value)
        raise ValueError

    seen: list[Any] = []
    body = routine(logic, slots={"value": Slot(int)}, on_error=Continue())
    job = Driven(chain(burst([1, 2]), body, sink(seen)))
    job.start()
    job.work()

    assert seen == [1, 2]


def test_failures_respect_the_room_of_the_slot_they_go_to() -> None:
    seen: list[Failure] = []
    job = Driven(
        flow_of(
            {
                "s": burst(range(10)),
                "bad": failing(lambda: ValueError("x")),
                "z": sink(seen, capacity=1),
            },
            "s.out -> bad.value",
            "bad.failed -> z.value",
        )
    )
    job.start()
    job.work()

    assert [f.slots["value"] for f in seen] == list(range(10))
    assert job.slot_count("z.value").high_water == 1


@pytest.mark.parametrize(
    "error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, Grim]
)
def test_any_base_exception_of_a_body_is_its_failure(error: type[BaseException]) -> None:
    job = Driven(chain(burst([1]), failing(error, on_error=Continue()), pass_on()))
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert [f.type for f in job.core.dead_letters] == [error.__name__]


def test_a_source_that_fails_fails_the_job() -> None:
    def logic(self: Any) -> None:
        raise OSError("gone")

    job = Driven(chain(routine(logic)))
    job.start()
    job.work()

    assert job.status == "FAILED"
    assert str(job.core.error) == "a: OSError: gone"


def test_a_state_that_can_not_be_made_is_the_failure_of_the_activation() -> None:
    class State:
        def __init__(self) -> None:
            raise RuntimeError("no state")

    def logic(self: Any, value: int) -> None:
        raise AssertionError("ran without a state")

    body = routine(logic, slots={"value": Slot(int)}, state=State, on_error=Continue())
    job = Driven(chain(burst([1, 2]), body))
    job.start()
    job.work()

    assert [f.type for f in job.core.dead_letters] == ["RuntimeError", "RuntimeError"]


def test_several_failures_are_all_kept_and_the_first_is_the_error() -> None:
    job = Driven(
        flow_of(
            {
                "s": burst([1]),
                "x": failing(lambda: ValueError("x")),
                "y": failing(lambda: ValueError("y")),
            },
            "s.out -> x.value",
            "s.out -> y.value",
        )
    )
    job.start()
    job.run("s")
    job.news()
    job.run("x")
    job.run("y")
    job.news()

    assert str(job.core.error) == "x: ValueError: x"
    told = [event.failure.routine for event in job.of(ActivationFailed)]
    kept = {f.routine for f in job.core.dead_letters} | set(told)
    assert kept >= {"x", "y"}, "the second failure left no trace"


def test_decisions() -> None:
    assert decide(Stop(), False, False) is Decision.STOP
    assert decide(Continue(), False, False) is Decision.CONTINUE
    assert decide(Skip(), False, False) is Decision.SKIP
    for policy in (Stop(), Continue(), Skip(), Retry()):
        assert decide(policy, True, False) is Decision.DELIVER
    assert decide(Retry(), True, True) is Decision.RETRY
    assert decide(Retry(), False, False) is Decision.STOP
    assert decide(Retry(then=Continue()), False, False) is Decision.CONTINUE
    assert decide(Retry(then=Skip()), False, False) is Decision.SKIP


def test_a_failure_is_made_whatever_the_error_does() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

        __repr__ = __str__
        __notes__ = property(__str__)

    failure = failure_of("r", {"a": 1}, Hostile())

    assert failure.type == "Hostile"
    assert "KeyboardInterrupt" in failure.text


def test_the_traceback_begins_in_user_code_and_is_bounded() -> None:
    job = Driven(chain(failing(lambda: ValueError("x" * 100_000))))
    job.start(a__value=1)
    job.work()

    assert job.core.error is not None
    assert len(job.core.error.traceback) <= 21_000
    small = Driven(chain(failing(lambda: ValueError("x"))))
    small.start(a__value=1)
    small.work()
    assert small.core.error is not None
    assert "penstock/run/" not in small.core.error.traceback
    assert "flows.py" in small.core.error.traceback

"""`finish()`: once per job, in order, when nothing can arrive any more."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, pass_on, routine, sink
from penstock import Continue, Routine, Slot, Stop
from penstock.observe import ActivationFailed
from penstock.run.messages import Cancel, Pause, Resume, Step


def finishing(calls: list[str], name: str, **attributes: Any) -> Routine:
    def logic(self: Any, value: Any) -> None:
        calls.append(f"{name} got {value}")
        self.out.emit(value)

    def finish(self: Any) -> None:
        calls.append(f"{name} finished")
        self.out.emit(f"last of {name}")

    return routine(logic, slots={"value": Slot(object)}, finish=finish, **attributes)


def test_finishes_run_topologically_and_each_one_s_emissions_are_worked_off_first() -> None:
    calls: list[str] = []
    job = Driven(
        flow_of(
            {
                "late": finishing(calls, "late"),
                "early": finishing(calls, "early"),
                "s": burst([1]),
            },
            "s.out -> early.value",
            "early.out -> late.value",
        )
    )
    job.start()
    job.work()

    assert calls == [
        "early got 1",
        "late got 1",
        "early finished",
        "late got last of early",
        "late finished",
    ]
    assert job.status == "COMPLETED"
    assert job.outputs["late.out"] == [1, "last of early", "last of late"]


def test_inside_a_cycle_finishes_run_in_the_order_of_add() -> None:
    calls: list[str] = []

    def make(name: str) -> Routine:
        def logic(self: Any, value: Any) -> None:
            pass

        def finish(self: Any) -> None:
            calls.append(name)

        return routine(logic, slots={"value": Slot(object)}, finish=finish)

    job = Driven(
        flow_of(
            {"after": make("after"), "c": make("c"), "b": make("b"), "a": make("a")},
            "a.out -> b.value",
            "b.out -> c.value",
            "c.out -> a.value",
            "a.out -> after.value",
        )
    )
    job.start()
    job.work()

    assert calls == ["c", "b", "a", "after"]


@pytest.mark.parametrize("end", ["cancel", "fail"])
def test_no_finish_runs_for_a_job_that_was_cancelled_or_failed(end: str) -> None:
    calls: list[str] = []

    def fail(self: Any) -> None:
        raise ValueError

    job = Driven(flow_of({"s": routine(fail), "f": finishing(calls, "f")}))
    job.start()
    if end == "cancel":
        job.feed(Cancel())
    job.work()

    assert calls == []


def test_a_finish_that_fails_is_a_failure_under_the_policy() -> None:
    def logic(self: Any, value: Any) -> None:
        pass

    def finish(self: Any) -> None:
        raise ValueError("end")

    cases: list[tuple[Stop | Continue, str]] = [(Continue(), "COMPLETED"), (Stop(), "FAILED")]
    for policy, status in cases:
        calls: list[str] = []
        body = routine(logic, slots={"value": Slot(object)}, finish=finish, on_error=policy)
        job = Driven(
            flow_of({"s": burst([1]), "f": body, "z": finishing(calls, "z")}, "s.out -> f.value")
        )
        job.start()
        job.work()
        assert job.status == status
        assert calls == (["z finished"] if status == "COMPLETED" else [])
        assert job.of(ActivationFailed)[0].failure.text == "end"
        assert job.slot_count("f.value").consumed == 1


def test_a_failing_finish_reaches_a_connected_failed_event() -> None:
    seen: list[Any] = []

    def logic(self: Any) -> None:
        pass

    def finish(self: Any) -> None:
        raise ValueError("end")

    job = Driven(
        flow_of({"f": routine(logic, finish=finish), "z": sink(seen)}, "f.failed -> z.value")
    )
    job.start()
    job.work()

    assert [f.text for f in seen] == ["end"]
    assert job.status == "COMPLETED"


def test_a_finish_may_feed_its_own_cycle_and_runs_once() -> None:
    calls: list[str] = []

    def logic(self: Any, value: int) -> None:
        calls.append(f"got {value}")
        if value:
            self.out.emit(value - 1)

    def finish(self: Any) -> None:
        calls.append("finished")
        self.out.emit(2)

    job = Driven(
        flow_of(
            {"x": routine(logic, slots={"value": Slot(int)}, finish=finish), "y": pass_on()},
            "x.out -> y.value",
            "y.out -> x.value",
        )
    )
    job.start()
    job.work()

    assert calls == ["finished", "got 2", "got 1", "got 0"]
    assert job.status == "COMPLETED"


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_message_that_comes_while_finish_runs_is_worked_off_and_finish_runs_once(
    parallel: int,
) -> None:
    """The body's emission comes round a cycle to its own routine before the body has ended."""
    calls: list[str] = []

    def logic(self: Any, value: int) -> None:
        calls.append(f"got {value}")

    def finish(self: Any) -> None:
        calls.append("finished")
        if len(calls) == 1:
            self.out.emit(5)
            self.out.emit(6)
            job.news()
            job.run("y")
            job.news()
            while any(token.routine == "x" for token in job.tokens):
                job.run("x")

    x = routine(logic, slots={"value": Slot(int)}, finish=finish, max_parallel=parallel)
    job = Driven(flow_of({"x": x, "y": pass_on()}, "x.out -> y.value", "y.out -> x.value"))
    job.start()
    job.work()

    assert sorted(calls) == ["finished", "got 5", "got 6"]
    assert job.slot_count("x.value").consumed == 2


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_post_before_finish_has_begun_is_not_lost(parallel: int) -> None:
    calls: list[str] = []
    job = Driven(flow_of({"f": finishing(calls, "f", max_parallel=parallel)}))
    job.start()
    assert job.status == "RUNNING"
    job.post("f.value", 7, 8)
    while job.tokens:
        job.run()
    job.work()

    assert sorted(calls) == ["f finished", "f got 7", "f got 8"]


def test_a_finish_is_held_and_stepped_like_any_activation() -> None:
    calls: list[str] = []
    job = Driven(flow_of({"s": burst([1]), "f": finishing(calls, "f")}, "s.out -> f.value"))
    job.start()
    job.feed(Pause(1))
    job.work()
    for _ in range(2):
        job.feed(Step())
        job.work()
    assert calls == ["f got 1"]
    assert job.status == "PAUSED"
    assert job.held.place == "f"

    job.feed(Step())
    job.work()
    assert calls == ["f got 1", "f finished"]
    assert job.status == "COMPLETED"


def test_a_pause_takes_back_a_finish_that_has_not_begun() -> None:
    calls: list[str] = []
    job = Driven(flow_of({"f": finishing(calls, "f")}))
    job.start()
    job.feed(Pause(1))
    job.work()
    assert calls == []
    assert job.status == "PAUSED"

    job.feed(Resume(1))
    job.work()
    assert calls == ["f finished"]


def test_a_completed_job_counts_finish_as_an_activation_of_no_message() -> None:
    calls: list[str] = []
    job = Driven(chain(burst([1, 2]), finishing(calls, "b")))
    job.start()
    job.work()

    assert job.count("b").activations == 3
    assert job.slot_count("b.value").consumed == 2

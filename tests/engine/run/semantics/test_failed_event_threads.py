"""The failed event: line 15."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.conservation import finished
from helpers.failing import fails_on
from helpers.flows import burst, chain, failing, flow_of, routine, sink
from helpers.kinds import KINDS, Kind, Steps, of_kind
from penstock import Continue, Failure, Retry, Routine, Runtime, Stop


def failed_flow(bad: Routine, into: list[Failure], many: int = 3) -> Any:
    return flow_of(
        {"s": burst(range(many)), "bad": bad, "z": sink(into)},
        "s.out -> bad.value",
        "bad.failed -> z.value",
    )


@pytest.mark.parametrize("policy", [Stop(), Continue()])
@pytest.mark.parametrize("kind", KINDS)
def test_15_a_connected_failed_event_takes_the_failure_instead(
    runtime: Runtime, kind: Kind, policy: Any
) -> None:
    seen: list[Failure] = []

    def body(self: Any, value: Any) -> Steps:
        yield None
        raise KeyError(value)

    job = finished(runtime.exec(failed_flow(of_kind(kind, body, on_error=policy), seen)))

    assert [dict(failure.slots) for failure in seen] == [{"value": n} for n in range(3)]
    assert {type(failure) for failure in seen} == {Failure}
    assert [(f.routine, f.type, f.attempt) for f in seen] == [("bad", "KeyError", 1)] * 3
    assert job.dead_letters == []
    assert job.error is None
    slot = job.routines["bad"].slots["value"]
    assert (slot.consumed, slot.dead) == (3, 0)
    assert job.routines["bad"].failures == 3
    assert "bad.failed" not in job.outputs


@pytest.mark.parametrize("then", [Stop(), Continue()])
def test_15_a_failure_is_delivered_after_the_retries_only(runtime: Runtime, then: Any) -> None:
    seen: list[Failure] = []
    bad = fails_on(1, on_error=Retry(times=2, then=then))

    job = finished(runtime.exec(failed_flow(bad, seen)))

    assert [(f.slots["value"], f.attempt) for f in seen] == [(1, 3)]
    assert job.outputs["bad.out"] == [0, 2]
    assert job.routines["bad"].failures == 3


def test_15_a_failure_without_a_retry_left_by_its_kind_is_delivered_at_once(
    runtime: Runtime,
) -> None:
    seen: list[Failure] = []
    bad = failing(lambda: KeyError("k"), on_error=Retry(times=2, on=(ValueError,)))

    finished(runtime.exec(failed_flow(bad, seen)))

    assert [failure.attempt for failure in seen] == [1, 1, 1]


def test_15_failed_is_never_among_the_outputs(runtime: Runtime) -> None:
    job = runtime.exec(chain(burst([1]), failing(ValueError, on_error=Continue())))

    assert set(job.outputs) == {"b.out"}
    finished(job)
    assert set(job.outputs) == set(job.output_counts) == {"b.out"}


def test_15_a_source_and_a_finish_deliver_their_failures_too(runtime: Runtime) -> None:
    seen: list[Failure] = []

    def logic(self: Any) -> None:
        raise ValueError("source")

    def finish(self: Any) -> None:
        raise ValueError("finish")

    flow = flow_of({"s": routine(logic, finish=finish), "z": sink(seen)}, "s.failed -> z.value")
    job = finished(runtime.exec(flow))

    assert [(failure.text, dict(failure.slots)) for failure in seen] == [
        ("source", {}),
        ("finish", {}),
    ]
    assert job.dead_letters == []


def test_15_who_takes_failures_may_fail_under_its_own_policy(runtime: Runtime) -> None:
    flow = flow_of(
        {
            "s": burst([1, 2]),
            "bad": failing(lambda: ValueError("x")),
            "worse": failing(lambda: KeyError("y"), on_error=Continue()),
        },
        "s.out -> bad.value",
        "bad.failed -> worse.value",
    )
    job = finished(runtime.exec(flow))

    assert [failure.routine for failure in job.dead_letters] == ["worse", "worse"]
    assert [failure.slots["value"].slots["value"] for failure in job.dead_letters] == [1, 2]


def test_15_failures_wait_for_room_like_any_message(runtime: Runtime) -> None:
    seen: list[Failure] = []
    flow = flow_of(
        {"s": burst(range(40)), "bad": failing(lambda: ValueError("x")), "z": sink(seen, 1)},
        "s.out -> bad.value",
        "bad.failed -> z.value",
    )
    job = finished(runtime.exec(flow))

    assert [failure.slots["value"] for failure in seen] == list(range(40))
    assert job.routines["z"].slots["value"].high_water == 1

"""Entry parameters: line 8."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.conservation import finished
from helpers.flows import burst, flow_of, pair, pass_on, sink
from penstock import Runtime, UnknownPort


def test_8_entry_params_put_one_message_in_each_slot_they_name(runtime: Runtime) -> None:
    seen: list[int] = []
    flow = flow_of(
        {"s": burst([1]), "a": pass_on(), "p": pair(), "z": sink(seen)},
        "s.out -> a.value",
        "a.out -> z.value",
    )

    job = finished(runtime.exec(flow, {"p.left": "l", "p.right": "r", "z.value": 7}))

    assert job.outputs["p.out"] == [("l", "r")]
    assert sorted(seen) == [1, 7], "a slot that something is connected to may be named"
    assert job.routines["p"].slots["left"].posted == 1


def test_8_a_bare_slot_name_means_the_one_entry_routine(runtime: Runtime) -> None:
    seen: list[Any] = []
    flow = flow_of({"p": pair(), "z": sink(seen)}, "p.out -> z.value")

    finished(runtime.exec(flow, {"left": 1, "right": 2}))

    assert seen == [(1, 2)]


@pytest.mark.parametrize("name", ["nope", "p.nope", "nope.value", "p.left.x", "", ".", "z."])
def test_8_an_unknown_entry_param_raises_before_a_job_exists(runtime: Runtime, name: str) -> None:
    flow = flow_of({"p": pair(), "z": sink([])}, "p.out -> z.value")

    with pytest.raises(UnknownPort):
        runtime.exec(flow, {"left": 1, name: 1})

    assert runtime.jobs.list() == []
    assert runtime.statistics().loop_threads == 0


def test_8_a_bare_slot_name_needs_exactly_one_entry_routine(runtime: Runtime) -> None:
    two = flow_of({"x": pass_on(), "y": pass_on()})
    with pytest.raises(UnknownPort):
        runtime.exec(two, {"value": 1})

    none = flow_of({"s": burst([1]), "z": sink([])}, "s.out -> z.value")
    with pytest.raises(UnknownPort):
        runtime.exec(none, {"value": 1})

    assert runtime.jobs.list() == []


def test_8_an_entry_param_beyond_the_capacity_of_its_slot_still_fits_one(runtime: Runtime) -> None:
    seen: list[int] = []

    finished(runtime.exec(flow_of({"z": sink(seen, 1)}), {"z.value": 1}))

    assert seen == [1]

"""Values that a job keeps, found by the number of their message."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import chain, flow_of, pass_on, routine, source
from penstock import Slot
from penstock.run.messages import Start
from penstock.run.reading import JobReads


def reads_of(job: Driven) -> JobReads:
    return JobReads(job.core, threading.RLock(), 0.0)


def test_the_last_value_of_each_port_is_found_by_its_number() -> None:
    first, last = ["first"], ["last"]
    job = Driven(chain(pass_on(), pass_on()), values=True)
    job.feed(Start(keep_open=True))
    for value in (first, last):
        job.post("a.value", value)
        job.work()
    reads = reads_of(job)
    (old, _, _), (new, _, _) = reads.values("a")[1]["out"]

    assert reads.value("a", "out", new) is last
    assert reads.value("b", "value", new) is last, "what its producer has emitted last"
    for port, number in (("out", old), ("failed", new), ("other", new)):
        with pytest.raises(LookupError, match=f"message {number} .* a.{port}"):
            reads.value("a", port, number)
    with pytest.raises(LookupError):
        reads.value("nobody", "out", new)


def test_a_value_that_was_given_is_found_at_its_slot() -> None:
    given = object()
    job = Driven(chain(pass_on()), values=True)
    job.feed(Start((("a.value", given),), keep_open=True))
    job.work()
    (number, _, _) = reads_of(job).values("a")[0]["value"][-1]

    assert reads_of(job).value("a", "value", number) is given


def test_what_is_held_is_found_though_it_isnt_the_last() -> None:
    join = routine(
        lambda self, left, right: None, slots={"left": Slot(object), "right": Slot(object)}
    )
    values: list[Any] = [object(), object()]
    flow = flow_of(
        {"l": source(values), "r": source(values), "j": join},
        "l.out -> j.left",
        "r.out -> j.right",
    )
    job = Driven(flow, values=True)
    job.start(stops={"j": (7,)})
    job.work()
    held = job.held

    assert len(held.messages) == 2
    told = tuple((message.slot, message.number) for message in held.messages)
    assert reads_of(job).held("j") == told
    assert reads_of(job).held("l") == reads_of(job).held("nobody") == ()
    for message in held.messages:
        assert reads_of(job).value("j", message.slot, message.number) is values[0]
    assert {message.slot for message in held.messages} == {"left", "right"}


def test_nothing_is_kept_when_nobody_may_ask() -> None:
    job = Driven(chain(source([1]), pass_on()))
    job.start()
    job.work()

    with pytest.raises(LookupError):
        reads_of(job).value("a", "out", 1)

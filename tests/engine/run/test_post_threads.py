"""`Runtime.post`: values from outside, and waiting for room."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.driven import check_slot
from helpers.flows import chain, flow_of, pass_on, routine, sink, source
from helpers.waiting import until
from penstock import (
    Cancelled,
    InvalidValue,
    JobEnded,
    JobStatus,
    PenstockError,
    Runtime,
    Slot,
    SlotFull,
    UnknownPort,
)
from penstock.run import core as core_module
from penstock.run.messages import Pause

DEADLINE = 20.0


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(workers=2) as made:
        yield made


def in_thread(act: Any) -> tuple[threading.Thread, list[BaseException | None]]:
    result: list[BaseException | None] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001
            result.append(error)
        else:
            result.append(None)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


def test_a_posted_value_becomes_a_message(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(flow_of({"alive": gated_source(gate), "p": pass_on()}))
    for n in range(5):
        runtime.post(job.id, "p.value", n)
    gate.open()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert job.outputs["p.out"] == list(range(5))
    assert job.routines["p"].slots["value"].posted == 5


def test_posts_to_unknown_places_are_refused(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(chain(gated_source(gate), pass_on()))

    for port in ("b.nothing", "nobody.value", "value", "b.out", ""):
        with pytest.raises(UnknownPort):
            runtime.post(job.id, port, 1)
    with pytest.raises(PenstockError):
        runtime.post("no such job", "b.value", 1)
    gate.open()
    job.wait(DEADLINE)


def test_a_value_of_the_wrong_type_is_not_delivered(runtime: Runtime) -> None:
    def logic(self: Any, number: int) -> None:
        self.out.emit(number)

    gate = Gate()
    job = runtime.exec(
        flow_of({"alive": gated_source(gate), "n": routine(logic, slots={"number": Slot(int)})})
    )
    with pytest.raises(InvalidValue):
        runtime.post(job.id, "n.number", "1")
    runtime.post(job.id, "n.number", 1)
    gate.open()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert job.outputs["n.out"] == [1]


def test_a_full_slot_refuses_when_the_time_is_over(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(chain(gated(gate, capacity=2)), {"a.value": 0})
    gate.wait_came()
    runtime.post(job.id, "a.value", 1)
    runtime.post(job.id, "a.value", 2)

    with pytest.raises(SlotFull) as caught:
        runtime.post(job.id, "a.value", 3, timeout=0)
    with pytest.raises(SlotFull):
        runtime.post(job.id, "a.value", 3, timeout=0.05)

    error = caught.value
    assert (error.job, error.routine, error.port) == (job.id, "a", "a.value")
    gate.open()
    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert job.outputs["a.out"] == [0, 1, 2]
    assert job.routines["a"].slots["value"].high_water <= 2
    check_slot("a.value", job.routines["a"].slots["value"])


def test_a_post_waits_for_room_and_is_woken_by_it(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(
        flow_of({"alive": gated_source(gate), "a": gated(gate, capacity=1)}), {"a.value": 0}
    )
    gate.wait_came(2)
    runtime.post(job.id, "a.value", 1)
    thread, result = in_thread(lambda: runtime.post(job.id, "a.value", 2, timeout=DEADLINE))
    waiting = runtime.jobs.get(job.id).slot("a", "value")
    assert waiting is not None
    until(lambda: bool(waiting.posters))
    assert result == []

    gate.open()
    thread.join(DEADLINE)

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    if result == [None]:
        assert job.outputs["a.out"] == [0, 1, 2]
    else:
        assert isinstance(result[0], JobEnded)  # the job came to its end first


def test_a_waiting_post_is_woken_by_room_while_the_job_goes_on(runtime: Runtime) -> None:
    gate, alive = Gate(), Gate()
    job = runtime.exec(
        flow_of({"alive": gated_source(alive), "a": gated(gate, capacity=1)}), {"a.value": 0}
    )
    gate.wait_came()
    runtime.post(job.id, "a.value", 1)
    thread, result = in_thread(lambda: runtime.post(job.id, "a.value", 2, timeout=DEADLINE))

    gate.open()
    thread.join(DEADLINE)
    alive.open()

    assert result == [None]
    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert job.outputs["a.out"] == [0, 1, 2]


def test_a_waiting_post_raises_when_the_job_is_cancelled(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0})
    gate.wait_came()
    runtime.post(job.id, "a.value", 1)
    thread, result = in_thread(lambda: runtime.post(job.id, "a.value", 2))

    runtime.jobs.cancel(job.id)
    thread.join(DEADLINE)
    gate.open()

    assert not thread.is_alive()
    assert isinstance(result[0], JobEnded)
    assert job.wait(DEADLINE) is JobStatus.CANCELLED


def test_posts_to_an_ended_job_raise(runtime: Runtime) -> None:
    job = runtime.exec(chain(pass_on()))
    job.wait(DEADLINE)

    with pytest.raises(JobEnded) as caught:
        runtime.post(job.id, "a.value", 1)
    assert caught.value.job == job.id
    with pytest.raises(JobEnded):
        runtime.post(job.id, "a.value", 1, timeout=0)


def test_a_storm_of_producers_loses_and_doubles_nothing(runtime: Runtime) -> None:
    producers, each = 50, 30
    alive = Gate()
    seen: list[tuple[int, int]] = []
    job = runtime.exec(flow_of({"alive": gated_source(alive), "z": sink(seen, capacity=7)}))
    begin = threading.Barrier(producers)

    def produce(who: int) -> None:
        begin.wait(DEADLINE)
        for n in range(each):
            runtime.post(job.id, "z.value", (who, n), timeout=DEADLINE)

    threads = [threading.Thread(target=produce, args=(who,)) for who in range(producers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    alive.open()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert sorted(seen) == [(who, n) for who in range(producers) for n in range(each)]
    for who in range(producers):
        assert [n for one, n in seen if one == who] == list(range(each)), "order of one producer"
    slot = job.routines["z"].slots["value"]
    assert slot.high_water <= 7
    check_slot("z.value", slot)


def test_short_time_outs_in_a_storm_deliver_exactly_what_did_not_raise(runtime: Runtime) -> None:
    alive = Gate()
    seen: list[tuple[int, int]] = []
    job = runtime.exec(flow_of({"alive": gated_source(alive), "z": sink(seen, capacity=1)}))
    delivered: list[tuple[int, int]] = []

    def produce(who: int) -> None:
        for n in range(60):
            try:
                runtime.post(job.id, "z.value", (who, n), timeout=0.0005)
            except SlotFull:
                continue
            delivered.append((who, n))

    threads = [threading.Thread(target=produce, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    alive.open()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert sorted(seen) == sorted(delivered)


def test_posting_from_a_body_of_another_job(runtime: Runtime) -> None:
    alive = Gate()
    target = runtime.exec(flow_of({"alive": gated_source(alive), "p": pass_on()}))

    def logic(self: Any) -> None:
        runtime.post(target.id, "p.value", 5)

    assert runtime.exec(chain(routine(logic))).wait(DEADLINE) is JobStatus.COMPLETED
    alive.open()
    target.wait(DEADLINE)
    assert target.outputs["p.out"] == [5]


def test_a_generator_that_is_closed_does_not_wait_in_a_post(runtime: Runtime) -> None:
    """Its activation is over when its ``finally`` runs, so it isn't let in nor left standing."""
    gate = Gate()
    full = runtime.exec(chain(gated(gate, capacity=1)), keep_open=True)
    runtime.post(full.id, "a.value", 1)
    gate.wait_came()
    runtime.post(full.id, "a.value", 2)
    raised: list[type[BaseException]] = []
    closed = threading.Event()

    def logic(self: Any) -> Iterator[None]:
        try:
            while not self.cancelled:
                yield
        finally:
            try:
                runtime.post(full.id, "a.value", 3)
            except BaseException as error:  # noqa: BLE001  what is raised is looked at
                raised.append(type(error))
            closed.set()

    job = runtime.exec(chain(routine(logic)))
    until(lambda: job.routines["a"].running == 1)
    runtime.jobs.pause(job.id)
    until(lambda: job.status is JobStatus.PAUSED and bool(job.routines["a"].ready))
    runtime.jobs.cancel(job.id)

    assert closed.wait(DEADLINE)
    assert raised == [Cancelled]
    gate.open()
    runtime.jobs.close(full.id)
    assert full.wait(DEADLINE) is JobStatus.COMPLETED
    assert full.outputs["a.out"] == [1, 2]


def test_posts_to_a_held_job_wait_in_their_slot(runtime: Runtime) -> None:
    job = runtime.exec(chain(source(range(3)), pass_on()), None)
    generation = runtime.jobs.pause(job.id)
    if job.status is not JobStatus.COMPLETED:
        runtime.jobs.resume(job.id, generation)
    job.wait(DEADLINE)

    generation = runtime.jobs.pause()
    held = runtime.exec(flow_of({"s": source([1]), "p": pass_on()}))
    runtime.post(held.id, "p.value", 1)
    until(lambda: held.routines["p"].slots["value"].queued == 1)
    assert held.status is JobStatus.PAUSED
    runtime.jobs.resume(None, generation)
    assert held.wait(DEADLINE) is JobStatus.COMPLETED
    assert held.outputs["p.out"] == [1]


def test_a_post_that_gives_up_leaves_nothing_behind(runtime: Runtime) -> None:
    """The one behind it gets the next place."""
    gate = Gate()
    job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0})
    gate.wait_came()
    runtime.post(job.id, "a.value", 1)
    slot = runtime.jobs.get(job.id).slot("a", "value")
    assert slot is not None

    with pytest.raises(SlotFull):
        runtime.post(job.id, "a.value", 2, timeout=0.01)

    assert not slot.posters
    late = threading.Thread(target=runtime.post, args=(job.id, "a.value", 3))
    late.start()
    until(lambda: slot.posters)
    gate.open()
    late.join(DEADLINE)
    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert job.outputs["a.out"] == [0, 1, 3]


def test_a_fault_of_the_engine_wakes_waiting_posts(
    runtime: Runtime, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(self: Any, message: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setitem(core_module._HANDLERS, Pause, fault)
    gate = Gate()
    job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0})
    gate.wait_came()
    runtime.post(job.id, "a.value", 1)
    executor = runtime.jobs.get(job.id)
    slot = executor.slot("a", "value")
    assert slot is not None
    errors: list[BaseException] = []

    def post() -> None:
        try:
            runtime.post(job.id, "a.value", 2)
        except JobEnded as error:
            errors.append(error)

    waiting = threading.Thread(target=post)
    waiting.start()
    until(lambda: slot.posters)
    runtime.jobs.pause(job.id)
    job.wait(DEADLINE)

    waiting.join(DEADLINE)
    assert len(errors) == 1
    gate.open()
    assert "the engine failed" in caplog.text
    caplog.clear()

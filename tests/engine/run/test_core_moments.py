"""Rare moments: two things meet between two steps of a job fed by hand."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, routine, sink
from penstock import AnySlot, Continue, Every, JobEnded, Retry, Routine, Runtime, Slot, SlotFull
from penstock.observe import EVENT_TYPES, ActivationStarted, JobHeld, MessageDropped, MessageQueued
from penstock.run.instructions import Wants
from penstock.run.messages import Pause, Posted, Resume, Start, Step

LATER = 10**6


def once_failing(tries: list[Any], slot: Slot, **attributes: Any) -> Routine:
    """Passes on what it takes, but raises on the first try of ``bad``."""

    def logic(self: Any, value: Any) -> None:
        tries.append(value)
        if value == "bad" and tries.count("bad") == 1:
            raise ValueError(value)
        self.out.emit(value)

    return routine(logic, slots={"value": slot}, **attributes)


def ticking(ticks: list[int], **attributes: Any) -> Routine:
    """A timer that ticks four times, one second apart."""

    def logic(self: Any) -> None:
        ticks.append(len(ticks))

    return routine(logic, activation=Every(1.0, times=4), events=(), **attributes)


def worked_off(job: Driven) -> Driven:
    """The job after its timers have come, one after the other."""
    for _ in range(20):
        job.work()
        job.pass_time(2.0)
    return job


def test_a_pause_that_comes_behind_a_breakpoint_does_not_make_the_hold_older() -> None:
    job = Driven(flow_of({"a": sink([])}))
    job.start({"a": (1,)}, a__value=1)  # hit: the hold is numbered from 1,000 on

    job.feed(Pause(5))
    job.feed(Step())
    job.feed(Pause(6))

    assert [held.generation for held in job.of(JobHeld)] == [1000] * 4


def test_a_resume_meant_for_a_pause_before_the_breakpoint_does_nothing() -> None:
    seen: list[Any] = []
    job = Driven(flow_of({"a": sink(seen)}))
    job.start({"a": (1,)}, a__value=1)
    job.feed(Pause(5))

    job.feed(Resume(5))
    job.work()

    assert seen == []
    assert job.status == "PAUSED"


@pytest.mark.parametrize("loop", ["thread", "pool"])
def test_a_post_right_after_the_start_finds_the_place_of_a_parameter_taken(loop: Any) -> None:
    with Runtime(workers=1, loop=loop) as runtime:
        for _ in range(100):
            flow = flow_of({"a": sink([], capacity=1)})
            job = runtime.exec(flow, {"a.value": 1}, held=True)
            with pytest.raises(SlotFull):
                runtime.post(job.id, "a.value", 2, timeout=0)
            runtime.jobs.cancel(job.id)
            job.wait(10.0)
            with pytest.raises(JobEnded):
                runtime.post(job.id, "a.value", 2)


def test_what_is_dropped_or_was_promised_a_place_is_not_told_as_parked() -> None:
    slots = {"value": Slot(object, capacity=1, overflow="drop_newest")}
    dropping = routine(lambda self, value: None, slots=slots, events=())
    job = Driven(flow_of({"s": burst([1, 2]), "a": dropping}, "s.out -> a.value"))
    job.start()
    job.work()

    assert [event.parked for event in job.of(MessageQueued)] == [False, False]


def test_a_promised_place_is_used_though_others_park_behind_it() -> None:
    flow = flow_of({"s": burst([1, 2]), "a": sink([], capacity=1)}, "s.out -> a.value")
    job = Driven(flow)
    job.feed(Start())
    job.slot("a.value").reserved += 1
    job.run("s")
    job.feed(job.inbox.popleft(), Posted(job.slot("a.value"), 3))
    job.work()

    parked = {event.source: event.parked for event in job.of(MessageQueued)}
    assert parked == {"s.out": True, "": False}


def test_what_is_tried_again_is_not_dropped_for_what_comes() -> None:
    tries: list[Any] = []
    slot = Slot(object, capacity=1, overflow="drop_oldest")
    job = Driven(chain(once_failing(tries, slot, on_error=Retry(times=1))))
    job.feed(Start(keep_open=True))
    job.post("a.value", "bad")
    job.run("a")
    job.news()  # ready to be tried again, and no worker has come yet
    for value in (2, 3):
        job.feed(Posted(job.slot("a.value"), value, reserved=False))
    job.work()

    assert tries == ["bad", "bad", 3]
    assert [event.number for event in job.of(MessageDropped)] == [2]
    assert job.slot_count("a.value").high_water == 1


def test_what_is_tried_again_leaves_its_place_to_a_post() -> None:
    tries: list[Any] = []
    job = Driven(chain(once_failing(tries, Slot(object, capacity=1), on_error=Retry(times=1))))
    job.feed(Start(keep_open=True))
    job.post("a.value", "bad")
    job.run("a")
    job.news()

    job.post("a.value", 2)
    job.work()

    assert tries == ["bad", "bad", 2]
    assert job.slot_count("a.value").high_water == 1


def test_a_retry_goes_before_what_was_sent_earlier_and_had_no_room() -> None:
    tries: list[Any] = []
    a = once_failing(tries, Slot(object, capacity=1), on_error=Retry(times=1, delay=50.0))
    job = Driven(flow_of({"s": burst([1, 2]), "a": a}, "s.out -> a.value"))
    job.feed(Start())
    job.slot("a.value").reserved += 1
    job.run("s")
    # What parks is numbered before the post that was promised the place.
    job.feed(job.inbox.popleft(), Posted(job.slot("a.value"), "bad"))
    job.work()
    job.pass_time(60.0)
    job.work()

    assert tries == ["bad", "bad", 1, 2]


def drop_two(job: Driven) -> None:
    for value in ("new", "newer"):
        job.feed(Posted(job.slot("j.left"), value, reserved=False))


def test_a_join_that_is_tried_again_stays_whole_when_its_slot_drops() -> None:
    tries: list[Any] = []

    def logic(self: Any, left: Any, right: Any) -> None:
        tries.append((left, right))
        if len(tries) == 1:
            raise ValueError(left)

    slots = {
        "left": Slot(object, capacity=1, overflow="drop_oldest"),
        "right": Slot(object, capacity=1, overflow="drop_oldest"),
    }
    job = Driven(flow_of({"j": routine(logic, slots=slots, on_error=Retry(times=1))}))
    job.start(j__left=1, j__right=2)
    job.run("j")
    job.news()
    drop_two(job)
    job.work()

    assert tries == [(1, 2), (1, 2)]
    assert job.slot_count("j.left").discarded == 1
    assert job.slot_count("j.left").dropped == 1


def held_and_let_go(job: Driven) -> None:
    job.feed(Pause(1))
    job.feed(Resume(LATER))


def stepped(job: Driven) -> None:
    job.feed(Pause(1))
    job.feed(Step())
    job.work()
    job.feed(Resume(LATER))


def held_behind_a_step(job: Driven) -> None:
    stepped(job)
    held_and_let_go(job)


@pytest.mark.parametrize("meddle", [held_and_let_go, stepped, held_behind_a_step])
@pytest.mark.parametrize("parallel", [1, 2])
def test_a_timer_ticks_as_often_as_it_should_however_it_is_held(
    meddle: Callable[[Driven], None], parallel: int
) -> None:
    ticks: list[int] = []
    job = Driven(flow_of({"t": ticking(ticks, max_parallel=parallel)}))
    job.start()
    for _ in range(3):
        meddle(job)
        job.pass_time(1.5)
    worked_off(job)

    assert len(ticks) == 4
    assert job.status == "COMPLETED"


def test_a_timer_that_is_stepped_from_the_start_goes_on() -> None:
    ticks: list[int] = []
    job = Driven(flow_of({"t": ticking(ticks)}))
    job.feed(Start(hold_generation=1))
    for _ in range(2):
        job.feed(Step())
        job.work()
    job.feed(Resume(LATER))
    worked_off(job)

    assert len(ticks) == 4
    assert job.status == "COMPLETED"


def test_a_tick_that_no_worker_has_come_for_does_not_stop_the_timer() -> None:
    ticks: list[int] = []
    job = Driven(flow_of({"t": ticking(ticks)}))
    job.start()
    for _ in range(10):
        job.pass_time(1.5)
        held_and_let_go(job)
    worked_off(job)

    assert len(ticks) == 4
    assert job.status == "COMPLETED"


@pytest.mark.parametrize("generator", [False, True])
def test_an_attempt_is_delivered_or_timed_out_never_both(generator: bool) -> None:
    """The time is up between the delivery of what was emitted and the report of the worker."""

    def plain(self: Any, value: Any) -> None:
        self.out.emit(value)

    def standing(self: Any, value: Any) -> Any:
        self.out.emit(value)
        return
        yield

    made = routine(
        standing if generator else plain,
        slots={"value": Slot(object)},
        on_error=Retry(times=1, then=Continue()),
        timeout=5.0,
    )
    job = Driven(chain(made, sink([])))
    job.start(a__value=1)
    announced: list[Any] = []

    def announce(run: Any) -> None:
        job.inbox.append(run)
        is_delivered = any(e.pending for e in run.emitters) and not run.reports
        announced.append(is_delivered)
        job.news()
        if is_delivered:
            job.pass_time(60.0)

    job.announce = announce  # type: ignore[method-assign]
    job.run("a")
    job.work()

    assert announced[:2] == [False, True], "the clock runs, and is looked at in that moment"
    assert job.count("a").emitted["out"] == 1
    assert job.count("a").failures == 0
    assert job.slot_count("b.value").consumed == 1


def test_an_attempt_that_is_timed_out_delivers_nothing_when_it_ends() -> None:
    def logic(self: Any, value: Any) -> None:
        self.out.emit(value)
        if len(job.tokens) + len(job.leaving) == 0:  # the first try takes too long
            job.news()
            job.pass_time(60.0)

    made = routine(logic, slots={"value": Slot(object)}, on_error=Retry(times=1), timeout=5.0)
    job = Driven(chain(made, sink([])))
    job.start(a__value=1)
    job.run("a")
    job.work()

    assert job.count("a").emitted["out"] == 1
    assert job.count("a").revoked == 1
    assert job.slot_count("b.value").consumed == 1


@pytest.mark.parametrize("is_watched", [False, True])
def test_a_value_in_two_slots_of_a_routine_is_tried_as_two_messages(is_watched: bool) -> None:
    tries: list[Any] = []

    def logic(self: Any, left: Any = None, right: Any = None) -> None:
        tries.append((left, right))
        if right or tries.count((left, right)) == 1:
            raise ValueError(left)

    slots = {"left": Slot(object), "right": Slot(object)}
    policy = Retry(times=2, delay=1.0, then=Continue())
    made = routine(logic, slots=slots, activation=AnySlot(), on_error=policy, max_parallel=None)
    flow = flow_of({"s": burst([1]), "t": made}, "s.out -> t.left", "s.out -> t.right")
    job = Driven(flow)
    job.core.tell.wants = Wants(EVENT_TYPES if is_watched else ())
    job.start()
    for _ in range(10):
        while job.inbox or job.tokens:
            job.news() if job.inbox else job.run()
        job.pass_time(2.0)

    assert Counter(tries) == {(1, None): 2, (None, 1): 3}
    assert len(job.core.dead_letters) == 1


def test_a_breakpoint_is_hit_by_both_messages_of_a_value() -> None:
    seen: list[Any] = []

    def logic(self: Any, left: Any = None, right: Any = None) -> None:
        seen.append((left, right))

    slots = {"left": Slot(object), "right": Slot(object)}
    made = routine(logic, slots=slots, activation=AnySlot())
    flow = flow_of({"s": burst([1]), "t": made}, "s.out -> t.left", "s.out -> t.right")
    job = Driven(flow)
    job.start({"t": (1,)})
    job.work()
    job.feed(Resume(LATER))
    job.work()

    assert seen == [(1, None)]
    assert job.status == "PAUSED"


class _RacingLog(deque[Any]):
    """A log to which a worker adds while the core looks how long it is."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act: Callable[[], object] | None = act

    def __len__(self) -> int:
        length = super().__len__()
        act, self._act = self._act, None
        if act is not None:
            act()
        return length


def test_a_begin_is_told_once_and_behind_what_began_before_it() -> None:
    job = Driven(flow_of({"a": sink([])}))
    job.feed(Start(keep_open=True))
    job.post("a.value", 1, 2, 3)
    run = job.core.by_id["a"]
    run.log = _RacingLog(lambda: job.run("a"))

    job.core.tell.begin(job.time)
    job.core.tell.activations(run)
    job.work()

    told = [event.number for event in job.of(ActivationStarted)]
    assert told == [1, 2, 3]


def test_what_a_worker_is_about_to_give_back_keeps_its_place() -> None:
    seen: list[Any] = []
    job = Driven(flow_of({"a": sink(seen, capacity=1)}))
    job.feed(Start(keep_open=True))
    job.post("a.value", 1)
    free: list[int] = []

    def pause() -> None:
        job.feed(Pause(1))
        free.append(job.slot("a.value").free())

    job.hook_mark("a", pause)
    job.run("a")
    job.work()

    assert free == [0]
    assert job.slot("a.value").free() == 0
    job.feed(Resume(LATER))
    job.work()
    assert seen == [1]
    assert job.slot("a.value").free() == 1


def test_a_breakpoint_waits_for_the_generator_before_it() -> None:
    seen: list[Any] = []
    job: Driven

    def logic(self: Any, value: Any) -> Any:
        seen.append(value)
        if value == 1:
            job.feed(Pause(LATER))
        yield
        seen.append(-value)

    job = Driven(flow_of({"a": routine(logic, slots={"value": Slot(object)}, events=())}))
    job.start({"a": (1,)}, a__value=1)
    job.feed(Resume(LATER))
    job.run("a")
    job.work()
    job.post("a.value", 2)

    job.feed(Resume(2 * LATER))
    assert job.status == "RUNNING", "one at a time: 1 goes on before 2 can start"
    job.work()

    assert seen == [1, -1]
    assert job.status == "PAUSED"


def test_a_time_out_that_meets_a_breakpoint_waits_like_every_clock() -> None:
    job: Driven

    def logic(self: Any, value: Any) -> None:
        job.news()  # the clock starts
        self.out.emit(value)
        job.pass_time(60.0)  # the time is up, and what was emitted hits the breakpoint

    slow = routine(logic, slots={"value": Slot(object)}, timeout=5.0)
    job = Driven(chain(slow, sink([], max_parallel=2)))
    job.start({"b": (1,)}, a__value=1)
    job.run("a")
    job.work()

    assert job.count("a").failures == 0, "it ended while the clock stood still"
    assert job.status == "PAUSED"

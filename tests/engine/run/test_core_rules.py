"""Which waiting messages make an activation, rule by rule, in a job fed by hand."""

from __future__ import annotations

from typing import Any

from helpers.driven import Driven, closed, kept_open
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink
from penstock import AnySlot, Batch, Every, Latest, Routine, Slot
from penstock.observe import MessageDropped
from penstock.run.messages import Cancel, Pause, Resume, Step

SLOT = {"value": Slot(object)}
LONG = 1000.0
"""Seconds: many batches of a job by hand, each of which takes one."""


def any_of(seen: list[Any], **attributes: Any) -> Routine:
    """Takes from either of two slots, and notes which."""

    def logic(self: Any, one: Any = None, two: Any = None) -> None:
        seen.append((one, two))

    slots = {"one": Slot(object, capacity=5), "two": Slot(object, capacity=5)}
    return routine(logic, slots=slots, events=(), activation=AnySlot(), **attributes)


# ---- any slot


def test_any_slot_passes_one_value_at_a_time_in_the_order_of_arrival() -> None:
    seen: list[Any] = []
    job = kept_open(any_of(seen))

    job.post("a.two", "x")
    job.post("a.one", "y")
    job.post("a.two", "z")
    closed(job)

    assert seen == [(None, "x"), ("y", None), (None, "z")]
    assert [job.slot_count(f"a.{name}").consumed for name in ("one", "two")] == [1, 2]


def test_any_slot_counts_what_waits_per_slot() -> None:
    seen: list[Any] = []
    job = kept_open(any_of(seen))
    job.feed(Pause(1))

    job.post("a.one", 1, 2)
    job.post("a.two", 3)

    assert [job.slot_count(f"a.{name}").depth for name in ("one", "two")] == [2, 1]
    assert job.core.ready()[0].number == 1
    job.feed(Resume(9))
    closed(job)
    assert seen == [(1, None), (2, None), (None, 3)]


def test_with_one_slot_any_slot_is_what_all_slots_is() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst([1, 2]), sink(seen, activation=AnySlot())))

    job.start()
    job.work()

    assert seen == [1, 2]


# ---- batches


def batches(into: list[Any], size: int, max_wait: float | None = None, **attributes: Any) -> Any:
    return sink(into, activation=Batch(size, max_wait), **attributes)


def test_a_batch_is_a_list_of_so_many_in_order() -> None:
    seen: list[Any] = []
    job = kept_open(batches(seen, 3))

    job.post("a.value", 1, 2)
    job.work()
    assert seen == []
    assert (job.slot_count("a.value").depth, job.count("a").status) == (2, "matching")
    job.post("a.value", 3, 4)
    job.work()

    assert seen == [[1, 2, 3]]
    assert closed(job).slot_count("a.value").consumed == 4
    assert seen == [[1, 2, 3], [4]]


def test_the_last_batch_goes_right_before_finish() -> None:
    seen: list[Any] = []

    def logic(self: Any, value: list[int]) -> None:
        seen.append(value)

    made = routine(
        logic, slots=SLOT, activation=Batch(2), finish=lambda self: seen.append("finish")
    )
    job = Driven(chain(burst([1, 2, 3]), made))

    job.start()
    job.work()

    assert seen == [[1, 2], [3], "finish"]
    assert job.slot_count("b.value").consumed == 3


def test_without_anything_left_no_last_batch_is_made() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst([1, 2]), batches(seen, 2)))

    job.start()
    job.work()

    assert seen == [[1, 2]]
    assert job.status == "COMPLETED"


def test_what_a_finish_sends_to_a_batch_downstream_goes_with_its_last_batch() -> None:
    seen: list[Any] = []

    def logic(self: Any, value: int) -> None:
        self.out.emit(value)

    first = routine(logic, slots=SLOT, finish=lambda self: self.out.emit("end"))
    job = Driven(chain(burst([1]), first, batches(seen, 5)))

    job.start()
    job.work()

    assert seen == [[1, "end"]]


def test_a_batch_goes_when_its_oldest_message_has_waited_long_enough() -> None:
    seen: list[Any] = []
    job = kept_open(batches(seen, 3, max_wait=LONG))
    job.post("a.value", 1)
    job.pass_time(LONG - 10)
    job.post("a.value", 2)
    job.work()
    assert seen == []

    job.pass_time(11)
    job.work()

    assert seen == [[1, 2]]
    assert job.status == "IDLE"


def test_a_batch_goes_at_once_when_nothing_can_come_to_it_any_more() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst([1, 2, 3, 4]), batches(seen, 3, max_wait=LONG)))

    job.start()
    job.work()

    assert (seen, job.status) == ([[1, 2, 3], [4]], "COMPLETED")
    assert job.core.deadline() is None


def test_a_batch_of_a_job_kept_open_waits_until_that_is_closed() -> None:
    seen: list[Any] = []
    job = kept_open(batches(seen, 3, max_wait=LONG))
    job.post("a.value", 1)
    job.work()
    assert (seen, job.status) == ([], "RUNNING")

    closed(job)

    assert seen == [[1]]


def test_a_batch_waits_while_a_timer_may_still_send_to_it() -> None:
    seen: list[Any] = []
    ticks: list[int] = []
    job = Driven(chain(ticking(ticks, times=2), batches(seen, 3, max_wait=3 * LONG)))
    job.start()
    job.work()
    assert (seen, job.status) == ([], "RUNNING")

    job.pass_time(LONG)
    job.work()

    assert (seen, job.status) == ([[1, 2]], "COMPLETED")


def test_a_batch_waits_for_what_the_batch_before_it_and_finish_send() -> None:
    seen: list[Any] = []

    def logic(self: Any, value: list[Any]) -> None:
        self.out.emit(len(value))

    first = routine(
        logic,
        slots=SLOT,
        activation=Batch(3, LONG),
        finish=lambda self: self.out.emit("end"),
    )
    job = Driven(chain(burst([1, 2, 3, 4]), first, batches(seen, 9, max_wait=LONG)))

    job.start()
    job.work()

    assert (seen, job.status) == ([[3, 1, "end"]], "COMPLETED")


def test_a_batch_in_a_circle_goes_when_its_time_has_come() -> None:
    """What it sends may come back to it, and its time is what paces that."""
    seen: list[Any] = []

    def logic(self: Any, value: list[int]) -> None:
        seen.append(value)
        for number in value:
            if number:
                self.out.emit(number - 1)

    again = routine(logic, slots=SLOT, activation=Batch(5, LONG))
    flow = flow_of(
        {"s": burst([2, 1]), "b": again, "p": pass_on()},
        "s.out -> b.value", "b.out -> p.value", "p.out -> b.value",
    )  # fmt: skip
    job = Driven(flow)
    job.start()
    for many in range(3):
        job.work()
        assert (len(seen), job.status) == (many, "RUNNING")
        job.pass_time(LONG)
    job.work()

    assert (seen, job.status) == ([[2, 1], [1, 0], [0]], "COMPLETED")


def test_what_comes_to_a_batch_after_its_last_turn_waits_for_its_time() -> None:
    seen: list[Any] = []

    def finish(self: Any) -> None:
        job.post("b.value", 9)

    last = routine(lambda self, value: None, slots=SLOT, events=(), finish=finish)
    flow = flow_of(
        {"b": batches(seen, 3, max_wait=LONG), "s": burst([1]), "z": last}, "s.out -> z.value"
    )
    job = Driven(flow)
    job.start()
    job.work()
    assert (seen, job.status) == ([], "RUNNING")

    job.pass_time(LONG)
    job.work()

    assert (seen, job.status) == ([[9]], "COMPLETED")


def test_a_batch_that_fills_in_time_takes_its_clock_along() -> None:
    seen: list[Any] = []
    job = kept_open(batches(seen, 2, max_wait=LONG))
    job.post("a.value", 1)
    job.pass_time(LONG - 10)
    job.post("a.value", 2)
    job.post("a.value", 3)
    job.work()

    job.pass_time(100)
    job.work()
    assert seen == [[1, 2]], "3 has its own time"
    job.pass_time(LONG)
    job.work()

    assert seen == [[1, 2], [3]]


def test_a_batch_does_not_grow_old_while_the_job_is_held() -> None:
    seen: list[Any] = []
    job = kept_open(batches(seen, 3, max_wait=100.0))
    job.post("a.value", 1)
    job.feed(Pause(1))
    job.pass_time(LONG)
    assert job.core.deadline() is None
    job.feed(Resume(9))
    job.work()
    assert seen == []

    job.pass_time(100)
    job.work()

    assert seen == [[1]]


# ---- the latest


def latest(into: list[Any], **attributes: Any) -> Routine:
    return sink(into, activation=Latest(), **attributes)


def test_the_latest_passes_over_what_is_older_and_counts_it() -> None:
    seen: list[Any] = []
    job = kept_open(latest(seen))
    job.post("a.value", 1, 2, 3)
    job.work()
    assert seen == [1, 3], "the first was granted before the others came"

    count = closed(job).slot_count("a.value")

    assert (count.consumed, count.superseded, count.posted) == (2, 1, 3)
    told = job.of(MessageDropped)
    assert [(event.slot, event.number, event.reason) for event in told] == [
        ("a.value", 2, "superseded")
    ]


def test_what_comes_while_the_latest_runs_is_passed_over_but_for_the_newest() -> None:
    seen: list[Any] = []

    def logic(self: Any, value: int) -> None:
        seen.append(value)
        if value == 1:
            job.post("a.value", 2, 3, 4)

    job = kept_open(routine(logic, slots=SLOT, activation=Latest(), max_parallel=1))
    job.post("a.value", 1)
    closed(job)

    assert seen == [1, 4]
    assert job.slot_count("a.value").superseded == 2


def test_what_is_passed_over_makes_room_for_what_is_parked() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(20)), latest(seen, capacity=3)))

    job.start()
    job.work()

    count = job.slot_count("b.value")
    assert job.status == "COMPLETED"
    assert seen[-1] == 19
    assert seen == sorted(seen)
    assert (count.high_water, count.superseded) == (3, 20 - len(seen))


def test_a_step_lets_the_newest_go() -> None:
    seen: list[Any] = []
    job = kept_open(latest(seen))
    job.feed(Pause(1))
    job.post("a.value", 1, 2, 3)
    assert [m.number for m in job.held.messages] == [3]

    job.feed(Step())
    job.work()

    assert seen == [3]
    assert job.slot_count("a.value").superseded == 2


# ---- at most so often


def test_with_every_an_interval_lies_between_two_starts() -> None:
    seen: list[Any] = []
    job = kept_open(sink(seen, activation=Every(LONG)))
    job.post("a.value", 1, 2, 3)
    job.work()
    assert (seen, job.count("a").status) == ([1], "timed")
    assert job.status == "RUNNING"

    job.pass_time(LONG / 2)
    job.work()
    assert seen == [1]
    job.pass_time(LONG)
    job.work()
    assert seen == [1, 2]
    job.pass_time(LONG * 5)
    job.work()

    assert seen == [1, 2, 3]
    assert closed(job).slot_count("a.value").consumed == 3


def test_with_every_the_oldest_of_each_slot_go_together() -> None:
    job = Driven(
        flow_of(
            {"l": burst([1, 2]), "r": burst("ab"), "p": pair(activation=Every(LONG))},
            "l.out -> p.left",
            "r.out -> p.right",
        )
    )
    job.start()
    job.work()
    assert job.outputs["p.out"] == [(1, "a")]

    job.pass_time(LONG)
    job.work()

    assert job.outputs["p.out"] == [(1, "a"), (2, "b")]
    assert job.status == "COMPLETED"


def ticking(ticks: list[int], times: int | None = None) -> Routine:
    """A source that notes and emits which tick it is."""

    def logic(self: Any) -> None:
        ticks.append(len(ticks) + 1)
        self.out.emit(ticks[-1])

    return routine(logic, activation=Every(LONG, times))


def test_a_source_with_every_runs_at_once_and_then_at_each_interval() -> None:
    ticks: list[int] = []
    job = Driven(chain(ticking(ticks, times=3)))

    job.start()
    job.work()
    assert len(ticks) == 1
    for many in (2, 3):
        assert (job.core.deadline() is not None, job.count("a").status) == (True, "timed")
        job.pass_time(LONG)
        job.work()
        assert len(ticks) == many

    assert job.core.deadline() is None
    assert job.status == "COMPLETED"
    assert job.outputs == {"a.out": [1, 2, 3]}


def test_a_source_with_every_goes_on_until_the_job_is_cancelled() -> None:
    ticks: list[int] = []
    job = Driven(chain(ticking(ticks)))
    job.start()
    for _ in range(20):
        job.work()
        job.pass_time(LONG)
    assert len(ticks) == 20

    job.feed(Cancel())

    assert (job.status, job.core.deadline()) == ("CANCELLED", None)


def test_ticks_that_are_missed_are_not_made_up_for() -> None:
    ticks: list[int] = []
    job = Driven(chain(ticking(ticks, times=2)))
    job.start()
    job.work()

    job.pass_time(LONG * 7.5)
    job.work()

    assert len(ticks) == 2
    assert job.status == "COMPLETED"


def test_a_tick_that_comes_while_the_body_still_runs_is_made_once() -> None:
    ran: list[int] = []

    def logic(self: Any) -> None:
        ran.append(len(ran))
        if len(ran) == 1:
            job.pass_time(LONG * 3)
            assert [token.routine for token in job.tokens] == []

    job = Driven(chain(routine(logic, activation=Every(LONG), max_parallel=1)))
    job.start()
    job.work()

    assert len(ran) == 2


def test_time_does_not_tick_while_the_job_is_held() -> None:
    ticks: list[int] = []
    job = Driven(chain(ticking(ticks)))
    job.start()
    job.work()
    job.feed(Pause(1))
    assert job.core.deadline() is None
    job.pass_time(LONG * 3)
    job.feed(Resume(9))
    job.work()
    assert len(ticks) == 1

    job.pass_time(LONG)
    job.work()

    assert len(ticks) == 2

"""Small scenarios around the critical sections of a job.

Each runs on the thread of the director and raises, or leaves somebody waiting for ever, when the
engine is wrong under the schedule of the seed. `seed` also chooses among variants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from helpers.conservation import check_conservation
from helpers.flows import burst, chain, flow_of, pass_on, routine, sink
from helpers.schedules import Event, World, together
from penstock import Continue, Flow, JobEnded, JobState, JobStatus, Retry, Runtime, Slot, SlotFull
from penstock.observe import ActivationStarted, Instrument, JobHeld
from penstock.run.messages import Resize, Sample, Step

LOOPS: tuple[Literal["thread", "pool"], ...] = ("thread", "pool")


class _Listening(Instrument):
    """Keeps what tests of holds need to know."""

    def __init__(self) -> None:
        self.events: list[ActivationStarted | JobHeld] = []

    def on_activation_started(self, event: ActivationStarted) -> None:
        self.events.append(event)

    def on_job_held(self, event: JobHeld) -> None:
        self.events.append(event)

    def begun(self, routine_id: str, until: int | None = None) -> int:
        """How many begins of a routine were told, among the first so many events."""
        begins = [e for e in self.events[:until] if isinstance(e, ActivationStarted)]
        return sum(event.routine == routine_id for event in begins)


def _completed(job: JobState) -> None:
    found = job.wait()
    assert found is JobStatus.COMPLETED, (found, job.error)
    check_conservation(job)


def _calling(act: Callable[[Any], object], capacity: int = 9, **attributes: Any) -> Any:
    """A routine that calls a function with each value and emits nothing."""

    def logic(self: Any, value: Any) -> None:
        act(value)

    slots = {"value": Slot(object, capacity=capacity)}
    return routine(logic, slots=slots, events=(), **attributes)


def _poster(runtime: Runtime, job: JobState, who: int) -> Callable[[], None]:
    """Posts two values, waiting for room."""

    def act() -> None:
        for n in range(2):
            runtime.post(job.id, "a.value", (who, n))

    return act


# ---- the loop of a job


def the_loop_goes_to_sleep(world: World, seed: int) -> None:
    """Whatever is appended while the loop is about to sleep is served."""
    seen: list[Any] = []
    runtime = Runtime(workers=1, loop=LOOPS[seed % 2])
    job = runtime.exec(flow_of({"a": sink(seen)}), keep_open=True)
    together(world, _poster(runtime, job, 0), _poster(runtime, job, 1))
    runtime.jobs.close(job.id)
    _completed(job)
    assert sorted(seen) == [(who, n) for who in range(2) for n in range(2)], seen


def who_waits_for_the_end(world: World, seed: int) -> None:
    """Everybody who waits hears of the end, also those who come at that moment or give up."""
    runtime = Runtime(workers=1, loop=LOOPS[seed % 2])
    job = runtime.exec(chain(burst([1])))
    found: list[JobStatus] = []

    def wait(timeout: float | None) -> Callable[[], None]:
        return lambda: found.append(job.wait(timeout))

    together(world, wait(None), wait(0.5), wait(0.0), wait(None))
    assert found.count(JobStatus.COMPLETED) >= 2, found


# ---- emitting


def emissions_are_seen_while_the_body_runs(world: World, seed: int) -> None:
    """A body goes on only when what it emitted has arrived downstream."""
    arrived = [Event(world) for _ in range(4)]

    def logic(self: Any) -> None:
        for n in (0, 2):
            self.out.emit(n)
            self.out.emit(n + 1)
            arrived[n].wait()
            arrived[n + 1].wait()

    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    capacity = (1, 2, 9)[seed // 2 % 3]
    _completed(runtime.exec(chain(routine(logic), _calling(lambda n: arrived[n].set(), capacity))))


def emissions_come_before_their_report(world: World, seed: int) -> None:
    """A job is complete only when all that its bodies emitted is worked off."""
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    job = runtime.exec(chain(burst([0, 1]), pass_on(), pass_on()))
    _completed(job)
    assert job.outputs == {"c.out": [0, 1]}, job.outputs


def events_of_one_body_keep_their_order(world: World, seed: int) -> None:
    """What several events of a body emit to one slot arrives as emitted."""
    seen: list[Any] = []

    def logic(self: Any) -> None:
        for n in range(2):
            self.left.emit((n, "left"))
            self.right.emit((n, "right"))

    flow = flow_of(
        {"s": routine(logic, events=("left", "right")), "z": sink(seen)},
        "s.left -> z.value",
        "s.right -> z.value",
    )
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    _completed(runtime.exec(flow))
    assert seen == [(n, side) for n in range(2) for side in ("left", "right")], seen


# ---- room


def posts_wait_for_room(world: World, seed: int) -> None:
    """Nobody waits while there is room, nothing is lost, and no slot holds more than it may."""
    seen: list[Any] = []
    runtime = Runtime(workers=1, loop=LOOPS[seed % 2])
    job = runtime.exec(flow_of({"a": sink(seen, capacity=1)}), keep_open=True)
    together(world, _poster(runtime, job, 0), _poster(runtime, job, 1))
    runtime.jobs.close(job.id)
    _completed(job)
    assert sorted(seen) == [(who, n) for who in range(2) for n in range(2)], seen
    assert [n for who, n in seen if who == 0] == [0, 1], seen
    assert job.routines["a"].slots["value"].high_water == 1


def posts_that_give_up(world: World, seed: int) -> None:
    """A post either raises or arrives, never both and never neither."""
    seen: list[Any] = []
    refused: list[Any] = []
    runtime = Runtime(workers=1, loop=LOOPS[seed % 2])
    job = runtime.exec(flow_of({"a": sink(seen, capacity=1)}), keep_open=True)

    def post(who: int, timeout: float) -> Callable[[], None]:
        def act() -> None:
            for n in range(2):
                try:
                    runtime.post(job.id, "a.value", (who, n), timeout)
                except SlotFull:
                    refused.append((who, n))

        return act

    together(world, post(0, 1e-4), post(1, 0.0), post(2, 1e-3))
    runtime.jobs.close(job.id)
    _completed(job)
    found = sorted(seen + refused)
    assert found == [(who, n) for who in range(3) for n in range(2)], (seen, refused)
    assert runtime.jobs.get(job.id).core.runs[0].slots[0].reserved == 0


def posts_that_meet_the_end(world: World, seed: int) -> None:
    """A post to a job that is cancelled or closed arrives, raises JobEnded, or was too late."""
    runtime = Runtime(workers=1, loop=LOOPS[seed % 2])
    seen: list[Any] = []
    ended: list[int] = []
    job = runtime.exec(flow_of({"a": sink(seen, capacity=1)}), keep_open=True)
    is_cancelled = seed % 4 < 2

    def post() -> None:
        for n in range(4):
            try:
                runtime.post(job.id, "a.value", n)
            except JobEnded:
                ended.append(n)

    end = runtime.jobs.cancel if is_cancelled else runtime.jobs.close
    together(world, post, lambda: end(job.id))
    status = job.wait()
    world.until_quiet()
    check_conservation(job)
    assert status is (JobStatus.CANCELLED if is_cancelled else JobStatus.COMPLETED)
    if not is_cancelled:
        assert seen + ended == [0, 1, 2, 3], (seen, ended)


def room_is_given_when_a_message_is_taken(world: World, seed: int) -> None:
    """A body may last for ever: the place of its message is free."""
    posted = [Event(world) for _ in range(4)]
    runtime = Runtime(workers=1, loop=LOOPS[seed % 2])
    made = _calling(lambda n: posted[n].wait(), 1, max_parallel=1)
    job = runtime.exec(flow_of({"a": made}), keep_open=True)

    def post() -> None:
        for n in range(4):
            runtime.post(job.id, "a.value", n)
            if n:
                posted[n - 1].set()
        posted[-1].set()

    together(world, post)
    runtime.jobs.close(job.id)
    _completed(job)


def emits_wait_for_room(world: World, seed: int) -> None:
    """A body that emits too much stands until there is room, and is never forgotten."""
    seen: list[Any] = []
    runtime = Runtime(workers=1, loop=LOOPS[seed % 2])
    job = runtime.exec(chain(burst(range(5)), sink(seen, capacity=1)))
    _completed(job)
    assert seen == list(range(5)), seen
    slot = job.routines["b"].slots["value"]
    assert slot.high_water == 1, slot


def emits_park_no_more_than_they_may(world: World, seed: int) -> None:
    """Past one more capacity a body doesn't go on."""
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    queued: list[int] = []
    taken: list[int] = []

    def logic(self: Any) -> None:
        for n in range(8):
            self.out.emit(n)
            queued.append(n + 1 - len(taken))

    _completed(runtime.exec(chain(routine(logic), _calling(taken.append, 1, max_parallel=1))))
    # One is popped and one in the slot, one parked and one too many; one more while that spreads.
    assert max(queued) <= 5, queued


def two_producers_wait_for_one_slot(world: World, seed: int) -> None:
    """What one has parked counts against the other; both go on in the end."""
    seen: list[Any] = []
    flow = flow_of(
        {"s": burst("abc"), "t": burst(range(3)), "z": sink(seen, capacity=1)},
        "s.out -> z.value",
        "t.out -> z.value",
    )
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    _completed(runtime.exec(flow))
    assert [v for v in seen if isinstance(v, str)] == list("abc"), seen
    assert [v for v in seen if isinstance(v, int)] == [0, 1, 2], seen


# ---- holding


def a_hold_tells_exactly_what_had_begun(world: World, seed: int) -> None:
    """After it nothing begins; what it names had begun; nothing is lost, doubled or moved."""
    began: list[int] = []
    first_began = Event(world)

    def act(value: int) -> None:
        began.append(value)
        first_began.set()

    listening = _Listening()
    many = 1 + seed // 2 % 2
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2], instruments=[listening])
    job = runtime.exec(chain(burst(range(5)), _calling(act, 9, max_parallel=many)))
    first_began.wait()
    runtime.jobs.pause(job.id)
    world.until_quiet()
    if job.status is JobStatus.PAUSED:
        kinds = [type(event) for event in listening.events]
        first = kinds.index(JobHeld)
        assert ActivationStarted not in kinds[first:], "something began after the hold was told"
        assert listening.begun("b", first) == len(began), (listening.events, began)
        held = listening.events[first]
        assert isinstance(held, JobHeld)
        assert held.running.count("b") <= many, held
        runtime.jobs.resume(job.id)
    _completed(job)
    assert sorted(began) == [0, 1, 2, 3, 4], began
    if many == 1:
        assert began == [0, 1, 2, 3, 4], began


def holds_and_resumes_cross(world: World, seed: int) -> None:
    """Pauses and resumes from two threads: the job goes on after the last resume."""
    began: list[int] = []
    runtime = Runtime(workers=1, loop=LOOPS[seed % 2])
    job = runtime.exec(chain(burst(range(3)), _calling(began.append, 9, max_parallel=1)))

    def act() -> None:
        runtime.jobs.pause(job.id)
        runtime.jobs.resume(job.id)

    together(world, act, act)
    runtime.jobs.resume(job.id)
    _completed(job)
    assert began == [0, 1, 2], began


def a_step_lets_one_go(world: World, seed: int) -> None:
    """Step by step each activation goes alone."""
    began: list[int] = []
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    flow = flow_of({"a": _calling(began.append, 9, max_parallel=2)})
    job = runtime.exec(flow, {"a.value": 0}, held=True, keep_open=True)
    for n in (1, 2):
        runtime.post(job.id, "a.value", n)
    for n in range(1, 4):
        runtime.jobs.get(job.id).send(Step())
        world.until_quiet()
        assert began == list(range(n)), (n, began)
        assert job.status is JobStatus.PAUSED
    runtime.jobs.close(job.id)
    runtime.jobs.resume(job.id)
    _completed(job)


# ---- bodies that stand when the job ends


def cancel_reaches_who_stands(world: World, seed: int) -> None:
    """Whoever waits in a body is let go when the job is cancelled, also who begins to."""
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    way = ("sleep", "emit", "checkpoint", "post", "post elsewhere")[seed // 2 % 5]

    def join(self: Any, left: Any, right: Any) -> None: ...

    slots = {"left": Slot(object, capacity=1), "right": Slot(object)}
    other = runtime.exec(flow_of({"p": routine(join, slots=slots)}), keep_open=True)

    def logic(self: Any) -> None:
        if way == "emit":
            for n in range(9):
                self.out.emit(n)
        elif way.startswith("post"):
            for n in range(3):
                runtime.post(job.id if way == "post" else other.id, "p.left", n)
        elif way == "checkpoint":
            for _ in range(3):
                self.checkpoint()
        self.sleep(10**9)

    flow = flow_of({"s": routine(logic), "p": routine(join, slots=slots)}, "s.out -> p.left")
    job = runtime.exec(flow, held=True, keep_open=True)
    runtime.jobs.resume(job.id)

    def act() -> None:
        if way == "checkpoint":
            runtime.jobs.pause(job.id)
        runtime.jobs.cancel(job.id)

    together(world, act)
    assert job.wait() is JobStatus.CANCELLED
    world.until_quiet()
    assert (runtime.pool.busy, runtime.pool.abandoned) == (0, 0), "a body still stands"


def time_outs_meet_the_end_of_a_body(world: World, seed: int) -> None:
    """An activation ends or is late, never both; its messages have one fate."""
    seen: list[Any] = []
    keeps_back = bool(seed // 2 % 2)
    policy = Retry(times=1, then=Continue()) if keeps_back else Continue()

    def logic(self: Any, value: int) -> None:
        self.out.emit(value)
        self.sleep(1.0)

    made = routine(logic, slots={"value": Slot(int)}, timeout=1.0, on_error=policy, max_parallel=2)
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    flow = flow_of({"a": made, "z": sink(seen)}, "a.out -> z.value")
    job = runtime.exec(flow, {"a.value": 7}, keep_open=True)
    runtime.post(job.id, "a.value", 8)
    runtime.jobs.close(job.id)
    _completed(job)
    slot = job.routines["a"].slots["value"]
    assert slot.consumed + slot.dead == 2, slot
    assert len(job.dead_letters) == slot.dead
    if keeps_back:
        assert len(seen) == slot.consumed, (seen, slot)


# ---- state


def state_is_made_once(world: World, seed: int) -> None:
    """However many activations begin at once."""
    made: list[int] = []

    class State:
        def __init__(self) -> None:
            world.point()
            made.append(1)

    def logic(self: Any, value: int) -> None:
        assert self.state is not None

    slots = {"value": Slot(int)}
    body = routine(logic, slots=slots, events=(), state=State, max_parallel=3)
    runtime = Runtime(workers=3, loop=LOOPS[seed % 2])
    _completed(runtime.exec(chain(burst(range(3)), body)))
    assert made == [1]


# ---- everything at once


def _mixed(seed: int) -> Flow:
    """A flow in which most of what can happen does."""
    tries: dict[int, int] = {}

    def flaky(self: Any, value: int) -> None:
        tries[value] = tries.get(value, 0) + 1
        self.out.emit(value)
        if value % 2 and tries[value] == 1:
            raise ValueError(value)

    def stands(self: Any, value: int) -> Iterator[None]:
        self.out.emit(value)
        yield
        self.out.emit(-value)

    one = {"value": Slot(object, capacity=1 + seed % 3)}
    return flow_of(
        {
            "s": burst(range(4)),
            "f": routine(flaky, slots=one, on_error=Retry(times=1, delay=seed % 2 * 0.5)),
            "g": routine(stands, slots=one, on_error=Continue(), max_parallel=2),
            "z": routine(lambda self, value: self.checkpoint(), slots=one, events=()),
        },
        "s.out -> f.value",
        "f.out -> g.value",
        "g.out -> z.value",
    )


def everything_at_once(world: World, seed: int) -> None:
    """Posts, holds, steps, and an end: every message is accounted for and everybody goes."""
    runtime = Runtime(workers=2, loop=LOOPS[seed % 2])
    job = runtime.exec(_mixed(seed), keep_open=True)
    inside = runtime.jobs.get(job.id)
    is_cancelled = seed // 2 % 3 == 0

    def post() -> None:
        for n in range(4, 7):
            try:
                runtime.post(job.id, "f.value", n)
            except JobEnded:
                return

    def steer() -> None:
        runtime.jobs.pause(job.id)
        inside.send(Step())
        inside.send(Sample())
        runtime.jobs.resume(job.id)
        slot = inside.slot("g", "value")
        assert slot is not None
        inside.send(Resize(slot, 2))

    def end() -> None:
        if is_cancelled:
            runtime.jobs.cancel(job.id)

    together(world, post, steer, end)
    runtime.jobs.resume(job.id)
    runtime.jobs.close(job.id)
    status = job.wait()
    world.until_quiet()
    check_conservation(job)
    assert status is (JobStatus.CANCELLED if is_cancelled else JobStatus.COMPLETED), job.error
    assert (runtime.pool.busy, runtime.pool.abandoned) == (0, 0)
    if not is_cancelled:
        assert job.routines["z"].slots["value"].consumed == 2 * 7
        assert not job.dead_letters

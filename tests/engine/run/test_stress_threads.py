"""Random flows under random pausing, stepping and posting: nothing is lost and nothing hangs."""

from __future__ import annotations

from time import monotonic
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from helpers.driven import check_slot
from helpers.flows import burst, flow_of, pass_on, sink, source, split
from penstock import Debugger, Flow, JobEnded, JobState, JobStatus, Routine, Runtime, SlotFull

DEADLINE = 30.0
MESSAGES = 40
BRANCHES = {"pass": (pass_on, 1), "split": (split, 2)}


def numbers(value: Any) -> tuple[Any, ...]:
    """The marks of a value that went through any number of splits, innermost first."""
    return (*numbers(value[0]), value[1]) if isinstance(value, tuple) else (value,)


class Random(RuleBasedStateMachine):
    """A source, layers of passing and splitting routines with random connections, and a sink."""

    @initialize(
        capacity=st.sampled_from([1, 2, 8]),
        workers=st.sampled_from([1, 2, 4]),
        parallel=st.sampled_from([1, 1, 3, None]),
        plain_source=st.booleans(),
        layers=st.lists(
            st.lists(st.sampled_from(sorted(BRANCHES)), min_size=1, max_size=3),
            min_size=1,
            max_size=3,
        ),
        held_first=st.booleans(),
    )
    def begin(
        self,
        capacity: int,
        workers: int,
        parallel: int | None,
        plain_source: bool,
        layers: list[list[str]],
        held_first: bool,
    ) -> None:
        self.seen: list[Any] = []
        self.capacity, self.in_order = capacity, parallel == 1
        self.expected = 0
        self.posted = 0
        flow = self.build(capacity, parallel, plain_source, layers)
        self.runtime = Runtime(workers=workers)
        self.debugger = Debugger(self.runtime)
        if held_first:
            self.debugger.pause()
        self.job: JobState = self.runtime.exec(flow)
        if held_first:
            assert self.debugger.wait_held(self.job.id, DEADLINE) is not None
            assert self.total("activations") == 0

    def build(
        self, capacity: int, parallel: int | None, plain_source: bool, layers: list[list[str]]
    ) -> Flow:
        make = burst if plain_source else source
        routines: dict[str, Routine] = {"s": make(range(MESSAGES))}
        links = []
        before = {"s": MESSAGES}
        for depth, layer in enumerate(layers):
            now: dict[str, int] = {}
            for i, kind in enumerate(layer):
                factory, times = BRANCHES[kind]
                name = f"n{depth}_{i}"
                routines[name] = factory(capacity, max_parallel=parallel)
                sources = list(before) if i == 0 else [list(before)[i % len(before)]]
                links += [f"{one}.out -> {name}.value" for one in sources]
                now[name] = times * sum(before[one] for one in sources)
            before = now
        routines["z"] = sink(self.seen, capacity, max_parallel=1)
        links += [f"{one}.out -> z.value" for one in before]
        self.expected = sum(before.values())
        self.single_path = all(len(layer) == 1 for layer in layers)
        return flow_of(routines, *links)

    def total(self, counter: str) -> int:
        return sum(getattr(count, counter) for count in self.job.routines.values())

    @rule()
    def pause(self) -> None:
        self.debugger.pause(self.job.id)
        self.settle()

    @rule()
    def resume(self) -> None:
        self.debugger.resume()

    @rule()
    def flutter(self) -> None:
        for _ in range(3):
            self.debugger.pause(self.job.id)
            self.debugger.resume(self.job.id)

    @rule(many=st.integers(1, 4))
    def step(self, many: int) -> None:
        for _ in range(many if self.debugger.held(self.job.id) else 0):
            self.settle()
            if self.job.status is not JobStatus.PAUSED or not self.debugger.ready(self.job.id):
                return
            before, pieces = self.total("activations"), self.pieces()
            self.debugger.step(self.job.id)
            self.debugger.wait_held(self.job.id, DEADLINE)
            self.settle()
            assert self.total("activations") - before <= 1
            assert self.pieces() != pieces, "a step did nothing"

    def pieces(self) -> tuple[int, int]:
        emitted = sum(sum(count.emitted.values()) for count in self.job.routines.values())
        return self.total("activations"), emitted

    @rule(depth=st.integers(0, 5))
    def toggle_breakpoint(self, depth: int) -> None:
        place = list(self.job.routines)[depth % len(self.job.routines)]
        there = [one.id for one in self.debugger.breakpoints.list() if one.place == place]
        if there:
            self.debugger.breakpoints.remove(there[0])
        else:
            self.debugger.breakpoints.add(place)

    @rule()
    def go_to_the_next_stop(self) -> None:
        self.debugger.resume(self.job.id)
        self.debugger.wait_held(self.job.id, 0.01)

    @rule()
    def post(self) -> None:
        try:
            self.runtime.post(self.job.id, "z.value", "posted", timeout=0)
        except (SlotFull, JobEnded):
            return
        self.posted += 1

    def settle(self) -> None:
        """Until a held job is quiet."""
        if self.debugger.wait_held(self.job.id, DEADLINE) is None:
            assert self.job.status.is_final, "neither held nor at its end"
        while self.job.status is JobStatus.PAUSING:
            assert self.job.wait(0.001) is not None

    @invariant()
    def is_accounted_for(self) -> None:
        snapshot = self.job.snapshot()
        quiet = snapshot.status is JobStatus.PAUSED
        for routine_id, count in snapshot.routines.items():
            for name, slot in count.slots.items():
                ref = f"{routine_id}.{name}"
                assert slot.high_water <= slot.capacity
                if quiet and routine_id == "z":
                    check_slot(ref, slot)
                else:
                    check_slot(ref, slot, slot.in_flight)

    def teardown(self) -> None:
        if not hasattr(self, "job"):
            return
        begin = monotonic()
        self.debugger.breakpoints.clear()
        self.debugger.resume()
        while self.debugger.wait_held(self.job.id, DEADLINE) is not None:
            # A stop was hit before the loop heard that there is none any more.
            self.debugger.resume()
        status = self.job.wait(DEADLINE)
        story = self.job.snapshot()
        self.runtime.shutdown()
        assert status is JobStatus.COMPLETED, story
        assert monotonic() - begin < DEADLINE
        for count in story.routines.values():
            for slot in count.slots.values():
                assert slot.posted == slot.consumed
        values = [value for value in self.seen if value != "posted"]
        assert len(values) == self.expected
        assert len(self.seen) - len(values) == self.posted
        if self.in_order and self.single_path:
            assert [numbers(value) for value in values] == sorted(map(numbers, values))


def test_random_flows_lose_nothing_and_come_to_their_end() -> None:
    run_state_machine_as_test(
        Random,
        settings=settings(
            max_examples=60,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

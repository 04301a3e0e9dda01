"""What must hold of the jobs of random flows: at any moment, while nothing moves, and at the end.

Bodies note what they take and emit; `Checked` compares that with the engine's counters and with
what instruments are told.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic

from hypothesis.stateful import RuleBasedStateMachine, invariant

from helpers.random_flows import POLICIES, TICKS, Act, Desk, Node, links
from penstock import JobState, JobStatus, Runtime
from penstock.observe import (
    ActivationEnded,
    ActivationFailed,
    ActivationStarted,
    EngineEvent,
    FailureSummary,
    Instrument,
    JobHeld,
    JobResumed,
    JobStarted,
    MessageDropped,
    MessageQueued,
    SliceEnded,
    SlotCount,
    Stalled,
    StepIgnored,
    ValueSummary,
)
from penstock.observe import JobEnded as JobEndedEvent
from penstock.run import ARROWS, JobSnapshot

DEADLINE = 20.0

# ---- watching


class Record(Instrument):
    """All events per job, and each job's status at the moment an event of it is told."""

    def __init__(self) -> None:
        self.events: dict[str, list[EngineEvent]] = {}
        self.statuses: dict[str, list[JobStatus]] = {}
        self.jobs: dict[str, JobState] = {}

    def _keep(self, event: EngineEvent) -> None:
        self.events.setdefault(event.job_id, []).append(event)
        job = self.jobs.get(event.job_id)
        if job is not None:
            self.statuses.setdefault(event.job_id, []).append(job.status)

    def on_job_started(self, event: JobStarted) -> None:
        self._keep(event)

    def on_job_ended(self, event: JobEndedEvent) -> None:
        self._keep(event)

    def on_job_held(self, event: JobHeld) -> None:
        self._keep(event)

    def on_job_resumed(self, event: JobResumed) -> None:
        self._keep(event)

    def on_step_ignored(self, event: StepIgnored) -> None:
        self._keep(event)

    def on_message_queued(self, event: MessageQueued) -> None:
        self._keep(event)

    def on_message_dropped(self, event: MessageDropped) -> None:
        self._keep(event)

    def on_stalled(self, event: Stalled) -> None:
        self._keep(event)

    def on_activation_started(self, event: ActivationStarted) -> None:
        self._keep(event)

    def on_activation_ended(self, event: ActivationEnded) -> None:
        self._keep(event)

    def on_activation_failed(self, event: ActivationFailed) -> None:
        self._keep(event)

    def on_slice_ended(self, event: SliceEnded) -> None:
        self._keep(event)


class LoudLog(logging.Handler):
    """Keeps what the engine logs as a warning or worse, but for stalls: it never should."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if " is stalled: " in text:
            return
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self.lines.append(text)


def _reachable() -> dict[JobStatus, frozenset[JobStatus]]:
    """What may be seen after a status when some in between went unseen."""
    found = {}
    for status in JobStatus:
        seen = {status}
        while (more := seen.union(*(ARROWS[one] for one in seen))) != seen:
            seen = set(more)
        found[status] = frozenset(seen)
    return found


REACHABLE = _reachable()


# ---- a job of the machine


@dataclass
class Job:
    """One job of the machine and what was asked of it."""

    state: JobState
    nodes: tuple[Node, ...]
    desk: Desk
    keep_open: bool
    timed: bool
    remedy: str
    posts: Counter[str] = field(default_factory=Counter)
    emitted: Counter[str] = field(default_factory=Counter)
    statuses: list[JobStatus] = field(default_factory=list)
    cancelled: bool = False
    dropped: bool = False
    grew: bool = False
    most: dict[str, int] = field(default_factory=dict)  # largest capacity ever asked for

    @property
    def id(self) -> str:
        return self.state.id

    def slot(self, choice: int) -> str | None:
        """One of its slots as ``routine.slot``."""
        refs = [f"n{i}.{name}" for i, node in enumerate(self.nodes) for name in node.slots]
        return refs[choice % len(refs)] if refs else None

    def is_exact(self, node: int) -> bool:
        """Whether what its bodies note is what the engine counts.

        A body that is timed out doesn't know it, nor one whose kept back emissions find no room.
        """
        into = {slot for event, slot in links(self.nodes) if event == f"n{node}.out"}
        refuses = any(self.nodes[int(ref[1:].partition(".")[0])].overflow == "fail" for ref in into)
        return not (self.nodes[node].timeout or (self.nodes[node].retries and refuses))


class Checked(RuleBasedStateMachine):
    """Jobs on one runtime and what must hold of them; who derives from it makes and steers them."""

    counts: Counter[str] = Counter()
    log: LoudLog
    record: Record
    workers: int

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []
        self.story: list[str] = []
        self.runtime: Runtime | None = None

    @property
    def engine(self) -> Runtime:
        assert self.runtime is not None
        return self.runtime

    def check(self, is_so: object, what: str, job: Job | None = None) -> None:
        if not is_so:
            self.fail(what, job)

    def fail(self, what: str, job: Job | None = None) -> None:
        lines = [what, *self.story]
        if job is not None:
            lines += [
                f"job {job.id}, statuses {[status.value for status in job.statuses]}",
                f"connections {links(job.nodes)}",
                str(job.state.snapshot()),
                f"inside {dict(job.desk.inside)}, emitting {dict(job.desk.emitting)}",
                *map(_briefly, self.record.events.get(job.id, ())[-3000:]),
                *map(str, job.desk.acts[-1000:]),
                str(self.engine.statistics()),
            ]
        raise AssertionError("\n".join(lines))

    def until(self, job: Job, what: str, is_so: Callable[[], bool]) -> None:
        end = monotonic() + DEADLINE
        while not is_so():
            self.check(monotonic() < end, what, job)
            _pause()

    # ---- what always holds

    @invariant()
    def nothing_is_wrong(self) -> None:
        if self.runtime is None:
            return
        statistics = self.runtime.statistics()
        self.check(0 <= statistics.busy <= statistics.workers, f"{statistics}")
        self.check(not self.log.lines, "\n".join(["logged:", *self.log.lines]))
        for job in self.jobs:
            self.check_now(job)

    def check_now(self, job: Job) -> JobSnapshot:
        self.see(job)
        snapshot = job.state.snapshot()
        self.see(job)
        for ref, slot in slots_of(snapshot):
            self.check_slot(job, ref, slot)
        with job.desk.lock:
            most = dict(job.desk.most)
        for i, node in enumerate(job.nodes):
            limit = self.workers if node.parallel is None else node.parallel
            without_limit = node.timeout or (node.parallel is None and node.body == "async")
            if not (without_limit or job.state.status.is_final):
                self.check(most.get(i, 0) <= limit, f"{most.get(i)} bodies of n{i} at once", job)
        return snapshot

    def see(self, job: Job) -> None:
        """Note the status now; it must be one that can follow the last."""
        status = job.state.status
        last = job.statuses[-1] if job.statuses else JobStatus.PENDING
        self.check(status in REACHABLE[last], f"{status} after {last}", job)
        if not job.statuses or status is not last:
            job.statuses.append(status)
        told = self.record.statuses.get(job.id, [])
        for one, other in pairwise(told):
            self.check(other in REACHABLE[one], f"{other} told after {one}", job)

    def check_slot(self, job: Job, ref: str, slot: SlotCount) -> None:
        self.check(slot.posted == whole(slot), f"{ref} doesn't add up: {slot}", job)
        self.check(min(_numbers(slot)) >= 0, f"{ref} counts below 0: {slot}", job)
        self.check(slot.depth <= slot.queued, f"{ref} deeper than queued: {slot}", job)
        if ref in job.most and not job.grew:
            node = job.nodes[int(ref[1:].partition(".")[0])]
            most = job.most[ref]
            if node.overflow.startswith("drop"):  # what a worker gives back isn't dropped
                most += self.workers if node.parallel is None else node.parallel
            self.check(slot.high_water <= most, f"{ref} was too full: {slot}", job)

    # ---- what holds while nothing moves

    def check_quiet(self, job: Job) -> None:
        """A PAUSED job: counters against the bodies' notes, and nothing moves."""
        self.counts["quiet"] += 1
        with job.desk.lock:
            acts = len(job.desk.acts)
        problem: list[str] = []

        def fits() -> bool:
            problem[:] = self.unfitting(job)
            return not problem or job.state.status.is_final

        # A post that returned may still be on its way to the core.
        end = monotonic() + 2.0
        while not fits() and monotonic() < end:
            _pause()
        self.check(not problem or job.state.status.is_final, "\n".join(problem), job)
        with job.desk.lock:
            self.check(len(job.desk.acts) == acts, "a body began while the job was held", job)

    def unfitting(self, job: Job) -> list[str]:
        """What the engine counts and the bodies' notes don't bear out."""
        found = []
        snapshot = job.state.snapshot()
        with job.desk.lock:
            acts = list(job.desk.acts)
            sent = {i: len(values) for i, values in job.desk.sent.items()}
            emitting = {i for i, many in job.desk.emitting.items() if many}
        for ref, slot in slots_of(snapshot):
            if ref == "d.x":
                continue
            sources = [event for event, target in links(job.nodes) if target == ref]
            indexes = [int(event[1:].partition(".")[0]) for event in sources]
            if all(job.is_exact(i) and i not in emitting for i in indexes):
                wanted = job.posts[ref] + sum(job.emitted[event] for event in sources)
                wanted += sum(sent[i] for i in indexes)
                if slot.posted != wanted:
                    found.append(f"{ref}: {wanted} sent, {slot}")
            index = int(ref[1:].partition(".")[0])
            if job.is_exact(index) and not job.nodes[index].retries:
                found += self.unfitting_acts(job, ref, slot, [a for a in acts if a.node == index])
        return found

    def unfitting_acts(self, job: Job, ref: str, slot: SlotCount, acts: list[Act]) -> Iterator[str]:
        name = ref.partition(".")[2]
        counts = Counter(act.how for act in acts for taken, _ in act.taken if taken == name)
        if slot.in_flight != counts[""]:
            yield f"{ref}: {counts['']} in bodies, {slot}"
        if slot.consumed + slot.dead != counts["ok"] + counts["failed"]:
            yield f"{ref}: {dict(counts)} ended, {slot}"

    # ---- the end

    def check_threads(self) -> None:
        end = monotonic() + 2.0
        while left := [t for t in threading.enumerate() if t.name.startswith("penstock-")]:
            if monotonic() > end:
                frames = sys._current_frames()
                stacks = [traceback.format_stack(frames.get(t.ident or 0)) for t in left]
                told = [f"{t.name}:\n{''.join(s)}" for t, s in zip(left, stacks, strict=True)]
                self.fail("\n".join(["threads left:", *told]))
            _pause()

    def check_end(self, job: Job) -> None:
        """An ended job: everything was told, counted, and taken in order."""
        snapshot = self.check_now(job)
        self.counts[snapshot.status.value] += 1
        self.counts["messages"] += sum(slot.posted for _, slot in slots_of(snapshot))
        self.check(job.state.stalled == (), "stalled after its end", job)
        self.check_told(job, snapshot)
        self.check_cause(job, snapshot)
        self.check_bodies(job)
        if snapshot.status is JobStatus.COMPLETED:
            self.check_completed(job, snapshot)

    def check_told(self, job: Job, snapshot: JobSnapshot) -> None:
        events = self.record.events.get(job.id, [])
        self.check(events, "nothing was told", job)
        self.check(isinstance(events[-1], JobEndedEvent), "the end wasn't told last", job)
        for one, other in pairwise(events):
            self.check(one.seq < other.seq, f"told out of order: {one}, {other}", job)
            self.check(one.time <= other.time, f"time goes back: {one}, {other}", job)
        last = events[-1]
        assert isinstance(last, JobEndedEvent)
        self.check(last.status == snapshot.status.value, "another status was told", job)
        left = {ref: slot.discarded for ref, slot in slots_of(snapshot) if slot.discarded}
        self.check(last.discarded == left, f"told as discarded: {last.discarded}", job)
        self.check_holds(job, events)
        for event in events:
            if isinstance(event, MessageQueued) and event.parked and event.target != "d.x":
                node = job.nodes[int(event.target[1:].partition(".")[0])]
                can = bool(event.source) and not node.overflow.startswith("drop")
                self.check(can, f"told as parked: {event}", job)
        dropped = Counter((e.slot, e.reason) for e in events if isinstance(e, MessageDropped))
        for ref, slot in slots_of(snapshot):
            told = sum(dropped[ref, why] for why in ("drop_oldest", "drop_newest", "stall"))
            self.check(told == slot.dropped, f"{ref}: {told} told as dropped, {slot}", job)
            for why in ("superseded", "skipped"):
                self.check(
                    dropped[ref, why] == getattr(slot, why),
                    f"{ref}: {dropped[ref, why]} told as {why}, {slot}",
                    job,
                )

    def check_holds(self, job: Job, events: list[EngineEvent]) -> None:
        """Between a hold and its resumption nothing starts, in a step one activation at most.

        A hold that is lifted while a worker still decides may never be told; what the worker
        began is told after that.
        """
        held, generation, may_start = 0, 0, 1 << 30
        for event in events:
            if isinstance(event, JobHeld):
                self.check(event.held_id >= held, f"an old hold: {event}", job)
                self.check(event.generation >= generation, f"an old pause: {event}", job)
                held, generation, may_start = event.held_id, event.generation, 0
            elif isinstance(event, JobResumed):
                self.check(event.held_id >= held, f"an old hold resumed: {event}", job)
                is_one = event.stepping and event.held_id == held and may_start == 0
                held, may_start = event.held_id, 1 if is_one else 1 << 30
            elif isinstance(event, ActivationStarted):
                self.check(may_start > 0, f"started while held: {event}", job)
                may_start -= 1
            elif isinstance(event, ActivationFailed | JobEndedEvent) and may_start == 0:
                error = event.failure if isinstance(event, ActivationFailed) else event.error
                late = error is not None and error.type in ("RoutineTimeout", "JobTimeout")
                self.check(not late, f"the clock ran while held: {event}", job)

    def check_cause(self, job: Job, snapshot: JobSnapshot) -> None:
        """Only what was asked for, or what a policy says, ends a job early."""
        error, status = snapshot.error, snapshot.status
        if status is JobStatus.CANCELLED:
            self.check(job.cancelled and error is None, "cancelled by nobody", job)
        elif status is JobStatus.FAILED:
            self.check(error is not None, "failed without an error", job)
            assert error is not None
            if error.type == "JobTimeout":
                self.check(job.timed, "nobody gave it a time-out", job)
                return
            known = ("ValueError", "SystemExit", "RoutineTimeout", "SlotFull")
            self.check(error.type in known, f"failed by {error}\n{error.traceback}", job)
            node = job.nodes[int(error.routine[1:])]
            self.check(node.may_stop, f"{error} but its policy is {node.policy}", job)
        for failure in snapshot.dead_letters:
            self.check(failure.routine.startswith("n"), f"{failure}\n{failure.traceback}", job)

    def check_bodies(self, job: Job) -> None:
        """No value twice; one at a time in order; nothing begins once its routine is skipped."""
        with job.desk.lock:
            acts = list(job.desk.acts)
            sent = {i: list(values) for i, values in job.desk.sent.items()}
        for i, node in enumerate(job.nodes):
            mine = [act for act in acts if act.node == i]
            self.check_once(job, i, mine)
            if node.parallel == 1 and not node.timeout:
                self.check_sequence(job, i, mine)
                if node.kind in ("work", "batch", "patient", "latest", "every"):
                    self.check_order(job, i, mine, sent)

    def check_once(self, job: Job, i: int, acts: list[Act]) -> None:
        node = job.nodes[i]
        most = 1 + (POLICIES[node.policy].times if node.retries else 0)
        tries = Counter(item for act in acts for item in act.taken)
        ended = Counter(item for act in acts if act.how == "ok" for item in act.taken)
        once = 1 if job.is_exact(i) else most
        for item, many in tries.items():
            self.check(many <= most, f"n{i} took {item} {many} times", job)
            self.check(ended[item] <= once, f"n{i} has done {item} {ended[item]} times", job)

    def check_sequence(self, job: Job, i: int, acts: list[Act]) -> None:
        """One at a time: a retry goes before what is behind it, and a skipped one ends it all."""
        before: list[tuple[tuple[str, str], ...]] = []
        for act in acts:
            if before and act.taken != before[-1]:
                self.check(act.taken not in before, f"n{i} went back to {act.taken}", job)
            before.append(act.taken)
        if job.nodes[i].policy == "skip" and not job.nodes[i].tells_failures and acts:
            early = [act for act in acts[:-1] if act.how == "failed"]
            self.check(not early, f"n{i} went on after {early}", job)

    def check_order(
        self, job: Job, i: int, acts: list[Act], sent: dict[int, list[tuple[str, Act | None]]]
    ) -> None:
        taken = list(dict.fromkeys(value for act in acts for _, value in act.taken))
        for event, slot in links(job.nodes):
            if slot != f"n{i}.x" or not event.endswith(".out"):
                continue
            source = int(event[1:].partition(".")[0])
            in_order = job.nodes[source].parallel == 1 and not job.nodes[source].timeout
            groups: dict[int, list[str]] = {}
            for value, act in sent[source]:
                groups.setdefault(0 if in_order else id(act), []).append(value)
            for values in groups.values():
                order = {value: k for k, value in enumerate(values)}
                places = [order[value] for value in taken if value in order]
                self.check(places == sorted(places), f"{event} -> {slot} out of order", job)

    def check_completed(self, job: Job, snapshot: JobSnapshot) -> None:
        problem = self.unfitting(job)
        self.check(not problem, "\n".join(problem), job)
        for ref, slot in slots_of(snapshot):
            left = slot.queued + slot.in_flight + slot.depth
            self.check(left == 0, f"{ref}: completed with {slot}", job)
            node = job.nodes[int(ref[1:].partition(".")[0])] if ref != "d.x" else None
            may_leave = node is not None and node.kind in ("join", "match", "custom")
            if node is not None and node.kind == "patient":  # it may come behind the last flush
                may_leave = job.posts[ref] > 0 or any(one.back for one in job.nodes)
            if not may_leave:
                self.check(slot.discarded == 0, f"{ref}: nobody took {slot}", job)
        events = self.record.events[job.id]
        for i, node in enumerate(job.nodes):
            count = job.desk.finished[i]
            right = (0, 1) if node.may_skip else (1,) if node.finish else (0,)
            self.check(count in right, f"n{i} finished {count} times", job)
            self.check_outputs(job, i, snapshot)
            if node.kind == "timer" and not (node.retries or node.timeout or node.may_skip):
                ticks = sum(act.node == i for act in job.desk.acts)
                self.check(ticks == TICKS, f"n{i} ticked {ticks} times", job)
            if not node.timeout:
                began = sum(
                    isinstance(e, ActivationStarted) and e.routine == f"n{i}" for e in events
                )
                ended = sum(isinstance(e, ActivationEnded) and e.routine == f"n{i}" for e in events)
                self.check(began == ended, f"n{i}: {began} began, {ended} ended", job)
        self.check_failures(job, snapshot)

    def check_outputs(self, job: Job, i: int, snapshot: JobSnapshot) -> None:
        """What an unconnected event emitted is the job's output."""
        found = snapshot.outputs.get(f"n{i}.out")
        if found is None or not job.is_exact(i):
            return
        values = [value for value, _ in job.desk.sent[i]]
        got = [value for value in found if ":event" not in value]
        if job.nodes[i].parallel == 1:
            self.check(got == values, f"n{i}.out: sent {values}, outputs {found}", job)
        self.check(sorted(got) == sorted(values), f"n{i}.out: sent {values}, got {found}", job)

    def check_failures(self, job: Job, snapshot: JobSnapshot) -> None:
        """Each failure that isn't stopped by or tried again is a dead letter or was delivered."""
        letters = Counter(failure.routine for failure in snapshot.dead_letters)
        for i, node in enumerate(job.nodes):
            # A `finish` that emits into a full slot that refuses fails too, and isn't an act.
            if node.timeout or node.retries or node.finish or not job.is_exact(i):
                continue
            failed = sum(act.node == i and act.how == "failed" for act in job.desk.acts)
            told = job.desk.failures[i] if node.tells_failures else letters[f"n{i}"]
            self.check(told == failed, f"n{i}: {failed} failed, {told} are known", job)


def slots_of(snapshot: JobSnapshot) -> Iterator[tuple[str, SlotCount]]:
    """(``routine.slot``, its counters)."""
    for routine, count in snapshot.routines.items():
        for name, slot in count.slots.items():
            yield f"{routine}.{name}", slot


def whole(slot: SlotCount) -> int:
    """All the places where a message can be."""
    return (
        slot.consumed
        + slot.queued
        + slot.in_flight
        + slot.dropped
        + slot.superseded
        + slot.dead
        + slot.skipped
        + slot.discarded
    )


def _briefly(event: EngineEvent) -> str:
    """One line, without time and traceback."""
    told = []
    for name in event.__slots__:
        value = getattr(event, name)
        if isinstance(value, ValueSummary):
            value = value.text[:40]
        elif isinstance(value, FailureSummary):
            value = f"{value.type}: {value.text} (attempt {value.attempt})"
        told.append(f"{name}={value}")
    return f"  {event.seq} {type(event).__name__}({', '.join(told)})"


def _numbers(slot: SlotCount) -> tuple[int, ...]:
    return (
        slot.depth,
        slot.posted,
        slot.consumed,
        slot.queued,
        slot.in_flight,
        slot.dropped,
        slot.superseded,
        slot.dead,
        slot.skipped,
        slot.discarded,
    )


_never = threading.Event()


def _pause() -> None:
    """Give other threads a moment."""
    _never.wait(0.0005)

"""Every decision of one job: what comes in, and what is to be done about it.

Pure: no thread, no clock, no I/O. Messages go in through `handle`; what is to be done comes out
in `Instructions`. The executor holds the job's guard and lock around both. The rules lie in
modules by topic, each using only those before it: `granting` (what may start), `ending`,
`arriving` (routing, full slots), `failing` (policies, retries, time-outs), `holding`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count, groupby
from operator import itemgetter
from random import random
from typing import Any

from penstock.flow import Failure
from penstock.observe import JobProgress
from penstock.run.arriving import (
    NOBODY,
    arrive,
    drop,
    drop_parked,
    make_room,
    route,
    route_one,
    wake_emitters,
)
from penstock.run.counting import count_routine
from penstock.run.emitters import Emitter
from penstock.run.ending import close, end, look_for_the_end, take_late
from penstock.run.failing import ended, fail, job_timed_out, watch
from penstock.run.failures import failure_of
from penstock.run.granting import (
    NOWHERE,
    UNTOLD,
    begin,
    close_gates,
    free,
    give_back,
    hold,
    pump,
    recall_unstepped,
    tell_new_next,
)
from penstock.run.hold import Hold, ReadyActivation
from penstock.run.holding import look_at_the_step, pause, resume, step
from penstock.run.instructions import NO_RARE, Instructions, Rare, Wants
from penstock.run.matching import Message as Numbered
from penstock.run.messages import (
    Cancel,
    Close,
    Emitted,
    Message,
    Pause,
    Posted,
    Refused,
    Resize,
    Resume,
    Sample,
    SetStops,
    Start,
    Step,
    Tick,
    Unstall,
)
from penstock.run.records import RoutineRun, Shell, SlotQueue
from penstock.run.routing import Plan
from penstock.run.slices import PlainToken, Report, Special, Token
from penstock.run.state import FINAL, JobStatus, moved
from penstock.run.telling import NO_EVENTS, Teller
from penstock.run.timers import Timer, Timers

KEPT_OUTPUTS = 1000
KEPT_DEAD_LETTERS = 1000


class JobCore:
    """The state of one job and all that may change it. One caller at a time.

    `shell` is what its workers ask for; `generations` numbers the holds of a runtime; `chance`
    gives numbers in [0, 1) for the jitter of retries.
    """

    # What every job begins with isn't written when one is made: it would cost a good deal of that.
    status = JobStatus.PENDING
    is_over = False
    error: Failure | None = None
    dead_letters: Sequence[Failure] = ()
    hold: Hold | None = None
    stalled: tuple[str, ...] = ()
    started_at: float | None = None
    finished_at: float | None = None
    keep_open = False
    rare = NO_RARE
    tokens = parked = last_number = 0
    step_token: Token | None = None
    told_next: tuple[str, int] | None = UNTOLD
    turns_over = _holds = 0
    gave_room = NOWHERE
    somebody_stands = False
    _sample_wanted = _params_reserved = False
    _time_is_up: Timer | None = None
    _timeout = _time_left = 0.0

    def __init__(
        self,
        job_id: str,
        plan: Plan,
        workers: int,
        shell: Shell,
        wants: Wants,
        generations: Iterator[int] | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.job_id = job_id
        self.plan = plan
        self.issued: list[Token] = []
        self.tell = Teller(job_id, wants)
        self.timers = Timers()
        self.runs = [
            RoutineRun(row, i, job_id, workers, shell) for i, row in enumerate(plan.routines)
        ]
        self.chance = chance if chance is not None else random
        self.generations = generations if generations is not None else count(1)
        self._link()

    def _link(self) -> None:
        """Point every emitter at the slots its event goes to."""
        runs = self.runs
        for run in runs:
            for emitter in run.emitters:
                plan = emitter.plan
                if not plan.targets:
                    emitter.outputs = deque(maxlen=KEPT_OUTPUTS)
                    continue
                if plan.sole is not None:
                    emitter.targets = runs[plan.sole].slots
                    continue
                emitter.targets = targets = tuple([runs[i].slots[n] for i, n in plan.targets])
                if not plan.is_plain:
                    emitter.refusing = tuple([s for s in targets if s.overflow == "fail"])
                    emitter.again = tuple([runs[i].slots[n] for i, n in plan.again])

    # ---- what comes in

    def handle(self, message: Message | RoutineRun, now: float) -> None:
        """Take one message (or the news of one routine) at wall-clock time `now`."""
        self.tell.begin(now)
        if message.__class__ is RoutineRun:
            self.take_news(message)
        elif not self.is_over:
            if self.status is JobStatus.IDLE and not isinstance(message, Sample):
                self._leave_idle()
            _HANDLERS[type(message)](self, message)
            self.fill_up()

    @property
    def more(self) -> Rare:
        """`rare`, to put something into."""
        if self.rare is NO_RARE:
            self.rare = Rare()
        return self.rare

    def taken_slices(self) -> Sequence[Token] | None:
        """What is to be done, if that is nothing but slices for the pool; else None."""
        if self.rare is not NO_RARE or self.tell.events:
            return None
        tokens = self.issued
        if tokens:
            self.issued = []
        return tokens

    def taken(self) -> Instructions:
        """What is to be done, collected since the last time."""
        out = Instructions(self.issued, self.rare, self.tell.events)
        self.issued, self.rare, self.tell.events = [], NO_RARE, NO_EVENTS
        return out

    def fill_up(self) -> None:
        """Let those in who wait for room that was given while routines were granted."""
        while self.gave_room and not self.is_over:
            make_room(self, self.gave_room.popitem()[0])

    def settle(self) -> None:
        """Called when nothing more has come in: a pause may be complete, the job at its end."""
        if self.tokens and self.hold is None and not (self.somebody_stands or self._sample_wanted):
            self.stalled = ()
            return  # most often: slices are out, so more will come in
        if self.is_over or self.status is JobStatus.PENDING:
            return
        if self.step_token is not None:
            look_at_the_step(self)
        if self.status is JobStatus.PAUSING and not self.running():
            self.move(JobStatus.PAUSED)
        if self.status is not JobStatus.IDLE:
            look_for_the_end(self)
        if self.hold is not None:
            tell_new_next(self)
        if self._sample_wanted and not self.is_over:
            self._sample_wanted = False
            self.tell_counters()

    def deadline(self) -> float | None:
        """The wall-clock time at which `Tick` is due; None for no timer, or while held."""
        return self.timers.next()

    # ---- messages

    def reserve_for(self, message: Start) -> None:
        """Keep places for the parameters, before anybody can post."""
        for ref, _ in message.params:
            self.slot(ref).reserved += 1
        self._params_reserved = True

    @property
    def by_id(self) -> dict[str, RoutineRun]:
        """The routines under their ids."""
        return {run.id: run for run in self.runs}

    def run_of(self, routine: str) -> RoutineRun | None:
        """The routine of that id, or None."""
        index = self.plan.index.get(routine)
        return None if index is None else self.runs[index]

    def slot(self, ref: str) -> SlotQueue:
        """The slot called ``routine.slot``."""
        routine, _, name = ref.partition(".")
        run = self.runs[self.plan.index[routine]]
        return next(slot for slot in run.slots if slot.name == name)

    def start(self, message: Start) -> None:
        """Begin; at the time of the last `tell.begin`."""
        self.started_at = self.tell.now
        self.keep_open = message.keep_open
        self.move(JobStatus.RUNNING)
        self.tell.started(self.plan.flow, self.plan.index)
        if message.stops:
            for run in self.runs:
                run.stops = message.stops.get(run.id, ())
                run.open = run.open and not run.stops
        if message.timeout is not None:
            self._timeout = message.timeout
            self._set_time_out(message.timeout)
        if message.hold_generation is not None:
            close_gates(self)
            self.timers.stop(self.tell.now)
            self.hold = Hold(self.next_hold(), message.hold_generation, "pause")
        for ref, value in message.params:
            slot = self.slot(ref)
            slot.reserved -= self._params_reserved
            arrive(self, slot, self.numbered([value]), None)
            if self.is_over:
                return
        for index in self.plan.sources:
            begin(self, self.runs[index])
        if self.hold is not None:
            if self.status is JobStatus.RUNNING:  # else a breakpoint was hit by a parameter
                self.move(JobStatus.PAUSED)
            self.told_next = UNTOLD
        if self.hold is not None or message.stops or self.plan.asks_one_by_one:
            for run in self.runs:
                pump(self, run)

    def _posted(self, message: Posted) -> None:
        message.slot.reserved -= message.reserved
        messages = self.numbered([message.value])
        arrive(self, message.slot, messages, None, NOBODY if message.parks else None)

    def _emitted(self, message: Emitted) -> None:
        route(self, message.emitter, [message.value], message.emitter.refusing)

    def _cancel(self, _message: Cancel) -> None:
        end(self, JobStatus.CANCELLED, None)

    def _close(self, _message: Close) -> None:
        self.keep_open = False

    def _tick(self, _message: Tick) -> None:
        self.timers.fire(self.tell.now)

    def _refused(self, message: Refused) -> None:
        end(self, JobStatus.FAILED, failure_of("", {}, message.error))

    def _sample(self, message: Sample) -> None:
        self._sample_wanted = True
        if message.hold:
            self.told_next = UNTOLD

    def _set_stops(self, message: SetStops) -> None:
        for run in self.runs:
            run.stops = message.stops.get(run.id, ())
            if run.stops:
                run.open = False
                recall_unstepped(self, run)
        if self.status is JobStatus.RUNNING and self.hold is None:
            for run in self.runs:
                free(self, run)

    def _resize(self, message: Resize) -> None:
        message.slot.capacity = message.capacity
        make_room(self, message.slot)

    def _unstall(self, message: Unstall) -> None:
        if message.choice == "cancel" and self.stalled:
            end(self, JobStatus.CANCELLED, None)
            return
        stalled, self.stalled = self.stalled, ()
        for slot in [slot for run in self.runs for slot in run.slots if slot.ref in stalled]:
            if message.choice == "grow":
                waiting = len(slot.parked or ()) + len(slot.posters or ())
                slot.capacity = max(slot.capacity, slot.depth() + slot.reserved + waiting)
                make_room(self, slot)
            else:
                self._drop_what_waits(slot)

    def _drop_what_waits(self, slot: SlotQueue) -> None:
        drop_parked(self, slot)
        for poster in slot.posters or ():
            poster.taken = True
            self.more.wakes.append(poster.latch)
            slot.posted += 1
            drop(self, slot, self.numbered([poster.value]), "stall")
        slot.posters = None

    # ---- the job's time

    def clock(self) -> float:
        """What the job's clock shows: seconds, standing still while the job is held."""
        return self.timers.clock(self.tell.now)

    def _set_time_out(self, left: float) -> None:
        when = self.clock() + left
        self._time_is_up = self.timers.add(
            when, lambda: job_timed_out(self, self._timeout), keeps=False
        )

    def go_idle(self) -> None:
        """Nothing is left to do and more may come: the job's time-out stands still."""
        self.move(JobStatus.IDLE)
        if self._time_is_up is not None:
            self._time_left = self._time_is_up.when - self.clock()
            self.timers.call_off(self._time_is_up)

    def _leave_idle(self) -> None:
        self.move(JobStatus.RUNNING)
        if self._time_is_up is not None:
            self._set_time_out(self._time_left)

    # ---- news of a routine: reports of slices, and what they emitted

    def take_news(self, run: RoutineRun) -> None:
        """Take reports and emissions of a routine.

        Clear, then take: a late emit announces itself again, and the emissions of every report
        taken here are already in `pending`.
        """
        run.dirty = False
        if self.is_over:
            return
        reports = len(run.reports)
        if run.log is not None:
            self.tell.activations(run)
        if run.voice is not None:
            self._take_emitted(run.voice)
        else:
            self._take_from_all(run)
        if self.is_over:
            return
        if reports == 1 and self.hold is None and isinstance(token := run.reports[0], PlainToken):
            del run.reports[0]
            self._take_plain(run, token)
            if run.is_awaited:
                self._make_room(run)
            if run.stop or run.grant or run.ready or run.continued or run.suspended:
                free(self, run)
        elif reports:
            self._reported(run, reports)
        else:
            self._begun_or_overrun(run)
        if self.somebody_stands:
            wake_emitters(self, run)
        if self.gave_room:
            self.fill_up()

    def _take_from_all(self, run: RoutineRun) -> None:
        if run.plan.timeout is not None:
            watch(self, run, run.plan.timeout)
        if run.shared is not None:
            self._take_in_order(run, run.shared)
        else:
            for emitter in run.emitters:
                self._take_emitted(emitter)

    def _take_emitted(self, emitter: Emitter) -> None:
        emitter.room = 0
        pending = emitter.pending
        waiting = len(pending)
        if waiting == 1:
            route_one(self, emitter, pending.pop(0))
        elif waiting:
            values = pending[:waiting]
            del pending[:waiting]
            route(self, emitter, values, emitter.refusing)

    def _begun_or_overrun(self, run: RoutineRun) -> None:
        """News without a report: an awaited message was taken, or a body emits a lot."""
        self._make_room(run)
        if run.stop and self.hold is None and not run.parked_out:
            free(self, run)

    def _take_in_order(self, run: RoutineRun, shared: list[Any]) -> None:
        """Route what several events of a routine emitted, in the order of emission."""
        for emitter in run.emitters:
            emitter.room = 0
        emissions = shared[:]
        del shared[: len(emissions)]
        for emitter, group in groupby(emissions, key=itemgetter(0)):
            route(self, emitter, [value for _, value in group], emitter.refusing)

    def _reported(self, run: RoutineRun, many: int) -> None:
        """Take what became of slices, then let the routine and those behind it go on.

        Those behind one that ends the job stay for the end to count.
        """
        step_token = self.step_token
        stepped = False
        for _ in range(many):
            report = run.reports.pop(0)
            stepped = stepped or report.token is step_token
            if isinstance(report, PlainToken):
                self._take_plain(run, report)
            else:
                self._take_report(run, report)
            if self.is_over:
                return
        self._make_room(run)
        if stepped and self.hold is not None:
            self.step_ended(self.hold)
        elif self.hold is not None or run.parked_out:
            recall_unstepped(self, run)
        elif run.stop or not run.open or run.ready or run.grant or run.suspended or run.continued:
            free(self, run)

    def _make_room(self, run: RoutineRun) -> None:
        if run.is_awaited:
            for slot in run.slots:
                make_room(self, slot)

    def _take_plain(self, run: RoutineRun, token: PlainToken) -> None:
        """A slice of plain bodies that all ended well."""
        if token.over:
            return
        done = token.done
        run.tokens.pop(token, None)
        self.tokens -= 1
        run.activations += done
        run.seconds += token.seconds
        for slot in run.slots:
            slot.consumed += done
        if done and self.tell.tells_slices:
            self.tell.slice_ended(run, token)

    def _take_report(self, run: RoutineRun, report: Report) -> None:
        token = report.token
        if token.over:
            if report.suspended is not None:
                self.more.bodies.append((run, report.suspended))
            return
        run.tokens.pop(token, None)
        self.tokens -= 1
        run.activations += report.done + report.finished
        run.seconds += report.seconds
        run.count_done(report)
        for entry in report.entries:
            ended(self, run, entry)
        if report.finished and token.begun is not None:
            ended(self, run, token.begun)
        if report.done:
            self.tell.slice_ended(run, report)
        if report.returned is not None:
            recall_unstepped(self, run)
            give_back(run, report.returned)
        elif report.suspended is not None:
            run.suspended.append(report.suspended._replace(number=self.next_number()))
        elif report.failed is not None:
            if run.clocks:
                self.timers.call_off(run.clocks.pop(report.failed.entry[0], None))
            fail(self, run, report.failed, report.finished)

    def take_late(self, run: RoutineRun) -> None:
        """A body of the ended job has reported."""
        take_late(self, run)

    def step_ended(self, now: Hold) -> None:
        """What a step let go has ended, or stands waiting: hold again."""
        self.step_token = None
        hold(self, "step", now.generation)

    # ---- out

    def running(self) -> int:
        """How many workers are in a slice of this job now and don't stand waiting."""
        return sum(token.is_running for run in self.runs for token in run.tokens)

    def ready(self) -> tuple[ReadyActivation, ...]:
        """All activations that could start, oldest first."""
        found = [ReadyActivation(run.id, n) for run in self.runs for n in _numbers(run)]
        return tuple(sorted(found, key=lambda activation: activation.number))

    def keep_dead(self, failure: Failure) -> None:
        """Keep a failure whose messages nobody took."""
        if not isinstance(self.dead_letters, deque):
            self.dead_letters = deque(maxlen=KEPT_DEAD_LETTERS)
        self.dead_letters.append(failure)

    def tell_counters(self) -> None:
        """Tell the counters of every routine, if anybody listens."""
        if JobProgress in self.tell.wants.kinds:
            running = 0 if self.is_over else self.running()
            counts = {run.id: count_routine(self, run) for run in self.runs}
            self.tell.progress(self.status.value, running, counts, self.stalled)

    def rule_failed(self, run: RoutineRun, error: BaseException) -> None:
        """A rule of the user's raised: the job fails and says where."""
        failure = failure_of(run.id, {}, error)
        self.tell.failed(failure, "stop")
        end(self, JobStatus.FAILED, failure)

    def fail(self, error: BaseException) -> None:
        """End the job because of a fault of the engine itself, whatever state it left."""
        failure = failure_of("", {}, error)
        before = self.taken()
        self.more.wakes.extend(before.rare.wakes)
        self.status, self.error, self.is_over = JobStatus.FAILED, failure, True
        self.finished_at = self.tell.now
        self.timers.clear()
        for run in self.runs:
            close(self, run)
        self.tell.ended(self.status, failure, ())

    def move(self, to: JobStatus) -> None:
        """Change the status; raises IllegalMove for a step the table doesn't have."""
        self.status = moved(self.job_id, self.status, to)
        self.is_over = to in FINAL

    def next_hold(self) -> int:
        """The id of the next hold of this job."""
        self._holds += 1
        return self._holds

    def next_number(self) -> int:
        """The number of the next message, or of a generator that is ready again."""
        self.last_number += 1
        return self.last_number

    def numbered(self, values: Sequence[Any]) -> list[Numbered]:
        """Values as messages, in their order."""
        first = self.last_number + 1
        self.last_number += len(values)
        return [(first, values[0])] if len(values) == 1 else list(enumerate(values, first))


def _numbers(run: RoutineRun) -> list[int]:
    """The numbers of everything that could start or go on: none behind what waits for room."""
    if run.parked_out:
        return []
    special: list[Special] = [*run.suspended, *run.continued]
    entries = (*run.ready, *run.grant) if run.bodies() < run.limit else ()
    return [item.number for item in special] + [entry[0] for entry in entries]


_HANDLERS: dict[type, Callable[[JobCore, Any], None]] = {
    Start: JobCore.start,
    Posted: JobCore._posted,
    Emitted: JobCore._emitted,
    Pause: pause,
    Resume: resume,
    Step: step,
    Cancel: JobCore._cancel,
    Close: JobCore._close,
    Tick: JobCore._tick,
    Refused: JobCore._refused,
    Resize: JobCore._resize,
    Unstall: JobCore._unstall,
    Sample: JobCore._sample,
    SetStops: JobCore._set_stops,
}

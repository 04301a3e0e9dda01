"""Every decision of one job: routing, activation, capacity, failures, holds, completion.

Pure: no thread, no clock, no I/O. Messages go in through `handle`; what is to be done comes out
in `Instructions`. The executor holds the job's guard and lock around both. What workers touch
meanwhile (`grant`, `pending`, `reports`, `mark`, `stop`) is described in `slices`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from penstock.flow import Failure
from penstock.observe import JobProgress
from penstock.run.counting import count_routine
from penstock.run.failures import Decision, decide, failure_of
from penstock.run.hold import Hold, ReadyActivation
from penstock.run.instructions import Instructions, Wants
from penstock.run.matching import InOrder, KeyedQueues
from penstock.run.messages import (
    Cancel,
    Message,
    Pause,
    Posted,
    Resume,
    Sample,
    SetStops,
    Start,
    Step,
)
from penstock.run.routing import Plan
from penstock.run.slices import (
    SLICE,
    UNLIMITED,
    Emitter,
    Entry,
    Finish,
    Report,
    RoutineRun,
    SlotQueue,
    Special,
    Suspended,
    Token,
)
from penstock.run.state import JobStatus, moved
from penstock.run.telling import Teller

KEPT_OUTPUTS = 1000
_UNTOLD = ("", -1)


class JobCore:
    """The state of one job and all that may change it. One caller at a time.

    `announce` is called by workers when a routine has news; `generations` numbers the holds of
    a runtime.
    """

    def __init__(
        self,
        job_id: str,
        plan: Plan,
        workers: int,
        announce: Callable[[RoutineRun], None],
        wants: Wants,
        generations: Iterator[int] | None = None,
    ) -> None:
        self.job_id = job_id
        self.plan = plan
        self.status = JobStatus.PENDING
        self.error: Failure | None = None
        self.dead_letters: list[Failure] = []
        self.hold: Hold | None = None
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.out = Instructions()
        self.tell = Teller(job_id, wants, self.out.events)
        self.runs = [
            RoutineRun(row, i, job_id, workers, announce) for i, row in enumerate(plan.routines)
        ]
        self.by_id = {run.id: run for run in self.runs}
        self._generations = generations if generations is not None else count(1)
        self._hold_ids = count(1)
        self._number = 0
        self._tokens = 0
        self._parked = 0
        self._step_token: Token | None = None
        self._told_next: tuple[str, int] | None = _UNTOLD
        self._sample_wanted = False
        self._finishing = iter(plan.finish_order)
        self._link()

    def _link(self) -> None:
        """Point every emitter at the slots its event goes to."""
        for run, row in zip(self.runs, self.plan.routines, strict=True):
            for emitter, targets in zip(run.emitters, row.targets, strict=True):
                emitter.targets = tuple(self.runs[i].slots[k] for i, k in targets)
                if targets:
                    emitter.soft = min(slot.capacity for slot in emitter.targets)
                elif emitter.name != "failed":
                    emitter.outputs = deque(maxlen=KEPT_OUTPUTS)
            if len(run.slots) > 1:
                many = len(run.slots)
                run.sets = KeyedQueues(many, row.key) if row.key else InOrder(many)

    # ---- what comes in

    def handle(self, message: Message | RoutineRun, now: float) -> None:
        """Take one message (or the news of one routine) at wall-clock time `now`."""
        self.tell.now = max(self.tell.now, now)
        if isinstance(message, RoutineRun):
            self._news(message)
        elif not self.status.is_final:
            _HANDLERS[type(message)](self, message)

    def settle(self) -> None:
        """Called when nothing more has come in: a pause may be complete, the job at its end."""
        if self.status.is_final or self.status is JobStatus.PENDING:
            return
        if self.status is JobStatus.PAUSING and not self.running():
            self._move(JobStatus.PAUSED)
        self._look_for_the_end()
        if self._sample_wanted and not self.status.is_final:
            self._sample_wanted = False
            self._tell_counters()

    def _look_for_the_end(self) -> None:
        nothing_left = not (self._tokens or self._parked or self._anything_ready())
        if nothing_left and not self._start_next_finish():
            self._end(JobStatus.COMPLETED, None)
        else:
            self._tell_new_next()

    def running(self) -> int:
        """How many workers are in a slice of this job now."""
        return sum(token.worker is not None for run in self.runs for token in run.tokens)

    def ready(self) -> tuple[ReadyActivation, ...]:
        """All activations that could start, oldest first."""
        found = [ReadyActivation(run.id, n) for run in self.runs for n in _numbers(run)]
        return tuple(sorted(found, key=lambda activation: activation.number))

    # ---- messages

    def _start(self, message: Start) -> None:
        self.started_at = self.tell.now
        self._move(JobStatus.RUNNING)
        self.tell.started(self.plan.flow, self.by_id)
        for run in self.runs:
            run.stops = message.stops.get(run.id, ())
            run.open = run.open and not run.stops
        if message.hold_generation is not None:
            self._close_gates()
            self.hold = Hold(next(self._hold_ids), message.hold_generation, "pause")
        for ref, value in message.params:
            routine, _, name = ref.partition(".")
            slot = next(s for s in self.by_id[routine].slots if s.name == name)
            self._arrive(slot, [(self._next_number(), value)], None)
        for run in self.runs:
            if run.plan.is_source:
                run.ready.append((self._next_number(), None))
        if self.hold is not None:
            if self.status is JobStatus.RUNNING:  # else a breakpoint was hit by a parameter
                self._move(JobStatus.PAUSED)
            self._told_next = _UNTOLD
        for run in self.runs:
            self._pump(run)

    def _posted(self, message: Posted) -> None:
        message.slot.reserved -= 1
        self._arrive(message.slot, [(self._next_number(), message.value)], None)

    def _pause(self, message: Pause) -> None:
        hold = self.hold
        if hold is None or self._step_token is not None:
            self._step_token = None
            self._hold("pause", message.generation)
        else:
            self.hold = replace(hold, generation=message.generation)
            self._told_next = _UNTOLD

    def _resume(self, message: Resume) -> None:
        hold = self.hold
        if hold is None or hold.generation > message.generation:
            return
        if message.held_id not in (None, hold.id):
            return
        place = self._next_run()
        if hold.at:
            held = self.by_id[hold.at]
            held.passed = {n for n, _ in held.ready if n in held.passed or n == hold.number}
        self.hold = None
        self._step_token = None
        if self.status is not JobStatus.RUNNING:
            self._move(JobStatus.RUNNING)
        self.tell.resumed(hold, False, place.id if place else "")
        for run in self.runs:
            self._free(run)

    def _step(self, message: Step) -> None:
        hold = self.hold
        if hold is None:
            self.tell.step_ignored("the job isn't held")
        elif self._step_token is not None:
            self.tell.step_ignored(f"a step of {self._step_token.routine} is under way")
        elif (run := self._step_target(message.activation)) is None:
            self.tell.step_ignored("no activation is ready to start")
        else:
            self._let_one_go(run, hold)

    def _step_target(self, activation: ReadyActivation | None) -> RoutineRun | None:
        if activation is None:
            return self._next_run()
        wanted = (activation.routine, activation.number)
        return next((r for r in self._steppable() if (r.id, r.next_number()) == wanted), None)

    def _let_one_go(self, run: RoutineRun, hold: Hold) -> None:
        """Step over: grant one activation (or the next piece of a generator) and nothing else."""
        if run.suspended and run.suspended[0].number == run.next_number():
            run.continued.append(run.suspended.popleft())
        else:
            run.grant.append(run.ready.popleft())
        self._move(JobStatus.RUNNING)
        self.tell.resumed(hold, True, run.id)
        run.stop = False
        self._step_token = self._issue(run, 1)

    def _cancel(self, _message: Cancel) -> None:
        self._end(JobStatus.CANCELLED, None)

    def _sample(self, _message: Sample) -> None:
        self._sample_wanted = True

    def _set_stops(self, message: SetStops) -> None:
        for run in self.runs:
            run.stops = message.stops.get(run.id, ())
            if run.stops:
                run.open = False
                self._recall(run)
        if self.status is JobStatus.RUNNING and self.hold is None:
            for run in self.runs:
                self._free(run)

    # ---- news of a routine: reports of slices, and what they emitted

    def _news(self, run: RoutineRun) -> None:
        """Take reports and emissions of a routine.

        Clear, then take: a late emit announces itself again, and the emissions of every report
        taken here are already in `pending`.
        """
        run.dirty = False
        if self.status.is_final:
            return
        reports = [run.reports.popleft() for _ in range(len(run.reports))]
        self.tell.activations(run)
        for emitter in run.emitters:
            emitter.room = 0
            pending = emitter.pending
            if waiting := len(pending):
                self._route(emitter, [pending.popleft() for _ in range(waiting)])
        if self.status.is_final:
            return
        if reports:
            self._reported(run, reports)
        elif run.stop and self.hold is None and not run.parked_out:
            self._free(run)

    def _route(self, emitter: Emitter, values: list[Any]) -> None:
        """Number the values of one event and hand them to every slot it goes to."""
        messages = list(enumerate(values, self._number + 1))
        self._number += len(values)
        emitter.emitted += len(values)
        self.tell.value(emitter, messages[-1])
        if not emitter.targets:
            if emitter.outputs is not None:
                emitter.outputs.extend(values)
            return
        soft = UNLIMITED
        for slot in emitter.targets:
            self._arrive(slot, messages, emitter)
            if self.status.is_final:
                return
            soft = min(soft, slot.free())
        emitter.soft = max(0, soft)

    def _arrive(self, slot: SlotQueue, messages: list[Entry], emitter: Emitter | None) -> None:
        """Messages reach a slot: into the grant at once if its routine is open, else queued.

        What doesn't fit waits at its connection.
        """
        run = slot.run
        free = slot.free()
        slot.posted += len(messages)
        self.tell.queued(slot, messages, emitter, free)
        if emitter is None:
            self.tell.value(slot, messages[-1])
        if run.open and len(messages) <= free:
            run.grant.extend(messages)
            slot.high_water = max(slot.high_water, len(run.grant))
            if len(run.tokens) < run.limit:
                self._issue_for_grant(run)
            return
        if emitter is not None and len(messages) > free:
            fits = max(0, free)
            self._park(slot, messages[fits:], emitter)
            messages = messages[:fits]
        if messages and self._enqueue(slot, messages):
            self._pump(run)

    def _park(self, slot: SlotQueue, messages: Sequence[Entry], emitter: Emitter) -> None:
        """Messages wait at their connection; their producer isn't activated until they fit."""
        producer = emitter.run
        if producer is None:
            return
        if slot.parked is None:
            slot.parked = deque()
        slot.parked.extend((message, emitter.owner) for message in messages)
        self._parked += len(messages)
        producer.parked_out += len(messages)
        producer.stop = True
        producer.open = False
        self._recall(producer)

    def _enqueue(self, slot: SlotQueue, messages: Sequence[Entry]) -> bool:
        """Put messages that fit into the slot; False when that ended the job."""
        run = slot.run
        if run.sets is None:
            run.ready.extend(messages)
        else:
            for i, message in enumerate(messages):
                if not self._form(slot, run.sets, message):
                    rest = [(left, run.index) for left in messages[i + 1 :]]
                    slot.parked = deque([*rest, *(slot.parked or ())])
                    return False
        slot.high_water = max(slot.high_water, slot.depth())
        return True

    def _form(self, slot: SlotQueue, sets: KeyedQueues | InOrder, message: Entry) -> bool:
        try:
            complete = sets.add(slot.index, message)
        except BaseException as error:  # noqa: BLE001 -- border to user code: a key function
            failure = failure_of(slot.run.id, {slot.name: message[1]}, error)
            slot.dead += 1
            self.tell.failed(failure, "stop")
            self._end(JobStatus.FAILED, failure)
            return False
        if complete is not None:
            slot.run.ready.append((max(m[0] for m in complete), complete))
        return True

    def _reported(self, run: RoutineRun, reports: list[Report]) -> None:
        """Take what became of slices, then let the routine and those behind it go on."""
        stepped = any(report.token is self._step_token for report in reports)
        for report in reports:
            self._take_report(run, report)
            if self.status.is_final:
                return
        for slot in run.slots:
            self._make_room(slot)
        if stepped and self.hold is not None:
            self._step_token = None
            self._hold("step", self.hold.generation)
        elif self.hold is not None or run.parked_out:
            if self._step_token not in run.tokens:  # what a step let go is left to it
                self._recall(run)
        else:
            self._free(run)

    def _take_report(self, run: RoutineRun, report: Report) -> None:
        token = report.token
        run.tokens.discard(token)
        self._tokens -= 1
        run.activations += report.done + report.finished
        run.seconds += report.seconds
        for slot in run.slots:
            slot.consumed += report.done
        self.tell.slice_ended(run, report)
        if report.returned is not None:
            self._give_back(run, report.returned)
        elif report.suspended is not None:
            run.suspended.append(report.suspended._replace(number=self._next_number()))
        elif report.failed is not None:
            self._fail(run, report.failed[1], report.finished)

    def _give_back(self, run: RoutineRun, item: Entry | Special) -> None:
        """What a worker popped and didn't begin goes back to its place, by number."""
        if self._step_token not in run.tokens:
            self._recall(run)
        if isinstance(item, Special):
            run.suspended.appendleft(item)
        else:
            run.ready = deque(sorted([item, *run.ready], key=_number))

    # ---- failing

    def _fail(self, run: RoutineRun, failure: Failure, in_finish: bool) -> None:
        emitter = run.emitters[-1]
        decision = decide(run.plan.on_error, bool(emitter.targets))
        delivered = decision is Decision.DELIVER
        self._count_failure(run, in_finish, delivered)
        self.tell.failed(failure, decision.value)
        if delivered:
            self._route(emitter, [failure])
        elif decision is Decision.CONTINUE:
            self.dead_letters.append(failure)
        else:
            self._end(JobStatus.FAILED, failure)

    def _count_failure(self, run: RoutineRun, in_finish: bool, delivered: bool) -> None:
        run.failures += 1
        if in_finish:
            return  # counted as an activation already, and bound to no message
        run.activations += 1
        for slot in run.slots:
            slot.consumed += delivered
            slot.dead += not delivered

    # ---- granting

    def _pump(self, run: RoutineRun) -> None:
        """Grant what is ready, if anything may be granted now."""
        if self.hold is not None or run.parked_out or self.status is not JobStatus.RUNNING:
            run.open = False
            return
        if run.suspended:
            run.continued.extend(run.suspended)
            run.suspended.clear()
        if run.stops:
            self._pump_one(run)
        elif run.ready:
            run.grant.extend(run.ready)
            run.ready.clear()
        run.open = run.single and not run.stops and self.hold is None
        self._issue_for_grant(run)

    def _pump_one(self, run: RoutineRun) -> None:
        """With a breakpoint before it: grant what has passed, hold the job at the next."""
        if not run.ready or len(run.tokens) >= run.limit or run.grant:
            return
        if run.ready[0][0] not in run.passed:
            self._hold("breakpoint", next(self._generations), run)
            return
        run.grant.append(run.ready.popleft())
        self._issue_for_grant(run)
        self._pump_one(run)

    def _free(self, run: RoutineRun) -> None:
        """Let a routine go on, unless what it emitted still waits or the job is held."""
        if not run.parked_out and self.hold is None:
            run.stop = False
        self._pump(run)

    def _issue_for_grant(self, run: RoutineRun) -> None:
        """A token for each granted entry, as far as more may run at once.

        Tokens whose slice has begun aren't counted as takers: each may be in a body for long.
        """
        room = run.limit - len(run.tokens)
        if room > 0:
            takers = sum(token.worker is None for token in run.tokens)
            for _ in range(min(room, len(run.grant) + len(run.continued) - takers)):
                self._issue(run, SLICE)

    def _issue(self, run: RoutineRun, limit: int) -> Token:
        token = Token(run)
        token.limit = limit
        run.tokens.add(token)
        self._tokens += 1
        self.out.tokens.append(token)
        return token

    def _recall(self, run: RoutineRun) -> None:
        """Take back what no worker has popped: each entry is either begun or ours again."""
        while run.grant:
            try:
                run.ready.appendleft(run.grant.pop())
            except IndexError:
                break
        while run.continued:
            try:
                run.suspended.appendleft(run.continued.pop())
            except IndexError:
                break

    # ---- room

    def _make_room(self, slot: SlotQueue) -> None:
        """After messages were taken: first what waits at the connections, then waiting posts."""
        if slot.parked:
            self._unpark(slot)
        for _ in range(min(slot.free(), len(slot.posters))):
            self.out.wakes.append(slot.posters.popleft())

    def _unpark(self, slot: SlotQueue) -> None:
        parked = slot.parked
        room = slot.capacity - slot.depth() - slot.reserved
        released: list[RoutineRun] = []
        fits: list[Entry] = []
        while parked and len(fits) < room:
            message, owner = parked.popleft()
            fits.append(message)
            producer = self.runs[owner]
            producer.parked_out -= 1
            if not producer.parked_out:
                released.append(producer)
        self._parked -= len(fits)
        if not parked:
            slot.parked = None
        if fits and self._enqueue(slot, fits):
            self._pump(slot.run)
            for producer in released:
                self._release(producer)

    def _release(self, producer: RoutineRun) -> None:
        for emitter in producer.emitters:
            if emitter.targets:
                emitter.soft = max(0, min(slot.free() for slot in emitter.targets))
        self._free(producer)

    # ---- holding

    def _close_gates(self) -> None:
        """Stop and recall everything.

        A worker writes its token's mark before it reads `stop`, so after this each activation
        either has begun, with a mark, or comes back.
        """
        for run in self.runs:
            run.stop = True
            run.open = False
            for token in run.tokens:
                token.limit = 0
            self._recall(run)

    def _hold(self, why: str, generation: int, at: RoutineRun | None = None) -> None:
        hit = (at.id, at.ready[0][0], at.stops) if at is not None else ("", 0, ())
        self._close_gates()
        self.hold = Hold(next(self._hold_ids), generation, why, *hit)
        to = JobStatus.PAUSING if self.running() else JobStatus.PAUSED
        if self.status is not to:
            self._move(to)
        self._told_next = _UNTOLD
        self._tell_new_next()

    def _tell_new_next(self) -> None:
        """Tell a hold, and again when what would go next has changed since.

        A worker that has popped an entry and not decided yet reports at once; until then what
        would go next isn't known.
        """
        if self.hold is None or self._step_token is not None:
            return
        if any(token.undecided for run in self.runs for token in run.tokens):
            return
        run = self._next_run()
        found = (run.id, run.next_number()) if run is not None else None
        if found != self._told_next:
            self._told_next = found
            self.tell.held(self.hold, run, self.runs)

    def _steppable(self) -> list[RoutineRun]:
        """Routines with something ready that may start or go on now."""
        return [run for run in self.runs if run.may_begin()]

    def _next_run(self) -> RoutineRun | None:
        """The routine with the amber arrow: the one a breakpoint holds, else the oldest ready."""
        found = self._steppable()
        at = self.hold.at if self.hold is not None else ""
        return next(
            (r for r in found if r.id == at), min(found, key=RoutineRun.next_number, default=None)
        )

    # ---- ending

    def _anything_ready(self) -> bool:
        return any(r.ready or r.suspended or r.grant or r.continued for r in self.runs)

    def _start_next_finish(self) -> bool:
        """Make the next `finish` ready; False when none is left."""
        index = next(self._finishing, None)
        if index is None:
            return False
        run = self.runs[index]
        number = self._next_number()
        run.suspended.append(Finish(number, (number, None)))
        self._pump(run)
        return True

    def _end(self, status: JobStatus, error: Failure | None) -> None:
        """The final status, at once: nothing starts, late emits are refused."""
        self._move(status)
        self.error = error
        self.finished_at = self.tell.now
        self.hold = None
        self._close_gates()
        self._keep_other_failures()
        slots = [slot for run in self.runs for slot in run.slots]
        for run in self.runs:
            self._close(run)
        for slot in slots:
            self._dismiss_posters(slot)
            if status is JobStatus.COMPLETED:
                slot.discarded = slot.depth()
        if status is JobStatus.COMPLETED:
            for run in self.runs:
                run.ready.clear()
                run.sets = None
        self._tell_counters()
        self.tell.ended(status.value, error, slots)

    def _keep_other_failures(self) -> None:
        """No error masks another: failures already reported are told and kept, then the end."""
        for run in self.runs:
            self.tell.activations(run)
            for report in tuple(run.reports):
                if report.failed is not None:
                    self._count_failure(run, report.finished, delivered=False)
                    self.dead_letters.append(report.failed[1])
                    self.tell.failed(report.failed[1], Decision.CONTINUE.value)

    def _tell_counters(self) -> None:
        """All counters, absolute: what was told of them before may be forgotten."""
        if self.tell.wants.kind(JobProgress):
            running = 0 if self.status.is_final else self.running()
            counts = {run.id: count_routine(self, run) for run in self.runs}
            self.tell.progress(self.status.value, running, counts)

    def fail(self, error: BaseException) -> None:
        """End the job because of a fault of the engine itself, whatever state it left."""
        failure = failure_of("", {}, error)
        self.out = Instructions(wakes=self.out.wakes)
        self.tell.events = self.out.events
        self.status, self.error = JobStatus.FAILED, failure
        self.finished_at = self.tell.now
        for run in self.runs:
            self._close(run)
            for slot in run.slots:
                self._dismiss_posters(slot)
        self.tell.ended(self.status.value, failure, ())

    def _dismiss_posters(self, slot: SlotQueue) -> None:
        """Wake whoever waits for room: they find that the job has ended."""
        self.out.wakes.extend(slot.posters)
        slot.posters.clear()

    def _close(self, run: RoutineRun) -> None:
        """Refuse emits; list bodies still running and generators that need closing."""
        run.over = True
        for emitter in run.emitters:
            emitter.run = None
        self.out.leaving.extend(token for token in run.tokens if token.worker is not None)
        self.out.bodies.extend(item for item in run.suspended if isinstance(item, Suspended))
        self.out.bodies.extend(r.suspended for r in run.reports if r.suspended is not None)
        run.suspended.clear()

    def _move(self, to: JobStatus) -> None:
        self.status = moved(self.job_id, self.status, to)

    def _next_number(self) -> int:
        self._number += 1
        return self._number


def _numbers(run: RoutineRun) -> list[int]:
    """The numbers of everything that could start or go on."""
    bodies = [body.number for body in (*run.suspended, *run.continued)]
    return bodies + [entry[0] for entry in (*run.ready, *run.grant)]


def _number(entry: Entry) -> int:
    return entry[0]


_HANDLERS: dict[type, Callable[[JobCore, Any], None]] = {
    Start: JobCore._start,
    Posted: JobCore._posted,
    Pause: JobCore._pause,
    Resume: JobCore._resume,
    Step: JobCore._step,
    Cancel: JobCore._cancel,
    Sample: JobCore._sample,
    SetStops: JobCore._set_stops,
}

"""Reading a job from any thread: each answer is a picture of one moment, taken under its lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from penstock.flow import Failure
from penstock.observe import RoutineCount
from penstock.run.core import JobCore
from penstock.run.counting import count_routine, running_in
from penstock.run.hold import ReadyActivation
from penstock.run.matching import Message
from penstock.run.records import KEPT_VALUES, RoutineRun, SlotQueue
from penstock.run.state import JobSnapshot, JobStatus
from penstock.run.telling import held_entry


class JobReads:
    """What anybody may ask about a job. `lock` is the job's; `created_at` wall-clock seconds."""

    def __init__(self, core: JobCore, lock: AbstractContextManager[Any], created_at: float) -> None:
        self.created_at = created_at
        self._core = core
        self._lock = lock

    @property
    def status(self) -> JobStatus:
        """The status now."""
        return self._core.status

    @property
    def error(self) -> Failure | None:
        """What ended the job, if a failure did."""
        return self._core.error

    @property
    def stalled(self) -> tuple[str, ...]:
        """The slots that hold everything up."""
        return self._core.stalled

    def outputs(self) -> dict[str, list[Any]]:
        """Copies of the last values of unconnected events."""
        with self._lock:
            return {
                emitter.ref: list(emitter.outputs)
                for run in self._core.runs
                for emitter in run.emitters
                if emitter.outputs is not None
            }

    def output_counts(self) -> dict[str, int]:
        """How many values each unconnected event has emitted."""
        with self._lock:
            return {
                emitter.ref: emitter.emitted
                for run in self._core.runs
                for emitter in run.emitters
                if emitter.outputs is not None
            }

    def counts(self) -> tuple[JobStatus, int, dict[str, RoutineCount]]:
        """Status, bodies running and counters per routine."""
        with self._lock:
            core = self._core
            running = 0 if core.status.is_final else core.running()
            return core.status, running, {run.id: count_routine(core, run) for run in core.runs}

    def running(self) -> dict[str, int]:
        """Routine -> bodies that run now, where any do."""
        with self._lock:
            runs = () if self._core.is_over else self._core.runs
            return {run.id: many for run in runs if (many := running_in(run))}

    def snapshot(self) -> JobSnapshot:
        """Everything."""
        with self._lock:
            core = self._core
            status, running, routines = self.counts()
            return JobSnapshot(
                id=core.job_id,
                flow=core.plan.flow,
                status=status,
                error=core.error,
                outputs=self.outputs(),
                output_counts=self.output_counts(),
                dead_letters=tuple(core.dead_letters),
                routines=routines,
                running=running,
                stalled=core.stalled,
                created_at=self.created_at,
                started_at=core.started_at,
                finished_at=core.finished_at,
            )

    def ready(self) -> tuple[ReadyActivation, ...]:
        """Activations that could start, oldest first."""
        with self._lock:
            return self._core.ready()

    def values(
        self, routine: str
    ) -> tuple[Mapping[str, tuple[Any, ...]], Mapping[str, tuple[Any, ...]]]:
        """Last values (number, time, summary) per slot and per event of one routine.

        Takes no lock: copying a deque is one step of the interpreter, and a window asks often.
        """
        run = self._core.run_of(routine)
        if run is None:
            return {}, {}
        events: dict[str, tuple[Any, ...]] = {event.name: () for event in run.plan.events}
        events |= {emitter.name: tuple(emitter.values or ()) for emitter in run.emitters}
        return {slot.name: self._arrived(slot) for slot in run.slots}, events

    def value(self, routine: str, port: str, number: int) -> Any:
        """The message of that number that is ready at a slot, or the last of a slot or an event.

        Raises LookupError when it is neither, or last values aren't kept.
        """
        with self._lock:
            run = self._core.run_of(routine)
            for found, message in _kept(self._core, run) if run is not None else ():
                if found == port and message[0] == number:
                    return message[1]
        raise LookupError(f"message {number} is no longer kept at {routine}.{port}")

    def held(self, routine: str) -> tuple[tuple[str, int], ...]:
        """Slot and number of each message that a routine's next activation takes.

        Of the routine before which the job is held it is what was told; nothing while it isn't.
        """
        with self._lock:
            run, hold = self._core.run_of(routine), self._core.hold
            entry = held_entry(run, hold) if run is not None and hold is not None else None
            if run is None or entry is None:
                return ()
            return tuple((slot.name, message[0]) for slot, message in run.bound_to(entry))

    def _arrived(self, slot: SlotQueue) -> tuple[Any, ...]:
        """The last values that reached a slot, over all its connections and posts."""
        found = list(slot.values or ())
        for run in self._core.runs:
            for emitter in run.emitters:
                if slot in emitter.targets:
                    found.extend(tuple(emitter.values or ()))
        return tuple(sorted(found, key=lambda sample: sample[0])[-KEPT_VALUES:])


def _kept(core: JobCore, run: RoutineRun) -> Iterator[tuple[str, Message]]:
    """The messages of a routine that can be found by number, with the names of their ports.

    The last of each port come first: they are asked for often, and many messages may be ready.
    """
    for emitter in run.emitters:
        if emitter.last is not None:
            yield emitter.name, emitter.last
    for slot in run.slots:
        if slot.last is not None:
            yield slot.name, slot.last
        for index in slot.producers:
            for emitter in core.runs[index].emitters:
                if emitter.last is not None and slot in emitter.targets:
                    yield slot.name, emitter.last
    for entry in (*run.ready, *run.grant):
        for slot, message in run.bound_to(entry):
            yield slot.name, message

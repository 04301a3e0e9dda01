"""The debugger: pause, resume, step and breakpoints, all non-blocking."""

from __future__ import annotations

import threading
from _thread import LockType, allocate_lock
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from penstock.debug.breakpoints import Breakpoints
from penstock.observe import HeldMessage, Instrument, JobEnded, JobHeld, JobResumed, StepIgnored
from penstock.run import JobExecutor, ReadyActivation, Runtime, Step, StopPoint


@dataclass(frozen=True)
class Held:
    """A job that is held. Its messages are bounded summaries, so showing it runs no user code.

    ``place`` is the routine that would go next ("" when none is ready), ``why`` one of pause,
    breakpoint, step; ``running`` names a routine per activation that had begun.
    """

    id: int
    job_id: str
    place: str
    why: str
    breakpoints: tuple[int, ...]
    messages: tuple[HeldMessage, ...]
    running: tuple[str, ...]
    generation: int


class Debugger:
    """Steers the jobs of one runtime. Calls return at once; what came of them is told as events.

    On an ended job `pause`, `resume` and `step` do nothing.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._listener = _Listener()
        runtime.instruments.add(self._listener)
        self.breakpoints = Breakpoints(self._set_stops)

    def pause(self, job_id: str | None = None) -> None:
        """Hold one job; without an id all of them, and those started later."""
        self._runtime.jobs.pause(job_id)

    def resume(self, job_id: str | None = None, held: Held | None = None) -> None:
        """Let a job (or all) go on. With `held`, only if that very hold is still there."""
        for one in self._listener.held(job_id) if held is None else [held]:
            self._listener.let_go(one)
        if held is None:
            self._runtime.jobs.resume(job_id)
        else:
            self._runtime.jobs.resume(held.job_id, held.generation, held.id)

    def step(
        self, job_id: str, kind: str = "over", activation: ReadyActivation | None = None
    ) -> None:
        """Start one held activation, the oldest ready or this, and hold again when it ended.

        For a generator a step goes to its next bare ``yield``. Raises ValueError for a kind other
        than "over".
        """
        if kind != "over":
            raise ValueError(f"kind must be 'over', is {kind!r}")
        executor = self._runtime.jobs.get(job_id)
        for one in self._listener.held(job_id):
            self._listener.let_go(one)
        executor.send(Step(activation))

    def ready(self, job_id: str) -> tuple[ReadyActivation, ...]:
        """Activations of the job that could start, oldest first."""
        executor: JobExecutor = self._runtime.jobs.get(job_id)
        return executor.reads.ready()

    def held(self, job_id: str | None = None) -> list[Held]:
        """What is held now, oldest first; of one job or of all."""
        return self._listener.held(job_id)

    def wait_held(self, job_id: str, timeout: float | None = None) -> Held | None:
        """The job's oldest unresumed `Held`, waiting for one; None at time-out or its end."""
        executor = self._runtime.jobs.get(job_id)
        return self._listener.wait(job_id, timeout, executor)

    def _set_stops(self, stops: tuple[StopPoint, ...]) -> None:
        self._runtime.jobs.set_stops(stops)


class _Listener(Instrument):
    """Keeps what is held. Called on job loops; `_lock` guards the tables.

    A hold that a step or resume was asked for counts as let go from that call on, so that a
    caller who steps and then waits gets the next one; an ignored step takes that back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[LockType] = []
        self._held: dict[str, Held] = {}
        self._let_go: dict[str, tuple[int, int]] = {}

    def let_go(self, held: Held) -> None:
        with self._lock:
            self._let_go[held.job_id] = (held.id, held.generation)

    def on_step_ignored(self, event: StepIgnored) -> None:
        with self._lock:
            self._let_go.pop(event.job_id, None)
            self._wake()

    def on_job_held(self, event: JobHeld) -> None:
        held = Held(
            event.held_id,
            event.job_id,
            event.place,
            event.why,
            event.breakpoints,
            event.messages,
            event.running,
            event.generation,
        )
        with self._lock:
            self._held[event.job_id] = held
            self._wake()

    def on_job_resumed(self, event: JobResumed) -> None:
        with self._lock:
            self._held.pop(event.job_id, None)

    def on_job_ended(self, event: JobEnded) -> None:
        with self._lock:
            self._held.pop(event.job_id, None)
            self._let_go.pop(event.job_id, None)
            self._wake()

    def held(self, job_id: str | None) -> list[Held]:
        with self._lock:
            found = [h for h in self._held.values() if job_id in (None, h.job_id)]
            found = [h for h in found if self._is_unresumed(h)]
        return sorted(found, key=lambda held: (held.generation, held.id))

    def wait(self, job_id: str, timeout: float | None, executor: JobExecutor) -> Held | None:
        deadline = None if timeout is None else monotonic() + timeout
        latch = allocate_lock()
        latch.acquire()
        left = timeout
        while True:
            with self._lock:
                held = self._unresumed(job_id)
                if held is not None or executor.status.is_final:
                    return held
                self._waiting.append(latch)
            if not executor.thread_pool.wait(latch, left):
                with self._lock:
                    with suppress(ValueError):  # it was woken meanwhile
                        self._waiting.remove(latch)
                    return self._unresumed(job_id)
            left = None if deadline is None else deadline - monotonic()

    def _wake(self) -> None:
        """Under the lock: who waits looks again."""
        for latch in self._waiting:
            latch.release()
        self._waiting.clear()

    def _unresumed(self, job_id: str) -> Held | None:
        held = self._held.get(job_id)
        return held if held is not None and self._is_unresumed(held) else None

    def _is_unresumed(self, held: Held) -> bool:
        """A newer pause of a held job renews its hold: one let go before is held again."""
        return self._let_go.get(held.job_id) != (held.id, held.generation)

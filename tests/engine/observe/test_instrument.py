"""Instruments watch: they may fail in any way and the run doesn't notice."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from helpers.bodies import Gate, gated_source
from helpers.flows import chain, pass_on, source
from helpers.recording import RecordingInstrument
from penstock import Instrument, JobStatus, Runtime
from penstock.observe import (
    EVENT_TYPES,
    ActivationEnded,
    EngineEvent,
    Instruments,
    JobEnded,
    JobProgress,
    JobStarted,
)
from penstock.observe.instrument import method_of

DEADLINE = 20.0


def started(seq: int = 1) -> JobStarted:
    return JobStarted(seq, "j", 0.0, "flow", ("a",))


def test_methods_are_named_after_the_events() -> None:
    assert method_of(ActivationEnded) == "on_activation_ended"
    assert method_of(JobStarted) == "on_job_started"


def test_only_what_somebody_listens_to_is_wanted() -> None:
    class Counts:
        def on_activation_ended(self, event: ActivationEnded) -> None: ...

    instruments = Instruments()
    assert not any(instruments.wants(kind) for kind in EVENT_TYPES)

    counts = Counts()
    instruments.add(counts)
    assert [kind for kind in EVENT_TYPES if instruments.wants(kind)] == [ActivationEnded]
    instruments.remove(counts)
    instruments.remove(counts)
    assert not instruments.wants(ActivationEnded)


def test_with_nobody_listening_no_event_is_built() -> None:
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(source([1, 2]), pass_on()))
        job.wait(DEADLINE)
        core = runtime.jobs.get(job.id).core
        assert core.tell.stamp()[0] == 1, "no number was given to any event"


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_broken_instrument_is_removed_and_logged_and_the_run_is_unaffected(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[EngineEvent] = []

    class Broken(Instrument):
        def on_job_started(self, event: JobStarted) -> None:
            calls.append(event)
            raise error

        def on_job_ended(self, event: JobEnded) -> None:
            calls.append(event)

    recording = RecordingInstrument()
    with Runtime(workers=1, instruments=[Broken(), recording]) as runtime:
        job = runtime.exec(chain(source([1]), pass_on()))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert [type(event) for event in calls] == [JobStarted]
    assert "Broken" in caplog.text
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert [event.seq for event in recording.events] == list(range(1, len(recording.events) + 1))
    caplog.clear()


def test_one_whose_methods_can_not_be_looked_up_is_left_out_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Hostile:
        def __getattr__(self, name: str) -> Any:
            raise SystemExit(name)

    recording = RecordingInstrument()
    with Runtime(workers=1, instruments=[Hostile(), recording]) as runtime:
        job = runtime.exec(chain(source([1])))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert "Hostile" in caplog.text
    assert recording.of(JobEnded)
    caplog.clear()


def test_one_that_turns_hostile_later_does_not_take_others_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Turns:
        hostile = False

        def __getattr__(self, name: str) -> Any:
            if self.hostile:
                raise ValueError(name)
            if name == "on_job_started":
                return lambda event: None
            raise AttributeError(name)

    class Broken:
        def on_job_started(self, event: JobStarted) -> None:
            raise ValueError

    recording = RecordingInstrument()
    turns = Turns()
    instruments = Instruments([turns, Broken(), recording])
    turns.hostile = True

    instruments.tell(started())
    instruments.tell(started(2))

    assert [event.seq for event in recording.events] == [1, 2]
    caplog.clear()


def test_an_attribute_that_is_no_method_is_not_called() -> None:
    class Odd:
        on_job_started = 7

    assert not Instruments([Odd()]).wants(JobStarted)


def test_attaching_while_another_is_attached_loses_neither() -> None:
    """As two threads may do: the second comes in the middle of the first one's look-ups."""
    instruments = Instruments()
    recording = RecordingInstrument()

    class Slow:
        met = False

        def __getattr__(self, name: str) -> Any:
            if not self.met:
                self.met = True
                thread = threading.Thread(target=instruments.add, args=(recording,))
                thread.start()
                thread.join(0.5)
                threads.append(thread)
            raise AttributeError(name)

    threads: list[threading.Thread] = []
    instruments.add(Slow())
    threads[0].join(DEADLINE)

    assert instruments.wants(JobStarted)


def test_events_come_in_the_order_of_their_numbers_for_each_job() -> None:
    recording = RecordingInstrument()
    with Runtime(workers=4, instruments=[recording]) as runtime:
        flow = chain(source(range(20)), pass_on(2, max_parallel=None), pass_on(1))
        jobs = [runtime.exec(flow) for _ in range(8)]
        runtime.jobs.wait_all(DEADLINE)

    for job in jobs:
        seqs = [event.seq for event in recording.of(EngineEvent, job.id)]
        assert seqs == list(range(1, len(seqs) + 1))
        times = [event.time for event in recording.of(EngineEvent, job.id)]
        assert times == sorted(times)


def test_an_instrument_is_called_on_the_loop_thread_of_the_job() -> None:
    names: list[str] = []

    class Names(Instrument):
        def on_job_ended(self, event: JobEnded) -> None:
            names.append(threading.current_thread().name)

    with Runtime(workers=1, instruments=[Names()]) as runtime:
        job = runtime.exec(chain(source([1])))
        job.wait(DEADLINE)

    assert names == [f"penstock-job-{job.id}"]


def test_an_instrument_may_read_and_steer_the_job_it_watches() -> None:
    seen: list[Any] = []

    class Steers(Instrument):
        def on_job_started(self, event: JobStarted) -> None:
            executor = runtime.jobs.get(event.job_id)
            seen.append(executor.state.snapshot().status)
            runtime.jobs.cancel(event.job_id)

    gate = Gate()
    with Runtime(workers=1, instruments=[Steers()]) as runtime:
        job = runtime.exec(chain(gated_source(gate)))
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        gate.open()

    assert seen == [JobStatus.RUNNING]


def test_progress_is_no_event_of_the_loop_but_an_instrument_may_name_it() -> None:
    assert JobProgress in EVENT_TYPES

"""The real runtime: entry, outputs, counts, parallelism, two of everything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from helpers.bodies import Gate, gated, gated_source
from helpers.driven import check_slot
from helpers.flows import (
    burst,
    chain,
    failing,
    flow_of,
    pair,
    pass_on,
    routine,
    sink,
    source,
    split,
)
from helpers.recording import RecordingInstrument, starts_and_ends
from penstock import (
    AllSlots,
    Continue,
    Event,
    Failure,
    Flow,
    InvalidValue,
    JobState,
    JobStatus,
    PenstockError,
    Routine,
    Runtime,
    Slot,
    UnknownPort,
)
from penstock.observe import JobEnded, JobStarted

DEADLINE = 20.0


class Tokenise(Routine):
    """Splits a line of text into words."""

    line = Slot(str)
    word = Event(str)

    class Config(BaseModel):
        lower: bool = True

    def logic(self, line: str) -> None:
        for word in line.split():
            self.word.emit(word.lower() if self.config.lower else word)


class Count(Routine):
    word = Slot(str)
    total = Event(dict)

    class State:
        def __init__(self) -> None:
            self.counts: dict[str, int] = {}

    def logic(self, word: str) -> None:
        self.state.counts[word] = self.state.counts.get(word, 0) + 1

    def finish(self) -> None:
        self.total.emit(self.state.counts)


def word_count() -> Flow:
    flow = Flow("word-count")
    flow.add("tokenise", Tokenise(lower=True))
    flow.add("count", Count())
    flow.connect("tokenise.word", "count.word")
    return flow


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(workers=4) as made:
        yield made


def finished(job: JobState, status: JobStatus = JobStatus.COMPLETED) -> JobState:
    assert job.wait(timeout=DEADLINE) is status, (job, job.error)
    return job


def check(job: JobState, in_flight: int = 0) -> None:
    for routine_id, count in job.routines.items():
        for name, slot in count.slots.items():
            check_slot(f"{routine_id}.{name}", slot, in_flight)


def test_the_whole_program_of_the_api_page() -> None:
    flow = word_count()

    with Runtime(workers=4) as runtime:
        job = runtime.exec(flow, entry_params={"tokenise.line": "a b A"})
        job.wait(timeout=10)
        assert job.outputs["count.total"] == [{"a": 2, "b": 1}]
        assert job.status is JobStatus.COMPLETED
        assert job.error is None
        assert job.output_counts == {"count.total": 1}
        assert job.routines["tokenise"].activations == 1
        assert job.routines["count"].slots["word"].consumed == 3


def test_exec_returns_at_once(runtime: Runtime) -> None:
    gate = Gate()

    job = runtime.exec(chain(gated_source(gate)))

    assert not job.status.is_final
    gate.wait_came()
    assert job.wait(timeout=0) is JobStatus.RUNNING
    assert job.routines["a"].running == 1
    assert runtime.statistics().running == {job.id: {"a": 1}}
    gate.open()
    finished(job)


def test_outputs_have_their_keys_from_the_start(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(flow_of({"s": gated_source(gate), "p": pass_on()}))

    assert job.outputs == {"s.out": [], "p.out": []}
    gate.open()
    assert finished(job).outputs == {"s.out": [1], "p.out": []}


def test_the_last_thousand_outputs_are_kept_in_order(runtime: Runtime) -> None:
    job = finished(runtime.exec(chain(source(range(3000)))))

    assert job.outputs["a.out"] == list(range(2000, 3000))
    assert job.output_counts["a.out"] == 3000


def test_reading_outputs_gives_a_copy(runtime: Runtime) -> None:
    job = finished(runtime.exec(chain(source([1]))))

    job.outputs["a.out"].append(2)

    assert job.outputs["a.out"] == [1]


def test_times_are_in_order(runtime: Runtime) -> None:
    job = finished(runtime.exec(chain(source([1]))))

    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at


def test_a_snapshot_is_frozen_and_shows_itself(runtime: Runtime) -> None:
    job = finished(runtime.exec(chain(source([1]))))

    snapshot = job.snapshot()

    assert snapshot.status is JobStatus.COMPLETED
    assert snapshot.outputs == {"a.out": [1]}
    assert repr(snapshot).startswith("JobSnapshot(id=")
    with pytest.raises(AttributeError):
        snapshot.status = JobStatus.FAILED  # type: ignore[misc]


# ---- entry parameters


def test_a_bare_slot_name_is_enough_with_one_entry_routine(runtime: Runtime) -> None:
    job = runtime.exec(word_count(), entry_params={"line": "x"})

    assert finished(job).outputs["count.total"] == [{"x": 1}]


def test_any_slot_may_be_named(runtime: Runtime) -> None:
    job = runtime.exec(word_count(), entry_params={"count.word": "w", "tokenise.line": "x"})

    assert finished(job).outputs["count.total"] == [{"x": 1, "w": 1}]


@pytest.mark.parametrize(
    "name", ["tokenise.nothing", "nobody.line", "word", "tokenise.word", "", ".", "a.b.c"]
)
def test_an_unknown_parameter_raises_before_a_job_exists(runtime: Runtime, name: str) -> None:
    with pytest.raises(UnknownPort):
        runtime.exec(word_count(), entry_params={name: "x"})

    assert runtime.jobs.list() == []


def test_a_bare_name_is_refused_with_several_entry_routines(runtime: Runtime) -> None:
    flow = flow_of({"x": pass_on(), "y": pass_on()})

    with pytest.raises(UnknownPort):
        runtime.exec(flow, entry_params={"value": 1})


@pytest.mark.parametrize("value", [1, None, b"x", ["x"]])
def test_a_parameter_of_the_wrong_type_raises_before_a_job_exists(
    runtime: Runtime, value: object
) -> None:
    with pytest.raises(InvalidValue):
        runtime.exec(word_count(), entry_params={"tokenise.line": value})

    assert runtime.jobs.list() == []


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [(int, 1, "1"), (int, 1, True), (float, 1.5, "1.5"), (bool, True, 1), (list[int], [1], ["1"])],
)
def test_parameters_from_python_are_checked_strictly(
    runtime: Runtime, type_: Any, good: object, bad: object
) -> None:
    def logic(self: Any, value: Any) -> None:
        self.out.emit(value)

    flow = flow_of({"a": routine(logic, slots={"value": Slot(type_)})})

    assert finished(runtime.exec(flow, {"a.value": good})).outputs["a.out"] == [good]
    with pytest.raises(InvalidValue):
        runtime.exec(flow, {"a.value": bad})


def test_a_type_pydantic_does_not_know_is_checked_by_instance(runtime: Runtime) -> None:
    class Own:
        pass

    def logic(self: Any, value: Any) -> None:
        self.out.emit(value)

    flow = flow_of({"a": routine(logic, slots={"value": Slot(Own)})})
    mine = Own()

    assert finished(runtime.exec(flow, {"a.value": mine})).outputs["a.out"] == [mine]
    with pytest.raises(InvalidValue):
        runtime.exec(flow, {"a.value": object()})


def test_a_registered_flow_starts_by_its_name(runtime: Runtime) -> None:
    runtime.register(word_count())

    assert finished(runtime.exec("word-count", {"line": "x"})).flow == "word-count"
    with pytest.raises(PenstockError, match="nobody"):
        runtime.exec("nobody")


def test_a_job_id_may_be_chosen_once(runtime: Runtime) -> None:
    job = runtime.exec(chain(source([1])), job_id="mine")
    assert job.id == "mine"
    assert runtime.jobs.get("mine").state is job

    with pytest.raises(PenstockError, match="mine"):
        runtime.exec(chain(source([1])), job_id="mine")
    finished(job)


# ---- counts


FLOWS = {
    "diamond": lambda: flow_of(
        {"s": source(range(300)), "x": pass_on(5), "y": split(3, max_parallel=None), "z": sink([])},
        "s.out -> x.value",
        "s.out -> y.value",
        "x.out -> z.value",
        "y.out -> z.value",
    ),
    "match": lambda: flow_of(
        {
            "s": source({"k": n} for n in range(300)),
            "x": pass_on(9, max_parallel=3),
            "y": pass_on(4, max_parallel=None),
            "p": pair(700, activation=AllSlots(match="k")),
        },
        "s.out -> x.value",
        "s.out -> y.value",
        "x.out -> p.left",
        "y.out -> p.right",
    ),
    "failing": lambda: flow_of(
        {"s": burst(range(100)), "f": failing(lambda: ValueError("x"), 8, on_error=Continue())},
        "s.out -> f.value",
    ),
}


@pytest.mark.parametrize("shape", FLOWS)
@pytest.mark.parametrize("workers", [1, 4])
def test_every_message_of_a_completed_job_is_accounted_for(shape: str, workers: int) -> None:
    with Runtime(workers=workers) as runtime:
        job = finished(runtime.exec(FLOWS[shape]()))
        check(job)
        snapshot = job.snapshot()

    for count in snapshot.routines.values():
        for slot in count.slots.values():
            assert slot.queued == slot.depth == 0
            assert slot.posted == slot.consumed + slot.dead
    if shape == "match":
        assert snapshot.output_counts["p.out"] == 300
        assert all(one == other for one, other in snapshot.outputs["p.out"])


def test_messages_are_accounted_for_while_a_job_is_held(runtime: Runtime) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=4, instruments=[recording]) as held:
        job = held.exec(FLOWS["diamond"]())
        for _ in range(15):
            generation = held.jobs.pause(job.id)
            if _is_quiet(job):
                assert job.routines["z"].slots["value"].in_flight == 0
                for name in ("x", "z"):
                    check_slot(name, job.routines[name].slots["value"])
            held.jobs.resume(job.id, generation)
        finished(job)
        check(job)


def _is_quiet(job: JobState) -> bool:
    """Wait until nothing of a pausing job runs; False when it has ended."""
    tick = threading.Event()
    for _ in range(5000):
        snapshot = job.snapshot()
        if snapshot.status in (JobStatus.PAUSED,) or snapshot.status.is_final:
            return not snapshot.status.is_final
        tick.wait(0.001)
    raise AssertionError(job)


# ---- max_parallel


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (2, 2), (3, 3), (None, 4)])
def test_as_many_bodies_run_as_max_parallel_says_and_never_more(
    runtime: Runtime, limit: int | None, most: int
) -> None:
    gate = Gate()
    job = runtime.exec(chain(burst(range(8)), gated(gate, max_parallel=limit)))

    gate.wait_inside(most)
    assert job.routines["b"].running == most
    for n in range(8):
        gate.let_go()
        gate.wait_came(min(8, most + n + 1))
    finished(job)
    assert gate.most_inside == most
    assert sorted(job.outputs["b.out"]) == list(range(8))


def test_bodies_whose_messages_come_one_by_one_run_in_parallel(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(flow_of({"a": gated(gate, max_parallel=3)}), {"a.value": 0})
    gate.wait_inside(1)
    try:
        for n in (1, 2):
            runtime.post(job.id, "a.value", n)
            gate.wait_inside(n + 1, timeout=3.0)
    finally:
        gate.open()
    finished(job)


def test_with_max_parallel_one_the_order_is_kept_on_any_number_of_workers(
    runtime: Runtime,
) -> None:
    seen: list[int] = []
    parts = [source(range(500)), *(pass_on(7) for _ in range(4)), sink(seen, 3)]
    finished(runtime.exec(chain(*parts)))

    assert seen == list(range(500))


# ---- state, jobs and runtimes apart


def test_state_is_made_once_a_job_and_routine_even_when_many_begin_at_once() -> None:
    made: list[int] = []
    lock = threading.Lock()

    class State:
        def __init__(self) -> None:
            with lock:
                made.append(1)
            self.lock = threading.Lock()
            self.total = 0

    def logic(self: Any, value: int) -> None:
        with self.state.lock:
            self.state.total += value

    def finish(self: Any) -> None:
        self.out.emit(self.state.total)

    adder = routine(
        logic, slots={"value": Slot(int)}, finish=finish, state=State, max_parallel=None
    )
    flow = chain(burst(range(200)), adder)
    with Runtime(workers=8) as runtime:
        jobs = [finished(runtime.exec(flow)) for _ in range(5)]

    assert [job.outputs["b.out"] for job in jobs] == [[sum(range(200))]] * 5
    assert len(made) == 5


def test_without_a_state_class_state_is_none(runtime: Runtime) -> None:
    def logic(self: Any) -> None:
        self.out.emit((self.state, self.cancelled))

    assert finished(runtime.exec(chain(routine(logic)))).outputs["a.out"] == [(None, False)]


def test_jobs_of_one_flow_share_nothing(runtime: Runtime) -> None:
    flow = word_count()
    lines = ["a b a", "c", "a a a a", ""]

    jobs = [runtime.exec(flow, {"line": line}) for line in lines * 5]

    for job, line in zip(jobs, lines * 5, strict=True):
        expected = {word: line.split().count(word) for word in line.split()}
        assert finished(job).outputs["count.total"] == [expected]
        check(job)


def test_two_runtimes_run_one_flow_object_at_once() -> None:
    gate = Gate()
    flow = chain(gated_source(gate), pass_on())
    with Runtime(workers=1) as one, Runtime(workers=1) as other:
        jobs = [one.exec(flow), other.exec(flow)]
        gate.wait_inside(2)
        gate.open()
        assert [finished(job).outputs["b.out"] for job in jobs] == [[1], [1]]


def test_a_job_runs_the_flow_as_it_was(runtime: Runtime) -> None:
    gate = Gate()
    flow = flow_of({"s": gated_source(gate), "p": pass_on()}, "s.out -> p.value")
    job = runtime.exec(flow)
    gate.wait_came()

    flow.disconnect("s.out", "p.value")
    flow.remove("p")
    flow.add("other", source([9]))
    gate.open()

    assert finished(job).outputs == {"p.out": [1]}
    assert set(job.routines) == {"s", "p"}


def test_a_running_job_leaves_the_flow_file_as_it_is(runtime: Runtime) -> None:
    flow = word_count_of_this_module()
    before = flow.to_json()

    job = runtime.exec(flow, {"line": "a"})
    assert flow.to_json() == before
    finished(job)
    assert flow.to_json() == before


def word_count_of_this_module() -> Flow:
    import sys
    from types import ModuleType

    module = sys.modules.setdefault(__name__, ModuleType(__name__))
    vars(module).setdefault("Tokenise", Tokenise)
    vars(module).setdefault("Count", Count)
    return word_count()


# ---- failures


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, ValueError])
def test_a_base_exception_is_contained_and_the_worker_lives(error: type[BaseException]) -> None:
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(burst([1]), failing(error)))
        assert job.wait(timeout=DEADLINE) is JobStatus.FAILED
        assert isinstance(job.error, Failure)
        assert (job.error.routine, job.error.type) == ("b", error.__name__)
        assert finished(runtime.exec(chain(source([1])))).outputs["a.out"] == [1]


def test_dead_letters_hold_what_nobody_took(runtime: Runtime) -> None:
    job = finished(runtime.exec(FLOWS["failing"]()))

    assert [failure.slots["value"] for failure in job.dead_letters] == list(range(100))
    assert job.routines["f"].slots["value"].dead == 100
    assert job.routines["f"].failures == 100
    assert str(job.dead_letters[0]) == "f: ValueError: x"


def test_a_job_that_failed_keeps_its_queues(runtime: Runtime) -> None:
    job = finished(
        runtime.exec(chain(burst(range(10)), failing(lambda: ValueError("x")))), JobStatus.FAILED
    )

    assert job.routines["b"].slots["value"].queued == 9
    check(job)


# ---- many jobs, small rooms


def test_a_thousand_small_jobs(runtime: Runtime) -> None:
    flow = chain(source([1, 2]), pass_on(), pass_on())
    jobs = [runtime.exec(flow) for _ in range(1000)]

    assert runtime.jobs.wait_all(timeout=60)
    assert all(job.outputs == {"c.out": [1, 2]} for job in jobs)
    assert len({job.id for job in jobs}) == 1000
    assert runtime.statistics().loop_threads == 0


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_chain_of_capacity_one(workers: int) -> None:
    seen: list[int] = []
    with Runtime(workers=workers) as runtime:
        parts = [source(range(300)), *(pass_on(1) for _ in range(10)), sink(seen, 1)]
        job = finished(runtime.exec(chain(*parts)))
        check(job)

    assert seen == list(range(300))


def test_every_activation_is_told_to_start_and_end_once() -> None:
    recording = RecordingInstrument()
    with Runtime(workers=4, instruments=[recording]) as runtime:
        job = finished(runtime.exec(FLOWS["diamond"]()))

    kinds = starts_and_ends(recording.events)
    assert len(kinds) == sum(count.activations for count in job.routines.values())
    wrong = {a: k for a, k in kinds.items() if k != ["ActivationStarted", "ActivationEnded"]}
    assert not wrong
    assert isinstance(recording.events[0], JobStarted)
    assert isinstance(recording.events[-1], JobEnded)
    assert [event.seq for event in recording.events] == list(range(1, len(recording.events) + 1))

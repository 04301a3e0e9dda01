"""`EngineClient` over a real runtime: plain data in, plain data out."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, cast

import pytest

from helpers.bodies import Gate
from helpers.hosted import DEADLINE, SOURCE, Folder, Watch
from penstock import PenstockError
from penstock.host import (
    BreakpointSpec,
    CommandRefused,
    EngineClient,
    StallChoice,
    StartRefused,
)
from penstock.host.crossing.codec import decode, encode
from penstock.host.links.client import InProcess
from penstock.observe import (
    ActivationFailed,
    EngineEvent,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    Stalled,
    StepIgnored,
)
from penstock.run import JobExecutor


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    if made.module in sys.modules:
        made.gate.open()


def jobs_of(client: EngineClient) -> list[JobExecutor]:
    """The jobs of the engine in this process, without asking it."""
    assert isinstance(client._link, InProcess)
    runtime = client._link._engine._runtime
    return [] if runtime is None else runtime.jobs.list()


@pytest.fixture
def watch(client: EngineClient) -> Watch:
    return Watch(client)


def test_a_flow_s_text_runs_and_is_told(client: EngineClient, watch: Watch, folder: Folder) -> None:
    text = folder.chain("Numbers", "Pass", a={"many": 5})

    job_id = client.start(text, str(folder.path))

    assert job_id == "1"
    assert watch.ended(job_id).status == "COMPLETED"
    watch.until(lambda: watch.of(JobProgress))
    view = watch.view(job_id)
    assert (view.status, view.flow) == ("COMPLETED", "flow")
    assert view.routines["b"].activations == 5
    assert view.routines["b"].slots["value"].consumed == 5
    assert view.routines["b"].emitted["out"] == 5
    assert [type(told) for told in watch.told[:1]] == [JobStarted]


def test_start_returns_at_once_and_imports_elsewhere(client: EngineClient, tmp_path: Path) -> None:
    gate = Gate()
    sys.modules["flow_of_slow_gate"] = type(sys)("flow_of_slow_gate")
    sys.modules["flow_of_slow_gate"].gate = gate  # type: ignore[attr-defined]
    source = "import flow_of_slow_gate\nflow_of_slow_gate.gate.wait_here()\n" + SOURCE
    folder = Folder(tmp_path, source)
    watch = Watch(client)

    begin = monotonic()
    job_id = client.start(folder.chain("Numbers"), str(folder.path))
    client.drain()
    client.snapshot()
    client.threads()
    assert monotonic() - begin < 1.0
    gate.wait_came()
    assert not watch.of(JobStarted)
    gate.open()
    watch.ended(job_id)


def test_entry_params_are_json_values(client: EngineClient, watch: Watch, folder: Folder) -> None:
    text = folder.chain("Pass")

    good = client.start(text, str(folder.path), {"a.value": 7})
    bad = client.start(text, str(folder.path), {"a.value": "7"})
    unknown = client.start(text, str(folder.path), {"a.nothing": 7})

    assert watch.ended(good).status == "COMPLETED"
    watch.until(lambda: len(watch.of(StartRefused)) == 2)
    texts = {refused.job_id: refused.text for refused in watch.of(StartRefused)}
    assert set(texts) == {bad, unknown}
    assert "a.value" in texts[bad]
    assert "nothing" in texts[unknown]
    assert all("\n" not in text for text in texts.values())


BAD_FLOWS = {
    "no JSON": "{",
    "a list": "[]",
    "a newer version": '{"version": 99, "name": "x", "routines": {}}',
    "no such module": '{"version": 1, "name": "x", "routines": {"a": {"type": "flow_of_no:A"}}}',
    "a bad type": '{"version": 1, "name": "x", "routines": {"a": {"type": "nothing"}}}',
}


@pytest.mark.parametrize("name", BAD_FLOWS)
def test_a_flow_that_can_not_start_is_refused(
    client: EngineClient, watch: Watch, name: str, tmp_path: Path
) -> None:
    job_id = client.start(BAD_FLOWS[name], str(tmp_path))

    watch.until(lambda: watch.of(StartRefused))
    refused = watch.of(StartRefused)[0]
    assert refused.job_id == job_id
    assert refused.text
    assert "\n" not in refused.text
    assert watch.snapshot().jobs == ()


RAISES = {
    "ValueError": "raise ValueError('broken module')",
    "SystemExit": "raise SystemExit(3)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "syntax": "def (",
    "hostile": "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E",
}


@pytest.mark.parametrize("name", RAISES)
def test_a_module_that_raises_is_refused_and_the_engine_lives(
    client: EngineClient, watch: Watch, tmp_path: Path, name: str
) -> None:
    broken = Folder(tmp_path / "broken", RAISES[name])
    good = Folder(tmp_path / "good")

    client.start(broken.flow({"a": "A"}), str(broken.path))
    job_id = client.start(good.chain("Numbers"), str(good.path))

    watch.until(lambda: watch.of(StartRefused))
    assert watch.ended(job_id).status == "COMPLETED"


def test_of_two_modules_of_one_name_the_second_is_refused_naming_both(
    client: EngineClient, watch: Watch, tmp_path: Path
) -> None:
    one = Folder(tmp_path / "one", module="flow_of_same")
    other = Folder(tmp_path / "other", module="flow_of_same")

    first = client.start(one.chain("Numbers"), str(one.path))
    second = client.start(other.chain("Numbers"), str(other.path))
    again = client.start(one.chain("Numbers"), str(one.path))

    assert watch.ended(first).status == "COMPLETED"
    assert watch.ended(again).status == "COMPLETED"
    refused = watch.of(StartRefused)
    assert [r.job_id for r in refused] == [second]
    assert str(one.file) in refused[0].text
    assert str(other.file) in refused[0].text


def test_pause_step_and_resume(client: EngineClient, watch: Watch, folder: Folder) -> None:
    client.breakpoints([BreakpointSpec(5, "b")])
    job_id = client.start(folder.chain("Numbers", "Pass"), str(folder.path))
    watch.until(lambda: watch.of(JobHeld))
    held = watch.of(JobHeld)[0]
    assert (held.place, held.why, held.breakpoints) == ("b", "breakpoint", (5,))
    assert held.messages[0].value.text == "0"

    client.breakpoints([])
    client.step(job_id)
    watch.until(lambda: len(watch.of(JobHeld)) >= 2)
    assert watch.of(JobResumed)[0].stepping
    assert watch.of(JobHeld)[-1].why == "step"
    client.resume(job_id)
    assert watch.ended(job_id).status == "COMPLETED"
    watch.until(lambda: watch.view(job_id).routines["b"].activations == 3)


def test_a_pausing_job_says_how_many_still_run(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    job_id = client.start(folder.chain("Numbers", "Gated"), str(folder.path))
    watch.until(lambda: watch.of(JobStarted))
    folder.gate.wait_came()

    client.pause(job_id)
    watch.until(lambda: watch.of(JobHeld))
    view = watch.view(job_id)
    assert (view.status, view.running) == ("PAUSING", 1)
    folder.gate.let_go()
    watch.until(lambda: watch.view(job_id).status == "PAUSED")
    assert watch.view(job_id).running == 0
    folder.gate.open()
    client.resume()
    watch.ended(job_id)


def test_pause_without_an_id_holds_later_jobs(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    first = client.start(folder.chain("Numbers"), str(folder.path))
    watch.ended(first)
    client.pause()
    second = client.start(folder.chain("Numbers"), str(folder.path))

    watch.until(lambda: watch.of(JobHeld, second))
    client.resume()
    assert watch.ended(second).status == "COMPLETED"


def test_cancel(client: EngineClient, watch: Watch, folder: Folder) -> None:
    job_id = client.start(folder.chain("Numbers", "Gated"), str(folder.path))
    watch.until(lambda: watch.of(JobStarted))
    folder.gate.wait_came()

    client.cancel(job_id)

    assert watch.ended(job_id).status == "CANCELLED"
    assert watch.snapshot().jobs[0].status == "CANCELLED"
    folder.gate.open()


def test_commands_that_can_not_be_done_are_told(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    client.pause("1")
    watch.drain()
    assert [(told.command, told.job_id) for told in watch.of(CommandRefused)] == [("pause", "1")]

    job_id = client.start(folder.chain("Numbers"), str(folder.path))
    watch.ended(job_id)
    client.pause("77")
    client.step("77")
    client.cancel("77")
    watch.until(lambda: len(watch.of(CommandRefused)) == 4)
    assert [told.command for told in watch.of(CommandRefused)[1:]] == ["pause", "step", "cancel"]


def test_a_step_that_is_ignored_is_told(client: EngineClient, watch: Watch, folder: Folder) -> None:
    job_id = client.start(folder.chain("Numbers", "Gated"), str(folder.path))
    watch.until(lambda: watch.of(JobStarted))
    folder.gate.wait_came()
    client.step(job_id)

    watch.until(lambda: watch.of(StepIgnored))
    folder.gate.open()
    watch.ended(job_id)


def test_breakpoints_replace_the_whole_list(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    client.breakpoints([BreakpointSpec(1, "a"), BreakpointSpec(2, "b", enabled=False)])
    client.breakpoints([BreakpointSpec(2, "b", enabled=False), BreakpointSpec(3, "nobody")])

    job_id = client.start(folder.chain("Numbers", "Pass"), str(folder.path))

    assert watch.ended(job_id).status == "COMPLETED"
    assert not watch.of(JobHeld)


def test_a_breakpoint_before_the_routine_of_an_entry_parameter(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    client.breakpoints([BreakpointSpec(1, "a")])
    job_id = client.start(folder.chain("Pass"), str(folder.path), {"a.value": 1})

    watch.until(lambda: watch.of(JobHeld))
    client.resume(job_id)
    assert watch.ended(job_id).status == "COMPLETED"


def test_failures_are_told(client: EngineClient, watch: Watch, folder: Folder) -> None:
    job_id = client.start(folder.chain("Numbers", "Failing"), str(folder.path))

    assert watch.ended(job_id).status == "COMPLETED"
    failures = watch.of(ActivationFailed)
    assert [f.failure.text for f in failures] == ["0", "1", "2"]
    assert failures[0].failure.slots["value"].text == "0"
    assert failures[0].action == "continue"
    watch.until(lambda: watch.view(job_id).routines["b"].failures == 3)


def test_snapshot_threads_and_last_values(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    before = watch.snapshot()
    assert (before.jobs, before.pool.busy, before.pool.size) == ((), 0, 2)
    job_id = client.start(folder.chain("Numbers", "Gated", a={"many": 8}), str(folder.path))
    watch.until(lambda: watch.of(JobStarted))
    folder.gate.wait_came()
    folder.gate.let_go(2)
    folder.gate.wait_came(3)
    watch.until(
        lambda: [s.value.text for s in watch.values(job_id, "b").events["out"]][-1:] == ["1"]
    )

    job = watch.snapshot().jobs[0]
    assert (job.job_id, job.status, job.routines["b"].running) == (job_id, "RUNNING", 1)
    table = watch.threads()
    assert table.pool.busy == 1
    assert table.pool.threads == len(threading.enumerate())
    assert table.pool.threads_high_water >= table.pool.threads
    by_role: dict[str, list[Any]] = {}
    for row in table.threads:
        by_role.setdefault(row.role, []).append(row)
    assert len(by_role["worker"]) == 2
    busy = [row for row in by_role["worker"] if row.state == "running"]
    assert [(row.job_id, row.routine, row.daemon) for row in busy] == [(job_id, "b", True)]
    assert busy[0].since is not None
    assert busy[0].since >= 0
    assert [row.job_id for row in by_role["loop"]] == [job_id]
    assert len(by_role["host"]) == 1
    values = watch.values(job_id, "b")
    assert values.events["out"][-1].value.text == "1"
    assert values.slots["value"][-1].value.text == "7"
    numbers = [sample.number for sample in values.slots["value"]]
    assert numbers == sorted(numbers)
    nothing = watch.values("77", "nobody")
    assert (nothing.slots, nothing.events) == ({}, {})
    folder.gate.open()
    watch.ended(job_id)


def test_foreign_threads_are_listed_as_such(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    stay = threading.Event()
    thread = threading.Thread(target=stay.wait, args=(DEADLINE,), name="stranger")
    thread.start()
    try:
        row = next(row for row in watch.threads().threads if row.name == "stranger")
        assert (row.role, row.job_id, row.routine) == ("foreign", "", "")
    finally:
        stay.set()
        thread.join()


def test_a_bodys_worker_of_a_cancelled_job_is_abandoned(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    job_id = client.start(folder.chain("Numbers", "Gated"), str(folder.path))
    watch.until(lambda: watch.of(JobStarted))
    folder.gate.wait_came()
    client.cancel(job_id)
    watch.ended(job_id)

    watch.until(lambda: watch.threads().pool.abandoned == 1)
    table = watch.threads()
    rows = [row for row in table.threads if row.state == "abandoned"]
    assert [(row.role, row.job_id, row.routine) for row in rows] == [("worker", job_id, "b")]
    assert (table.pool.size, table.pool.busy) == (2, 0)
    folder.gate.open()
    watch.until(lambda: watch.threads().pool.abandoned == 0)


@pytest.fixture
def stalled_job(client: EngineClient, watch: Watch, folder: Folder) -> Callable[..., str]:
    """Starts a job whose join never gets its other half; its stall has been told."""

    def start(many: int = 4) -> str:
        flow = folder.flow({"a": "Many", "b": "Both"}, "a.out -> b.value", a={"many": many})
        job_id = client.start(flow, str(folder.path))
        watch.until(lambda: watch.of(Stalled, job_id))
        return job_id

    return start


@pytest.mark.parametrize("choice", ["grow", "drop", "cancel"])
def test_a_stall_is_told_and_ended_by_choice(
    client: EngineClient, watch: Watch, stalled_job: Callable[..., str], choice: StallChoice
) -> None:
    job_id = stalled_job()
    assert watch.of(Stalled)[0].slots == ("b.value",)
    assert watch.snapshot().jobs[0].stalled == ("b.value",) == watch.view(job_id).stalled

    client.unstall(job_id, choice)

    end = watch.ended(job_id)
    slot = watch.view(job_id).routines["b"].slots["value"]
    assert (end.status, slot.capacity, slot.dropped, slot.discarded) == {
        "grow": ("COMPLETED", 4, 0, 4),
        "drop": ("COMPLETED", 2, 2, 2),
        "cancel": ("CANCELLED", 2, 0, 0),
    }[choice]
    assert watch.view(job_id).stalled == ()


def test_a_slot_is_resized(
    client: EngineClient, watch: Watch, stalled_job: Callable[..., str]
) -> None:
    job_id = stalled_job()

    client.resize(job_id, "b.value", 9)

    assert watch.ended(job_id).status == "COMPLETED"
    assert watch.view(job_id).routines["b"].slots["value"].capacity == 9


def test_a_choice_or_size_that_can_not_be_is_refused(
    client: EngineClient, watch: Watch, stalled_job: Callable[..., str]
) -> None:
    job_id = stalled_job()

    client.unstall(job_id, "wait")  # type: ignore[arg-type]
    client.unstall("77", "grow")
    client.resize(job_id, "b.value", 0)
    client.resize(job_id, "b.nothing", 5)

    watch.until(lambda: len(watch.of(CommandRefused)) == 4)
    told = [(refused.command, refused.job_id) for refused in watch.of(CommandRefused)]
    assert told == [
        ("unstall", job_id), ("unstall", "77"), ("resize", job_id), ("resize", job_id)
    ]  # fmt: skip
    client.unstall(job_id, "cancel")
    watch.ended(job_id)


def test_a_body_that_stands_waiting_for_room_is_shown_as_such(
    client: EngineClient, watch: Watch, stalled_job: Callable[..., str]
) -> None:
    """Past the slot's two and two more at the connection, `emit` itself waits."""
    job_id = stalled_job(many=9)

    table = watch.threads()

    rows = [row for row in table.threads if row.state == "waits" and row.role == "worker"]
    assert [(row.job_id, row.routine) for row in rows] == [(job_id, "a")]
    assert (table.pool.busy, table.pool.spare) == (0, 1)
    client.unstall(job_id, "cancel")
    watch.ended(job_id)


def test_steward_and_asyncio_thread_have_their_roles(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    """Each table is a picture of its own moment, so all that is expected is looked for in one."""

    def until_told(role: str, *wanted: object) -> None:
        def is_told() -> bool:
            rows = [row for row in watch.threads().threads if row.role == role]
            return wanted in [(r.name, r.state, r.job_id, r.routine, r.since is None) for r in rows]

        watch.until(is_told)

    job_id = client.start(folder.flow({"a": "Waits", "b": "Timed"}), str(folder.path))
    until_told("async", "penstock-async", "running", job_id, "a", False)
    until_told("steward", "penstock-steward", "", "", "", True)
    again = client.start(folder.flow({"d": "Waits"}), str(folder.path))
    until_told("async", "penstock-async", "running", "", "", False)
    for one in (job_id, again):
        client.cancel(one)
        watch.ended(one)
    until_told("async", "penstock-async", "idle", "", "", True)


def test_of_ended_jobs_the_newest_can_be_asked_about_the_others_are_forgotten(
    client: EngineClient, watch: Watch, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.host.engine.hosted.KEPT_JOBS", 2)
    text, path = folder.chain("Numbers", "Pass"), str(folder.path)
    live = client.start(folder.chain("Numbers", "Gated"), path)
    watch.until(lambda: watch.of(JobStarted))
    ended = []
    for _ in range(4):
        ended.append(client.start(text, path))
        watch.ended(ended[-1])

    def kept() -> list[str]:
        return [job.job_id for job in watch.snapshot().jobs]

    watch.until(lambda: kept() == [live, *ended[2:]])
    gone = watch.values(ended[0], "b")
    assert (gone.kept, gone.slots, gone.events) == (False, {}, {})
    assert watch.values(ended[3], "b").kept
    for command in (client.pause, client.resume, client.step, client.cancel):
        command(ended[0])
    watch.until(lambda: len(watch.of(CommandRefused)) == 4)
    assert watch.view(ended[0]).routines["b"].activations == 3, "told before it was forgotten"
    folder.gate.open()
    watch.ended(live)


def test_jobs_whose_end_was_not_fetched_are_kept(
    client: EngineClient, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.host.engine.hosted.KEPT_JOBS", 0)
    watch, tick = Watch(client), threading.Event()
    for _ in range(3):
        client.start(folder.chain("Numbers"), str(folder.path))
    end = monotonic() + DEADLINE
    while [job.status.value for job in jobs_of(client)] != ["COMPLETED"] * 3:
        assert monotonic() < end, jobs_of(client)
        tick.wait(0.01)

    watch.until(lambda: not watch.snapshot().jobs)

    assert len(watch.of(JobEnded)) == 3


def test_values_that_bite_are_summed_up(client: EngineClient, watch: Watch, folder: Folder) -> None:
    job_id = client.start(folder.chain("Mean"), str(folder.path))
    watch.ended(job_id)

    assert "Nasty" in watch.values(job_id, "a").events["out"][-1].value.text


def test_everything_told_survives_as_bytes_and_is_in_order_for_each_job(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    text = folder.chain("Numbers", "Pass", "Failing", a={"many": 40})
    jobs = [client.start(text, str(folder.path)) for _ in range(5)]
    for job_id in jobs:
        watch.ended(job_id)

    assert decode(encode(watch.told)) == tuple(watch.told)
    for job_id in jobs:
        assert isinstance(watch.of(EngineEvent, job_id)[0], JobStarted)
        ends = [type(event) for event in watch.of(EngineEvent, job_id)[-2:]]
        assert ends == [JobProgress, JobEnded]
    for job_id in jobs:
        seqs = [event.seq for event in watch.of(EngineEvent, job_id)]
        assert seqs == sorted(seqs), "told out of order"


class Slow:
    """The instruments of one job; telling a hold takes until the gate is open."""

    def __init__(self, inner: Any, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    def tell(self, *events: EngineEvent) -> None:
        for event in events:
            if isinstance(event, JobHeld):
                self._gate.wait_here()
            self._inner.tell(event)


def test_counters_do_not_overtake_what_happened_before_they_were_taken(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    """A job is held; its loop has yet to tell that, while the window asks for counters."""
    job_id = client.start(folder.chain("Numbers", "Gated"), str(folder.path))
    watch.until(lambda: watch.of(JobProgress, job_id))
    folder.gate.wait_came()
    telling = Gate()
    (executor,) = jobs_of(client)
    executor._instruments = cast("Any", Slow(executor._instruments, telling))
    client.pause(job_id)
    telling.wait_came()
    tick = threading.Event()
    for _ in range(50):
        watch.drain()
        if any(told.status == "PAUSING" for told in watch.of(JobProgress)):
            break
        tick.wait(0.01)
    telling.open()
    watch.until(lambda: watch.of(JobHeld))
    folder.gate.open()
    client.resume(job_id)
    watch.ended(job_id)

    seqs = [event.seq for event in watch.of(EngineEvent, job_id)]
    assert seqs == sorted(seqs), watch.told


def test_counters_come_in_one_progress_a_changed_live_job(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    job_id = client.start(folder.chain("Numbers", "Gated"), str(folder.path))
    watch.until(lambda: watch.of(JobStarted))
    folder.gate.wait_came()
    watch.until(lambda: watch.view(job_id).running == 1)
    quiet = threading.Event()
    for _ in range(5):
        watch.drain()
        quiet.wait(0.02)
    before = len(watch.told)
    for _ in range(20):
        watch.drain()
        quiet.wait(0.005)

    assert len(watch.told) == before, "nothing changed, and yet something was told"
    folder.gate.open()
    watch.ended(job_id)


def test_nothing_is_started_before_the_first_start(client: EngineClient) -> None:
    before = set(threading.enumerate())

    client.drain()
    client.snapshot()
    client.threads()
    client.pause()
    client.resume()
    client.breakpoints([BreakpointSpec(1, "a")])
    client.last_values("1", "a")

    assert set(threading.enumerate()) == before
    assert client.lost == 0


def ours() -> Iterable[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("penstock-")]


def test_close_ends_jobs_and_threads_and_may_be_called_twice(folder: Folder) -> None:
    client = EngineClient(workers=2)
    watch = Watch(client)
    job_id = client.start(folder.chain("Numbers", "Gated"), str(folder.path))
    client.start(folder.chain("Numbers"), str(folder.path))
    watch.until(lambda: len(watch.of(JobStarted)) == 2)
    folder.gate.wait_came()

    def let_go() -> None:
        watch.ended(job_id)
        folder.gate.open()

    thread = threading.Thread(target=let_go)
    thread.start()

    client.close()
    thread.join(DEADLINE)
    client.close()

    assert not list(ours())
    assert watch.ended(job_id).status == "CANCELLED"
    with pytest.raises(PenstockError):
        client.start(folder.chain("Numbers"), str(folder.path))
    client.pause()
    client.resume()
    client.cancel(job_id)
    client.breakpoints([])
    client.drain()
    client.snapshot()
    client.threads()


def test_close_of_a_client_that_started_nothing() -> None:
    client = EngineClient()
    client.close()

    assert not list(ours())


@pytest.mark.leaves_threads("a stuck body is abandoned until the test lets it go")
def test_close_returns_in_time_with_a_stuck_body(folder: Folder) -> None:
    client = EngineClient(workers=2)
    watch = Watch(client)
    client.start(folder.chain("Numbers", "Gated"), str(folder.path))
    watch.until(lambda: watch.of(JobStarted))
    folder.gate.wait_came()

    begin = monotonic()
    client.close(timeout=0.3)

    assert monotonic() - begin < 2.0
    folder.gate.open()
    for thread in ours():
        thread.join(DEADLINE)
        assert not thread.is_alive()


@pytest.mark.leaves_threads("an import is abandoned until the test lets it go")
def test_close_during_an_import_leaves_nothing_running(tmp_path: Path) -> None:
    gate = Gate()
    sys.modules["flow_of_import_gate"] = type(sys)("flow_of_import_gate")
    sys.modules["flow_of_import_gate"].gate = gate  # type: ignore[attr-defined]
    source = "import flow_of_import_gate\nflow_of_import_gate.gate.wait_here()\n" + SOURCE
    folder = Folder(tmp_path, source)
    client = EngineClient(workers=2)
    client.start(folder.chain("Numbers"), str(folder.path))
    gate.wait_came()

    begin = monotonic()
    client.close(timeout=0.2)
    assert monotonic() - begin < 2.0
    gate.open()
    end = monotonic() + DEADLINE
    for thread in ours():
        thread.join(max(0.0, end - monotonic()))

    assert not list(ours())


def test_while_it_makes_way_threads_are_told_as_they_were_before(
    client: EngineClient, watch: Watch, folder: Folder
) -> None:
    client.start(folder.chain("Numbers", "Pass"), str(folder.path))
    watch.ended("1")

    before = watch.threads()
    client.make_way(DEADLINE)
    assert watch.threads().pool.size == before.pool.size
    assert watch.threads() is watch.threads(), "one answer while the routines stand back"
    client.make_way(0.0)

    end = monotonic() + DEADLINE
    while watch.threads() is watch.threads():
        assert monotonic() < end, "the old answer stayed"
    client.make_way(0.0)
    assert watch.threads() is not watch.threads(), "an old answer came back"

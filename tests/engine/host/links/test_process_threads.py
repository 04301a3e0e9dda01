"""An engine in a process of its own: its start, what it may be given, and all the ways it ends."""

from __future__ import annotations

import ast
import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from helpers.dying import FOLDER, flow_of
from helpers.gated import Gate, gated_flow
from helpers.hosted import DEADLINE, Watch
from helpers.waiting import is_gone, until
from penstock.host import (
    LOST,
    BreakpointSpec,
    CommandRefused,
    EngineClient,
    HostGone,
    HostProcess,
    HostUp,
    LaunchSettings,
    SourcesChanged,
    StartRefused,
)
from penstock.host.links import process
from penstock.host.transport import connections as transport
from penstock.host.transport.sockets import fresh_folder, private_folder
from penstock.observe import JobEnded, JobHeld, JobProgress

TESTS: dict[str, str | None] = {"PYTHONPATH": str(FOLDER.parent)}
"""Flows of tests import helpers."""


class Own:
    """A client whose engine has a process of its own, and its news."""

    def __init__(self, **settings: Any) -> None:
        environment = TESTS | settings.pop("environment", {})
        self.link = HostProcess(LaunchSettings(environment=environment, workers=2, **settings))
        self.client = EngineClient(link=self.link)
        self.watch = Watch(self.client)

    def start(self, flow: dict[str, object], **config: Any) -> str:
        return self.client.start(json.dumps(flow), **config)

    def run(self, flow: dict[str, object], **config: Any) -> dict[str, Any]:
        """Run a flow to its end; what its one routine has emitted."""
        job_id = self.start(flow, **config)
        assert self.watch.ended(job_id).status == "COMPLETED"
        samples = self.watch.values(job_id, "it").events["about"]
        found: dict[str, Any] = ast.literal_eval(samples[-1].value.text)
        return found

    def runs(self, job_id: str) -> None:
        """Wait until the job's routine has been told to run."""
        self.watch.until(lambda: any(p.running for p in self.watch.of(JobProgress, job_id)))

    def gone(self) -> HostGone:
        """The next end of a host, and whatever was told before it."""
        self.watch.until(lambda: self.watch.of(HostGone))
        gone: HostGone = self.watch.of(HostGone)[0]
        assert self.watch.told[-1] is gone, "the last of it"
        return gone


@pytest.fixture
def own() -> Iterator[Own]:
    made = Own()
    yield made
    made.client.close()
    assert not pids_of(made), "a process is left"


def pids_of(own: Own) -> list[int]:
    """The hosts it has told of which are still there, zombies too."""
    return [up.pid for up in own.watch.of(HostUp) if Path(f"/proc/{up.pid}").exists()]


def let_through(gate: Gate, is_so: Callable[[], object], watch: Watch) -> None:
    """Let bodies at a gate go until something is so."""

    def tried() -> object:
        gate.let_go()
        return is_so()

    watch.until(tried)


def test_a_job_runs_there_and_is_told_as_here(own: Own, tmp_path: Path) -> None:
    flow = json.dumps(gated_flow(tmp_path / "no gate"))
    here = EngineClient(workers=2)
    views, pids = [], []
    for client, watch in ((own.client, own.watch), (here, Watch(here))):
        job_id = client.start(flow)
        watch.ended(job_id)
        view = watch.view(job_id)
        counts = {name: (r.activations, dict(r.emitted)) for name, r in view.routines.items()}
        views.append((view.status, view.flow, counts))
        values = watch.values(job_id, "total").events["total"]
        assert values[-1].value.text == "55"
        pids.append({row.ident for row in watch.threads().threads})
    here.close()

    assert views[0] == views[1]
    (up,) = own.watch.of(HostUp)
    assert up.pid != os.getpid()
    assert (up.in_control, up.executable) == (True, sys.executable)
    assert isinstance(own.watch.told[0], HostUp), "the first it tells"
    table = own.client.threads()
    assert table.pool.size == 2
    assert {row.role for row in table.threads} == {"worker", "host"}, "no window is there"


def test_nothing_is_started_before_the_first_start_and_no_call_waits(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    own = Own()
    client = own.client
    for call in (client.drain, client.snapshot, client.threads, client.ask, client.kill):
        call()
    client.breakpoints([BreakpointSpec(1, "a")])
    client.restart()
    client.pause()
    own.watch.drain()
    assert set(threading.enumerate()) == before
    (refused,) = own.watch.told
    assert isinstance(refused, CommandRefused)

    begin = monotonic()
    own.start(flow_of("Tells"))
    assert monotonic() - begin < 0.2, "it waited for the process"
    client.close()
    client.close()
    assert set(threading.enumerate()) == before


def test_breakpoints_hold_in_each_host_and_commands_reach_it(own: Own) -> None:
    own.client.breakpoints([BreakpointSpec(1, "it")])
    for number in (1, 2):
        job_id = own.start(flow_of("Tells"))
        assert job_id == str(number), "ids go on counting"
        own.watch.until(partial(own.watch.of, JobHeld, job_id))
        if number == 1:
            own.client.kill()
            own.gone()
    own.client.step("2")
    own.client.resume("2")

    assert own.watch.ended("2").status == "COMPLETED"
    assert [end.status for end in own.watch.of(JobEnded)] == [LOST, "COMPLETED"]


ENDS = {
    "exits": "ended with exit code 3",
    "prints": "ended with exit code 3",
    "crashes": "killed by SIGSEGV",
    "aborts": "killed by SIGABRT",
    "is killed": "killed by SIGKILL",
}


@pytest.mark.parametrize("way", ENDS)
def test_an_end_is_told_with_what_ran_and_the_next_start_has_a_fresh_one(
    own: Own, tmp_path: Path, way: str
) -> None:
    gates = [Gate(tmp_path / name) for name in ("one", "other")]
    lost = own.start(flow_of("Dies", way="goes on", gate=str(gates[1].path)))
    dies = own.start(flow_of("Dies", way=way, gate=str(gates[0].path)))
    for job_id in (lost, dies):
        own.runs(job_id)
    let_through(gates[0], lambda: own.watch.of(HostGone), own.watch)

    gone = own.gone()

    (up,) = own.watch.of(HostUp)
    assert (gone.pid, gone.text, gone.asked) == (up.pid, ENDS[way], False)
    assert set(gone.running) == {(lost, "it"), (dies, "it")}
    assert {own.watch.view(job).status for job in (lost, dies)} == {LOST}
    if way == "prints":
        assert "to stdout\nlast words\n" in gone.output
    if way in ("crashes", "aborts"):
        assert "Dies" in gone.output or "dying.py" in gone.output, "no traceback of the crash"
    assert not Path(f"/proc/{up.pid}").exists(), "it wasn't reaped"
    about = own.run(flow_of("Tells"))
    assert about["pid"] not in (up.pid, os.getpid())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_signal_that_another_thread_gets_ends_it_all_the_same(own: Own) -> None:
    """Which thread gets it is the system's choice, and the main one sleeps."""
    own.start(flow_of("Dies", way="ends it by a signal"))

    gone = own.gone()
    assert not gone.asked
    assert not Path(f"/proc/{gone.pid}").exists()


def keep_interpreter(own: Own, gate: Gate) -> str:
    """Start a job whose body lets nobody else run once it is told to run; its id."""
    job_id = own.start(flow_of("Dies", way="keeps the interpreter", gate=str(gate.path)))
    own.runs(job_id)
    own.watch.until(gate.let_go)
    return job_id


def test_a_host_whose_interpreter_is_kept_can_be_killed(own: Own, tmp_path: Path) -> None:
    job_id = keep_interpreter(own, Gate(tmp_path / "gate"))
    own.client.cancel(job_id)

    own.client.kill()
    again = own.start(flow_of("Tells"))

    gone = own.gone()
    assert gone.asked
    assert own.watch.ended(job_id).status == LOST, own.watch.told
    assert own.watch.ended(again).status == "COMPLETED", "a start right after is the next host's"
    assert not own.watch.of(StartRefused)


@pytest.mark.parametrize("restarted", [False, True])
def test_closing_ends_a_host_that_can_not_end_by_itself(tmp_path: Path, restarted: bool) -> None:
    own = Own()
    keep_interpreter(own, Gate(tmp_path / "gate"))
    if restarted:
        own.client.restart()

    begin = monotonic()
    own.client.close(timeout=1.0)

    assert monotonic() - begin < 3.0
    assert not pids_of(own)


def test_a_host_whose_connection_broke_is_ended(own: Own, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    job_id = own.start(flow_of("Dies", way="hangs up", gate=str(gate.path)))
    own.runs(job_id)
    own.watch.until(gate.let_go)

    gone = own.gone()

    assert gone.text.startswith("its connection broke")
    assert not gone.asked
    assert own.watch.ended(job_id).status == LOST


def test_restart_lets_what_runs_end_and_the_next_start_waits_for_it(own: Own) -> None:
    first = own.run(flow_of("Tells"))

    own.client.restart()
    second = own.run(flow_of("Tells"))

    assert first["pid"] != second["pid"]
    kinds = [type(told) for told in own.watch.told if isinstance(told, HostUp | HostGone)]
    assert kinds == [HostUp, HostGone, HostUp]
    (gone,) = own.watch.of(HostGone)
    assert (gone.asked, gone.running) == (True, ())


@pytest.mark.parametrize("stays", [False, True])
def test_what_a_host_has_started_goes_with_it_or_keeps_nobody_waiting(
    own: Own, tmp_path: Path, stays: bool
) -> None:
    """A copy in a session of its own is meant to stay; it has all that its host had open."""
    gate = Gate(tmp_path / "gate")
    job_id = own.start(flow_of("Spawns", stays=stays, gate=str(gate.path)))
    own.runs(job_id)
    own.watch.until(lambda: own.watch.values(job_id, "it").events.get("pid"))
    pid = int(own.watch.values(job_id, "it").events["pid"][-1].value.text)

    os.kill(own.watch.of(HostUp)[0].pid, signal.SIGKILL)

    assert own.gone().running == ((job_id, "it"),)
    if stays:
        assert not is_gone(pid)
        os.kill(pid, signal.SIGKILL)
    until(lambda: is_gone(pid))


@pytest.mark.parametrize("interpreter", [None, sys.executable])
def test_settings_are_what_the_flow_s_code_finds(tmp_path: Path, interpreter: str | None) -> None:
    """A module of the standard library's name in the working folder hides nothing."""
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')", encoding="utf-8")
    own = Own(
        environment={"PENSTOCK_TEST": "a secret"},
        arguments=("--one", "two words"),
        working_folder=str(tmp_path),
        interpreter=interpreter,
    )
    try:
        about = own.run(flow_of("Tells", variable="PENSTOCK_TEST"))
        command = Path(f"/proc/{about['pid']}/cmdline").read_text()
        environment = Path(f"/proc/{about['pid']}/environ").read_text()
    finally:
        own.client.close()

    assert about["arguments"] == ["--one", "two words"]
    assert about["folder"] == str(tmp_path)
    assert about["variable"] == "a secret"
    assert about["safe"]
    assert "penstock.host" in command
    assert "two words" not in command, "arguments may be secrets"
    hidden = [part for part in environment.split("\0") if part.startswith("PENSTOCK")]
    assert [part for part in hidden if not part.startswith("PENSTOCK_LENT=")] == [
        "PENSTOCK_TEST=a secret"
    ]


def test_other_settings_get_a_fresh_host_once_nothing_lives_in_the_present_one(
    own: Own, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    waits = own.start(flow_of("Dies", gate=str(gate.path)))
    own.runs(waits)
    own.link.settings = LaunchSettings(environment=TESTS, arguments=("new",))

    present = own.run(flow_of("Tells"))
    let_through(gate, lambda: own.watch.of(JobEnded, waits), own.watch)
    fresh = own.run(flow_of("Tells"))
    same = own.run(flow_of("Tells"))

    assert (present["arguments"], fresh["arguments"]) == ([], ["new"])
    assert fresh["pid"] == same["pid"] != present["pid"]
    assert own.watch.ended(waits).status == "COMPLETED"


BAD_PYTHONS = {
    "nothing": (None, "No such file"),
    "no program": ("hello", "can't be started"),
    "no Python": ("#!/bin/sh\necho not a Python\nexit 4\n", "didn't start: ended with exit code 4"),
}


@pytest.mark.parametrize("name", BAD_PYTHONS)
def test_a_python_that_is_none_is_told(tmp_path: Path, name: str) -> None:
    text, told = BAD_PYTHONS[name]
    program = tmp_path / "python"
    if text is not None:
        program.write_text(text, encoding="utf-8")
        program.chmod(0o700)
    own = Own(interpreter=str(program))
    try:
        job_id = own.start(flow_of("Tells"))
        gone = own.gone()
    finally:
        own.client.close()

    assert told in gone.text
    (refused,) = own.watch.of(StartRefused)
    assert refused.job_id == job_id
    assert told in refused.text
    if name == "no Python":
        assert gone.output == "not a Python\n"


@pytest.fixture
def silent(tmp_path: Path) -> str:
    """A program that neither reads what it is handed nor connects."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    program.chmod(0o700)
    return str(program)


LONG = ("x" * 500_000,)
"""More than waits in the pipe by which a host is told what it must know."""


@pytest.mark.parametrize("arguments", [(), LONG])
def test_a_host_that_does_not_connect_is_ended(
    silent: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 0.2)
    own = Own(interpreter=silent, arguments=arguments)
    try:
        own.start(flow_of("Tells"))
        gone = own.gone()
    finally:
        own.client.close()

    assert "it hasn't connected within 0.2 s" in gone.text
    assert not gone.asked


@pytest.mark.parametrize("arguments", [(), LONG])
@pytest.mark.parametrize("way", ["restart", "kill"])
def test_a_host_that_does_not_connect_is_not_waited_for_when_it_is_to_go(
    silent: str, arguments: tuple[str, ...], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 6 * DEADLINE)
    own = Own(interpreter=silent, arguments=arguments)
    try:
        refused = own.start(flow_of("Tells"))
        until(lambda: own.link._living is not None and own.link._living._process is not None)
        getattr(own.client, way)()
        gone = own.gone()
        own.watch.told.clear()
        own.link.settings = replace(own.link.settings, interpreter=None, arguments=())
        assert own.run(flow_of("Tells"))["pid"]
    finally:
        own.client.close()

    assert gone.asked
    assert refused == "1"


def test_a_host_is_ended_that_is_to_go_before_there_is_one(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 6 * DEADLINE)
    own = Own(interpreter=silent)

    def leave_meanwhile() -> Path:
        own.client.restart()
        return fresh_folder()

    monkeypatch.setattr(process, "fresh_folder", leave_meanwhile)
    try:
        own.start(flow_of("Tells"))
        assert own.gone().asked
    finally:
        own.client.close()


def test_closing_does_not_wait_for_a_host_that_does_not_connect(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 6 * DEADLINE)
    own = Own(interpreter=silent)
    own.start(flow_of("Tells"))
    until(lambda: own.link._living is not None and own.link._living._process is not None)

    begin = monotonic()
    own.client.close(timeout=3 * DEADLINE)

    assert monotonic() - begin < DEADLINE


def test_a_fault_in_making_the_connection_ends_the_host(
    own: Own, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(process, "Wire", fail)
    own.start(flow_of("Tells"))

    gone = own.gone()

    assert "RuntimeError" in gone.text
    assert "can't be connected to" in caplog.text
    caplog.clear()


@pytest.mark.skipif(sys.platform != "linux", reason="a pipe's size is the system's elsewhere")
def test_much_can_be_printed_while_the_window_stands_still(own: Own, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    job_id = own.start(flow_of("Dies", gate=str(gate.path)))
    own.runs(job_id)
    (up,) = own.watch.of(HostUp)

    printing = os.open(f"/proc/{up.pid}/fd/1", os.O_WRONLY)
    size = fcntl.fcntl(printing, fcntl.F_GETPIPE_SZ)
    os.close(printing)

    allowed = int(Path("/proc/sys/fs/pipe-max-size").read_text(encoding="ascii"))
    assert size >= min(allowed, 1_000_000)
    let_through(gate, lambda: own.watch.of(JobEnded, job_id), own.watch)


def test_what_does_not_cross_is_refused_and_the_rest_is_done(own: Own) -> None:
    good = own.start(flow_of("Tells"))
    bad = own.start(flow_of("Tells"), entry_params={"it.x": object()})
    also = own.start(flow_of("Tells"))

    for job_id in (good, also):
        assert own.watch.ended(job_id).status == "COMPLETED"
    own.watch.until(lambda: own.watch.of(StartRefused))
    assert [refused.job_id for refused in own.watch.of(StartRefused)] == [bad]


def test_without_a_window_it_says_what_it_is() -> None:
    for given in ("", "no JSON\n", "[]\n", "{}\n"):
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "penstock.host"],
            input=given,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 2
        assert "penstock open" in ended.stderr
        assert ended.stdout == ""


@pytest.mark.parametrize("alive", [True, False], ids=["refuses", "gone"])
def test_of_a_window_that_has_gone_nothing_is_left(tmp_path: Path, alive: bool) -> None:
    folder = private_folder(tmp_path / "it")
    told: dict[str, Any] = {
        "path": str(folder / "host"),
        "key": bytes(32).hex(),
        "parent": os.getpid() if alive else 1,
        "arguments": [],
        "workers": None,
        "loop": "thread",
        "when_window_goes": "end",
        "pipe": None,
    }
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(told["path"])
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "penstock.host"],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == 1
    assert not folder.exists()


def test_no_key_is_written_to_a_file(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "write_private", lambda *_: pytest.fail("a key was written"))
    assert own.run(flow_of("Tells"))["pid"]


WINDOW_SECONDS = 8.0
"""Less than the time after which a host is ended by force."""
WINDOW = """
import json, sys, threading
from penstock.host import EngineClient, HostProcess, HostUp, LaunchSettings
client = EngineClient(link=HostProcess(LaunchSettings(environment={"PYTHONPATH": sys.argv[1]})))
client.start(sys.argv[2])
pid, runs, tick = 0, False, threading.Event()
while not runs:
    for told in client.drain():
        pid = told.pid if isinstance(told, HostUp) else pid
        runs = runs or type(told).__name__ == "JobStarted"
    tick.wait(0.005)
print(pid, flush=True)
tick.wait()
"""


def test_a_window_that_is_killed_takes_its_host_along(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    flow = json.dumps(flow_of("Dies", gate=str(gate.path)))
    window = subprocess.Popen(
        [sys.executable, "-c", WINDOW, str(FOLDER.parent), flow], stdout=subprocess.PIPE
    )
    try:
        assert window.stdout is not None
        pid = int(window.stdout.readline())
    finally:
        window.kill()
        window.communicate()

    until(lambda: is_gone(pid), WINDOW_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def sources(tmp_path: Path) -> Callable[[str], dict[str, object]]:
    """Writes the module of a flow so that it tells a word, and gives the flow."""

    def write(word: str) -> dict[str, object]:
        (tmp_path / "told_word.py").write_text(
            "import os\n"
            "from penstock import Event, Routine\n"
            "class Word(Routine):\n"
            "    about = Event(dict)\n"
            "    def logic(self):\n"
            f"        self.about.emit({{'word': {word!r}, 'pid': os.getpid()}})\n",
            encoding="utf-8",
        )
        return flow_of("Word") | {
            "folders": [str(tmp_path)],
            "routines": {"it": {"type": "told_word:Word"}},
        }

    return write


def test_after_an_edit_the_next_run_is_in_a_fresh_host(
    own: Own, sources: Callable[[str], dict[str, object]]
) -> None:
    first = own.run(sources("old"))
    same = own.run(sources("old"))
    flow = sources("a longer new one")
    edited = own.start(flow)
    beside = own.start(flow)
    own.client.breakpoints([])

    for job_id in (edited, beside):
        assert own.watch.ended(job_id).status == "COMPLETED"
    about = own.watch.values(edited, "it").events["about"][-1].value.text

    assert first == same
    assert "a longer new one" in about
    assert str(first["pid"]) not in about
    kinds = [type(told) for told in own.watch.told if isinstance(told, HostUp | HostGone)]
    assert kinds == [HostUp, HostGone, HostUp]
    assert not own.watch.of(StartRefused)
    assert own.watch.of(HostGone)[0].asked


def test_after_an_edit_a_fresh_host_does_what_the_last_start_wants_of_it(
    own: Own, sources: Callable[[str], dict[str, object]]
) -> None:
    first = own.run(sources("old"))
    own.link.settings = replace(own.link.settings, when_window_goes="hold")

    assert own.run(sources("a longer new one"))["pid"] != first["pid"]

    host = own.link._host
    assert host is not None
    assert host.when_gone == "hold"


def test_a_host_that_lacks_what_it_takes_is_told_and_leaves_nothing(
    own: Own, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(process, "fresh_folder", lambda: private_folder(tmp_path / "it"))
    with monkeypatch.context() as lacking:
        lacking.setattr(os, "pipe", refuse)
        refused = own.start(flow_of("Tells"))
        assert "Too many open files" in own.gone().text
        assert [one.job_id for one in own.watch.of(StartRefused)] == [refused]
    assert not (tmp_path / "it").exists()

    own.watch.told.clear()
    assert own.run(flow_of("Tells"))["pid"]


def test_it_ends_though_nobody_reads_what_it_printed_and_a_thread_would_keep_it() -> None:
    code = (
        "import sys, threading\n"
        "from penstock.host.__main__ import _finish\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "sys.stdin.read()\n"
        "print('what is not written yet', end='')\n"
        "_finish(0)\n"
    )
    ended = subprocess.Popen(
        [sys.executable, "-c", code],
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert ended.stdin is not None
    assert ended.stdout is not None
    ended.stdout.close()
    ended.stdin.close()
    try:
        assert ended.wait(DEADLINE) == 0
    finally:
        ended.kill()
        ended.wait(DEADLINE)


def test_while_a_job_lives_its_host_stays_and_tells_what_has_changed(
    own: Own, tmp_path: Path, sources: Callable[[str], dict[str, object]]
) -> None:
    gate = Gate(tmp_path / "gate")
    first = own.run(sources("old"))
    waits = own.start(flow_of("Dies", gate=str(gate.path)))
    own.runs(waits)
    assert own.run(sources("a longer new one")) == first, "what is imported runs"

    own.client.check_sources()
    own.client.check_sources()
    own.watch.until(lambda: own.watch.of(SourcesChanged)[-1:])
    own.watch.until(lambda: own.watch.of(SourcesChanged)[-1].paths)
    assert own.watch.of(SourcesChanged)[-1].paths == (str(tmp_path / "told_word.py"),)
    let_through(gate, lambda: own.watch.of(JobEnded, waits), own.watch)


def test_a_host_that_dies_while_it_looks_refuses_what_waits(
    own: Own, sources: Callable[[str], dict[str, object]]
) -> None:
    """It is stopped, so that it can't answer, and killed."""
    first = own.run(sources("old"))
    os.kill(first["pid"], signal.SIGSTOP)
    waits = own.start(sources("old"))
    own.client.pause()
    os.kill(first["pid"], signal.SIGKILL)

    own.gone()
    assert [refused.job_id for refused in own.watch.of(StartRefused)] == [waits]
    assert own.run(sources("old"))["word"] == "old"


def test_what_no_process_can_be_given_is_told(own: Own) -> None:
    """Here a variable that isn't text to the system; starts with other settings go on."""
    good = own.link.settings
    own.link.settings = replace(good, environment=dict(good.environment) | {"A": "\udc80\ud800"})
    own.start(flow_of("Tells"))

    assert "can't be started: 'utf-8' codec can't encode" in own.gone().text
    own.link.settings = good
    assert own.run(flow_of("Tells"))["pid"]


def test_a_fault_of_ours_in_its_life_is_told(
    own: Own, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(process, "fresh_folder", lambda: 1 // 0)
        own.start(flow_of("Tells"))
        assert (
            own.gone().text
            == "can't be started: ZeroDivisionError: integer division or modulo by zero"
        )
    caplog.clear()

    assert own.run(flow_of("Tells"))["pid"], "the next start is not in vain"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_process_that_a_routine_forks_ends_when_it_is_told_to(own: Own) -> None:
    assert own.run(flow_of("Forks"))["exitcode"] == -signal.SIGTERM

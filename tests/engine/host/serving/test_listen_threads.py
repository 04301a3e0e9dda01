"""A program listens, windows of its user find it, and see and steer its jobs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from helpers.flows import chain, pass_on, source
from helpers.waiting import until
from penstock import Debugger, JobStatus, Runtime
from penstock.host import (
    CommandRefused,
    EngineClient,
    EngineSnapshot,
    HostProcess,
    HostUp,
    Printed,
    StartRefused,
)
from penstock.host.crossing.codec import decode, encode
from penstock.host.crossing.commands import AskSnapshot, Resume, Start, WhenGone
from penstock.host.serving import attaching
from penstock.host.serving.attaching import Host, Listening, attach, listen, listening
from penstock.host.transport.connections import Connection, Gone
from penstock.host.transport.sockets import BACKLOG, fresh_folder, shared_folders
from penstock.observe import EngineEvent, JobEnded, JobStarted, JobView

DEADLINE = 20.0


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where programs of this test meet, and nobody else."""
    base = fresh_folder()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    monkeypatch.setattr(attaching, "shared_folders", lambda: shared_folders()[:1])
    monkeypatch.delenv(attaching.VARIABLE, raising=False)
    monkeypatch.setattr(attaching, "asked", attaching._Asked())
    yield shared_folders()[0]
    shutil.rmtree(base)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(workers=2) as made:
        yield made


class Window:
    """What is told to who has attached."""

    def __init__(self, info: Listening) -> None:
        self.connection: Connection = attach(info)
        self.told: list[Any] = []

    def send(self, *commands: object) -> None:
        self.connection.send(encode(commands))

    def until(self, kind: type[Any], many: int = 1) -> Any:
        while len(found := [one for one in self.told if isinstance(one, kind)]) < many:
            self.told += decode(self.connection.receive(DEADLINE))
        return found[-1]

    def view(self, job_id: str) -> JobView:
        view = JobView(job_id)
        for one in self.told:
            if isinstance(one, EngineEvent) and one.job_id == job_id:
                view.apply(one)
        return view

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()


def test_a_window_sees_the_jobs_of_a_program_and_steers_them(runtime: Runtime) -> None:
    flow = chain(source(range(5)), pass_on())
    before = runtime.exec(flow, held=True)
    with listen(runtime, name="a program") as host:
        during = runtime.exec(flow, held=True)
        (found,) = listening()
        assert found == host.info
        with Window(found) as window:
            up = window.until(HostUp)
            window.until(JobStarted, 2)
            window.send(Resume(before.id), Resume(during.id))
            window.until(JobEnded, 2)

            assert (up.pid, up.name, up.grant) == (os.getpid(), "a program", "control")
            for job in (before, during):
                view = window.view(job.id)
                assert (view.status, view.routines["b"].activations) == ("COMPLETED", 5)
    assert before.status is JobStatus.COMPLETED


def test_a_program_that_grants_a_look_grants_no_more(runtime: Runtime) -> None:
    with listen(runtime, grant="view"):
        job = runtime.exec(chain(source([1])), held=True)
        with Window(listening()[0]) as window:
            window.send(Resume(job.id), Start("x", "{}", None, {}))
            window.until(CommandRefused)
            window.until(StartRefused)
    assert job.status is JobStatus.PAUSED
    runtime.jobs.cancel(job.id)


def test_a_window_starts_flows_where_that_is_granted() -> None:
    with listen(grant="evaluate") as host:
        with Window(host.info) as window:
            window.send(Start("w1", "{", None, {}))
            assert window.until(StartRefused).job_id == "w1"
        assert host.runtime.jobs.list() == []


def test_held_jobs_go_on_when_the_program_stops_listening(runtime: Runtime) -> None:
    host = listen(runtime)
    job = runtime.exec(chain(source([1])), held=True)
    with Window(host.info) as window:
        window.until(JobStarted)
        window.send(WhenGone("resume"), AskSnapshot())
        window.until(EngineSnapshot)
        host.close()
        host.close()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        with pytest.raises(Gone):
            window.until(HostUp, 2)
    job = runtime.exec(chain(source([1])))
    assert job.wait(DEADLINE) is JobStatus.COMPLETED


def test_what_the_program_holds_itself_is_left_alone(runtime: Runtime) -> None:
    job = runtime.exec(chain(source([1])), held=True)
    with listen(runtime):
        pass
    assert job.status is JobStatus.PAUSED
    Debugger(runtime).resume()
    assert job.wait(DEADLINE) is JobStatus.COMPLETED


def test_printed_text_is_told_where_that_is_wanted(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    stdout = sys.stdout
    with listen(runtime, output=True) as host, Window(host.info) as window:
        print("told")
        assert window.until(Printed).text == "told\n"
    assert sys.stdout is stdout
    assert capsys.readouterr().out == "told\n"
    with listen(runtime):
        assert sys.stdout is stdout


# ---- who listens


def test_of_what_lies_there_only_we_can_read_and_nothing_stays(
    runtime: Runtime, folder: Path
) -> None:
    first, second = listen(runtime, name="first"), listen(runtime, name="second")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {0o600}
    assert [info.name for info in listening()] == ["first", "second"]
    assert listening()[0].since <= listening()[1].since
    texts = [path.read_bytes() for path in folder.glob("*.json")]
    keys = [path.read_bytes() for path in folder.glob("*.key")]
    assert len(texts) == len(keys) == 2
    assert not any(key in text or key.hex().encode() in text for key in keys for text in texts)

    first.close()
    assert [info.name for info in listening()] == ["second"]
    second.close()
    assert list(folder.iterdir()) == []
    with pytest.raises(Gone, match="doesn't listen"):
        attach(first.info)


def test_names_are_short_and_printable(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/some/where/my\udcffjob.py"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    with listen(runtime), listen(runtime, name="x\n\x1b[31m" + "y" * 1000):
        names = [info.name for info in listening()]
    assert names[0] == "my�job.py"
    assert names[1].startswith("x��[31my")
    assert len(names[1]) == 200


def test_another_grant_is_refused(runtime: Runtime, folder: Path) -> None:
    with pytest.raises(ValueError, match="view, control, evaluate"):
        listen(runtime, grant="everything")  # type: ignore[arg-type]
    assert listening() == ()


def test_what_dead_programs_left_is_removed(runtime: Runtime, folder: Path) -> None:
    host = listen(runtime)
    real = json.loads(host._door.note.read_text())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(DEADLINE)
    leave(folder, f"{gone.pid}-1", real | {"pid": gone.pid})
    leave(folder, f"{os.getpid()}-77", real)  # the number is another process's now
    (folder / "half.json").write_text("{")
    (folder / "other.json").write_text(json.dumps(real))

    assert listening() == (host.info,)

    left = {path.name for path in folder.iterdir() if not path.name.startswith(f"{os.getpid()}-")}
    assert left == {"half.json", "other.json"}
    assert not (folder / f"{os.getpid()}-77.json").exists()
    host.close()


def leave(folder: Path, name: str, info: dict[str, Any]) -> None:
    """What a program that was killed leaves."""
    path = folder / name
    path.touch(0o600)
    path.with_name(name + ".key").write_bytes(bytes(32))
    path.with_name(name + ".json").write_text(json.dumps(info | {"path": str(path)}))


def test_what_a_killed_process_of_the_same_number_left_is_no_hindrance(
    runtime: Runtime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attaching, "_numbers", count(1))
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / f"{os.getpid()}-1"))
    (folder / f"{os.getpid()}-2.key").touch()
    (folder / f"{os.getpid()}-3.json").touch()
    (folder / f"{os.getpid()}-4.json.new").touch()

    with listen(runtime) as host:
        assert Path(host.info.path).name == f"{os.getpid()}-5"
        assert host.info in listening()


def test_where_no_note_can_be_written_nothing_of_a_host_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(attaching, "_announce", refuse)
    threads, printed = set(threading.enumerate()), sys.stdout
    with Runtime(workers=1) as runtime:
        with pytest.raises(OSError, match="no space left"):
            listen(runtime, output=True)
        assert not runtime.jobs.keep_values
    with pytest.raises(OSError, match="no space left"):
        listen()

    assert sys.stdout is printed
    assert list(folder.iterdir()) == []
    until(lambda: set(threading.enumerate()) <= threads)


def test_a_folder_that_is_not_ours_alone_is_not_looked_into(runtime: Runtime, folder: Path) -> None:
    with listen(runtime):
        folder.chmod(0o755)
        assert listening() == ()
        with pytest.raises(OSError, match="0700"):
            listen(runtime)
        folder.chmod(0o700)
        assert len(listening()) == 1


# ---- the environment asks


def test_the_first_runtime_listens_if_the_environment_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(attaching.VARIABLE, "1")
    with Runtime(workers=1) as first, Runtime(workers=1):
        (found,) = listening()
        job = first.exec(chain(source([1])), held=True)
        with Window(found) as window:
            assert window.until(HostUp).grant == "control"
            assert window.until(JobStarted).job_id == job.id
    the_host().close()


def the_host() -> Host:
    host = attaching.asked._host
    assert host is not None
    return host


@pytest.mark.parametrize("value", ["view", "evaluate"])
def test_the_environment_may_name_the_grant(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(attaching.VARIABLE, value)
    with Runtime(workers=1):
        assert [info.grant for info in listening()] == [value]
        the_host().close()


@pytest.mark.parametrize("value", ["", "0"])
def test_the_environment_may_ask_for_nothing(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(attaching.VARIABLE, value)
    with Runtime(workers=1):
        assert listening() == ()


def test_a_program_goes_on_where_it_can_not_listen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, folder: Path
) -> None:
    monkeypatch.setenv(attaching.VARIABLE, "yes")
    with Runtime(workers=1):
        assert "expected 1 or a grant" in caplog.text
    caplog.clear()
    monkeypatch.setattr(attaching, "asked", attaching._Asked())
    monkeypatch.setenv(attaching.VARIABLE, "1")
    folder.touch()
    with Runtime(workers=1) as runtime:
        assert "can't listen" in caplog.text
        assert runtime.exec(chain(source([1]))).wait(DEADLINE) is JobStatus.COMPLETED
    caplog.clear()


def test_a_program_that_listens_by_itself_is_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(attaching.VARIABLE, "1")
    with Runtime(workers=1) as runtime, listen(runtime, grant="view"):
        assert [info.grant for info in listening()] == ["view"]
    monkeypatch.setattr(attaching, "asked", attaching._Asked())
    with listen(grant="evaluate"):
        assert [info.grant for info in listening()] == ["evaluate"]


@pytest.mark.slow
def test_the_engine_of_a_window_does_not_listen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(attaching.VARIABLE, "1")
    (tmp_path / "flow_of_one.py").write_text(
        "import penstock\nclass One(penstock.Routine):\n    def logic(self): pass\n"
    )
    flow = {"version": 1, "name": "f", "folders": ["."], "routines": {}, "connections": []}
    flow["routines"] = {"a": {"type": "flow_of_one:One"}}
    client = EngineClient(link=HostProcess())
    client.start(json.dumps(flow), str(tmp_path))

    until(lambda: any(isinstance(told, JobEnded) for told in client.drain()))

    assert listening() == ()
    client.close()


PROGRAM = """
import os, sys
import penstock, penstock.host
from penstock.host.serving.attaching import listening
assert not listening(), "at import"
runtime = penstock.Runtime(workers=1)
print("ready", flush=True)
os.read(0, 1)
if sys.argv[1] == "forks" and os.fork() == 0:
    print("forked", flush=True)
    os.read(0, 1)
    penstock.host.serving.attaching.asked._host.close()
    print("closed", flush=True)
    os.read(0, 1)
    os._exit(0)
if sys.argv[1] == "forks":
    import threading
    threading.Event().wait()
"""


@pytest.fixture
def program(tmp_path: Path, folder: Path) -> Iterator[Any]:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    started: list[subprocess.Popen[str]] = []

    def start(how: str) -> subprocess.Popen[str]:
        made = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(file), how],
            env=os.environ
            | {attaching.VARIABLE: "1", "PYTHONPATH": str(Path(attaching.__file__).parents[3])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(made)
        assert said(made) == "ready"
        return made

    yield start
    for made in started:
        made.kill()
        made.wait(DEADLINE)
        for pipe in (made.stdin, made.stdout):
            assert pipe is not None
            pipe.close()


def said(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def go_on(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    program.stdin.write("x")
    program.stdin.flush()


@pytest.mark.slow
def test_a_program_that_ends_leaves_nothing(program: Any, folder: Path) -> None:
    made = program("ends")
    assert [(info.pid, info.name) for info in listening()] == [(made.pid, "program.py")]

    go_on(made)
    assert made.wait(DEADLINE) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_program_that_is_stopped_is_found_however_often_one_looks(program: Any) -> None:
    made = program("ends")
    before = listening()
    made.send_signal(signal.SIGSTOP)
    try:
        looks = [listening() for _ in range(3 * BACKLOG)]
    finally:
        made.send_signal(signal.SIGCONT)

    assert looks == [before] * len(looks)
    until(lambda: can_be_attached_to(before[0]))


def can_be_attached_to(info: Listening) -> bool:
    """False also while all who have looked at it still stand at its door."""
    try:
        attach(info).close()
    except Gone:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks there")
def test_a_program_that_was_killed_is_gone_though_its_child_lives(
    program: Any, folder: Path
) -> None:
    made = program("forks")
    with Window(listening()[0]) as window:
        window.until(HostUp)
        go_on(made)
        assert said(made) == "forked"
        go_on(made)
        assert said(made) == "closed"
        assert len(listening()) == 1  # what a child closes is its parent's

        made.send_signal(signal.SIGKILL)
        made.wait(DEADLINE)
        with pytest.raises(Gone):
            window.until(JobEnded)
    assert listening() == ()
    assert list(folder.iterdir()) == []

"""Hosts whose window is gone: they end, or stay for their jobs, and end when those are over."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from helpers.dying import FOLDER, flow_of
from helpers.gated import Gate, gated_flow
from helpers.hosted import Watch
from helpers.waiting import is_gone, until
from penstock.host import (
    Attached,
    BreakpointSpec,
    EngineClient,
    FlowPicture,
    HostProcess,
    HostUp,
    LaunchSettings,
    Listening,
    Printed,
    listening,
)
from penstock.host.crossing.launch import WhenWindowGoes
from penstock.host.serving import staying
from penstock.host.serving.server import HostServer
from penstock.host.serving.staying import Fate
from penstock.host.transport.sockets import fresh_folder
from penstock.observe import JobHeld, JobResumed, JobStarted

DEADLINE = 20.0
WINDOW_SECONDS = 8.0
"""Less than the time after which a host is ended by force."""
WINDOW = """
import json, sys, threading
from penstock.host import BreakpointSpec, EngineClient, HostProcess, HostUp, LaunchSettings
given = json.loads(sys.argv[1])
settings = LaunchSettings(environment=given["environment"], when_window_goes=given["policy"])
link = HostProcess(settings)
client = EngineClient(link=link)
client.breakpoints([BreakpointSpec(1, given["hold_at"])] if given["hold_at"] else [])
client.start(given["flow"])
pid, seen, tick = 0, False, threading.Event()
while not seen:
    for told in client.drain():
        pid = told.pid if isinstance(told, HostUp) else pid
        seen = seen or type(told).__name__ == given["until"]
    tick.wait(0.005)
if given["chosen"]:
    link.choose(given["chosen"])
print(pid, flush=True)
if sys.stdin.readline():
    client.close()
"""


def listens(pid: int) -> Listening:
    """Wait until a host is found."""
    found: list[Listening] = []

    def look() -> bool:
        assert not is_gone(pid), "it hasn't stayed"
        found[:] = [one for one in listening() if one.pid == pid]
        return bool(found)

    until(look)
    return found[0]


class Left:
    """A window in a process of its own that is gone, and the host it left, or didn't."""

    def __init__(
        self,
        flow: dict[str, object],
        policy: WhenWindowGoes,
        hold_at: str = "",
        chosen: str = "",
        until: str = "",
    ) -> None:
        given = {
            "environment": {"PYTHONPATH": str(FOLDER.parent)},
            "policy": policy,
            "flow": json.dumps(flow),
            "hold_at": hold_at,
            "chosen": chosen,
            "until": until or ("JobHeld" if hold_at else "JobStarted"),
        }
        self.window = subprocess.Popen(
            [sys.executable, "-c", WINDOW, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.window.stdout is not None
        self.pid = int(self.window.stdout.readline())

    def kill(self) -> None:
        self.window.kill()
        self.window.communicate()

    def close(self) -> None:
        self.window.communicate(b"close\n", timeout=DEADLINE)

    def listens(self) -> Listening:
        return listens(self.pid)

    def ends(self, seconds: float = DEADLINE) -> None:
        """Wait for its end, which leaves nothing."""
        until(lambda: is_gone(self.pid), seconds)
        folder = Path(os.environ["XDG_RUNTIME_DIR"])
        until(
            lambda: not [path for path in folder.rglob("*") if path.name.startswith(str(self.pid))]
        )


class Guest:
    """A window that is attached, and its news."""

    def __init__(self, info: Listening, **more: Any) -> None:
        self.client = EngineClient(link=Attached(info, **more))
        self.watch = Watch(self.client)

    def __enter__(self) -> Watch:
        self.watch.until(lambda: self.watch.of(HostUp))
        return self.watch

    def __exit__(self, *error: object) -> None:
        self.client.close()


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Left]]:
    """Makes windows; what they run on meets in a folder of this test's, and is gone after it."""
    base = fresh_folder()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    made: list[Left] = []

    def make(*given: Any, **more: Any) -> Left:
        made.append(Left(*given, **more))
        return made[-1]

    yield make
    for one in made:
        one.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
    shutil.rmtree(base)


def test_a_held_job_stays_held_for_the_next_window_with_all_there_is_to_see(
    left: Callable[..., Left], tmp_path: Path
) -> None:
    flow = gated_flow(tmp_path / "no gate") | {"name": "gated\N{RIGHT-TO-LEFT OVERRIDE}"}
    one = left(flow, "hold", hold_at="total")
    one.kill()
    info = one.listens()

    name = "gated\N{REPLACEMENT CHARACTER}"
    assert (info.name, info.grant) == (name, "control")
    with Guest(info) as watch:
        up = watch.of(HostUp)[0]
        assert (up.pid, up.name, up.grant, up.in_control) == (one.pid, name, "control", True)
        watch.until(lambda: watch.of(JobHeld))
        view = watch.view("1")
        assert view.held is not None
        assert (view.held.place, view.held.why) == ("total", "breakpoint")
        watch.until(lambda: watch.view("1").routines["gated"].emitted.get("passed"))
        watch.client.ask_flow("1")
        watch.until(lambda: watch.of(FlowPicture))
        picture = watch.of(FlowPicture)[0]
        assert {routine.id for routine in picture.routines} == {"numbers", "gated", "total"}
        assert not watch.of(JobResumed)

        watch.client.start(json.dumps(gated_flow(tmp_path / "no gate")))
        watch.until(lambda: watch.told[-1:] and "grants 'control'" in str(watch.told[-1]))

        watch.client.breakpoints([])
        watch.client.resume("1")
        assert watch.ended("1").status == "COMPLETED"
        assert watch.values("1", "total").events["total"][-1].value.text == "55"
        assert not is_gone(one.pid), "somebody is still looking"
    one.ends()


def test_a_held_job_goes_on_without_its_window_and_its_host_ends_with_it(
    left: Callable[..., Left], tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    one = left(flow_of("Dies", gate=str(gate.path)), "resume", hold_at="it")
    one.kill()
    with Guest(one.listens()) as watch:
        watch.until(lambda: watch.of(JobStarted))
    until(gate.let_go)
    one.ends()


def test_held_jobs_and_all_others_end_with_a_window_that_isn_t_to_leave_any(
    left: Callable[..., Left], tmp_path: Path
) -> None:
    """Nothing that is held is let go for it."""
    trace = tmp_path / "trace"
    one = left(flow_of("Writes", path=str(trace)), "end", hold_at="it")
    one.kill()

    one.ends(WINDOW_SECONDS)
    assert not trace.exists()


@pytest.mark.parametrize("chosen", ["hold", "resume"])
def test_what_is_chosen_at_the_end_goes_before_the_settings(
    left: Callable[..., Left], tmp_path: Path, chosen: str
) -> None:
    gate = Gate(tmp_path / "gate")
    flow = flow_of("Dies", gate=str(gate.path))
    stays = left(flow, "end", hold_at="it", chosen=chosen)
    stays.close()
    with Guest(stays.listens(), held="hold") as watch:
        watch.until(lambda: watch.of(JobStarted))
        assert bool(watch.view("1").held) is (chosen == "hold")
        watch.client.breakpoints([])
        watch.client.resume("1")
        until(gate.let_go)
        assert watch.ended("1").status == "COMPLETED"
    stays.ends()

    ends = left(flow, chosen, hold_at="it", chosen="end")
    ends.close()
    assert is_gone(ends.pid), "it was still there when its window had closed"


def test_what_is_printed_after_the_window_is_gone_disturbs_nobody_and_is_told(
    left: Callable[..., Left], tmp_path: Path
) -> None:
    """More than a pipe holds, by Python, by descriptor, and by a program started before."""
    gate, child = Gate(tmp_path / "gate"), Gate(tmp_path / "child")
    flow = flow_of("Talks", gate=str(gate.path), child=str(child.path))
    one = left(flow, "resume")
    held_open = os.open(child.path, os.O_WRONLY)  # once the child has come there
    one.kill()
    with Guest(one.listens()) as watch:
        os.close(held_open)
        until(gate.let_go)
        watch.until(lambda: any("the end" in told.text for told in watch.of(Printed)))
        assert watch.ended("1").status == "COMPLETED"
        assert watch.values("1", "it").events["done"][-1].value.text == "0"
    one.ends()


ALARM = """
import os, signal, sys
from penstock.host.serving.staying import Fate, die_with_parent
die_with_parent(sys.argv[1] == "end")
fate = Fate(sys.argv[1], lambda: None, lambda command: None, None)
if len(sys.argv) > 2:
    fate.choose(sys.argv[2])
os.kill(os.getpid(), signal.SIGUSR1)
print(signal.getitimer(signal.ITIMER_REAL)[0] > 0)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of its parent's end"
)
@pytest.mark.parametrize(
    ("choices", "ends"),
    [
        (["end"], True),
        (["hold"], False),
        (["end", "resume"], False),
        (["resume", "end"], True),
    ],
)
def test_the_signal_of_the_window_s_end_ends_only_what_isn_t_to_stay(
    choices: list[str], ends: bool
) -> None:
    """Also where no Python code runs, as in a C call that keeps the interpreter."""
    command = [sys.executable, "-c", ALARM, *choices]
    told = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert told.stdout.strip() == str(ends)


def test_a_host_without_a_job_ends_whatever_was_chosen(left: Callable[..., Left]) -> None:
    one = left(flow_of("Tells"), "hold", until="JobEnded")
    one.kill()
    one.ends(WINDOW_SECONDS)


def test_a_host_that_stays_ends_when_it_is_told_to(
    left: Callable[..., Left], tmp_path: Path
) -> None:
    one = left(flow_of("Tells"), "hold", hold_at="it")
    one.kill()
    one.listens()
    os.kill(one.pid, signal.SIGTERM)
    one.ends()


class OpeningDoor:
    """A door that somebody has found, and had its host ended, while it opens."""

    def __init__(self, found: Callable[[], None]) -> None:
        self._found = found
        self.closed = False

    def __call__(self, *given: object) -> OpeningDoor:
        self._found()
        return self

    def close(self) -> None:
        self.closed = True


class OneFlow:
    """As much of a server as matters to what becomes of a host."""

    name = "a host"

    def live_flows(self) -> tuple[str, ...]:
        return ("a flow",)


def test_a_host_that_ends_while_its_door_opens_leaves_nothing(
    left: Callable[..., Left], monkeypatch: pytest.MonkeyPatch
) -> None:
    fate = Fate("hold", lambda: None, lambda command: None, None)
    door = OpeningDoor(fate.close)
    monkeypatch.setattr(staying, "Door", door)
    monkeypatch.setattr(Fate, "_leave_pipe", lambda self, drain: None)
    monkeypatch.setattr(staying, "new_listener", lambda: None)

    fate.on_alone(cast("HostServer", OneFlow()))

    assert door.closed


def test_the_last_start_says_what_becomes_of_its_host(left: Callable[..., Left]) -> None:
    """Without a fresh one for that."""
    plain = LaunchSettings(environment={"PYTHONPATH": str(FOLDER.parent)})
    link = HostProcess(plain)
    client = EngineClient(link=link)
    watch = Watch(client)
    try:
        first = client.start(json.dumps(flow_of("Tells")))
        watch.ended(first)
        link.settings = replace(plain, when_window_goes="hold")
        client.breakpoints([BreakpointSpec(1, "it")])
        second = client.start(json.dumps(flow_of("Tells")))
        watch.until(lambda: watch.of(JobHeld, second))
        (up,) = watch.of(HostUp)
        for _ in range(2):
            client.close()
        with Guest(listens(up.pid)) as other:
            other.until(lambda: other.of(JobHeld))
            other.client.cancel(second)
            assert other.ended(second).status == "CANCELLED"
        until(lambda: is_gone(up.pid))
    finally:
        link.choose("end")
        client.close()
        for one in watch.of(HostUp):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)

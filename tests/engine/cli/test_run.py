from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Failure, JobStatus
from penstock.cli.main import main
from penstock.cli.progress import report, summary
from penstock.observe import RoutineCount, SlotCount
from penstock.run import JobSnapshot

ROUTINES = '''
import math
import threading
from pydantic import BaseModel, Field
from penstock import Continue, Event, Retry, Routine, Skip, Slot

class Greet(Routine):
    """Greets whoever is named."""
    name = Slot(str)
    said = Event(str)

    class Config(BaseModel):
        greeting: str = "hello"
        times: int = Field(default=1, ge=1)

    def logic(self, name):
        print("printed by a routine")
        for _ in range(self.config.times):
            self.said.emit(f"{self.config.greeting} {name}")

class Add(Routine):
    numbers = Slot(list[int])
    total = Event(dict)
    strange = Event(object)

    def logic(self, numbers):
        self.total.emit({"sum": sum(numbers)})
        self.strange.emit(math.inf)
        self.strange.emit(self)

class Fail(Routine):
    value = Slot(object)

    def logic(self, value):
        raise ValueError(f"can't take {value}")

class Forever(Routine):
    def logic(self):
        while True:
            yield
            self.sleep(0.01)

class Numbers(Routine):
    number = Event(int)

    def logic(self):
        for number in range(9):
            self.number.emit(number)

class Join(Routine):
    left = Slot(int, capacity=2)
    right = Slot(int, capacity=2)

    def logic(self, left, right): ...

class Picky(Routine):
    """Fails for odd numbers, however often it tries."""
    number = Slot(int)
    on_error = Retry(times=2, then=Continue())

    def logic(self, number):
        if number % 2:
            raise ValueError(f"{number} is odd")

class Lossy(Routine):
    number = Slot(int, capacity=1, overflow="drop_newest")
    on_error = Skip()

    def logic(self, number):
        raise ValueError("never again")

class JobTimeout(Exception):
    pass

class Impostor(Routine):
    def logic(self):
        raise JobTimeout("not the job's")

class Slow(Routine):
    timeout = 0.1

    def logic(self):
        self.sleep(20)

class Count(Routine):
    number = Event(int)

    def logic(self):
        for number in range(1200):
            self.number.emit(number)
            yield
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for all tests: importing from it stays with the process."""
    path = tmp_path_factory.mktemp("flows")
    (path / "run_bodies.py").write_text(ROUTINES)
    before = list(sys.path)
    yield path
    sys.path[:] = before
    sys.modules.pop("run_bodies", None)


def flow_of(folder: Path, *names: str, **more: Any) -> str:
    """A flow file with one routine per class name, its id in lower case."""
    routines = {name.lower(): {"type": f"run_bodies:{name}"} for name in names}
    data = {"version": 1, "name": "tried", "folders": ["."], "routines": routines, **more}
    path = folder / "tried.flow.json"
    path.write_text(json.dumps(data))
    return str(path)


def test_text_is_printed_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", flow_of(folder, "Greet"), "-p", "greet.name=Zoë"]) == 0

    assert capsys.readouterr().out == "printed by a routine\nhello Zoë\n"


def test_other_values_are_json_and_what_has_none_is_summed_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", flow_of(folder, "Add"), "-p", "add.numbers=[1, 2, 3]"]) == 0

    total, infinity, itself = capsys.readouterr().out.splitlines()
    assert (total, infinity) == ('{"sum": 6}', "inf")
    assert itself.startswith(("<Add", "Add("))


def test_a_bare_slot_name_is_enough_with_one_entry(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", flow_of(folder, "Greet"), "-p", "name=you"]) == 0

    assert "hello you" in capsys.readouterr().out


def test_config_is_set_from_json_or_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-p", "greet.name=x", "-c", "greet.greeting=good day", "-c", "greet.times=2"]

    assert main(["run", flow_of(folder, "Greet"), *arguments]) == 0

    assert capsys.readouterr().out.splitlines()[1:] == ["good day x", "good day x"]


def test_json_is_exactly_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", flow_of(folder, "Greet"), "-p", "greet.name=x", "--json"]) == 0

    told = capsys.readouterr()
    result = json.loads(told.out)
    assert set(result) == {"status", "error", "outputs", "routines", "seconds"}
    assert (result["status"], result["error"]) == ("COMPLETED", None)
    assert result["outputs"] == {"greet.said": ["hello x"]}
    assert result["routines"]["greet"]["slots"]["name"]["consumed"] == 1
    assert "printed by a routine" in told.err


def test_values_without_json_are_summaries_in_the_object(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", flow_of(folder, "Add"), "-p", "add.numbers=[]", "--json"])

    strange = json.loads(capsys.readouterr().out)["outputs"]["add.strange"]
    assert strange[0] == "inf"
    assert "Add" in strange[1]


def test_a_failed_job_exits_1_and_says_where(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", flow_of(folder, "Fail"), "-p", "fail.value=7"]) == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1] == "penstock: failed in fail: ValueError: can't take 7"


def test_a_failed_job_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", flow_of(folder, "Fail"), "-p", "fail.value=7", "--json"]) == 1

    result = json.loads(capsys.readouterr().out)
    assert result["status"] == "FAILED"
    assert result["error"]["routine"] == "fail"
    assert result["error"]["type"] == "ValueError"
    assert "run_bodies.py" in result["error"]["traceback"]


def test_a_time_out_exits_124_and_is_the_error_of_the_object(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", flow_of(folder, "Forever"), "--timeout", "0.3", "--json"]) == 124

    result = json.loads(capsys.readouterr().out)
    assert (result["status"], result["error"]["type"]) == ("FAILED", "JobTimeout")


def test_a_time_out_is_told_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", flow_of(folder, "Forever"), "--timeout", "0.3"]) == 124

    assert capsys.readouterr().err.splitlines() == ["penstock: timed out after 0.3 s"]


def test_a_routine_s_own_time_out_is_a_failure(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", flow_of(folder, "Slow"), "--timeout", "20"]) == 1

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("penstock: failed in slow: RoutineTimeout")


def test_an_error_of_that_name_is_no_time_out_of_the_job(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", flow_of(folder, "Impostor"), "--timeout", "20"]) == 1

    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "penstock: failed in impostor: JobTimeout: not the job's"


@pytest.mark.parametrize(("loop", "names"), [("pool", []), ("thread", ["penstock-job-1"])])
def test_the_loop_runs_where_it_is_told_to(
    folder: Path, capsys: pytest.CaptureFixture[str], loop: str, names: list[str]
) -> None:
    """While the routine runs, it looks which threads there are."""
    (folder / "run_threads.py").write_text(
        "import threading\n"
        "from penstock import Event, Routine\n"
        "class Look(Routine):\n"
        "    seen = Event(list)\n"
        "    def logic(self):\n"
        "        self.seen.emit(sorted(t.name for t in threading.enumerate()))\n"
    )
    path = flow_of(folder, routines={"look": {"type": "run_threads:Look"}})

    assert main(["run", path, "--loop", loop, "--json"]) == 0

    seen = json.loads(capsys.readouterr().out)["outputs"]["look.seen"][0]
    assert [name for name in seen if name.startswith("penstock-job")] == names


def stalling(folder: Path) -> str:
    return flow_of(folder, "Numbers", "Join", connections=["numbers.number -> join.left"])


def test_a_stall_ends_the_job_names_what_is_full_and_exits_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", stalling(folder), "--report"]) == 1

    told = capsys.readouterr()
    assert told.out == ""
    last = told.err.splitlines()[-1]
    assert last.startswith("penstock: stalled: join.left is full, and nothing")
    assert last.endswith("the job was cancelled")
    assert "left 2/2" in told.err, "the report shows how full it was"


def test_a_stall_is_said_once(folder: Path) -> None:
    """In a process of its own, where warnings that are logged go to stderr."""
    command = [sys.executable, "-m", "penstock", "run", stalling(folder)]

    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (told.returncode, told.stdout) == (1, "")
    assert [line.partition(" and ")[0] for line in told.stderr.splitlines()] == [
        "penstock: stalled: join.left is full,"
    ]


def test_a_stall_is_the_error_of_the_object(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", stalling(folder), "--loop", "pool", "--json"]) == 1

    told = capsys.readouterr()
    result = json.loads(told.out)
    assert set(result) == {"status", "error", "outputs", "routines", "seconds"}
    assert (result["status"], result["error"]["type"]) == ("CANCELLED", "Stalled")
    assert "join.left" in result["error"]["text"]
    assert "join.left" in told.err


def test_help_says_what_becomes_of_a_stall(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0

    told = " ".join(capsys.readouterr().out.split())
    assert "A job that is stalled" in told
    assert "{thread,pool}" in told


def test_the_report_shows_retries_dead_letters_and_losses(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = flow_of(
        folder,
        "Numbers",
        "Picky",
        "Lossy",
        connections=["numbers.number -> picky.number", "numbers.number -> lossy.number"],
    )

    assert main(["run", path, "--workers", "2", "--report"]) == 0

    lines = capsys.readouterr().err.splitlines()
    header = lines[0].replace("high water", "high_water").split()
    rows = {line.split()[0]: dict(zip(header, line.split(), strict=False)) for line in lines[1:4]}
    assert {"retries", "dead"} < set(header)
    assert not {"superseded", "discarded"} & set(header), "columns without anything to say"
    # four odd numbers, each tried three times
    assert (rows["picky"]["failures"], rows["picky"]["retries"]) == ("12", "8")
    assert (rows["picky"]["dead"], rows["numbers"]["dead"]) == ("4", "0")
    lossy = rows["lossy"]
    lost = sum(int(lossy.get(column, "0")) for column in ("dead", "dropped", "skipped"))
    assert (lossy["dead"], lost) == ("1", 9)
    assert lines[4] == "dead letters, all:"
    assert "  picky: ValueError: 7 is odd (attempt 3)" in lines[5:]
    assert "  lossy: ValueError: never again" in lines[5:]
    assert len(lines) == 10


def test_of_many_dead_letters_the_report_shows_the_last() -> None:
    letters = tuple(Failure("a", {}, "ValueError", f"no {n}\nmore " + "x" * 300) for n in range(9))
    job = JobSnapshot(
        "1", "f", JobStatus.COMPLETED, None, {}, {}, letters, {}, 0, (), 0.0, None, None
    )

    head, *shown = report(job, {}).splitlines()[1:]

    assert head == "dead letters, the last 5 of the 9 kept:"
    assert [line.split()[3] for line in shown] == ["4", "5", "6", "7", "8"]
    assert max(map(len, shown)) <= 202


def test_progress_names_who_waits_for_a_retry() -> None:
    slot = SlotCount(1, 9, 1, 3, 2, 1, 0, 0, 0)
    count = RoutineCount("retrying", 2, 1, 0, 0, 0.0, 0, {"x": slot}, {})
    job = JobSnapshot(
        "1", "f", JobStatus.RUNNING, None, {}, {}, (), {"a": count}, 0, (), 0.0, None, 2.0
    )

    assert summary(job) == "2.0 s running: 2 of 3 messages, 1 failed; a retrying"


def test_progress_and_report_go_to_stderr(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = flow_of(folder, "Greet")

    assert main(["run", path, "-p", "greet.name=x", "--progress", "--report"]) == 0

    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "hello x"
    assert "completed: 1 of 1 messages" in told.err
    header, row = told.err.splitlines()[-2:]
    assert header.split() == ["routine", "activations", "failures", "seconds", "high", "water"]
    assert row.split()[:3] == ["greet", "1", "0"]
    assert row.endswith("name 1/1000")


def test_it_is_said_that_earlier_values_were_not_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", flow_of(folder, "Count")]) == 0

    told = capsys.readouterr()
    assert told.out.splitlines() == [str(number) for number in range(200, 1200)]
    assert "200 earlier values of count.number" in told.err


WRONG = [
    (["-p", "greet.name"], "expected -p routine.name=VALUE"),
    (["-p", "=x"], "expected -p routine.name=VALUE"),
    (["-p", "greet.name=a", "-p", "greet.name=b"], "given twice"),
    (["-p", "greet.nam=a"], "no slot 'nam'; there is name"),
    (["-p", "nobody.name=a"], "no routine 'nobody'; there is greet"),
    (["-p", "nam=a"], "nam"),
    (["-p", "greet.name=5"], "greet.name"),
    (["-c", "greet.colour=red"], "no field 'colour'; there is greeting, times"),
    (["-c", "nobody.times=1"], "no routine 'nobody'"),
    (["-c", "greet.times=many"], "greet.times"),
    (["-c", "greet.times=0"], "greet.times"),
    (["-c", "greet.times=NaN"], "greet.times"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG]
)
def test_wrong_values_are_one_line_and_exit_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["run", flow_of(folder, "Greet"), *arguments]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert said in told.err


def unreadable(folder: Path) -> dict[str, Path]:
    os.mkfifo(folder / "fifo.flow.json")
    (folder / "text.flow.json").write_text("no JSON")
    (folder / "bytes.flow.json").write_bytes(b"\xff\xfe\x00")
    (folder / "list.flow.json").write_text("[]")
    (folder / "newer.flow.json").write_text('{"version": 99, "name": "x", "routines": {}}')
    names = ("fifo", "text", "bytes", "list", "newer")
    paths = {name: folder / f"{name}.flow.json" for name in names}
    return paths | {"folder": folder, "device": Path("/dev/zero"), "missing": folder / "none"}


@pytest.mark.parametrize(
    "kind", ["fifo", "text", "bytes", "list", "newer", "folder", "device", "missing"]
)
def test_an_unreadable_flow_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = unreadable(tmp_path)[kind]

    assert main(["run", str(path)]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert path.name in told.err


@pytest.mark.parametrize(
    "routines",
    [
        {"a": {"type": "run_bodies:Nobody"}},
        {"a": {"type": "no_such_module:Nobody"}},
        {"a": {"type": "run_bodies"}},
        {"a": {}},
        {"1a": {"type": "run_bodies:Greet"}},
    ],
)
def test_a_flow_that_cannot_start_is_one_line_and_exit_2(
    folder: Path, capsys: pytest.CaptureFixture[str], routines: dict[str, Any]
) -> None:
    assert main(["run", flow_of(folder, routines=routines)]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1


def test_an_unknown_example_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "example:no_such"]) == 2

    assert "code_census" in capsys.readouterr().err


def test_bad_input_with_json_still_prints_one_object(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(folder / "missing"), "--json"]) == 2

    result = json.loads(capsys.readouterr().out)
    assert result["status"] is None
    assert "missing" in result["error"]["text"]


HEARS_CTRL_C = """
import signal, sys
from penstock.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start jobs deaf to it
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_cancels_and_exits_130(folder: Path) -> None:
    program = [sys.executable, "-c", HEARS_CTRL_C]
    with subprocess.Popen(
        [*program, "run", flow_of(folder, "Forever"), "--progress"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "running" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=15)

    assert process.returncode == 130
    assert told.splitlines()[-1] == "penstock: cancelled"
    assert "Traceback" not in told


def test_a_closed_pipe_is_no_traceback(folder: Path) -> None:
    command = [sys.executable, "-m", "penstock", "run", flow_of(folder, "Count")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
        process.wait(timeout=15)

    assert process.returncode == 1
    assert "Traceback" not in told

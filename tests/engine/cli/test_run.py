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

from penstock.cli.main import main

ROUTINES = '''
import math
import threading
from pydantic import BaseModel, Field
from penstock import Event, Routine, Slot

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


def test_time_out_cancels_and_exits_124(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", flow_of(folder, "Forever"), "--timeout", "0.3", "--json"]) == 124

    assert json.loads(capsys.readouterr().out)["status"] == "CANCELLED"


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

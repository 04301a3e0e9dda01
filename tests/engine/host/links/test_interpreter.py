"""Other Pythons: which can run the engine, what they are lent, and how a host is started there."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import penstock
from penstock.errors import LaunchError
from penstock.host.crossing.launch import LaunchSettings
from penstock.host.links import boot
from penstock.host.links.interpreter import check_interpreter, host_command, host_environment

OURS = ".".join(map(str, sys.version_info[:3]))
BOOT = Path(boot.__file__)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python of this version that has nothing installed."""
    folder = tmp_path_factory.mktemp("bare")
    venv.EnvBuilder(symlinks=os.name != "nt", with_pip=False).create(folder)
    return str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")


def program(folder: Path, script: str) -> str:
    """A program that is started as a Python is; ``$3`` is the mark it answers with."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def is_left_by_writers(reader: int) -> bool:
    try:
        return os.read(reader, 1) == b""
    except BlockingIOError:  # killed, perhaps not yet dead
        return bool(select.select([reader], [], [], 10)[0]) and os.read(reader, 1) == b""


def test_this_interpreter_can_run_the_engine() -> None:
    assert check_interpreter(sys.executable) == OURS


def test_an_interpreter_with_nothing_installed_is_lent_what_it_needs(bare: str) -> None:
    assert check_interpreter(bare) == OURS


def test_compiled_modules_are_lent_only_where_they_fit(bare: str) -> None:
    environment = host_environment(LaunchSettings(bare))
    environment[boot.LENT] = environment[boot.LENT].replace("cpython-", "cpython-1")

    with pytest.raises(LaunchError, match=f"is Python {OURS}, where .*pydantic.*; install pydan"):
        check_interpreter(bare, environment)


def test_a_process_that_is_spawned_is_lent_the_same(bare: str) -> None:
    environment = host_environment(LaunchSettings(bare))
    code = f"import runpy; runpy.run_path({str(BOOT)!r}, run_name='__mp_main__')"

    told = subprocess.run(
        [bare, "-c", f"{code}; import penstock.host; print(penstock.__file__)"],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert told.stdout.strip() == penstock.__file__


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ('{"version": "3.10.13"}', r"is Python 3\.10\.13; expected 3\.11 or later"),
        (
            '{"version": "3.12.1", "pydantic": "1.10.2", "error": "ImportError: ConfigDict"}',
            r"is Python 3\.12\.1 and has pydantic 1\.10\.2; install pydantic 2\.7 or later",
        ),
        (
            '{"version": "3.12.1", "pydantic": "2.9.0", "error": "ImportError: two\\nlines"}',
            r"3\.12\.1, where the engine can't be imported \(ImportError: two lines\); install",
        ),
        ("{", "didn't answer as a Python does"),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, answer: str, text: str) -> None:
    python = program(tmp_path, f"cat <<END\nnoise\n$3{answer}\nEND")

    with pytest.raises(LaunchError, match=text) as caught:
        check_interpreter(python)

    assert str(caught.value).startswith(python)
    assert "\n" not in str(caught.value)


def test_an_answer_is_found_among_noise(tmp_path: Path) -> None:
    python = program(tmp_path, 'echo before; echo "$3{\\"version\\": \\"3.12.1\\"}"; echo after')

    assert check_interpreter(python) == "3.12.1"


def test_a_program_that_is_no_python_is_told_with_what_it_said(tmp_path: Path) -> None:
    python = program(tmp_path, "echo no such option; echo; exit 2")

    with pytest.raises(LaunchError, match=r"didn't answer as a Python does: no such option$"):
        check_interpreter(python)


def test_a_program_that_does_not_answer_is_killed_with_what_it_started(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    python = program(tmp_path, f"sleep 600 > {fifo} &\nsleep 600")
    try:
        with pytest.raises(LaunchError, match=r"gave no answer within 0\.5 s"):
            check_interpreter(python, timeout=0.5)

        assert is_left_by_writers(reader)
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nothing", "there is no such file"),
        ("nul\0", "there is no such file"),
        (".", "it is no file"),
        ("text", "it isn't executable"),
        ("empty", "can't be started"),
    ],
)
def test_what_is_no_program_is_not_started(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "text").write_text("import this", "utf-8")
    (tmp_path / "empty").touch(0o755)

    with pytest.raises(LaunchError, match=text):
        check_interpreter(str(tmp_path / name))


def test_the_variables_of_the_flow_are_there_when_it_is_checked(tmp_path: Path) -> None:
    python = program(tmp_path, 'echo "$3{\\"version\\": \\"$ANSWER\\"}"')
    settings = LaunchSettings(python, environment={"ANSWER": "3.13.9"})

    assert check_interpreter(python, host_environment(settings)) == "3.13.9"


def test_a_host_of_this_interpreter_is_the_module() -> None:
    assert host_command(LaunchSettings()) == (sys.executable, "-P", "-m", "penstock.host")
    assert boot.LENT not in host_environment(LaunchSettings(), {})


def test_a_host_of_another_interpreter_is_brought_the_engine() -> None:
    named = ("/opt/python", str(BOOT), "penstock.host")
    assert host_command(LaunchSettings("/opt/python")) == named
    assert host_environment(LaunchSettings("/opt/python"), {})[boot.LENT]


def test_a_program_without_an_interpreter_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")

    with pytest.raises(LaunchError, match="choose an interpreter"):
        host_command(LaunchSettings())


def test_another_interpreter_is_not_told_where_this_one_lives() -> None:
    base = {"PYTHONHOME": "/ours", "PYTHONPATH": "/user"}
    theirs = LaunchSettings("/opt/python")
    chosen = LaunchSettings("/opt/python", environment={"PYTHONHOME": "/theirs"})

    assert "PYTHONHOME" not in host_environment(theirs, base)
    assert host_environment(theirs, base)["PYTHONPATH"] == "/user"
    assert host_environment(chosen, base)["PYTHONHOME"] == "/theirs"
    assert host_environment(LaunchSettings(), base)["PYTHONHOME"] == "/ours"


def test_only_what_is_named_is_lent(tmp_path: Path) -> None:
    for name in ("wanted", "other"):
        (tmp_path / f"{name}.py").touch()
    lender = boot.Lender(str(tmp_path), ("wanted", "absent"))

    found = lender.find_spec("wanted")

    assert found is not None
    assert found.origin == str(tmp_path / "wanted.py")
    assert lender.find_spec("other") is None
    assert lender.find_spec("absent") is None
    assert lender.find_spec("wanted", [str(tmp_path)]) is None  # a package's inner module


def test_the_folder_of_the_script_is_no_place_to_import_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [str(BOOT.parent), "/lib"])
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    boot.bring()
    boot.bring()

    assert sys.path == ["/lib"]


def test_the_engine_comes_first_and_what_is_lent_last(monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(sys.meta_path)
    monkeypatch.setattr(sys, "meta_path", list(before))
    monkeypatch.setenv(boot.LENT, boot.lent_by("/folder"))

    boot.bring()

    ours, *rest, lent = sys.meta_path
    assert rest == before
    found = ours.find_spec("penstock", None)
    assert found is not None
    assert found.origin == penstock.__file__
    assert isinstance(lent, boot.Lender)

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest

from penstock.cli import main as cli


class Window:
    """Stands for the window's entry point; keeps what it was called with."""

    def __init__(self, code: int = 0) -> None:
        self.calls: list[list[str]] = []
        self.code = code

    def load(self) -> Callable[[list[str]], int]:
        return self

    def __call__(self, arguments: list[str]) -> int:
        self.calls.append(arguments)
        return self.code


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Window:
    found = Window()

    def entry_points(**wanted: Any) -> list[Window]:
        return [found] if wanted == {"group": "penstock.commands", "name": "open"} else []

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    return found


def test_no_arguments_open_the_window(window: Window) -> None:
    assert cli.main([]) == 0

    assert window.calls == [[]]


def test_open_hands_its_arguments_to_the_window_and_returns_its_code(window: Window) -> None:
    window.code = 2

    assert cli.main(["open", "a.flow.json", "--run", "--help"]) == 2

    assert window.calls == [["a.flow.json", "--run", "--help"]]


def test_a_missing_window_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [])

    assert cli.main(["open"]) == 2

    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert "isn't installed" in told.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0

    assert capsys.readouterr().out.startswith("penstock ")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0

    text = capsys.readouterr().out
    for command in ("open", "run", "check"):
        assert command in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fly"], "fly"),
        (["run", "x", "--what"], "--what"),
        (["--what"], "COMMAND"),
        (["run"], "FLOW"),
        (["run", "x", "--workers", "none"], "none"),
        (["run", "x", "--workers", "0"], "0"),
        (["run", "x", "--timeout", "-1"], "-1"),
        (["run", "x", "--timeout", "inf"], "inf"),
        (["run", "x", "--loop", "circle"], "circle"),
        (["check"], "FLOW"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert said in told.err


def test_an_interrupt_outside_a_run_gives_130(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(window, "load", lambda: interrupted)

    assert cli.main(["open"]) == 130


def test_python_m_penstock() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "penstock", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert told.stdout.startswith("penstock ")

"""Launch settings: what is accepted, what a file holds, and that secrets stay out of texts."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import FlowFileError, InvalidValue
from penstock.host.crossing.launch import (
    LaunchSettings,
    launch_file,
    load_launch,
    save_launch,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NAMES = TEXTS.filter(lambda name: bool(name) and "=" not in name)
SETTINGS = st.builds(
    LaunchSettings,
    interpreter=st.none() | TEXTS.filter(bool),
    working_folder=st.none() | TEXTS.filter(bool),
    environment=st.dictionaries(NAMES, st.none() | TEXTS),
    arguments=st.lists(TEXTS).map(tuple),
    workers=st.none() | st.integers(1, 10_000),
    loop=st.sampled_from(["thread", "pool"]),
    when_window_goes=st.sampled_from(["end", "resume", "hold"]),
)


@given(SETTINGS)
def test_settings_survive_json(settings: LaunchSettings) -> None:
    text = json.dumps(settings.to_json())

    assert LaunchSettings.from_json(json.loads(text)) == settings


def test_what_is_not_there_has_its_default() -> None:
    assert LaunchSettings.from_json({"version": 1}) == LaunchSettings()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "expected an object, got a list"),
        ({}, "version: expected a whole number from 1, got null"),
        ({"version": 2}, "version: 2 is newer than this Penstock, which knows 1"),
        ({"version": 1, "shell": "sh"}, "shell: unknown; expected interpreter, "),
        ({"version": 1, "interpreter": 3}, "interpreter: expected a path or null, got a number"),
        ({"version": 1, "interpreter": ""}, "interpreter: expected a path or null, got an empty"),
        ({"version": 1, "working_folder": "a\0b"}, "working_folder: expected a path or null"),
        ({"version": 1, "environment": []}, "environment: expected an object of variables"),
        ({"version": 1, "environment": {"A=B": "x"}}, "environment: A=B is no name of a variable"),
        ({"version": 1, "environment": {"": "x"}}, "environment: '' is no name of a variable"),
        (
            {"version": 1, "environment": {"KEY": 1234}},
            "environment.KEY: expected text without NUL, or null, got a number",
        ),
        ({"version": 1, "arguments": "abc"}, "arguments: expected a list of texts, got text"),
        (
            {"version": 1, "arguments": ["a", 5]},
            "arguments[1]: expected text without NUL, got a number",
        ),
        ({"version": 1, "workers": 0}, "workers: expected a whole number from 1 to 10000, got 0"),
        ({"version": 1, "workers": True}, "workers: expected a whole number"),
        ({"version": 1, "workers": 10_001}, "workers: expected a whole number"),
        ({"version": 1, "loop": "fibre"}, "loop: expected 'thread' or 'pool', got text"),
        (
            {"version": 1, "when_window_goes": None},
            "when_window_goes: expected 'end' or 'resume' or 'hold', got null",
        ),
    ],
)
def test_bad_input_is_one_line_naming_place_and_field(data: Any, text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        LaunchSettings.from_json(data, "etl.launch.json")

    assert str(caught.value).startswith(f"etl.launch.json: {text}")
    assert "\n" not in str(caught.value)


def test_settings_made_in_a_program_are_checked_too() -> None:
    with pytest.raises(InvalidValue, match="workers"):
        LaunchSettings(workers=-1)


def test_settings_keep_a_copy_of_the_variables() -> None:
    variables: dict[str, str | None] = {"A": "1"}
    settings = LaunchSettings(environment=variables)

    variables["B"] = "2"

    assert settings.environment == {"A": "1"}


def test_no_text_shows_a_secret() -> None:
    settings = LaunchSettings(environment={"TOKEN": "hunter2"}, arguments=("--key=hunter2",))
    wrong = [
        {"version": 1, "environment": {"TOKEN": "hunter2\0"}},
        {"version": 1, "environment": {"TOKEN": ["hunter2"]}},
        {"version": 1, "environment": {"TOKEN": 4711}},
        {"version": 1, "arguments": ["hunter2\0"]},
        {"version": 1, "arguments": [4711]},
        {"version": 1, "arguments": "hunter2"},
        {"version": 1, "environment": "hunter2"},
    ]

    texts = [repr(settings), str(settings)]
    for data in wrong:
        with pytest.raises(InvalidValue) as caught:
            LaunchSettings.from_json(data)
        texts.append(str(caught.value))

    assert not [text for text in texts if "hunter2" in text or "4711" in text]


def test_settings_are_kept_beside_the_flow() -> None:
    assert launch_file(Path("work/etl.flow.json")) == Path("work/etl.launch.json")
    assert launch_file(Path("work/etl.json")) == Path("work/etl.json.launch.json")


def test_a_saved_file_is_read_back_and_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "etl.launch.json"
    path.write_text("{}", "utf-8")
    path.chmod(0o600)
    settings = LaunchSettings("/usr/bin/python3", ".", {"A": None, "B": "ü"}, ("-v",), 3, "pool")

    save_launch(settings, path)

    assert load_launch(path) == settings
    assert os.listdir(tmp_path) == ["etl.launch.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        (b"{", FlowFileError, "line 1, column 2: no JSON"),
        (b"\xff", FlowFileError, "line 1: expected UTF-8"),
        (b'{"version": 1, "loop": "thread", "loop": "pool"}', FlowFileError, "is there twice"),
        (b'{"version": 1, "workers": 1.5}', InvalidValue, "workers: expected"),
    ],
)
def test_a_bad_file_is_named(
    tmp_path: Path, content: bytes, kind: type[Exception], text: str
) -> None:
    path = tmp_path / "etl.launch.json"
    path.write_bytes(content)

    with pytest.raises(kind) as caught:
        load_launch(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert text in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlowFileError, match=r"etl\.launch\.json: can't be read: there is no such"):
        load_launch(tmp_path / "etl.launch.json")


def test_relative_paths_start_at_the_flow_and_links_stay(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/usr/bin/env")

    resolved = LaunchSettings(
        "venv/bin/python", "data/..", workers=3, loop="pool", when_window_goes="hold"
    ).resolved(tmp_path)

    assert resolved.interpreter == str(python)
    assert resolved.working_folder == str(tmp_path)
    assert (resolved.workers, resolved.loop, resolved.when_window_goes) == (3, "pool", "hold")


def test_without_a_choice_the_flow_s_folder_is_worked_in(tmp_path: Path) -> None:
    assert LaunchSettings().resolved(tmp_path).working_folder == str(tmp_path)
    assert LaunchSettings().resolved(None).working_folder is None
    assert LaunchSettings().resolved(tmp_path).interpreter is None


def test_the_home_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")

    resolved = LaunchSettings("~/venv/bin/python").resolved(Path("/work"))

    assert resolved.interpreter == os.path.abspath("/home/ada/venv/bin/python")


def test_variables_are_added_and_taken_away() -> None:
    settings = LaunchSettings(environment={"A": "new", "B": None, "C": None, "D": ""})

    changed = settings.changed_environment({"A": "old", "B": "1", "X": "2"})

    assert changed == {"A": "new", "X": "2", "D": ""}


def test_variables_start_with_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELD", "1")

    assert LaunchSettings(environment={"A": "1"}).changed_environment()["HELD"] == "1"

"""``penstock check`` and what ``FLOW`` stands for."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

import pytest

from helpers.flow_files import FLOW, WORDS
from penstock.cli import check, flows
from penstock.errors import FlowFileError


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    options = parser.parse_args(["check", *arguments])
    return check.run(options)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    (tmp_path / "flow_words.py").write_text(WORDS, encoding="utf-8")
    path = tmp_path / "words.flow.json"
    path.write_text(json.dumps(FLOW), encoding="utf-8")
    return path


def test_warnings_are_printed_and_are_no_failure(
    words: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(words)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "warning split.line: slot line has no connection",
        "warning count.total: event total has no connection",
    ]


def test_an_error_is_exit_code_1(words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (words.parent / "flow_words.py").unlink()

    assert run(str(words)) == 1
    out = capsys.readouterr().out
    assert out.startswith("error split: module flow_words isn't found in the flow's folders")


def test_json_is_one_object(words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(words), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["flow"] == str(words)
    assert told["problems"][0] == {
        "severity": "warning",
        "place": "split.line",
        "routine": "split",
        "text": "slot line has no connection",
    }


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "fifo", "device", "text", "shape", "example"]
)
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_what_is_no_flow_is_exit_code_2_and_one_line(
    tmp_path: Path, kind: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.flow.json"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "text":
            path.write_text("hello")
        case "shape":
            path.write_text('{"version": 1}')
        case _:
            pass
    flow = "example:nothing" if kind == "example" else str(path)

    assert run(flow, *arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"{flow}: ")
    assert told.err.count("\n") == 1


def test_the_shipped_examples_have_no_errors() -> None:
    for name in flows.example_names():
        assert run(f"example:{name}") == 0


def test_the_modules_of_a_checked_flow_arent_run(words: Path) -> None:
    module = words.with_name("flow_words.py")
    module.write_text(WORDS + "\nraise SystemExit('ran')\n", encoding="utf-8")

    assert run(str(words)) == 0
    assert not (words.parent / "__pycache__").exists()


def test_a_path_is_taken_as_it_is() -> None:
    assert flows.resolve("some/where.flow.json") == Path("some/where.flow.json")


@pytest.mark.parametrize("name", ["nothing", "../examples/code_census", "", "a/b", "code_census/"])
def test_an_unknown_example_is_refused_listing_those_there_are(name: str) -> None:
    with pytest.raises(FlowFileError, match=r"no such example; there are .*code_census"):
        flows.resolve(f"example:{name}")


def test_examples_are_told_apart_from_other_files(words: Path) -> None:
    assert flows.is_example(flows.resolve("example:code_census"))
    assert not flows.is_example(words)


def test_the_wheels_examples_are_used_outside_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "penstock"
    (package / "cli").mkdir(parents=True)
    shutil.copytree(flows.examples_folder(), package / "_examples")
    monkeypatch.setattr(flows, "__file__", str(package / "cli" / "flows.py"))

    assert flows.examples_folder() == package / "_examples"
    assert flows.resolve("example:code_census").is_file()

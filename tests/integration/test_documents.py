"""The documents say what is so: code runs, links lead somewhere, lists are complete."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import dropwhile, islice, takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(ROOT.glob("*.md"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("code", PYTHON_BLOCKS, ids=["load", "write", "rules"])
def test_the_python_of_the_readme_runs(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_has_python_to_run() -> None:
    assert len(PYTHON_BLOCKS) == 3


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8"))

    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("package", ["engine/penstock", "gui/penstock_gui"])
def test_every_room_is_on_the_map(package: str) -> None:
    rooms = {
        path.stem
        for path in (ROOT / package).iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("_")
    }
    lines = iter(text_of("ARCHITECTURE.md").split("```")[1].splitlines())
    below = dropwhile(lambda line: not line.startswith(package), lines)
    listed = takewhile(lambda line: line.startswith("    "), islice(below, 1, None))
    on_the_map = {room for line in listed for room in re.split(r"\s{2,}", line)[1].split(" | ")}

    assert rooms - on_the_map == set()


def test_every_dependency_has_its_reason() -> None:
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=; \[]", line)[0] for line in wanted}
    text = text_of("ARCHITECTURE.md")

    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_every_target_of_the_makefile_is_explained() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text_of("Makefile"), re.M)
    targets = [name for name in phony.split() if not name.startswith("ready-")]
    text = text_of("README.md") + text_of("CONTRIBUTING.md")

    assert [name for name in targets if f"make {name}" not in text] == []
    assert targets == "run test check bench soak screenshots clean".split()  # noqa: SIM905


def test_the_changelog_speaks_of_this_version() -> None:
    (version, *_) = re.findall(r"^## (\S+)", text_of("CHANGELOG.md"), re.M)

    assert version == PROJECT["version"]


def test_continuous_integration_runs_what_a_developer_types() -> None:
    lines = text_of(".ci/run").splitlines()

    assert [line for line in lines if "make" in line] == ["make test && exit 0"]

"""Which files of a flow were imported, and which of them are different now."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from penstock.flow import Flow, instantiate
from penstock.host.engine import sources
from penstock.host.engine.sources import SourceBook

ROUTINE = """
from penstock import Routine
import {helper}
class R(Routine):
    def logic(self): ...
"""


class Project:
    """A folder with a flow of one routine, whose module imports a helper of the same folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.helper = folder / f"flow_of_{name}_helper.py"
        self.helper.write_text("VALUE = 1\n", "utf-8")
        self.module = folder / f"flow_of_{name}.py"
        self.module.write_text(ROUTINE.format(helper=self.helper.stem), "utf-8")

    def flow(self, **changes: Any) -> Flow:
        entry = {"type": f"{self.module.stem}:R"}
        text = {"version": 1, "name": "f", "folders": ["."], "routines": {"r": entry}}
        return Flow.from_json(json.dumps(text | changes), folder=self.folder)


_numbers = count(1)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """With names of its own: a module is imported once in a process."""
    return Project(tmp_path / "flow", f"sources_{next(_numbers)}")


@pytest.fixture
def imported(project: Project) -> SourceBook:
    book = SourceBook()
    flow = project.flow()
    instantiate(flow)
    book.note(flow)
    return book


def rewrite(file: Path, text: str) -> None:
    """Another text, at a time that is another however coarse the clock."""
    times = file.stat()
    file.write_text(text, "utf-8")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns + 1_000_000_000))


def test_nothing_has_changed_at_first(imported: SourceBook) -> None:
    assert imported.changed() == ()


def test_a_file_with_another_text_has_changed(imported: SourceBook, project: Project) -> None:
    rewrite(project.module, "class R: ...\n")

    assert imported.changed() == (project.module,)


def test_what_the_routine_s_module_imports_from_the_folder_counts(
    imported: SourceBook, project: Project
) -> None:
    rewrite(project.helper, "VALUE = 2\n")

    assert imported.changed() == (project.helper,)


def test_a_text_of_the_same_size_and_time_counts(imported: SourceBook, project: Project) -> None:
    times = project.helper.stat()
    project.helper.write_text("VALUE = 2\n", "utf-8")
    os.utime(project.helper, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert imported.changed() == (project.helper,)


def test_a_touch_is_no_change_and_is_looked_into_once(
    imported: SourceBook, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    digest = sources._digest

    def counted(file: str) -> bytes:
        read.append(file)
        return digest(file)

    monkeypatch.setattr(sources, "_digest", counted)
    assert imported.changed() == ()
    assert read == []
    rewrite(project.module, project.module.read_text("utf-8"))

    assert imported.changed() == ()
    assert imported.changed() == ()
    assert read == [str(project.module)]


def test_a_text_that_is_again_as_it_was_is_no_change(
    imported: SourceBook, project: Project
) -> None:
    before = project.module.read_text("utf-8")
    rewrite(project.module, "")
    assert imported.changed() == (project.module,)

    rewrite(project.module, before)

    assert imported.changed() == ()


@pytest.mark.parametrize("instead", ["nothing", "folder", "fifo"])
def test_a_file_that_is_gone_has_changed(
    imported: SourceBook, project: Project, instead: str
) -> None:
    project.helper.unlink()
    make: dict[str, Callable[[], None]] = {
        "nothing": lambda: None,
        "folder": lambda: project.helper.mkdir(),
        "fifo": lambda: os.mkfifo(project.helper),
    }
    make[instead]()

    assert imported.changed() == (project.helper,)


def test_a_folder_that_is_gone_takes_its_files_along(
    imported: SourceBook, project: Project
) -> None:
    project.folder.rename(project.folder.with_name("elsewhere"))

    assert imported.changed() == tuple(sorted([project.helper, project.module]))


def test_what_was_imported_stays_known_as_it_was(imported: SourceBook, project: Project) -> None:
    rewrite(project.helper, "VALUE = 2\n")

    imported.note(project.flow())

    assert imported.changed() == (project.helper,)


def test_a_file_written_while_it_was_imported_counts_as_changed(project: Project) -> None:
    book = SourceBook()
    since = time.time_ns()
    flow = project.flow()
    instantiate(flow)
    now = time.time_ns()
    os.utime(project.helper, ns=(now, now))
    os.utime(project.module, ns=(since - 1, since - 1))

    book.note(flow, since)

    assert book.changed() == (project.helper,)


def test_a_file_from_the_future_does_not(project: Project) -> None:
    book = SourceBook()
    flow = project.flow()
    instantiate(flow)
    since = time.time_ns()
    later = since + 3_600_000_000_000
    for file in (project.helper, project.module):
        os.utime(file, ns=(later, later))

    book.note(flow, since)

    assert book.changed() == ()


def test_other_modules_are_none_of_the_flow_s_business(
    imported: SourceBook, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Project(project.folder.parent / "flower", f"{project.module.stem[8:]}_other")
    monkeypatch.syspath_prepend(str(other.folder))
    importlib.import_module(other.module.stem)
    imported.note(project.flow())

    rewrite(other.module, "")

    assert imported.changed() == ()


def test_the_module_of_a_routine_counts_wherever_it_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Project(project.folder / "site-packages", f"{project.module.stem[8:]}_lib")
    monkeypatch.syspath_prepend(str(installed.folder))
    book = SourceBook()
    entry = {"r": {"type": f"{installed.module.stem}:R"}}
    flow = project.flow(routines=entry)
    instantiate(flow)
    book.note(flow)

    rewrite(installed.helper, "")  # installed, and no module of a routine
    assert book.changed() == ()
    rewrite(installed.module, "")

    assert book.changed() == (installed.module,)


def test_live_routines_have_modules_too(project: Project) -> None:
    book = SourceBook()
    live = instantiate(project.flow())
    live.folders = []
    book.note(live)

    rewrite(project.module, "")

    assert book.changed() == (project.module,)


def test_a_folder_is_known_by_both_its_names(project: Project, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(project.folder)
    book = SourceBook()
    flow = project.flow()
    instantiate(flow)  # by its real name

    book.note(project.flow(folders=[str(link)]))
    rewrite(project.helper, "")

    assert book.changed() == (project.helper,)


class Lazy(ModuleType):
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise AssertionError("asked")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


def test_no_module_s_own_code_is_run(
    imported: SourceBook, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "flow_of_lazy", Lazy("flow_of_lazy"))
    monkeypatch.setitem(sys.modules, "flow_of_nothing", None)
    monkeypatch.setitem(sys.modules, "flow_of_object", object())

    imported.note(project.flow())

    assert imported.changed() == ()


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_file: str) -> bytes:
        raise PermissionError

    monkeypatch.setattr(sources, "_digest", refuse)


def test_a_file_that_can_not_be_read_now_is_left_out(
    imported: SourceBook, project: Project, unreadable: None
) -> None:
    rewrite(project.module, "")

    assert imported.changed() == ()

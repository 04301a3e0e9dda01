"""The shipped census against a count of its own: `ast` and `tokenize`, nothing of the example."""

from __future__ import annotations

import ast
import gc
import json
import os
import subprocess
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Flow, JobState, JobStatus, Runtime

EXAMPLE = Path(__file__).parents[2] / "resources" / "examples" / "code_census"
SAMPLES = EXAMPLE / "samples"
NOT_COUNTED = {"site-packages", "dist-packages", "__pycache__"}
SUMS = ("files", "parsed", "unparsable", "unreadable", "lines", "functions", "classes")


def census_of(folder: Path | None) -> Flow:
    data = json.loads((EXAMPLE / "code_census.flow.json").read_text("utf-8"))
    if folder is not None:
        data["routines"]["find"]["config"] = {"folder": str(folder)}
    return Flow.from_json(json.dumps(data), folder=EXAMPLE)


def totals_of(job: JobState) -> dict[str, Any]:
    (totals,) = job.outputs["report.totals"]
    return dict(totals)


def run(folder: Path | None, timeout: float = 60) -> tuple[JobState, dict[str, Any]]:
    with Runtime(workers=4) as runtime:
        job = runtime.exec(census_of(folder))
        status = job.wait(timeout=timeout)
    assert status is JobStatus.COMPLETED, f"{status}: {job.error}"
    return job, totals_of(job)


def sources(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.py"):
        if not NOT_COUNTED & set(path.relative_to(folder).parts) and path.is_file():
            yield path


def below(tree: ast.AST) -> list[ast.AST]:
    """All nodes, collected with a stack of our own."""
    nodes, found = [tree], []
    while nodes:
        node = nodes.pop()
        found.append(node)
        nodes.extend(ast.iter_child_nodes(node))
    return found


def complexity(nodes: list[ast.AST]) -> int:
    found = 1
    for node in nodes:
        match node:
            case ast.If() | ast.IfExp() | ast.While() | ast.For() | ast.AsyncFor():
                found += 1
            case ast.ExceptHandler() | ast.match_case():
                found += 1
            case ast.BoolOp(values=values):
                found += len(values) - 1
            case ast.comprehension(ifs=ifs):
                found += 1 + len(ifs)
    return found


def count(*folders: Path) -> dict[str, Any]:
    totals: dict[str, Any] = dict.fromkeys(SUMS, 0)
    modules: list[tuple[int, str]] = []
    for path in (path for folder in folders for path in sources(folder)):
        totals["files"] += 1
        try:
            with tokenize.open(path) as file:
                lines = file.readlines()
        except (SyntaxError, UnicodeDecodeError, OSError):
            totals["unreadable"] += 1
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse("".join(lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            totals["unparsable"] += 1
            continue
        totals["parsed"] += 1
        totals["lines"] += len(lines)
        nodes = below(tree)
        kinds = [type(node).__name__ for node in nodes]
        totals["functions"] += kinds.count("FunctionDef") + kinds.count("AsyncFunctionDef")
        totals["classes"] += kinds.count("ClassDef")
        modules.append((complexity(nodes), str(path)))
    modules.sort(key=lambda module: (-module[0], module[1]))
    totals["top"] = modules[:10]
    return totals


def comparable(totals: dict[str, Any]) -> dict[str, Any]:
    top = [(module["complexity"], module["path"]) for module in totals["top"]]
    return {**totals, "top": top}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with good and bad files and with things that aren't to be counted."""
    good = "def f(x):\n    return 1 if x else 2\n"
    for name in ("a.py", "deep/er/b.py", "site-packages/no.py", "deep/__pycache__/no.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(good)
    for number in range(40):
        (tmp_path / f"many{number:02}.py").write_text("class C:\n    pass\n" * (number % 5))
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "bytes.py").write_bytes(b"\n\n\nx = '\xff'\n")
    (tmp_path / "escapes.py").write_text("x = '\\d'\n")
    (tmp_path / "notes.txt").write_text("no source")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nowhere.py")
    os.mkfifo(tmp_path / "pipe.py")
    return tmp_path


def test_the_samples_are_counted_as_known() -> None:
    _, totals = run(SAMPLES)

    assert {key: totals[key] for key in SUMS} == {
        "files": 18,
        "parsed": 9,
        "unparsable": 5,
        "unreadable": 4,
        "lines": 65,
        "functions": 10,
        "classes": 2,
    }


def test_the_totals_equal_an_independent_count(mixed: Path) -> None:
    _, totals = run(mixed)

    expected = count(mixed)
    assert comparable(totals) == expected
    assert expected["unparsable"] == expected["unreadable"] == 1


def test_the_samples_equal_an_independent_count() -> None:
    _, totals = run(SAMPLES)

    assert comparable(totals) == count(SAMPLES)


def test_the_text_names_every_file_that_was_not_counted() -> None:
    job, _ = run(SAMPLES)

    (text,) = job.outputs["report.text"]
    for name in ("bad_utf8", "unknown_coding", "nul_bytes", "unclosed", "python2", "too_deep"):
        assert f"{name}.py" in text
    assert "plain.py" in text
    assert job.dead_letters == []


def test_a_folder_without_sources_gives_an_empty_report(tmp_path: Path) -> None:
    _, totals = run(tmp_path)

    assert totals == {**dict.fromkeys(SUMS, 0), "top": []}


def test_a_folder_that_is_missing_fails_the_job(tmp_path: Path) -> None:
    with Runtime(workers=2) as runtime:
        job = runtime.exec(census_of(tmp_path / "missing"))

        assert job.wait(timeout=10) is JobStatus.FAILED

    assert job.error is not None
    assert job.error.routine == "find"
    assert "missing" in job.error.text


def test_two_jobs_at_once_each_equal_a_single_run(mixed: Path) -> None:
    single, _ = run(mixed)
    flow = census_of(mixed)
    with Runtime(workers=4) as runtime:
        jobs = [runtime.exec(flow) for _ in range(2)]
        statuses = [job.wait(timeout=60) for job in jobs]

    assert statuses == [JobStatus.COMPLETED] * 2
    assert [job.outputs for job in jobs] == [single.outputs] * 2


def test_parsing_survives_a_switch_of_threads_while_a_tree_is_built(tmp_path: Path) -> None:
    """A callback of the garbage collector lets other threads in, as hypothesis installs one."""
    source = (SAMPLES / "decisions.py").read_text() * 40
    for number in range(40):
        (tmp_path / f"m{number}.py").write_text(source)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    gc.callbacks.append(let_others_in)
    try:
        _, totals = run(tmp_path)
    finally:
        gc.callbacks.remove(let_others_in)
        sys.setswitchinterval(before)

    assert (totals["parsed"], totals["unparsable"]) == (40, 0)


def let_others_in(phase: str, info: dict[str, int]) -> None:
    sum(1 for _ in range(200))


def test_slots_of_trees_hold_at_most_sixteen(mixed: Path) -> None:
    job, totals = run(mixed)

    for routine in ("lines", "functions", "complexity"):
        slot = job.routines[routine].slots["tree"]
        assert slot.consumed == slot.posted == totals["parsed"]
        assert 0 < slot.high_water <= 16


@pytest.mark.slow
def test_the_standard_library_and_the_samples_equal_an_independent_count() -> None:
    """The run is a process of its own, as from a shell: it counts while we do."""
    command = [str(Path(sys.executable).with_name("penstock")), "run", "example:code_census"]
    with subprocess.Popen(
        [*command, "--workers", "4", "--json"], stdout=subprocess.PIPE, text=True
    ) as running:
        expected = count(Path(sysconfig.get_path("stdlib")), SAMPLES)
        told, _ = running.communicate(timeout=300)
    (totals,) = json.loads(told)["outputs"]["report.totals"]

    assert running.returncode == 0
    assert comparable(totals) == expected
    assert totals["files"] > 100

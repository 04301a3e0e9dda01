"""The routines of the code census: what Python sources hold, counted file by file.

Every file goes find -> read -> parse -> three measurements -> join -> rank -> report. A file that
can't be decoded or parsed fails its routine, and the failure goes over `failed` to the report.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import sysconfig
import threading
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from penstock import AllSlots, Event, Failure, Routine, Slot

SAMPLES = Path(__file__).resolve().parent / "samples"
SKIPPED_FOLDERS = frozenset({"site-packages", "dist-packages", "__pycache__"})
TOP = 10
TREES_WAITING = 16  # all syntax trees of a standard library together take more than a gigabyte


@dataclass(frozen=True, slots=True)
class Source:
    """A file's decoded text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed file. All three measurements share the syntax: read it, don't change it."""

    path: str
    text: str
    syntax: ast.Module


@dataclass(frozen=True, slots=True)
class LineCount:
    path: str
    lines: int


@dataclass(frozen=True, slots=True)
class DefinitionCount:
    path: str
    functions: int
    classes: int


@dataclass(frozen=True, slots=True)
class Complexity:
    path: str
    complexity: int


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured of one file."""

    path: str
    lines: int
    functions: int
    classes: int
    complexity: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sums over all measured files, and the most complex of them first."""

    parsed: int
    lines: int
    functions: int
    classes: int
    top: tuple[Measured, ...]


class FindFiles(Routine):
    """Walks a folder and emits the path of every Python source in it."""

    path = Event(str, doc="Absolute path of a source file.")

    class Config(BaseModel):
        folder: str | None = Field(
            default=None,
            description="The folder to walk; none: the standard library and the samples.",
        )

    def logic(self) -> Iterator[None]:
        for folder in self._folders():
            for path in python_files(folder):
                self.path.emit(path)
                yield

    def _folders(self) -> list[Path]:
        if self.config.folder is None:
            return [Path(sysconfig.get_path("stdlib")), SAMPLES]
        folder = Path(self.config.folder)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder that can be walked")
        return [folder]


class ReadText(Routine):
    """Decodes a file the way Python does: coding cookie, byte order mark, else UTF-8."""

    max_parallel = 4
    path = Slot(str, doc="The file to read.")
    source = Event(Source, doc="Its text.")

    def logic(self, path: str) -> None:
        with tokenize.open(path) as file:
            text = file.read()
        self.source.emit(Source(path, text))


class Parse(Routine):
    """Turns source text into a syntax tree."""

    max_parallel = 4
    source = Slot(Source, capacity=64, doc="The text to parse.")
    tree = Event(Tree, doc="Its syntax tree, the same object for all who get it.")

    class State:
        def __init__(self) -> None:
            silence_parser_warnings()

    def logic(self, source: Source) -> None:
        syntax = parse(source.text)
        self.tree.emit(Tree(source.path, source.text, syntax))


class CountLines(Routine):
    """Counts physical lines; a last one without a newline counts too."""

    max_parallel = 4
    tree = Slot(Tree, capacity=TREES_WAITING)
    row = Event(LineCount)

    def logic(self, tree: Tree) -> None:
        unfinished = bool(tree.text) and not tree.text.endswith("\n")
        self.row.emit(LineCount(tree.path, tree.text.count("\n") + unfinished))


class CountFunctions(Routine):
    """Counts functions (also async ones and methods) and classes, however deeply nested."""

    max_parallel = 4
    tree = Slot(Tree, capacity=TREES_WAITING)
    row = Event(DefinitionCount)

    def logic(self, tree: Tree) -> None:
        kinds = Counter(type(node) for node in ast.walk(tree.syntax))
        functions = kinds[ast.FunctionDef] + kinds[ast.AsyncFunctionDef]
        self.row.emit(DefinitionCount(tree.path, functions, kinds[ast.ClassDef]))


class MeasureComplexity(Routine):
    """Adds up the decisions in a module: its cyclomatic complexity, taken as one body."""

    max_parallel = 4
    tree = Slot(Tree, capacity=TREES_WAITING)
    row = Event(Complexity)

    def logic(self, tree: Tree) -> None:
        decisions = sum(decisions_in(node) for node in ast.walk(tree.syntax))
        self.row.emit(Complexity(tree.path, 1 + decisions))


class Join(Routine):
    """Brings the three measurements of one file together again."""

    activation = AllSlots(match="path")
    lines = Slot(LineCount)
    functions = Slot(DefinitionCount)
    complexity = Slot(Complexity)
    row = Event(Measured)

    def logic(self, lines: LineCount, functions: DefinitionCount, complexity: Complexity) -> None:
        self.row.emit(
            Measured(
                path=lines.path,
                lines=lines.lines,
                functions=functions.functions,
                classes=functions.classes,
                complexity=complexity.complexity,
            )
        )


class Rank(Routine):
    """Sums everything up and keeps the ten most complex modules."""

    row = Slot(Measured)
    ranking = Event(Ranking)

    class State:
        def __init__(self) -> None:
            self.sums: Counter[str] = Counter()
            self.top: list[Measured] = []

    def logic(self, row: Measured) -> None:
        self.state.sums.update(
            parsed=1,
            lines=row.lines,
            functions=row.functions,
            classes=row.classes,
        )
        self.state.top = most_complex([*self.state.top, row])

    def finish(self) -> None:
        sums = self.state.sums
        self.ranking.emit(
            Ranking(
                parsed=sums["parsed"],
                lines=sums["lines"],
                functions=sums["functions"],
                classes=sums["classes"],
                top=tuple(self.state.top),
            )
        )


class Report(Routine):
    """Writes the census down: the totals as data and a text to read."""

    part = Slot(Ranking | Failure, doc="The ranking, and each file that couldn't be counted.")
    totals = Event(dict, doc="The sums and the most complex modules, as data.")
    text = Event(str, doc="The same to read, with every file that couldn't be counted.")

    class State:
        def __init__(self) -> None:
            self.findings = Findings()

    def logic(self, part: Ranking | Failure) -> None:
        findings = self.state.findings
        if isinstance(part, Ranking):
            findings.ranking = part
        elif "source" in part.slots:
            findings.unparsable.append((part.slots["source"].path, f"{part.type}: {part.text}"))
        else:
            findings.unreadable.append((part.slots["path"], f"{part.type}: {part.text}"))

    def finish(self) -> None:
        self.totals.emit(totals_of(self.state.findings))
        self.text.emit(text_of(self.state.findings))


@dataclass(slots=True)
class Findings:
    """What the report has heard of; the failures as (path, reason)."""

    ranking: Ranking = field(default_factory=lambda: Ranking(0, 0, 0, 0, ()))
    unparsable: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    @property
    def files(self) -> int:
        return self.ranking.parsed + len(self.unparsable) + len(self.unreadable)


def python_files(folder: Path) -> Iterator[str]:
    """Regular files named ``*.py`` below `folder`, in a stable order."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(names):
            path = os.path.join(root, name)
            if name.endswith(".py") and os.path.isfile(path):
                yield os.path.abspath(path)


BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)


def decisions_in(node: ast.AST) -> int:
    """How many ways one node adds to the paths through its code."""
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return 1 if isinstance(node, BRANCHES) else 0


def most_complex(modules: Iterable[Measured]) -> list[Measured]:
    """The first `TOP` by complexity; equal ones by path, so that two runs agree."""
    return sorted(modules, key=lambda module: (-module.complexity, module.path))[:TOP]


def totals_of(findings: Findings) -> dict[str, Any]:
    ranking = findings.ranking
    return {
        "files": findings.files,
        "parsed": ranking.parsed,
        "unparsable": len(findings.unparsable),
        "unreadable": len(findings.unreadable),
        "lines": ranking.lines,
        "functions": ranking.functions,
        "classes": ranking.classes,
        "top": [asdict(module) for module in ranking.top],
    }


def text_of(findings: Findings) -> str:
    ranking = findings.ranking
    lines = [
        f"{findings.files:,} Python files: {ranking.parsed:,} parsed, "
        f"{len(findings.unparsable):,} don't parse, {len(findings.unreadable):,} can't be read.",
        f"{ranking.lines:,} lines, {ranking.functions:,} functions, {ranking.classes:,} classes.",
    ]
    if ranking.top:
        lines += ["", "Most complex modules"]
        lines += [f"{module.complexity:>8,}  {module.path}" for module in ranking.top]
    lines += failures_text("Don't parse", findings.unparsable)
    lines += failures_text("Can't be read", findings.unreadable)
    return "\n".join(lines)


def failures_text(title: str, failures: list[tuple[str, str]]) -> list[str]:
    if not failures:
        return []
    return ["", title, *(f"  {path}\n      {reason}" for path, reason in sorted(failures))]


PARSED_AS = "<code census>"
TRIES = 10
_parse_lock = threading.Lock()
_filter_lock = threading.Lock()


def parse(text: str) -> ast.Module:
    """The syntax tree of a file, whatever other threads parse meanwhile.

    The interpreter keeps the depth of the tree it builds in one place for all threads. Where
    building it gives another thread a turn (garbage collection runs a callback or a finalizer) and
    that one parses too, both get "SystemError: AST constructor recursion depth mismatch": one file
    in seven, in a trial. Only one thread can parse at a time anyway, so a lock costs nothing; it
    guards that depth, and nothing else is done under it. Printing a traceback parses as well,
    outside of our lock: hence another try.
    """
    for _ in range(TRIES - 1):
        with contextlib.suppress(SystemError), _parse_lock:
            return ast.parse(text, filename=PARSED_AS)
    with _parse_lock:
        return ast.parse(text, filename=PARSED_AS)


def silence_parser_warnings() -> None:
    """Ignore what the parser says about odd escapes in the files being counted.

    `warnings.catch_warnings` swaps the filters of the whole process, so several threads at once
    would undo each other. One standing filter does no harm instead: it matches only the name
    that `Parse` gives to what it parses. The lock guards the check and the insertion, so that
    jobs starting at once don't take out each other's filter while a file is being parsed.
    """
    module = re.compile(re.escape(PARSED_AS))
    with _filter_lock:
        for category in (SyntaxWarning, DeprecationWarning):
            if ("ignore", None, category, module, 0) not in warnings.filters:
                warnings.filterwarnings("ignore", category=category, module=module.pattern)

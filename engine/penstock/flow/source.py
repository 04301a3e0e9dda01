"""Python modules as text: where one is found, its classes and imported names. Nothing is run.

``importlib.util.find_spec`` isn't used: for a dotted name it runs the package.
"""

from __future__ import annotations

import ast
import keyword
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from penstock.errors import FlowFileError
from penstock.flow.files import read_bytes, shown
from penstock.flow.syntax import parsed
from penstock.flow.values import one_line

MAX_SOURCE = 2_000_000
_MAX_CACHED = 1000


class SourceError(Exception):
    """A module or class can't be found or read; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """One parsed module.

    ``imports`` maps a local name to (module, name in it), the name being "" for the module itself;
    ``stars`` are the modules all of whose names were imported.
    """

    name: str
    path: Path
    classes: Mapping[str, ast.ClassDef]
    imports: Mapping[str, tuple[str, str]]
    stars: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Cached:
    stamp: tuple[int, int]
    module: ModuleSource


_cache: dict[tuple[str, str], _Cached] = {}


def refuse_name(module: str) -> str | None:
    """Why a flow may not name that module; None when it may."""
    parts = module.split(".")
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        return f"{module!r} is no module name"
    if parts[0] in sys.stdlib_module_names or parts[0] == "__main__":
        return f"{parts[0]} is a module of Python itself and can't hold a flow's routines"
    return None


def roots_of(folders: Sequence[str | Path], base: Path | None) -> list[Path]:
    """The folders as absolute paths; relative ones need `base`, else they are left out."""
    paths = [Path(folder) for folder in folders]
    return [
        Path(os.path.abspath(base / path if base is not None else path))
        for path in paths
        if base is not None or path.is_absolute()
    ]


def locate(module: str, roots: Sequence[Path]) -> Path | None:
    """The file of a module: in the flow's folders, else among what this Python has or could import.

    Looks at file names only.
    """
    for root in roots:
        found = file_under(root, module)
        if found is not None:
            return found
    return _loaded_file(module) or on_path(module)


def file_under(root: str | Path, module: str) -> Path | None:
    """The file an import of `module` would find below `root`."""
    stem = f"{root}{os.sep}{module.replace('.', os.sep)}"
    for candidate in (f"{stem}{os.sep}__init__.py", f"{stem}.py"):
        if os.path.isfile(candidate):
            return Path(candidate)
    return None


def on_path(module: str) -> Path | None:
    """The file that is first on ``sys.path``."""
    for entry in sys.path:
        found = file_under(entry or os.curdir, module)
        if found is not None:
            return found
    return None


def read_module(path: Path, name: str) -> ModuleSource:
    """Parse a module, or take it from the cache while the file is unchanged. Raises SourceError."""
    key = (str(path), name)
    try:
        status = os.stat(path)
        stamp = (status.st_mtime_ns, status.st_size)
        cached = _cache.get(key)
        if cached is not None and cached.stamp == stamp:
            return cached.module
        module = _parse(path, name, read_bytes(path, MAX_SOURCE))
    except OSError as error:
        raise SourceError(f"{shown(path)}: can't be read: {error.strerror}") from None
    except FlowFileError as error:
        raise SourceError(str(error)) from None
    if len(_cache) >= _MAX_CACHED:
        _cache.clear()
    _cache[key] = _Cached(stamp, module)
    return module


def _parse(path: Path, name: str, data: bytes) -> ModuleSource:
    try:
        tree = parsed(data, str(path))
    except SyntaxError as error:
        raise SourceError(f"{shown(path)}: line {error.lineno}: {one_line(error.msg)}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceError(f"{shown(path)}: can't be parsed: {one_line(error)}") from None
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    classes: dict[str, ast.ClassDef] = {}
    imports: dict[str, tuple[str, str]] = {}
    stars: list[str] = []
    for statement in statements(tree.body):
        if isinstance(statement, ast.ClassDef):
            classes[statement.name] = statement
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                top = alias.name.partition(".")[0]
                imports[alias.asname or top] = (alias.name if alias.asname else top, "")
        elif isinstance(statement, ast.ImportFrom):
            module = _absolute(statement, package)
            for alias in statement.names:
                if alias.name == "*":
                    stars.append(module)
                else:
                    imports[alias.asname or alias.name] = (module, alias.name)
    return ModuleSource(
        name, path, MappingProxyType(classes), MappingProxyType(imports), tuple(stars)
    )


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module or class, those under ``if``, ``try`` and ``with`` included."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from statements(statement.body)
            yield from statements(getattr(statement, "orelse", []))
        if isinstance(statement, ast.Try):
            yield from statements(statement.finalbody)


def _absolute(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - statement.level + 1]
    return ".".join([*kept, *([statement.module] if statement.module else [])])


def _loaded_file(module: str) -> Path | None:
    """Where a module that is imported already came from; found without asking any importer."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or not os.path.isfile(file):
        return None
    return Path(file)

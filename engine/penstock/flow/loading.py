"""Making a loaded flow runnable by importing its routines. Calling this is the trust."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from penstock.errors import FlowError, FlowFileError, InvalidValue
from penstock.flow.files import shown
from penstock.flow.flow import Flow
from penstock.flow.routine import Routine, config_type, with_config
from penstock.flow.source import (
    ModuleSource,
    SourceError,
    file_under,
    on_path,
    read_module,
    refuse_name,
    roots_of,
)
from penstock.flow.spec import RoutineSpec
from penstock.flow.values import explain, one_line


def instantiate(flow: Flow, base: Path | None = None) -> Flow:
    """A copy of the flow whose routines are all live.

    Imports the modules its specs name: from the flow's folders (relative to `base`, by default the
    flow's own), which go to the end of ``sys.path``, else whatever is installed. Raises
    FlowFileError, InvalidValue, UnknownPort or FlowError in one line naming routine and field; an
    error inside a user's module is the ``__cause__``.
    """
    roots = roots_of(flow.folders, flow.base if base is None else base)
    live = flow.copy()
    for routine_id, routine in flow.routines.items():
        if isinstance(routine, RoutineSpec):
            _replace(live, routine_id, routine, roots)
    for connection in live.connections:
        live.check_connection(connection)
    for connection in live.repeated:
        raise FlowFileError(f"{flow.place}: {connection} is there more than once")
    return live


def _replace(live: Flow, routine_id: str, spec: RoutineSpec, roots: Sequence[Path]) -> None:
    where = f"{live.place}: routines.{routine_id}"
    try:
        cls = import_class(spec.type, roots)
    except FlowFileError as error:
        raise FlowFileError(f"{where}.type: {error}", routine=routine_id) from error.__cause__
    routine = _configured(cls, spec, f"{where}.config", routine_id)
    try:
        live.replace(routine_id, routine)
    except FlowError as error:
        raise FlowError(f"{live.place}: {error}", routine=routine_id) from None


def _configured(cls: type[Routine], spec: RoutineSpec, where: str, routine_id: str) -> Routine:
    try:
        text = json.dumps(spec.config, allow_nan=False)
        config = config_type(cls).model_validate_json(text, strict=True)
    except ValidationError as error:
        raise InvalidValue(f"{where}.{explain(error)}", routine=routine_id) from None
    except Exception as error:
        raise FlowFileError(f"{where}: {_told(error)}", routine=routine_id) from error
    try:
        return with_config(cls, config)
    except Exception as error:
        text = f"{where}: {cls.__name__}() failed: {_told(error)}"
        raise FlowFileError(text, routine=routine_id) from error


def import_class(type_name: str, roots: Sequence[Path]) -> type[Routine]:
    """Import ``module:Class``; raises FlowFileError."""
    module_name, colon, class_name = type_name.partition(":")
    if not colon or not class_name.isidentifier():
        raise FlowFileError(f"{type_name!r}: expected 'module:Class'")
    module = import_module(module_name, roots)
    cls = getattr(module, class_name, None)
    if cls is None:
        raise FlowFileError(f"{_file_of(module)} has no class {class_name}")
    if not (isinstance(cls, type) and issubclass(cls, Routine)):
        raise FlowFileError(f"{_file_of(module)}: {class_name} is no Routine")
    return cls


def import_module(name: str, roots: Sequence[Path]) -> ModuleType:
    """Import a module so that it is the one of the flow's folders, if they hold one of that name.

    As folders go to the end of ``sys.path`` nothing of theirs ever hides an installed module or
    that of another flow; where both exist the import is refused and both files are named.
    """
    refusal = refuse_name(name)
    if refusal is not None:
        raise FlowFileError(refusal)
    for inner, file in _needed(name, roots):
        _refuse_another(inner, file)
    for root in roots:
        if str(root) not in sys.path and root.is_dir():
            sys.path.append(str(root))
    for inner, file in _needed(name, roots):
        _refuse_hidden(inner, file)
    if name not in sys.modules:
        importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise FlowFileError(f"module {name} can't be imported: {_told(error)}") from error


def _needed(name: str, roots: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The module and what it imports, as far as the flow's folders hold it, with the files."""
    todo, seen = [name], {name}
    while todo:
        module_name = todo.pop()
        file = next(filter(None, (file_under(root, module_name) for root in roots)), None)
        if file is None:
            continue
        yield module_name, file
        for inner in _imported_by(file, module_name):
            if inner not in seen:
                seen.add(inner)
                todo.append(inner)


def _imported_by(file: Path, name: str) -> Iterator[str]:
    try:
        module: ModuleSource = read_module(file, name)
    except SourceError:
        return  # importing it will tell
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts)))
    for source, inner in module.imports.values():
        yield source
        yield f"{source}.{inner}"
    yield from module.stars


def _refuse_another(name: str, file: Path) -> None:
    loaded = sys.modules.get(name)
    if loaded is not None and not _is_same(getattr(loaded, "__file__", None), file):
        raise FlowFileError(
            f"module {name} is {shown(file)} here,"
            f" but {_file_of(loaded)} is loaded under that name already; rename one of them"
        )


def _refuse_hidden(name: str, file: Path) -> None:
    first = on_path(name)
    if name not in sys.modules and first is not None and not _is_same(str(first), file):
        raise FlowFileError(
            f"module {name} is {shown(file)} here,"
            f" but {shown(first)} is found first under that name; rename one of them"
        )


def _is_same(one: str | None, other: Path) -> bool:
    try:
        return one is not None and os.path.samefile(one, other)
    except OSError:
        return False


def _file_of(module: ModuleType) -> str:
    return shown(getattr(module, "__file__", None) or f"a module {module.__name__} without a file")


def _told(error: BaseException) -> str:
    """A user's error in words; its own ``__str__`` may fail."""
    try:
        text = one_line(error)
    except Exception:  # noqa: BLE001  a user's exception at the border
        text = "its text can't be had"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

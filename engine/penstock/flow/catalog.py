"""Routine types by name, and all that folders hold: for loading, checking and the palette."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from penstock.flow.files import shown
from penstock.flow.reading import ClassReading, Found, Reader
from penstock.flow.source import SourceError, refuse_name, roots_of
from penstock.flow.spec import EventSpec, RoutineSpec, SlotSpec

MAX_FILES = 2000


def describe(
    type_name: str, folders: Sequence[str | Path] = (), base: Path | None = None
) -> RoutineSpec:
    """What ``module:Class`` looks like, read from its source; ``error`` says why it can't be."""
    module_name, colon, class_name = type_name.partition(":")
    if not colon or not class_name.isidentifier():
        return RoutineSpec(type_name, error=f"{type_name!r}: expected 'module:Class'")
    reader = Reader(roots_of(folders, base))
    try:
        module = reader.module(module_name)
        found = reader.resolve(module, class_name)
        if not isinstance(found, Found):
            return RoutineSpec(
                type_name,
                source=str(module.path),
                error=f"{shown(module.path)} has no class {class_name}",
            )
        return _spec(type_name, found, reader.read(found))
    except SourceError as error:
        return RoutineSpec(type_name, error=str(error))
    except RecursionError:
        return RoutineSpec(type_name, error=f"{type_name}: its source is nested too deeply")


def find_routines(folders: Sequence[Path]) -> list[RoutineSpec]:
    """All routine types in the modules of the folders and of the packages right in them.

    Found by reading, nothing is imported; modules that can't be read are left out, and so are
    classes without ``logic`` and those whose name begins with an underscore.
    """
    reader = Reader(folders)
    specs = {spec.type: spec for name in _module_names(folders) for spec in _types(reader, name)}
    return list(specs.values())


def _types(reader: Reader, module_name: str) -> Iterator[RoutineSpec]:
    try:
        module = reader.module(module_name)
    except SourceError:
        return
    for class_name, node in module.classes.items():
        if class_name.startswith("_"):
            continue
        found = Found(module, node)
        try:
            reading = reader.read(found)
        except RecursionError:
            continue
        if reading.is_routine and reading.has_logic:
            yield _spec(f"{module_name}:{class_name}", found, reading)


def _module_names(folders: Sequence[Path]) -> Iterator[str]:
    """In the order of the folders, then by name; a module found twice counts once."""
    seen: dict[str, None] = {}
    for folder in folders:
        for name in _names_in(folder):
            if refuse_name(name) is None:
                seen.setdefault(name)
            if len(seen) >= MAX_FILES:
                break
    yield from seen


def _names_in(folder: Path) -> Iterator[str]:
    for entry in _listed(folder):
        if entry.endswith(".py"):
            yield entry.removesuffix(".py")
        elif os.path.isfile(folder / entry / "__init__.py"):
            yield entry
            for inner in _listed(folder / entry):
                if inner.endswith(".py") and inner != "__init__.py":
                    yield f"{entry}.{inner.removesuffix('.py')}"


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _spec(type_name: str, found: Found, reading: ClassReading) -> RoutineSpec:
    ports = reading.ports.values()
    slots = tuple(port for port in ports if isinstance(port, SlotSpec))
    names = [slot.name for slot in slots] if reading.complete else None
    return RoutineSpec(
        type=type_name,
        slots=slots,
        events=tuple(port for port in ports if isinstance(port, EventSpec)),
        fields=tuple(reading.fields.values()),
        doc=ast.get_docstring(found.node) or "",
        source=str(found.module.path),
        line=found.node.lineno,
        error=_fault(found, reading),
        faults=tuple(reading.settings.faults(names)),
        cautions=tuple(reading.settings.cautions(names)),
        complete=reading.complete,
        open_config=reading.open_config,
    )


def _fault(found: Found, reading: ClassReading) -> str | None:
    if not reading.complete:
        return None
    if not reading.is_routine:
        return f"{shown(found.module.path)}: {found.node.name} is no Routine"
    return None if reading.has_logic else f"{found.node.name} has no logic"

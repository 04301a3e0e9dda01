"""A routine's ports, config fields and docstring, read from the syntax tree of its class."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.flow.config_fields import allows_extra, read_field
from penstock.flow.numbers import is_count
from penstock.flow.ports import DEFAULT_CAPACITY, OVERFLOWS
from penstock.flow.settings import KINDS, SETTINGS, SettingsReading, read_setting
from penstock.flow.source import (
    ModuleSource,
    SourceError,
    locate,
    read_module,
    refuse_name,
    statements,
)
from penstock.flow.spec import EventSpec, FieldSpec, SlotSpec
from penstock.flow.syntax import assigned, dotted_name, literal, type_text

_OURS = frozenset({"Routine", "Slot", "Event", *KINDS})
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """A name of ours; without one what declares no ports or fields and isn't read.

    That is what is built in, of Python's library or of pydantic.
    """

    name: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A class and the module its text stands in."""

    module: ModuleSource
    node: ast.ClassDef

    @property
    def key(self) -> _Key:
        """Tells one class from another."""
        return (str(self.module.path), str(self.node.lineno))


@dataclass(slots=True)
class ClassReading:
    """What is read so far while going from the base classes to the class itself."""

    ports: dict[str, SlotSpec | EventSpec] = field(default_factory=dict)
    fields: dict[str, FieldSpec] = field(default_factory=dict)
    settings: SettingsReading = field(default_factory=SettingsReading)
    is_routine: bool = False
    has_logic: bool = False
    complete: bool = True
    open_config: bool = False
    seen: set[_Key] = field(default_factory=set)


class Reader:
    """Follows names from module to module, looking only at files below `roots` and ``sys.path``."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(roots)
        self._resolved: dict[_Key, Found | Known | None] = {}

    def module(self, name: str) -> ModuleSource:
        """The parsed module; raises SourceError when it isn't found or can't be read."""
        refusal = refuse_name(name)
        if refusal is not None:
            raise SourceError(refusal)
        path = locate(name, self._roots)
        if path is None:
            raise SourceError(f"module {name} isn't found in the flow's folders or installed")
        return read_module(path, name)

    def read(self, found: Found) -> ClassReading:
        """Everything the class and its bases declare."""
        reading = ClassReading()
        self._read_class(found, reading)
        return reading

    def resolve(self, module: ModuleSource, name: str) -> Found | Known | None:
        """What a dotted name means in that module; None when nobody can say.

        Each name is looked up once: names that lead back to themselves end, and modules that import
        all from each other don't make the search grow with the number of ways between them.
        """
        key = (str(module.path), name)
        if key not in self._resolved:
            self._resolved[key] = None
            self._resolved[key] = self._resolve(module, name)
        return self._resolved[key]

    def _resolve(self, module: ModuleSource, name: str) -> Found | Known | None:
        first, _, rest = name.partition(".")
        if first in module.classes:
            return self._member(Found(module, module.classes[first]), rest, set())
        return self._resolve_imported(module, name)

    def _resolve_imported(self, module: ModuleSource, name: str) -> Found | Known | None:
        first, _, rest = name.partition(".")
        if first in module.imports:
            source, original = module.imports[first]
            if original:
                return self._imported(source, f"{original}.{rest}" if rest else original)
            middle, _, last = rest.rpartition(".")
            return self._imported(f"{source}.{middle}" if middle else source, last)
        for star in module.stars:
            found = self._imported(star, name)
            if found is not None:
                return found
        return Known() if hasattr(builtins, name) else None

    def _imported(self, source: str, name: str) -> Found | Known | None:
        top = source.partition(".")[0]
        if top == "penstock" and name in _OURS:
            return Known(name)
        if top == "pydantic" or top in sys.stdlib_module_names:
            return Known()
        try:
            return self.resolve(self.module(source), name) if name else None
        except SourceError:
            return None

    def _member(self, found: Found, rest: str, seen: set[_Key]) -> Found | Known | None:
        """A class nested in another, or in one of that one's bases."""
        if not rest:
            return found
        if found.key in seen:
            return None
        seen.add(found.key)
        first, _, more = rest.partition(".")
        for statement in statements(found.node.body):
            if isinstance(statement, ast.ClassDef) and statement.name == first:
                return self._member(Found(found.module, statement), more, seen)
        for base in found.node.bases:
            parent = self.resolve(found.module, dotted_name(base))
            nested = self._member(parent, rest, seen) if isinstance(parent, Found) else None
            if nested is not None:
                return nested
        return None

    def _parents(self, found: Found) -> Iterator[Found | Known | None]:
        """What a class's bases are, the last one first."""
        for base in reversed(found.node.bases):
            name = dotted_name(base)
            parent = self.resolve(found.module, name)
            if isinstance(parent, Found) and parent.key == found.key:
                # class A(A): the other one was imported under its name
                parent = self._resolve_imported(found.module, name)
            yield parent

    def _read_class(self, found: Found, reading: ClassReading) -> None:
        """Each class once, bases before what derives from them."""
        if found.key in reading.seen:
            return
        reading.seen.add(found.key)
        for parent in self._parents(found):
            if isinstance(parent, Found):
                self._read_class(parent, reading)
            elif isinstance(parent, Known):
                reading.is_routine |= parent.name == "Routine"
            else:
                reading.complete = False
        for statement in statements(found.node.body):
            self._read_statement(found, statement, reading)

    def _read_statement(self, found: Found, statement: ast.stmt, reading: ClassReading) -> None:
        if isinstance(statement, ast.ClassDef):
            if statement.name == "Config":
                self._read_config(Found(found.module, statement), reading)
            return
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if statement.name == "logic":
                reading.has_logic = True
                is_sure = statement in found.node.body
                reading.settings.logic = statement if is_sure else None
            reading.settings.found.pop(statement.name, None)
            reading.ports.pop(statement.name, None)
            return
        name, value = assigned(statement)
        if name is None or value is None:
            return
        if name == "logic":
            reading.has_logic = True
            reading.settings.logic = None
        if name in SETTINGS:
            self._read_setting(found, statement, name, value, reading.settings)
        port = self._port(found.module, name, value)
        if port is not None:
            reading.ports[name] = port
        else:
            reading.ports.pop(name, None)
        if name == "Config":
            config = self.resolve(found.module, dotted_name(value))
            if isinstance(config, Found):
                self._read_config(config, reading)
            else:
                reading.open_config = True

    def _read_setting(
        self,
        found: Found,
        statement: ast.stmt,
        name: str,
        value: ast.expr,
        settings: SettingsReading,
    ) -> None:
        settings.found.pop(name, None)
        if not isinstance(value, ast.Call) or statement not in found.node.body:
            return  # computed, or only under a condition
        kind = self.resolve(found.module, dotted_name(value.func))
        if isinstance(kind, Known) and kind.name in KINDS:
            settings.found[name] = read_setting(name, KINDS[kind.name], value)

    def _port(
        self, module: ModuleSource, name: str, value: ast.expr
    ) -> SlotSpec | EventSpec | None:
        if not isinstance(value, ast.Call):
            return None
        kind = self.resolve(module, dotted_name(value.func))
        if not isinstance(kind, Known) or kind.name not in ("Slot", "Event"):
            return None
        names = ("type", "capacity", "overflow") if kind.name == "Slot" else ("type", "copy")
        given = dict(zip(names, value.args, strict=False))
        given |= {word.arg: word.value for word in value.keywords if word.arg}
        type_ = type_text(given.get("type"))
        doc = literal(given.get("doc"), "")
        doc = doc if isinstance(doc, str) else ""
        if kind.name == "Event":
            copy = literal(given.get("copy"), False) is True
            return EventSpec(name, type_, doc, self._ancestors(module, given.get("type")), copy)
        capacity = literal(given.get("capacity"), DEFAULT_CAPACITY)
        overflow = literal(given.get("overflow"), OVERFLOWS[0])
        return SlotSpec(
            name,
            type_,
            capacity if is_count(capacity) else DEFAULT_CAPACITY,
            doc,
            overflow if overflow in OVERFLOWS else OVERFLOWS[0],
        )

    def _ancestors(self, module: ModuleSource, node: ast.expr | None) -> tuple[str, ...]:
        """The names of the classes an event's type derives from, as far as they can be followed."""
        names: dict[str, None] = {}
        todo = [(module, node)] if node is not None else []
        while todo and len(names) < 100:
            where, expression = todo.pop()
            if expression is None:
                continue
            found = self.resolve(where, dotted_name(expression))
            if isinstance(found, Found):
                for base in found.node.bases:
                    name = dotted_name(base)
                    if name and name not in names:
                        names[name] = None
                        todo.append((found.module, base))
        return tuple(names)

    def _read_config(self, found: Found, reading: ClassReading) -> None:
        reading.fields.clear()
        reading.open_config = False
        self._read_fields(found, reading, set())

    def _read_fields(self, found: Found, reading: ClassReading, seen: set[_Key]) -> None:
        if found.key in seen:
            return
        seen.add(found.key)
        for parent in self._parents(found):
            if isinstance(parent, Found):
                self._read_fields(parent, reading, seen)
            elif parent is None:
                reading.open_config = True
        for statement in statements(found.node.body):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                spec = read_field(statement.target.id, statement.annotation, statement.value)
                if spec is not None:
                    reading.fields[statement.target.id] = spec
            elif assigned(statement)[0] == "model_config":
                reading.open_config |= allows_extra(assigned(statement)[1])

"""The fields of a ``Config`` read from its class body."""

from __future__ import annotations

import ast
from typing import Any

from penstock.flow.spec import REQUIRED, FieldSpec
from penstock.flow.syntax import NO_LITERAL, dotted_name, literal, type_text

_SIMPLE = ("bool", "int", "float", "str")


def read_field(name: str, annotation: ast.expr, value: ast.expr | None) -> FieldSpec | None:
    """One annotated assignment; None for what pydantic makes no field of."""
    if name.startswith("_") or dotted_name(annotation).rpartition(".")[2] == "ClassVar":
        return None
    annotation, extras = _without_annotated(annotation)
    settings: dict[str, ast.expr] = {}
    for call in (*extras, value):
        settings |= _field_settings(call)
    if value is not None and not _is_field_call(value):
        settings["default"] = value
    text = type_text(annotation)
    kind, choices = _kind(annotation, text)
    default, computed = _default(settings)
    if default is not REQUIRED and not _is_json(default):
        default, computed = None, True
    described = literal(settings.get("description"), "")
    alias = literal(settings.get("alias"), name)
    return FieldSpec(
        name=alias if isinstance(alias, str) else name,
        type="json" if computed else kind,
        default=default,
        choices=choices,
        annotation=text,
        doc=described if isinstance(described, str) else "",
        constraints=_constraints(settings),
        computed=computed,
    )


def _without_annotated(annotation: ast.expr) -> tuple[ast.expr, list[ast.expr]]:
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.slice, ast.Tuple):
        return annotation, []
    if dotted_name(annotation.value).rpartition(".")[2] != "Annotated":
        return annotation, []
    return annotation.slice.elts[0], annotation.slice.elts[1:]


def _is_field_call(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call) and dotted_name(node.func).rpartition(".")[2] == "Field"


def _field_settings(node: ast.expr | None) -> dict[str, ast.expr]:
    if not isinstance(node, ast.Call) or not _is_field_call(node):
        return {}
    settings = {word.arg: word.value for word in node.keywords if word.arg}
    if node.args:
        settings["default"] = node.args[0]
    return settings


def _kind(annotation: ast.expr, text: str) -> tuple[str, tuple[Any, ...]]:
    if text in _SIMPLE:
        return text, ()
    if dotted_name(annotation).rpartition(".")[2] == "Literal" and isinstance(
        annotation, ast.Subscript
    ):
        choices = literal(annotation.slice, NO_LITERAL)
        if choices is not NO_LITERAL:
            return "Literal", choices if isinstance(annotation.slice, ast.Tuple) else (choices,)
    return "json", ()


def _default(settings: dict[str, ast.expr]) -> tuple[Any, bool]:
    """The default and whether it is computed, so that nobody knows it before importing."""
    node = settings.get("default")
    if node is None:
        return (None, True) if "default_factory" in settings else (REQUIRED, False)
    if isinstance(node, ast.Constant) and node.value is ...:
        return REQUIRED, False
    value = literal(node, NO_LITERAL)
    return (None, True) if value is NO_LITERAL else (value, False)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int | float | bool)


_CONSTRAINTS = (
    *("ge", "gt", "le", "lt", "multiple_of"),
    *("min_length", "max_length", "pattern"),
)


def _constraints(settings: dict[str, ast.expr]) -> dict[str, Any]:
    found = {name: literal(settings.get(name), NO_LITERAL) for name in _CONSTRAINTS}
    return {name: value for name, value in found.items() if value is not NO_LITERAL}


def allows_extra(node: ast.expr | None) -> bool:
    """Whether ``model_config`` lets fields through that aren't declared, or can't be read."""
    if isinstance(node, ast.Call):
        values = {word.arg: word.value for word in node.keywords}
        return bool(literal(values.get("extra"), "forbid") != "forbid")
    settings = literal(node, None)
    return not isinstance(settings, dict) or settings.get("extra", "forbid") != "forbid"

"""Config values as an editor's text, and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from penstock.flow import REQUIRED, FieldSpec, RoutineSpec
from penstock_gui.document import UNSET

MAX_EDITED = 10_000
_OPTIONAL = {"str | None": str, "int | None": int, "float | None": float}


@dataclass(frozen=True)
class Reading:
    """What an editor's text means: a value to store, or why there is none."""

    value: Any = UNSET
    error: str | None = None


def kind_of(field: FieldSpec, value: Any) -> str:
    """Which editor shows a field: check, choice, or text.

    A value that isn't of the field's type is shown as text, as it stands in the file.
    """
    if field.type == "bool" and isinstance(value, bool):
        return "check"
    return "choice" if field.type == "Literal" else "text"


def value_of(spec: RoutineSpec, field: FieldSpec) -> Any:
    """What the file says, else the default; `UNSET` for a required field it doesn't name."""
    if field.name in spec.config:
        return spec.config[field.name]
    return UNSET if field.default is REQUIRED else field.default


def text_of(field: FieldSpec, value: Any) -> str:
    """A value as the text that `read` takes back."""
    if value is UNSET:
        return ""
    if value is None and _optional(field):
        return ""
    if isinstance(value, str) and (field.type == "str" or _optional(field) is str):
        return value if "\n" not in value and "\r" not in value else json.dumps(value)
    if isinstance(value, str) and field.type in ("int", "float"):
        return value
    return json.dumps(value, ensure_ascii=False)


def read(field: FieldSpec, text: str, before: Any) -> Reading:
    """The value a text means; ``before`` decides how a text of several lines was shown."""
    optional = _optional(field)
    if field.type == "str" or optional is str:
        if optional and not text:
            return Reading(None)
        if isinstance(before, str) and ("\n" in before or "\r" in before):
            return _read_json(text)
        return Reading(text)
    if not text.strip():
        return _read_empty(field)
    if field.type in ("int", "float"):
        return _read_number(field.type, text)
    return _read_json(text)


def note(field: FieldSpec) -> str:
    """What is below a field: its type and limits, and what it is for."""
    parts = [_limits(field)]
    if field.doc:
        parts.append(field.doc.strip().partition("\n")[0])
    return " · ".join(part for part in parts if part)


def placeholder(field: FieldSpec) -> str:
    """What an empty editor says."""
    if field.default is REQUIRED:
        return "required"
    return "None" if _optional(field) else ""


def choice_text(choice: Any) -> str:
    """A Literal's choice as the combo box names it."""
    return choice if isinstance(choice, str) else json.dumps(choice, default=repr)


def _optional(field: FieldSpec) -> type | None:
    return _OPTIONAL.get(field.annotation.replace("Optional[str]", "str | None").strip())


def _read_empty(field: FieldSpec) -> Reading:
    if _optional(field):
        return Reading(None)
    if field.default is REQUIRED:
        return Reading(error="required")
    return Reading(UNSET)


def _read_number(kind: str, text: str) -> Reading:
    plain = text.strip().replace("_", "")
    try:
        return Reading(int(plain) if kind == "int" else _finite(plain))
    except ValueError:
        return Reading(error="not a whole number" if kind == "int" else "not a number")


def _finite(text: str) -> float:
    number = float(text)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _read_json(text: str) -> Reading:
    try:
        return Reading(json.loads(text, parse_constant=_refuse))
    except json.JSONDecodeError as error:
        return Reading(error=f"not JSON: {error.msg} at character {error.pos + 1}")
    except (ValueError, RecursionError) as error:
        return Reading(error=f"not JSON: {error}")


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _limits(field: FieldSpec) -> str:
    words = [field.annotation or field.type]
    low = field.constraints.get("ge", field.constraints.get("gt"))
    high = field.constraints.get("le", field.constraints.get("lt"))
    if low is not None and high is not None:
        words.append(f"{low} to {high}")
    elif low is not None:
        words.append(f"from {low}")
    elif high is not None:
        words.append(f"up to {high}")
    return ", ".join(words)

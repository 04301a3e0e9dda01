"""A flow as the JSON object of its file, and how much of a loaded file's text can be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import FlowFileError
from penstock.flow import schema
from penstock.flow.jsontext import compact, pretty
from penstock.flow.live import config_json, type_name
from penstock.flow.routine import Routine
from penstock.flow.spec import RoutineSpec

if TYPE_CHECKING:
    from penstock.flow.flow import Flow


@dataclass(frozen=True, slots=True)
class Original:
    """The text a flow was loaded from, the order of its keys, and a mark of what it holds.

    Whoever edits and undoes, or edits nothing, gets the very text back.
    """

    text: str
    keys: tuple[str, ...]
    routine_keys: Mapping[str, tuple[str, ...]]
    mark: str = ""


def text_of(flow: Flow, original: Original | None) -> str:
    """The text of the flow's file; raises FlowFileError for what no file can hold."""
    document = document_of(flow, original)
    if original is not None and original.mark == mark_of(document):
        return original.text
    return pretty(document)


def mark_of(document: dict[str, Any]) -> str:
    """Equal for documents of equal text."""
    return compact(document)


def document_of(flow: Flow, original: Original | None) -> dict[str, Any]:
    """What the file holds, with keys in the order a loaded one had them."""
    keys = original.keys if original is not None else ()
    document: dict[str, Any] = {"version": schema.VERSION, "name": flow.name}
    if flow.folders or "folders" in keys:
        document["folders"] = list(flow.folders)
    document["routines"] = {
        routine_id: _routine(flow, routine_id, original) for routine_id in flow.routines
    }
    if flow.connections or "connections" in keys:
        document["connections"] = [
            str(connection) for connection, times in flow.counted.items() for _ in range(times)
        ]
    return _in_order({**document, **flow.extra}, keys)


def _routine(flow: Flow, routine_id: str, original: Original | None) -> dict[str, Any]:
    keys = original.routine_keys.get(routine_id, ()) if original is not None else ()
    name, config, extra = _content(flow, routine_id)
    document: dict[str, Any] = {"type": name}
    if routine_id in flow.titles:
        document["title"] = flow.titles[routine_id]
    if config or "config" in keys:
        document["config"] = config
    if routine_id in flow.positions:
        document["position"] = [_short(number) for number in flow.positions[routine_id]]
    return _in_order({**document, **extra}, keys)


def _content(flow: Flow, routine_id: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    routine: Routine | RoutineSpec = flow.routines[routine_id]
    if isinstance(routine, RoutineSpec):
        return routine.type, routine.config, routine.extra
    try:
        return type_name(type(routine)), config_json(routine), {}
    except FlowFileError as error:
        raise FlowFileError(
            f"{flow.place}: routines.{routine_id}: {error}", routine=routine_id
        ) from None


def _in_order(document: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """First the keys a file had, in its order, then the others."""
    return {**{key: document[key] for key in keys if key in document}, **document}


def _short(number: float) -> float:
    """10 rather than 10.0."""
    return int(number) if float(number).is_integer() else number

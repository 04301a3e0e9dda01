"""The flow file, version 1: its shape as pydantic models, and its text."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from penstock.errors import FlowFileError, UnknownPort
from penstock.flow.connection import Connection
from penstock.flow.jsontext import dotted, parse
from penstock.flow.values import complaint, one_line
from penstock.ids import is_valid_id

VERSION = 1
MAX_FOLDERS = 100
MAX_ROUTINES = 20_000
MAX_CONNECTIONS = 100_000


class RoutineEntry(BaseModel):
    """One routine of the file; unknown keys are kept in ``model_extra``."""

    model_config = ConfigDict(strict=True, extra="allow")

    type: str
    config: dict[str, Any] = {}
    position: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    title: str | None = None


class FlowEntry(BaseModel):
    """The whole file; unknown keys are kept in ``model_extra``."""

    model_config = ConfigDict(strict=True, extra="allow")

    version: int
    name: str
    folders: Annotated[list[str], Field(max_length=MAX_FOLDERS)] = []
    routines: Annotated[dict[str, RoutineEntry], Field(max_length=MAX_ROUTINES)]
    connections: Annotated[list[str], Field(max_length=MAX_CONNECTIONS)] = []


def read(text: str, place: str) -> tuple[FlowEntry, list[Connection], dict[str, Any]]:
    """The file's entries, its connections and the raw object; raises FlowFileError in one line."""
    raw = parse(text, place)
    if not isinstance(raw, dict):
        raise FlowFileError(f"{place}: expected an object with version, name, routines")
    _check_version(raw, place)
    try:
        entry = FlowEntry.model_validate(raw)
    except ValidationError as error:
        path, words = complaint(error)
        raise FlowFileError(f"{place}: {dotted(path)}: {words}") from None
    for routine_id in entry.routines:
        if not is_valid_id(routine_id):
            raise FlowFileError(
                f"{place}: routines: {routine_id[:80]!r} is no routine id:"
                " expected a letter or _, then letters, digits, _ or -"
            )
    return entry, _connections(entry.connections, place), raw


def _check_version(raw: dict[str, Any], place: str) -> None:
    """Before all else: a newer file may have another shape."""
    version = raw.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        has = "it is missing" if version is None else f"got {type(version).__name__}"
        raise FlowFileError(f"{place}: version: expected {VERSION}, {has}")
    if version > VERSION:
        raise FlowFileError(
            f"{place}: version: expected {VERSION}, got {version}:"
            " the file was written by a newer Penstock"
        )
    if version < VERSION:
        raise FlowFileError(f"{place}: version: expected {VERSION}, got {version}")


def _connections(texts: list[str], place: str) -> list[Connection]:
    connections = []
    for number, text in enumerate(texts):
        try:
            connections.append(Connection.parse(text))
        except UnknownPort as error:
            raise FlowFileError(f"{place}: connections[{number}]: {one_line(error)}") from None
    return connections

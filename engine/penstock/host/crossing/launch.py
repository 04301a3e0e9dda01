"""How the host of a flow is launched: the user's choices, and the file they are kept in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from penstock.errors import InvalidValue
from penstock.flow import is_count, parse_json, pretty_json, read_text, shown, write_text

Loop = Literal["thread", "pool"]
"""Where a job's loop runs: on a thread of its own, or on whoever has time in the pool."""
WhenWindowGoes = Literal["end", "resume", "hold"]
"""What becomes of an engine whose window is gone, closed or killed: it ends with its jobs; or it
stays until they are over, and held ones go on or stay held."""
VERSION = 1
MAX_BYTES = 1_000_000
MAX_WORKERS = 10_000
_FLOW_ENDING = ".flow.json"
_ENDING = ".launch.json"
_LOOPS = get_args(Loop)
_WHEN_WINDOW_GOES = get_args(WhenWindowGoes)


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """What a flow's host is started with; frozen, and checked when it is made (InvalidValue).

    ``interpreter`` is the path of a Python, None: the one that runs this. ``working_folder``: None
    is the flow's folder. ``environment`` is added to what the window has, None takes a variable
    away. ``arguments`` become ``sys.argv[1:]``. ``workers`` is the pool's size, None: the engine's
    choice. ``when_window_goes`` is what becomes of the jobs then. Values of variables and arguments
    may be secrets: neither ``repr`` nor an error shows them.
    """

    interpreter: str | None = None
    working_folder: str | None = None
    environment: dict[str, str | None] = field(default_factory=dict, repr=False)
    arguments: tuple[str, ...] = field(default=(), repr=False)
    workers: int | None = None
    loop: Loop = "thread"
    when_window_goes: WhenWindowGoes = "end"

    def __post_init__(self) -> None:
        _check_path("interpreter", self.interpreter)
        _check_path("working_folder", self.working_folder)
        object.__setattr__(self, "environment", _checked_environment(self.environment))
        object.__setattr__(self, "arguments", _checked_arguments(self.arguments))
        _check_workers(self.workers)
        _check_choice("loop", self.loop, _LOOPS)
        _check_choice("when_window_goes", self.when_window_goes, _WHEN_WINDOW_GOES)

    def to_json(self) -> dict[str, Any]:
        """As dicts, lists, strings and numbers, with the version of their form."""
        return {
            "version": VERSION,
            "interpreter": self.interpreter,
            "working_folder": self.working_folder,
            "environment": dict(self.environment),
            "arguments": list(self.arguments),
            "workers": self.workers,
            "loop": self.loop,
            "when_window_goes": self.when_window_goes,
        }

    @classmethod
    def from_json(cls, data: object, place: str = "launch settings") -> LaunchSettings:
        """What `to_json` gave; fields that aren't there have their default.

        Raises InvalidValue in one line naming `place` and field.
        """
        try:
            return _from_json(data)
        except InvalidValue as error:
            raise InvalidValue(f"{place}: {error}") from None

    def resolved(self, flow_folder: Path | None) -> LaunchSettings:
        """The same with absolute paths: ``~`` is the home, relative ones start at `flow_folder`.

        The working folder is the flow's if none is set. A link to an interpreter stays a link: its
        place says which virtual environment it belongs to. Without a folder relative paths start
        where this process is.
        """
        base = Path.cwd() if flow_folder is None else flow_folder
        folder = self.working_folder
        if folder is None and flow_folder is not None:
            folder = "."
        return replace(
            self,
            interpreter=_absolute(self.interpreter, base),
            working_folder=_absolute(folder, base),
        )

    def changed_environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """`base` (this process's) with what was added and without what was taken away."""
        changed = dict(os.environ if base is None else base)
        for name, value in self.environment.items():
            key = name.upper() if os.name == "nt" else name
            if value is None:
                changed.pop(key, None)
            else:
                changed[key] = value
        return changed


def launch_file(flow_file: Path) -> Path:
    """Where a flow's settings are kept: ``etl.flow.json`` has ``etl.launch.json`` beside it."""
    return flow_file.with_name(flow_file.name.removesuffix(_FLOW_ENDING) + _ENDING)


def load_launch(path: Path) -> LaunchSettings:
    """Settings from a file; raises FlowFileError or InvalidValue in one line naming the file.

    Reading runs nothing. What is read may name any program: launch with it only when the flow's
    code is trusted.
    """
    place = shown(path)
    return LaunchSettings.from_json(parse_json(read_text(path, MAX_BYTES), place), place)


def save_launch(settings: LaunchSettings, path: Path) -> None:
    """Replace the file in one step; raises FlowFileError.

    Variables and arguments are written as they are, secrets too: call it when the user saves.
    """
    write_text(path, pretty_json(settings.to_json()))


def _from_json(data: object) -> LaunchSettings:
    if not isinstance(data, dict):
        raise InvalidValue(f"expected an object, got {_kind(data)}")
    given = dict(data)
    version = given.pop("version", None)
    if not is_count(version):
        _refuse("version", "a whole number from 1", version)
    if version > VERSION:
        raise InvalidValue(f"version: {version} is newer than this Penstock, which knows {VERSION}")
    known = [one.name for one in fields(LaunchSettings)]
    for name in given:
        if name not in known:
            raise InvalidValue(f"{_shortened(name)}: unknown; expected {', '.join(known)}")
    if "arguments" in given:
        if not isinstance(given["arguments"], list):
            _refuse("arguments", "a list of texts", given["arguments"])
        given["arguments"] = tuple(given["arguments"])
    return LaunchSettings(**given)


def _absolute(path: str | None, base: Path) -> str | None:
    return None if path is None else os.path.abspath(base / os.path.expanduser(path))


def _check_path(name: str, path: object) -> None:
    if path is None:
        return
    if not isinstance(path, str) or not path or "\0" in path:
        _refuse(name, "a path or null", path)


def _check_choice(name: str, choice: object, choices: tuple[str, ...]) -> None:
    if choice not in choices:
        _refuse(name, " or ".join(map(repr, choices)), choice)


def _check_workers(workers: object) -> None:
    if workers is None or (is_count(workers) and workers <= MAX_WORKERS):  # type: ignore[operator]
        return
    got = str(workers)[:40] if isinstance(workers, int) else _kind(workers)
    raise InvalidValue(f"workers: expected a whole number from 1 to {MAX_WORKERS}, got {got}")


def _checked_environment(environment: object) -> dict[str, str | None]:
    if not isinstance(environment, dict):
        _refuse("environment", "an object of variables", environment)
    for name, value in environment.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise InvalidValue(f"environment: {_shortened(name)} is no name of a variable")
        if value is not None and (not isinstance(value, str) or "\0" in value):
            _refuse(f"environment.{_shortened(name)}", "text without NUL, or null", value)
    return dict(environment)


def _checked_arguments(arguments: object) -> tuple[str, ...]:
    if not isinstance(arguments, tuple | list):
        _refuse("arguments", "a list of texts", arguments)
    for index, one in enumerate(arguments):
        if not isinstance(one, str) or "\0" in one:
            _refuse(f"arguments[{index}]", "text without NUL", one)
    return tuple(arguments)


def _refuse(name: str, expected: str, got: object) -> NoReturn:
    raise InvalidValue(f"{name}: expected {expected}, got {_kind(got)}")


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "a truth value",
    int: "a number",
    float: "a number",
    str: "text",
    dict: "an object",
    list: "a list",
}


def _kind(value: object) -> str:
    """What was given, without its content, which may be secret."""
    return "an empty text" if value == "" else _KINDS.get(type(value), type(value).__name__)


def _shortened(name: object) -> str:
    text = name if isinstance(name, str) else repr(name)
    return text if text.isprintable() and 0 < len(text) <= 80 else repr(text[:80])

"""Launch settings as a person types them, and back: pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields

from penstock.errors import InvalidValue
from penstock.host import LaunchSettings, Loop, WhenWindowGoes

AUTOMATIC = 0
_FIELDS = tuple(field.name for field in fields(LaunchSettings))


class BadField(Exception):
    """What stands in a field can't be used; ``field`` is that of `LaunchSettings`."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def environment_text(environment: Mapping[str, str | None]) -> str:
    """One variable a line: ``NAME=value``, or ``-NAME`` for one that is taken away."""
    return "\n".join(
        f"-{name}" if value is None else f"{name}={value}" for name, value in environment.items()
    )


def environment_of(text: str) -> dict[str, str | None]:
    """What `environment_text` gave; raises BadField naming the line."""
    found: dict[str, str | None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped:
            continue
        name, equals, value = line.partition("=")
        if equals and name.strip():
            found[name.strip()] = value
        elif stripped.startswith("-") and stripped[1:] and not equals:
            found[stripped[1:]] = None
        else:
            raise BadField("environment", f"line {number}: NAME=value or -NAME was expected")
    return found


def arguments_text(arguments: Sequence[str]) -> str:
    """On one line, quoted where needed."""
    return shlex.join(arguments)


def arguments_of(text: str) -> tuple[str, ...]:
    """What `arguments_text` gave; raises BadField for a quotation that doesn't end."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise BadField("arguments", f"{error}".lower()) from None


def settings_of(
    interpreter: str,
    folder: str,
    environment: str,
    arguments: str,
    workers: int,
    loop: Loop,
    when_gone: WhenWindowGoes,
) -> LaunchSettings:
    """The settings these texts mean, "" and `AUTOMATIC` for what is left to the engine.

    Raises BadField for the first that can't be used.
    """
    try:
        return LaunchSettings(
            interpreter=interpreter.strip() or None,
            working_folder=folder.strip() or None,
            environment=environment_of(environment),
            arguments=arguments_of(arguments),
            workers=None if workers == AUTOMATIC else workers,
            loop=loop,
            when_window_goes=when_gone,
        )
    except InvalidValue as error:
        field, _, text = str(error).partition(": ")
        name = field.partition(".")[0].partition("[")[0]
        raise BadField(name if name in _FIELDS else "interpreter", text or field) from None

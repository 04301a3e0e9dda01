"""``activation`` and ``on_error`` as they are written in a class body, and what is wrong there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from penstock.flow.activation import Activation, AllSlots, AnySlot, Batch, Every, Latest
from penstock.flow.error_policy import ErrorPolicy
from penstock.flow.rules import policy_caution, rule_problem
from penstock.flow.syntax import NO_LITERAL, literal
from penstock.flow.values import one_line

SETTINGS: Final = ("activation", "on_error")
KINDS: Final[dict[str, type]] = {
    kind.__name__: kind
    for kind in (AllSlots, AnySlot, Batch, Latest, Every, *get_args(ErrorPolicy))
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A rule or policy: its class, and why making it raises, as far as its arguments say."""

    kind: type
    error: str | None = None
    is_limited: bool = False


@dataclass(slots=True)
class SettingsReading:
    """What is known of a class's settings; a setting that can't be read isn't there."""

    found: dict[str, Setting] = field(default_factory=dict)
    logic: ast.FunctionDef | ast.AsyncFunctionDef | None = None

    def faults(self, slots: Sequence[str] | None) -> Iterator[str]:
        """What keeps the class from running; `slots` is None when not all are known."""
        yield from (setting.error for setting in self.found.values() if setting.error is not None)
        rule = self.found.get("activation")
        if rule is None or rule.error is not None or slots is None:
            return
        problem = rule_problem(
            rule.kind,
            slots,
            is_limited=rule.is_limited,
            needed=_needed(self.logic, slots),
        )
        if problem is not None:
            yield problem

    def cautions(self, slots: Sequence[str] | None) -> Iterator[str]:
        """What may surprise."""
        policy = self.found.get("on_error")
        if policy is None or policy.error is not None or slots is None:
            return
        caution = policy_caution(policy.kind, slots)
        if caution is not None:
            yield caution


def read_setting(name: str, kind: type, call: ast.Call) -> Setting:
    """The setting of that name that a call of that class gives."""
    base = Activation if name == "activation" else ErrorPolicy
    if not issubclass(kind, base):
        expected = "an activation rule" if name == "activation" else "an error policy"
        return Setting(kind, f"{name}: expected {expected}, got {kind.__name__}")
    return Setting(kind, _complaint(name, kind, call), _is_limited(kind, call))


def _complaint(name: str, kind: type, call: ast.Call) -> str | None:
    """What making it says; only literals are passed, so nothing of the flow's code runs."""
    given = [literal(argument, NO_LITERAL) for argument in call.args]
    named: dict[str, Any] = {}
    for word in call.keywords:
        if word.arg is None:
            return None
        named[word.arg] = literal(word.value, NO_LITERAL)
    if NO_LITERAL in given or NO_LITERAL in named.values():
        return None
    try:
        kind(*given, **named)
    except (ValueError, TypeError) as error:
        return f"{name} {kind.__name__}: {one_line(error, 200)}"
    return None


def _is_limited(kind: type, call: ast.Call) -> bool:
    times = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "times")]
    given = any(literal(node, NO_LITERAL) is not None for node in times)
    return given and issubclass(kind, Every)


def _needed(
    logic: ast.FunctionDef | ast.AsyncFunctionDef | None, slots: Sequence[str]
) -> tuple[str, ...]:
    """Slots whose parameter has no default or no name; none where nobody can say."""
    if logic is None or logic.decorator_list:
        return ()
    given = logic.args
    by_position = [*given.posonlyargs, *given.args]
    without = by_position[: len(by_position) - len(given.defaults)]
    needed = {parameter.arg for parameter in (*given.posonlyargs, *without)}
    needed |= {
        parameter.arg
        for parameter, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is None
    }
    return tuple(name for name in slots if name in needed)

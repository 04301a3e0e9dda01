"""What a routine sets for the engine: the right kinds, a rule and policy that go with its slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from penstock.errors import FlowError
from penstock.flow.activation import Activation, AllSlots, AnySlot, Batch, Every, Latest
from penstock.flow.error_policy import ErrorPolicy, Retry
from penstock.flow.numbers import is_count, is_duration
from penstock.flow.routine import Routine
from penstock.flow.shape import shape_of


def check_settings(routine: Routine) -> None:
    """Raises FlowError unless the attributes that the engine reads are of the right kind."""
    for name, is_right, expected in _SETTINGS:
        value = getattr(routine, name)
        if not is_right(value):
            raise FlowError(f"{type(routine).__name__}.{name}: expected {expected}, got {value!r}")


_SETTINGS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "activation",
        lambda value: isinstance(value, Activation),
        "an Activation like AllSlots()",
    ),
    (
        "max_parallel",
        lambda value: value is None or is_count(value),
        "None or a whole number from 1 on",
    ),
    (
        "on_error",
        lambda value: isinstance(value, ErrorPolicy),
        "Stop(), Continue(), Skip() or Retry()",
    ),
    (
        "timeout",
        lambda value: value is None or is_duration(value),
        "None or seconds above 0",
    ),
)


def activation_problem(routine: Routine) -> str | None:
    """Why no job can run this routine with the rule it has, in one line; None when one can."""
    shape = shape_of(type(routine))
    rule = routine.activation
    return rule_problem(
        type(rule),
        tuple(shape.slots),
        is_limited=isinstance(rule, Every) and rule.times is not None,
        needed=tuple(name for name in shape.slots if name not in shape.optional),
    )


def rule_problem(
    rule: type[Activation],
    slots: Sequence[str],
    *,
    is_limited: bool = False,
    needed: Sequence[str] = (),
) -> str | None:
    """Why a rule of that class doesn't go with those slots; None when it does.

    A class with a ``take`` of its own knows itself what it does with slots, if there are any.
    `is_limited`: an `Every` with ``times``; `needed`: slots that a call of ``logic`` can't leave
    out.
    """
    name = f"activation {rule.__name__}"
    if not slots:
        if issubclass(rule, AllSlots | Every):
            return None
        return f"{name} needs slots; a routine without any takes AllSlots() or Every(seconds)"
    if rule.take is not Activation.take:
        return None
    if not issubclass(rule, AllSlots | AnySlot | Batch | Latest | Every):
        return f"{name} has no take: define take(self, queues)"
    if issubclass(rule, Batch | Latest) and len(slots) > 1:
        return f"{name} needs exactly one slot, there are {len(slots)}: {', '.join(slots)}"
    if issubclass(rule, Every) and is_limited:
        return f"{name} takes times only in a routine without slots"
    if issubclass(rule, AnySlot) and len(slots) > 1 and needed:
        return (
            f"{name} passes one slot's value by its name; the parameters of logic need defaults:"
            f" {', '.join(needed)}"
        )
    return None


def policy_caution(policy: type[ErrorPolicy], slots: Sequence[str]) -> str | None:
    """What may surprise about a policy of that class in a routine with those slots."""
    if slots or not issubclass(policy, Retry):
        return None
    return "on_error Retry keeps back all that a routine without slots emits until it has ended"

"""Pure decisions about failures: what a policy makes of one."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from enum import Enum
from types import TracebackType
from typing import Any

from penstock.flow import Continue, ErrorPolicy, Failure, Retry, Skip

_MAX_TRACEBACK = 20_000


class Decision(Enum):
    """What happens to a failure and its messages."""

    RETRY = "retry"  # its messages are tried again
    DELIVER = "deliver"  # it becomes a message on the connected `failed` event
    CONTINUE = "continue"  # its messages are dead letters, the job goes on
    SKIP = "skip"  # as continue, and the routine isn't activated any more
    STOP = "stop"  # the job is FAILED


def decide(policy: ErrorPolicy, failed_is_connected: bool, can_be_retried: bool) -> Decision:
    """What becomes of a failure; after retries a connected ``failed`` event wins over the policy.

    `can_be_retried`: it is of a kind the policy retries, and tries are left.
    """
    if can_be_retried:
        return Decision.RETRY
    if failed_is_connected:
        return Decision.DELIVER
    last = policy.then if isinstance(policy, Retry) else policy
    if isinstance(last, Skip):
        return Decision.SKIP
    return Decision.CONTINUE if isinstance(last, Continue) else Decision.STOP


def failure_of(routine: str, slots: Mapping[str, Any], error: BaseException) -> Failure:
    """The failure as data. Whatever the error's own ``__str__`` does, this returns."""
    return Failure(
        routine=routine,
        slots=dict(slots),
        type=type(error).__name__,
        text=_text(error),
        traceback=_trace(error),
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # noqa: BLE001 -- border to user code: __str__ may raise
        return f"<{type(error).__name__}.__str__ raised {type(second).__name__}>"


def _trace(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, _user_frames(error.__traceback__))
    except BaseException as second:  # noqa: BLE001 -- border to user code, as above
        return f"<no traceback: {type(second).__name__}>"
    text = "".join(lines)
    return text if len(text) <= _MAX_TRACEBACK else "…\n" + text[-_MAX_TRACEBACK:]


def _user_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the worker's own frames at its start."""
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    return trace


def _is_ours(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).startswith("penstock.run.")

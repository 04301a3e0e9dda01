"""One line of the log, made from an event or a refusal: pure."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.host import LOST, CommandRefused, HostGone, HostUp, StartRefused
from penstock.observe import (
    ActivationFailed,
    FailureSummary,
    JobEnded,
    JobHeld,
    JobResumed,
    JobStarted,
    Stalled,
    StepIgnored,
)
from penstock_gui.widgets.wording import bounded, one_line, plural

_ENDS = {
    "COMPLETED": ("check", "state.done"),
    "FAILED": ("x", "state.failed"),
    "CANCELLED": ("ban", "text.3"),
    LOST: ("power", "state.failed"),
}
_DONE = {
    "stop": "the job stops",
    "continue": "the job goes on",
    "deliver": "sent on as a failed event",
    "skip": "the routine is skipped from now on",
    "retry": "it is tried again",
}
_LOOKS = {
    "retry": ("rotate-ccw", "state.waiting", "tried again"),
    "skip": ("skip-forward", "state.failed", "skipped from now on"),
}
_MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line and what it leads to; ``told`` is what it was made from."""

    time: float
    icon: str
    color: str
    source: str
    message: str
    job_id: str = ""
    routine: str = ""
    is_failure: bool = False
    told: object = None

    @property
    def details(self) -> str:
        """What is shown below the table when the line is chosen, "" when nothing more is known."""
        match self.told:
            case ActivationFailed(job_id=job, failure=failure, action=action):
                return _failure_details(job, failure, _DONE.get(action, action))
            case JobEnded(job_id=job, error=FailureSummary() as failure):
                return _failure_details(job, failure, "the job has failed")
            case StartRefused(text=text, details=details):
                return bounded(f"{text}\n\n{details}".strip())
            case CommandRefused(text=text):
                return bounded(text)
            case _:
                return ""

    def matches(self, words: tuple[str, ...]) -> bool:
        """Whether each of the lower-case words occurs in the line."""
        text = f"{self.source} job {self.job_id} {self.message}".lower()
        return all(word in text for word in words)


def log_entry(told: object, now: float) -> LogEntry | None:
    """The line for what was told, None for what has no place in a log.

    `now` is the time of a refusal, which carries none.
    """
    match told:
        case ActivationFailed():
            return _failed(told)
        case JobStarted():
            count = plural(len(told.routines), "routine")
            return _of_job(told, "play", "text.3", f"started {one_line(told.flow, 80)}, {count}")
        case JobHeld():
            return _held(told)
        case JobResumed():
            return _resumed(told)
        case JobEnded():
            return _ended(told)
        case Stalled():
            return _stalled(told)
        case StepIgnored():
            return _of_job(told, "info", "state.waiting", one_line(f"no step: {told.reason}"))
        case StartRefused():
            return _refused(told, now, "not started")
        case CommandRefused():
            return _refused(told, now, f"{one_line(told.command, 40)} refused")
        case HostUp():
            text = f"process {told.pid}: {told.name}, Python {told.python}"
            return LogEntry(now, "plug", "text.3", "engine", one_line(text), told=told)
        case HostGone():
            color = "text.3" if told.asked else "state.failed"
            how = told.text if told.asked else f"has ended: {told.text}"
            text = f"process {told.pid} {how}" if told.pid else told.text
            return LogEntry(now, "power", color, "engine", one_line(text), told=told)
        case _:
            return None


def _of_job(
    event: JobStarted | JobHeld | JobResumed | JobEnded | Stalled | StepIgnored,
    icon: str,
    color: str,
    message: str,
    routine: str = "",
) -> LogEntry:
    return LogEntry(
        time=event.time,
        icon=icon,
        color=color,
        source=f"job {event.job_id}",
        message=message,
        job_id=event.job_id,
        routine=routine,
        told=event,
    )


def _failed(event: ActivationFailed) -> LogEntry:
    failure = event.failure
    icon, color, words = _LOOKS.get(event.action, ("x", "state.failed", ""))
    if failure.type == "RoutineTimeout" and not words:
        icon = "timer"
    if failure.attempt > 1 or event.action == "retry":
        words = ", ".join(part for part in (f"attempt {failure.attempt}", words) if part)
    text = f"{words}: {_head(failure)}" if words else _head(failure)
    return LogEntry(
        time=event.time,
        icon=icon,
        color=color,
        source=one_line(failure.routine, 80),
        message=one_line(text),
        job_id=event.job_id,
        routine=failure.routine,
        is_failure=True,
        told=event,
    )


def _held(event: JobHeld) -> LogEntry:
    text = "pausing" if event.running else "paused"
    if event.why == "breakpoint":
        numbers = " ".join(str(number) for number in event.breakpoints)
        text += f" by breakpoint {numbers}".rstrip()
    elif event.why == "step":
        text += " after a step"
    text += f" before {event.place}" if event.place else ", nothing is ready to go next"
    if event.messages:
        text += " with " + ", ".join(
            f"{message.slot} #{message.number}" for message in event.messages[:4]
        )
    if event.running:
        text += f", {len(event.running)} still running"
    if event.waiting:
        text += f", {event.waiting:,} more waiting"
    return _of_job(event, "pause!", "state.held", one_line(text), event.place)


def _stalled(event: Stalled) -> LogEntry:
    full = _listed(event.slots)
    text = f"stalled: {full} {'is' if len(event.slots) == 1 else 'are'} full"
    if event.routines:
        text += f", {_listed(event.routines)} can't go on"
    routine = event.slots[0].partition(".")[0] if event.slots else ""
    return _of_job(event, "triangle-alert", "queue.high", one_line(text), routine)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _resumed(event: JobResumed) -> LogEntry:
    if event.stepping:
        text = one_line(f"steps {event.place}" if event.place else "steps")
        return _of_job(event, "redo-dot", "text.3", text, event.place)
    return _of_job(event, "play", "text.3", "continues", event.place)


def _ended(event: JobEnded) -> LogEntry:
    icon, color = _ENDS.get(event.status, ("info", "text.3"))
    if event.error is not None and event.error.type == "JobTimeout" and not event.error.routine:
        icon = "timer"
    text = event.status.lower()
    if event.error is not None:
        where = f" in {event.error.routine}" if event.error.routine else ""
        text += f"{where}: {_head(event.error)}"
    left = sum(event.discarded.values())
    if left:
        text += f", {plural(left, 'message')} discarded"
    routine = event.error.routine if event.error is not None else ""
    return _of_job(event, icon, color, one_line(text), routine)


def _refused(told: StartRefused | CommandRefused, now: float, what: str) -> LogEntry:
    return LogEntry(
        time=now,
        icon="ban",
        color="state.failed",
        source=f"job {told.job_id}" if told.job_id else "engine",
        message=one_line(f"{what}: {told.text}"),
        job_id=told.job_id,
        is_failure=True,
        told=told,
    )


def _head(failure: FailureSummary) -> str:
    return f"{failure.type}: {failure.text}" if failure.text else failure.type


def _failure_details(job_id: str, failure: FailureSummary, then: str) -> str:
    """What a reader copies: where, what went in, and the traceback."""
    where = f"{failure.routine}, job {job_id}" if failure.routine else f"job {job_id}"
    lines = [f"{where}: {then}"]
    if failure.attempt > 1:
        lines[0] += f" (attempt {failure.attempt})"
    lines += [f"  {slot} = {value.text}" for slot, value in failure.slots.items()]
    return bounded("\n".join([*lines, "", failure.traceback.strip() or _head(failure)]))

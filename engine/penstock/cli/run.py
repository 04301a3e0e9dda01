"""`penstock run`: a flow from beginning to end without a window."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

from penstock.cli import progress
from penstock.cli.flows import resolve
from penstock.cli.values import assignments, configure, entry_values
from penstock.errors import PenstockError
from penstock.flow import Failure, Flow, instantiate
from penstock.observe import Instrument, Stalled, summarize
from penstock.run import GlobalJobManager, JobSnapshot, JobState, JobStatus, Runtime

COMPLETED, NOT_COMPLETED, BAD_INPUT, TIMED_OUT, INTERRUPTED = 0, 1, 2, 124, 130
SECONDS_TO_CANCEL = 5.0


def add_parser(subparsers: Any) -> None:
    """Add the options of `penstock run`."""
    parser = subparsers.add_parser(
        "run",
        help="run a flow without a window",
        description="Run FLOW (a *.flow.json file, or example:NAME) and print what comes out. "
        "Values are JSON, else text. Running a flow runs its code. A job that is stalled (slots "
        "are full, and nothing that would empty them can start) is cancelled: stderr names the "
        "full slots, and the exit code is 1.",
        epilog="exit codes: 0 completed, 1 failed, stalled or cancelled, 2 bad input, "
        "124 timed out, 130 interrupted",
    )
    parser.add_argument("flow", metavar="FLOW")
    parser.add_argument(
        "-p", dest="params", action="append", default=[], metavar="routine.slot=VALUE",
        help="put a message into a slot at the start",
    )  # fmt: skip
    parser.add_argument(
        "-c", dest="config", action="append", default=[], metavar="routine.field=VALUE",
        help="set a field of a routine's Config",
    )  # fmt: skip
    parser.add_argument("--workers", type=_workers, metavar="N", help="size of the thread pool")
    parser.add_argument(
        "--loop", choices=["thread", "pool"], default="thread",
        help="where the job's loop runs: on a thread of its own, or on the pool",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=_seconds, metavar="S", help="the job fails after S seconds"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object only")
    parser.add_argument("--progress", action="store_true", help="show on stderr how far it is")
    parser.add_argument(
        "--report", action="store_true",
        help="a table of routines on stderr, and the last dead letters",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the flow; raises PenstockError for bad input, unless that goes into the JSON object."""
    try:
        with _stdout_kept_clean(options.json):
            job, code, watches = _run_job(*_prepared(options), options)
    except PenstockError as error:
        if options.json:
            print(json.dumps(_refusal(error)))
        raise
    snapshot = job.snapshot()
    stall = watches.stalls.told if snapshot.status is JobStatus.CANCELLED else ""
    if options.report:
        print(progress.report(snapshot, watches.retries.counts), file=sys.stderr)
    if options.json:
        print(json.dumps(_result(snapshot, stall)))
    else:
        _print_outputs(snapshot)
        _explain(snapshot, code, options, stall)
    if stall:
        print(f"penstock: {stall}", file=sys.stderr)
    return code


class _EndStalls(Instrument):
    """Cancels a job that is stalled, as nobody is there to choose; `told` says what was full."""

    def __init__(self, jobs: GlobalJobManager) -> None:
        self.told = ""
        self._jobs = jobs

    def on_stalled(self, event: Stalled) -> None:
        are, them = ("are", "them") if len(event.slots) > 1 else ("is", "it")
        self.told = (
            f"stalled: {', '.join(event.slots)} {are} full, and nothing that would empty {them} "
            "can start; the job was cancelled"
        )
        self._jobs.unstall(event.job_id, "cancel")


class _Watches(NamedTuple):
    stalls: _EndStalls
    retries: progress.Retries


def _prepared(options: argparse.Namespace) -> tuple[Flow, dict[str, Any]]:
    params, config = assignments("-p", options.params), assignments("-c", options.config)
    live = instantiate(configure(Flow.load(resolve(options.flow)), config))
    return live, entry_values(live, params)


def _run_job(
    flow: Flow, params: dict[str, Any], options: argparse.Namespace
) -> tuple[JobState, int, _Watches]:
    with Runtime(workers=options.workers, loop=options.loop) as runtime:
        watches = _Watches(_EndStalls(runtime.jobs), progress.Retries())
        for watch in watches[: 2 if options.report else 1]:
            runtime.instruments.add(watch)
        job = runtime.exec(flow, params, timeout=options.timeout)
        try:
            progress.wait(job, shown=options.progress)
        except KeyboardInterrupt:
            if not job.status.is_final:
                runtime.jobs.cancel(job.id)
                job.wait(SECONDS_TO_CANCEL)
                return job, INTERRUPTED, watches
        return job, _code(job), watches


def _code(job: JobState) -> int:
    if _timed_out(job.error):
        return TIMED_OUT
    return COMPLETED if job.status is JobStatus.COMPLETED else NOT_COMPLETED


def _timed_out(error: Failure | None) -> bool:
    """Whether the job's own time was over, not that of a routine."""
    return error is not None and not error.routine and error.type == "JobTimeout"


@contextlib.contextmanager
def _stdout_kept_clean(wanted: bool) -> Iterator[None]:
    """While it lasts, what a flow's code prints goes to stderr, so that JSON stays alone."""
    with contextlib.redirect_stdout(sys.stderr) if wanted else contextlib.nullcontext():
        yield


def _result(job: JobSnapshot, stall: str) -> dict[str, Any]:
    error = Failure("", {}, "Stalled", stall) if stall else job.error
    return {
        "status": job.status.value,
        "error": _failure(error) if error else None,
        "outputs": {event: [_plain(v) for v in values] for event, values in job.outputs.items()},
        "routines": {name: asdict(count) for name, count in job.routines.items()},
        "seconds": round(_seconds_of(job), 3),
    }


def _refusal(error: PenstockError) -> dict[str, Any]:
    """The object of a run that couldn't start; no job, hence no status."""
    told = {"routine": error.routine, "type": type(error).__name__, "text": str(error)}
    return {"status": None, "error": told, "outputs": {}, "routines": {}, "seconds": 0.0}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "routine": failure.routine,
        "type": failure.type,
        "text": failure.text,
        "traceback": failure.traceback,
        "slots": {name: summarize(value).text for name, value in failure.slots.items()},
        "attempt": failure.attempt,
    }


def _seconds_of(job: JobSnapshot) -> float:
    return (job.finished_at or job.created_at) - job.created_at


def _as_json(value: object) -> str | None:
    """JSON of a value, or None if it has none."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except Exception:  # noqa: BLE001 -- border to user code: subclasses of dict may raise anything
        return None


def _plain(value: object) -> Any:
    return summarize(value).text if _as_json(value) is None else value


def _print_outputs(job: JobSnapshot) -> None:
    for event, values in job.outputs.items():
        for value in values:
            text = value if isinstance(value, str) else _as_json(value) or summarize(value).text
            print(_printable(str(text), sys.stdout.encoding))
        hidden = job.output_counts.get(event, 0) - len(values)
        if hidden > 0:
            print(f"penstock: {hidden:,} earlier values of {event} weren't kept", file=sys.stderr)


def _printable(text: str, encoding: str | None) -> str:
    """The text with what the terminal can't show written as escapes."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _explain(job: JobSnapshot, code: int, options: argparse.Namespace, stall: str) -> None:
    match job.status:
        case JobStatus.COMPLETED:
            return
        case _ if code == TIMED_OUT:
            print(f"penstock: timed out after {options.timeout:g} s", file=sys.stderr)
        case JobStatus.FAILED if job.error:
            if job.error.traceback:
                print(job.error.traceback.rstrip(), file=sys.stderr)
            where = f" in {job.error}" if job.error.routine else f": {_head(job.error)}"
            print(f"penstock: failed{where}{_tries(job.error)}", file=sys.stderr)
        case _ if not stall:
            print(f"penstock: {job.status.value.lower()}", file=sys.stderr)


def _head(failure: Failure) -> str:
    return f"{failure.type}: {failure.text}"


def _tries(failure: Failure) -> str:
    return f" (attempt {failure.attempt})" if failure.attempt > 1 else ""


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 1000, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")
    return seconds

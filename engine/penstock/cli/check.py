"""``penstock check``: the problems of a flow file. Runs none of its code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from penstock.cli.flows import resolve
from penstock.errors import FlowFileError
from penstock.flow import Flow, Problem

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

CLEAN, PROBLEMS, UNREADABLE = 0, 1, 2


def add_parser(subparsers: Subparsers) -> None:
    """Add ``check`` to the command line."""
    parser = subparsers.add_parser(
        "check",
        help="tell a flow's problems; runs no code",
        description="Tell the problems of a flow file. Runs none of the flow's code."
        " Exit code: 0 none or only warnings, 1 errors, 2 unreadable or not a flow file.",
    )
    parser.add_argument("flow", metavar="FLOW", help="a *.flow.json, or example:NAME")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check one flow and return the exit code."""
    try:
        path = resolve(args.flow)
        problems = Flow.load(path).problems()
    except FlowFileError as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    if args.json:
        told = {"flow": str(path), "problems": [asdict(problem) for problem in problems]}
        print(json.dumps(told))
    else:
        _print_lines(problems)
    return PROBLEMS if any(problem.severity == "error" for problem in problems) else CLEAN


def _print_lines(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(problem)

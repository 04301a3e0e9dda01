"""The table of commands, and what they have in common: bad input, interrupts, broken pipes."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import metadata
from types import ModuleType
from typing import Any, NoReturn

from penstock.cli import bench, check, run
from penstock.errors import PenstockError

BAD_INPUT = 2
INTERRUPTED = 130
WINDOW_COMMANDS = "penstock.commands"
COMMANDS: dict[str, ModuleType] = {"run": run, "check": check, "bench": bench}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        if not arguments or arguments[0] == "open":
            return _open(arguments[1:])
        return _command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone; without this the interpreter complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class UsageError(PenstockError):
    """The command line itself is wrong; the text is what argparse says of it."""


class _Parser(argparse.ArgumentParser):
    """Reports a mistake as one line instead of the usage and a line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands but `open`, whose arguments the window reads itself."""
    root = _Parser(prog="penstock", description="Design, run and step through workflows.")
    root.add_argument("--version", action="version", version=f"penstock {_version()}")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("open", help="the window (also without a command)", add_help=False)
    for module in COMMANDS.values():
        module.add_parser(commands)
    return root


def _command(arguments: list[str]) -> int:
    try:
        options = parser().parse_args(arguments)
        code: int = COMMANDS[arguments[0]].run(options)
    except SystemExit as done:  # --help and --version end this way
        return int(done.code or 0)
    except PenstockError as error:
        print(f"penstock: {error}", file=sys.stderr)
        return BAD_INPUT
    return code


def _open(arguments: list[str]) -> int:
    found = list(metadata.entry_points(group=WINDOW_COMMANDS, name="open"))
    if not found:
        print("penstock: the window isn't installed beside the engine", file=sys.stderr)
        return BAD_INPUT
    window: Any = found[0].load()
    code: int = window(arguments)
    return code


def _version() -> str:
    try:
        return metadata.version("penstock")
    except metadata.PackageNotFoundError:
        return "(not installed)"

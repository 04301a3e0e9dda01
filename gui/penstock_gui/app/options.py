"""The command line of the window, read and checked before anything is built."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from penstock_gui.assets import example, examples

EXAMPLE = "example:"
SCREENSHOT_AFTER = 2.0
PICTURES = (".png", ".jpg", ".jpeg", ".bmp")


class BadOption(Exception):
    """The command line can't be followed; the text is one line saying why."""


@dataclass(frozen=True)
class Options:
    """What is asked for. ``quit_after`` is in seconds; None leaves the window to the person.

    ``in_process`` runs jobs in the window's process instead of one of their own. ``attach`` names a
    program that listens: its name, its process number, or the path of its socket; ``when_left`` is
    what becomes of its held jobs when the window goes. ``theme`` is for this run, None for the one
    kept in the settings.
    """

    flow: Path | None = None
    run: bool = False
    screenshot: Path | None = None
    quit_after: float | None = None
    in_process: bool = False
    attach: str | None = None
    when_left: Literal["resume", "hold"] = "resume"
    theme: Literal["light", "dark"] | None = None

    @property
    def silent(self) -> bool:
        """Whether nobody sits before the window: no dialog opens, no setting is written."""
        return self.quit_after is not None


class _Parser(argparse.ArgumentParser):
    """Tells a mistake as one line."""

    def error(self, message: str) -> NoReturn:
        raise BadOption(f"{message} (see {self.prog} --help)")


def parse(argv: list[str]) -> Options:
    """Read the arguments; raises `BadOption`, and SystemExit after printing ``--help``."""
    given = _parser().parse_args(argv)
    screenshot = None if given.screenshot is None else _writable(Path(given.screenshot))
    quit_after = given.quit_after
    if quit_after is None and screenshot is not None:
        quit_after = SCREENSHOT_AFTER
    flow = None if given.flow is None else _flow(given.flow)
    if given.attach is not None and (given.run or given.in_process or flow is not None):
        raise BadOption("--attach: no flow is opened or run then, the program's jobs are watched")
    if given.attach is None and given.when_left is not None:
        raise BadOption("--when-left: that is for --attach; launch settings say it for a flow")
    return Options(
        flow,
        given.run,
        screenshot,
        quit_after,
        given.in_process,
        given.attach,
        given.when_left or "resume",
        given.theme,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="penstock open", description="Open the window.", allow_abbrev=False)
    parser.add_argument(
        "flow", nargs="?", metavar="FLOW", help="a flow file, or example:NAME for a shipped one"
    )
    parser.add_argument(
        "--run", action="store_true", help="start it at once; that trusts its code for this run"
    )
    parser.add_argument(
        "--in-process",
        action="store_true",
        help="run jobs in the window's own process, which they can slow down and end",
    )
    parser.add_argument(
        "--attach",
        metavar="PROGRAM",
        help="watch a program that listens: its name, process number, or the path of its socket",
    )
    parser.add_argument(
        "--when-left",
        choices=("resume", "hold"),
        help="with --attach: whether jobs that are held go on when the window goes (resume, as long"
        " as you don't say) or stay held (hold), whatever an earlier window wanted",
    )
    parser.add_argument(
        "--theme",
        choices=("light", "dark"),
        help="the colours for this run, instead of those you have chosen",
    )
    parser.add_argument(
        "--screenshot",
        metavar="FILE",
        help="save a picture of the window, in the colours you have chosen or those of --theme,"
        " then quit",
    )
    parser.add_argument(
        "--quit-after",
        metavar="S",
        type=_seconds,
        help="quit after so many seconds (from when the program answers, with --attach)",
    )
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 on")
    return value


def _flow(text: str) -> Path:
    if not text.startswith(EXAMPLE):
        return Path(text)
    name = text.removeprefix(EXAMPLE)
    if name not in examples():
        known = ", ".join(examples()) or "none are installed"
        raise BadOption(f"no example is called {name!r} (there are: {known})")
    return example(name)


def _writable(path: Path) -> Path:
    """A path a picture can be saved to, as far as one can tell before."""
    if path.is_dir():
        raise BadOption(f"--screenshot {path}: that is a folder, a file was expected")
    if path.suffix.lower() not in PICTURES:
        raise BadOption(f"--screenshot {path}: a name ending in {', '.join(PICTURES)} was expected")
    if not path.absolute().parent.is_dir():
        raise BadOption(f"--screenshot {path}: the folder {path.parent} doesn't exist")
    return path

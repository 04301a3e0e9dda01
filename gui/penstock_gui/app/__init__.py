"""Starts the window: guards first, then the one place where everything is put together.

General layout:
    options     the command line
    programs    finds a program that listens
    display     whether a window can be opened at all
    guards      what keeps Python and Qt from crashing each other
    collector   garbage collection on the GUI thread only
    crash_log   where a crash leaves its stacks
    desk        a window with its engine, session and document
    run         builds the application and the desk, runs and ends them
"""

from __future__ import annotations

import sys

from penstock_gui.app.options import BadOption, parse


def main(argv: list[str] | None = None) -> int:
    """``penstock open``; returns the exit code: 0, or 2 for what can't be opened."""
    try:
        options = parse(sys.argv[1:] if argv is None else argv)
    except BadOption as error:
        print(f"penstock open: {error}", file=sys.stderr)
        return 2
    except SystemExit as done:  # --help ends this way
        return int(done.code or 0)
    # Imported late: Qt takes its platform from the environment that `options` may have set.
    from penstock_gui.app.run import run

    try:
        return run(options)
    except BadOption as error:  # what only a look at this machine can tell
        print(f"penstock open: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the window catches it
        return 130

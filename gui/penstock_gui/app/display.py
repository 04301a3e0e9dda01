"""Whether a window can be shown, found out before Qt would abort for want of a display."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import MutableMapping
from pathlib import Path

X_PORT = 6000
HOW = (
    "connect with `ssh -X`, start one with `Xvfb :1 -screen 0 1600x1000x24 &` and"
    " `export DISPLAY=:1`, or use --screenshot FILE, which needs none"
)


def choose_platform(screenshot: bool, environ: MutableMapping[str, str]) -> str | None:
    """Set Qt's platform where it must be set; returns why no window can be opened, or None."""
    if not sys.platform.startswith("linux") or environ.get("QT_QPA_PLATFORM"):
        return None
    reason = why_no_display(environ)
    if reason is None:
        return None
    if screenshot:
        environ["QT_QPA_PLATFORM"] = "offscreen"
        return None
    return f"no window can be opened: {reason}; {HOW}"


def why_no_display(environ: MutableMapping[str, str]) -> str | None:
    """None when a display answers, else the reason in words."""
    x_display, wayland = environ.get("DISPLAY"), environ.get("WAYLAND_DISPLAY")
    if not x_display and not wayland:
        return "there is no display (DISPLAY and WAYLAND_DISPLAY are unset)"
    if wayland and _answers_unix(Path(environ.get("XDG_RUNTIME_DIR", "/run")) / wayland):
        return None
    if x_display and _x_answers(x_display):
        return None
    return f"the display {x_display or wayland} doesn't answer"


def _x_answers(display: str) -> bool:
    """Whether an X server listens; for a name of a form nobody knows, Qt may try."""
    host, colon, rest = display.rpartition(":")
    number = rest.partition(".")[0]
    if not colon or not number.isdigit():
        return True
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        return _answers_unix(Path(path)) or _answers_unix("\0" + path)
    try:
        with socket.create_connection((host, X_PORT + int(number)), timeout=3):
            return True
    except OSError:
        return False


def _answers_unix(path: Path | str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(3)
        try:
            one.connect(os.fspath(path))
        except OSError:
            return False
        return True

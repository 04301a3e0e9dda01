"""Prints the Debian packages that `make run` or `make test` (the argument) lacks on this system.

Runs on a bare interpreter. A thing counts as there when it works, however it was installed.
"""

import ctypes
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

OFFSCREEN = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
}
ON_A_SCREEN = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
}
TEST_PROGRAMS = {"Xvfb": "xvfb", "xauth": "xauth"}
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


def loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_font() -> bool:
    folders = (Path(folder).expanduser() for folder in FONT_FOLDERS)
    return any(path.suffix in {".ttf", ".otf"} for f in folders for path in f.rglob("*.?tf"))


def missing(purpose: str) -> Iterator[str]:
    if importlib.util.find_spec("ensurepip") is None:
        yield f"python3.{sys.version_info.minor}-venv"
    libraries = dict(OFFSCREEN)
    if purpose == "test" or os.environ.get("DISPLAY"):
        libraries |= ON_A_SCREEN
    yield from (package for library, package in libraries.items() if not loads(library))
    if not has_font():
        yield "fonts-dejavu-core"
    if purpose == "test":
        yield from (name for program, name in TEST_PROGRAMS.items() if not shutil.which(program))


if __name__ == "__main__" and sys.platform == "linux":
    print(" ".join(missing(sys.argv[1])))

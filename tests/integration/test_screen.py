"""The window on an X screen of its own: what a person with a display gets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb isn't installed"),
]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual screen; the server picks a free number and tells it when it is ready."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with open(read) as told:
            number = told.readline().strip()
        yield f":{number}"
        server.terminate()


def test_the_window_opens_on_an_x_screen(display: str, tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    penstock = Path(sys.executable).with_name("penstock")
    command = [str(penstock), "open", "example:code_census", "--run"]

    done = subprocess.run(
        [*command, "--screenshot", str(picture), "--quit-after", "3"],
        env=os.environ | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert QImage(str(picture)).width() >= 800

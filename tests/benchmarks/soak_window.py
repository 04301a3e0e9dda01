"""Keeps Qt and the window busy for a while and says whether the process lived.

First 5,000 signal emissions and slot calls, then the window with the census running; how many
seconds is the argument, by default 60. A binding that loses references aborts in either.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

EMISSIONS = 5000


class Sender(QObject):
    told = Signal(bool)


def emit() -> None:
    """Run in a process of its own, as a fault would end it."""
    app = QCoreApplication(sys.argv[:1])
    sender = Sender()
    heard: list[bool] = []
    sender.told.connect(heard.append)
    for number in range(EMISSIONS):
        sender.told.emit(number % 2 == 0)
        sender.setObjectName(str(number))
    app.processEvents()
    assert len(heard) == EMISSIONS
    print(f"{EMISSIONS:,} emissions: alive, {sys.getrefcount(None):,} references of None")


def main(seconds: str) -> int:
    subprocess.run([sys.executable, __file__, "emit"], check=True)
    began = time.monotonic()
    penstock = Path(sys.executable).with_name("penstock")
    window = [str(penstock), "open", "example:code_census", "--run", "--quit-after", seconds]
    code = subprocess.run(window, check=False).returncode
    print(f"window with the census: exit code {code} after {time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    if sys.argv[1:] == ["emit"]:
        emit()
    else:
        sys.exit(main(*sys.argv[1:] or ["60"]))

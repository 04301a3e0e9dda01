"""Where a crash of the interpreter leaves the stacks of all threads."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path
from typing import TextIO

from PySide6.QtCore import QStandardPaths


def state_folder() -> Path:
    """The user's folder for state of this program; needs the application's name set."""
    place = QStandardPaths.StandardLocation.StateLocation
    return Path(QStandardPaths.writableLocation(place))


class CrashLog:
    """A file per process that only a crash leaves behind: `close` removes it when empty."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"crash-{os.getpid()}.log"
        self._file: TextIO | None = None

    def open(self) -> None:
        """From now on a crash is written; where the folder can't be, to stderr."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8")
        except OSError:
            faulthandler.enable(all_threads=True)
        else:
            faulthandler.enable(self._file, all_threads=True)

    def close(self) -> None:
        """No crash came."""
        faulthandler.disable()
        if self._file is not None:
            self._file.close()
            self._file = None
            if self.path.stat().st_size == 0:
                self.path.unlink(missing_ok=True)

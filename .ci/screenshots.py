"""Draws the pictures of the real window: every state in light and dark, offscreen.

They go to build/screenshots/.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.real_window import CENSUS, RealWindow  # noqa: E402 -- needs the path above

PICTURES = ROOT / "build" / "screenshots"


class Photographer:
    """One window in one theme, brought from state to state."""

    def __init__(self, app: QApplication, theme: str) -> None:
        self.app = app
        self.theme = theme
        self.real = RealWindow(CENSUS / "code_census.flow.json")
        self.real.theme.use(theme)
        self.real.theme.apply(app)
        self.real.window.view.fit_all()

    def wait(self, until: Callable[[], bool], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            self.app.processEvents()

    def pass_time(self, seconds: float) -> None:
        self.wait(lambda: False, seconds)

    def take(self, name: str) -> None:
        self.pass_time(0.3)
        path = PICTURES / f"{name}-{self.theme}.png"
        self.real.window.grab().save(str(path))
        print(path.relative_to(ROOT))

    def take_all(self) -> None:
        self.take("design")
        self.take_running()
        self.take_paused()
        self.take_done()
        self.take_editing()
        self.real.close()
        self.app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    def take_running(self) -> None:
        self.real.session.select_routine("parse")
        self.real.session.run()
        self.wait(lambda: self.real.activations("rank") > 200)
        self.take("running")

    def take_paused(self) -> None:
        session = self.real.session
        session.pause()
        self.wait(lambda: session.view is not None and session.view.status == "PAUSED")
        held = session.view.held if session.view else None
        if held is not None and held.place:
            session.select_routine(held.place)
        self.take("paused")
        session.step()
        self.take("stepped")

    def take_done(self) -> None:
        self.real.session.stop()
        self.wait(self.real.is_over)
        self.take("stopped")

    def take_editing(self) -> None:
        real = self.real
        spec = real.document.spec("lines")
        real.session.edits.add_routine(spec, (700.0, 420.0))
        real.window.view.fit_all()
        self.take("editing")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    qInstallMessageHandler(lambda *_: None)  # the offscreen plugin says what it can't do
    app = QApplication(sys.argv[:1])
    for theme in ("light", "dark"):
        Photographer(app, theme).take_all()
        app.processEvents()


if __name__ == "__main__":
    main()

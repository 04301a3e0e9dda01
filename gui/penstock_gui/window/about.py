"""What this program is, which version, and whose work it stands on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt, qVersion
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel


def program_version() -> str:
    """The installed version, or a word for a copy that isn't installed."""
    try:
        return version("penstock")
    except PackageNotFoundError:
        return "(not installed)"


class About(QDialog):
    """Versions as text one can copy into a report."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("About Penstock")
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 24)
        box.setSpacing(8)
        box.addWidget(PlainLabel(theme, "Penstock", font="display", selectable=False))
        box.addWidget(
            PlainLabel(theme, "Draw a flow, run it, hold it, see what every thread does.")
        )
        facts = (
            f"Penstock {program_version()}, Python {platform.python_version()},"
            f" Qt {qVersion()}, {platform.platform()}"
        )
        box.addWidget(PlainLabel(theme, facts, color="text.2", font="mono"))
        credits_ = (
            "MIT licence. Icons: Lucide (ISC). Fonts: Inter and JetBrains Mono (SIL OFL 1.1)."
        )
        box.addWidget(PlainLabel(theme, credits_, color="text.3", font="caption"))

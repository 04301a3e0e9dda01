"""The line above the threads: how much of the pool is in use."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from penstock.host import PoolUse
from penstock_gui.theme import Theme
from penstock_gui.widgets import SteadyLabel


class PoolStrip(QWidget):
    """``7/8 busy   41 backlog   12 threads (max 14)``."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(theme.px("size.tabs"))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 0, 8, 0)
        self._row.setSpacing(4)
        self.busy, self._busy_word = self._metric("busy")
        self.backlog, self._backlog_word = self._metric("backlog")
        self.threads, self._threads_word = self._metric("threads")
        self._row.addStretch(1)
        self._busy_word.setToolTip("Workers that run a routine now, of all workers of the pool")
        self._backlog_word.setToolTip("Slices of work that wait for a free worker")
        self._threads_word.setToolTip(
            "Threads of this process now, and the most there were at one time"
        )

    def show_use(self, pool: PoolUse) -> None:
        """Show these numbers."""
        self.busy.setText(f"{pool.busy}/{pool.size}")
        self.backlog.setText(f"{pool.backlog:,}")
        self.threads.setText(f"{pool.threads:,}")
        self._threads_word.setText(f"threads (max {pool.threads_high_water:,})")
        self.backlog.set_color("state.waiting" if pool.backlog else "text")

    @property
    def text(self) -> str:
        """The line as it reads."""
        pairs = (
            (self.busy, self._busy_word),
            (self.backlog, self._backlog_word),
            (self.threads, self._threads_word),
        )
        return "  ".join(f"{number.text()} {word.text()}" for number, word in pairs)

    def _metric(self, word: str) -> tuple[SteadyLabel, SteadyLabel]:
        if self._row.count():
            self._row.addSpacing(8)
        number = SteadyLabel(self._theme, font="body.strong")
        number.setAlignment(Qt.AlignmentFlag.AlignRight)
        label = SteadyLabel(self._theme, word, color="text.2")
        self._row.addWidget(number)
        self._row.addWidget(label)
        return number, label

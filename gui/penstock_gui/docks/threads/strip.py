"""The line above the threads: how much of the pool is in use."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from penstock.host import PoolUse
from penstock_gui.theme import Theme
from penstock_gui.widgets import SteadyLabel


class Metric(QWidget):
    """A number and what it counts."""

    def __init__(self, theme: Theme, word: str, tip: str) -> None:
        super().__init__()
        self.number = SteadyLabel(theme, font="body.strong")
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.word = SteadyLabel(theme, word, color="text.2")
        self.word.setToolTip(tip)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 8, 0)
        row.setSpacing(4)
        row.addWidget(self.number)
        row.addWidget(self.word)

    @property
    def text(self) -> str:
        """Number and word."""
        return f"{self.number.text()} {self.word.text()}"


class PoolStrip(QWidget):
    """``7/8 busy   41 backlog   2 spare   1 abandoned   12 threads (max 14)``.

    Spare and abandoned ones are named only where there are any.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(theme.px("size.tabs"))
        self.busy = Metric(
            theme, "busy", "Workers that run a routine now, of all workers of the pool"
        )
        self.backlog = Metric(theme, "backlog", "Slices of work that wait for a free worker")
        self.spare = Metric(
            theme,
            "spare",
            "Workers above the pool's size: their bodies stand waiting, or they are kept for reuse",
        )
        self.abandoned = Metric(
            theme,
            "abandoned",
            "Workers in bodies whose activation is over (cancelled or timed out) and which run on",
        )
        self.abandoned.number.set_color("state.waiting")
        self.threads = Metric(
            theme, "threads", "Threads of this process now, and the most there were at one time"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 8, 0)
        row.setSpacing(4)
        for metric in self._metrics:
            row.addWidget(metric)
        row.addStretch(1)

    @property
    def text(self) -> str:
        """The line as it reads."""
        return "  ".join(metric.text for metric in self._metrics if not metric.isHidden())

    def show_use(self, pool: PoolUse) -> None:
        """Show these numbers."""
        self.busy.number.setText(f"{pool.busy}/{pool.size}")
        self.backlog.number.setText(f"{pool.backlog:,}")
        self.backlog.number.set_color("state.waiting" if pool.backlog else "text")
        self.threads.number.setText(f"{pool.threads:,}")
        self.threads.word.setText(f"threads (max {pool.threads_high_water:,})")
        for metric, count in ((self.spare, pool.spare), (self.abandoned, pool.abandoned)):
            metric.number.setText(f"{count:,}")
            metric.setVisible(bool(count))

    @property
    def _metrics(self) -> tuple[Metric, ...]:
        return self.busy, self.backlog, self.spare, self.abandoned, self.threads

"""The line at the bottom: what the shown job does, and the use of pool, threads and display."""

from __future__ import annotations

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStatusBar, QWidget

from penstock.host import PoolUse
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import ElidedLabel, PlainLabel, SteadyLabel, plain_tip
from penstock_gui.window.status_text import (
    SKIPPED_TIP,
    StatusText,
    engine_text,
    engine_tip,
    pool_texts,
    status_text,
)

_GROUNDS = {
    "": ("bg.chrome", "text"),
    "run": ("status.run", "on.status.run"),
    "held": ("status.held", "on.status.held"),
}


class StatusLine(QStatusBar):
    """Painted in the colour of what goes on, which the first word says as well."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme = theme
        self._shown = StatusText("Ready", "")
        self.setFixedHeight(theme.px("size.status"))
        self._glyph = QLabel()
        self._word = PlainLabel(theme, font="body.strong", selectable=False)
        self._rest = ElidedLabel(theme)
        self._engine = SteadyLabel(theme, font="caption", selectable=False)
        self._numbers = [SteadyLabel(theme, font="caption", selectable=False) for _ in range(4)]
        self._numbers[-1].setToolTip(plain_tip(SKIPPED_TIP))
        self._lay_out()
        bridge = session.bridge
        for signal in (session.mode_changed, session.document.name_changed, bridge.ticked):
            signal.connect(self.refresh)
        session.job_selected.connect(self.refresh)
        session.engine.changed.connect(self._show_engine)
        theme.changed.connect(self._dress)
        self._show_engine()
        self._dress()
        self.refresh()

    @property
    def text(self) -> str:
        """The left part as one line."""
        return str(self._shown)

    @property
    def engine(self) -> str:
        """Where jobs run, as it is shown."""
        return self._engine.text()

    @property
    def numbers(self) -> tuple[str, ...]:
        """The right part."""
        return tuple(one.text() for one in self._numbers)

    def refresh(self) -> None:
        """Say what the shown job does now."""
        session = self._session
        view = session.view
        starting = session.job_id if view is None and session.mode == "starting" else None
        shown = status_text(view, starting, session.document.flow.name)
        if shown == self._shown:
            return
        dress = shown.ground != self._shown.ground
        self._shown = shown
        self._word.setText(shown.word)
        self._rest.show_text(f"·  {shown.rest}" if shown.rest else "")
        if dress:
            self._dress()

    def show_pool(self, pool: PoolUse) -> None:
        """Show the pool's use and the bridge's counts."""
        bridge = self._session.bridge
        texts = pool_texts(pool, bridge.events_per_second, bridge.lost)
        for label, text in zip(self._numbers, texts, strict=True):
            label.setText(text)

    def _lay_out(self) -> None:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(10, 0, 10, 0)
        row.setSpacing(8)
        row.addWidget(self._glyph)
        row.addWidget(self._word)
        row.addWidget(self._rest, 1)
        for label in (self._engine, *self._numbers):
            row.addSpacing(8)
            row.addWidget(label)
        self.setSizeGripEnabled(False)
        self.addPermanentWidget(line, 1)

    def _show_engine(self) -> None:
        engine = self._session.engine
        self._engine.setText(engine_text(engine))
        self._engine.setToolTip(plain_tip(engine_tip(engine)))

    def _dress(self) -> None:
        token = _GROUNDS[self._shown.ground][1]
        self._word.set_color(token)
        quiet = token if self._shown.ground else "text.2"
        self._rest.set_color(quiet)
        for label in (self._engine, *self._numbers):
            label.set_color(quiet)
        ink = self._theme.color(token)
        held = self._shown.ground == "held"
        self._glyph.setVisible(held)
        if held:
            ratio = self.devicePixelRatioF()
            self._glyph.setPixmap(self._theme.pixmap("pause!", ink, 12, ratio))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.color(_GROUNDS[self._shown.ground][0]))
        painter.end()

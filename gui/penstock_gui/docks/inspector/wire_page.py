"""The page of one connection: its ends, their types, what passed and the last values."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from penstock.flow import Connection
from penstock.host import RoutineValues
from penstock_gui.docks.inspector import facts
from penstock_gui.docks.inspector.opening import Opening, OpenValues
from penstock_gui.docks.inspector.parts import (
    PAD,
    PortRow,
    Section,
    Swatch,
    ValueRow,
)
from penstock_gui.session import Session, shown_losses, shown_room
from penstock_gui.theme import Theme
from penstock_gui.widgets import ElidedLabel, PlainLabel

_SHOWN = 20


class WirePage(QWidget):
    """Shows one connection."""

    def __init__(
        self, session: Session, theme: Theme, values: OpenValues, connection: Connection
    ) -> None:
        super().__init__()
        self._values = values
        self._session = session
        self._theme = theme
        self.connection = connection
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)
        self._add_head()
        self._add_ends()
        self._add_counts()
        self._add_values()
        self._box.addStretch(1)
        self.show_run()

    def show_run(self) -> None:
        """Show what passed in the shown job."""
        view, source, target = self._session.view, self.connection.source, self.connection.target
        count = view.routines.get(source.routine) if view else None
        self._counts_section.setVisible(count is not None)
        self._values_section.setVisible(count is not None)
        if view is None or count is None:
            return
        self.passed.show_value(f"{count.emitted.get(source.port, 0):,} messages", "text")
        receiver = view.routines.get(target.routine)
        slot = receiver.slots.get(target.port) if receiver else None
        lost = shown_losses(slot) if slot is not None else ""
        self.waiting.setVisible(slot is not None)
        self.lost.setVisible(bool(lost))
        if slot is not None:
            self.waiting.show_value(facts.depth(slot), facts.depth_color(slot))
            self.lost.show_value(lost, "state.failed", lost)

    def show_values(self, values: RoutineValues) -> None:
        """Show the last values emitted, newest first."""
        samples = values.events.get(self.connection.source.port, ())[-_SHOWN:][::-1]
        found = [*samples, *[None] * _SHOWN]
        for row, opening, sample in zip(self.rows, self.openings, found, strict=False):
            opening.setVisible(sample is not None)
            if sample is not None:
                opening.offer(sample.reference, sample.number, sample.value.type)
                row.name.show_text(f"#{sample.number:,}")
                row.show_value(
                    facts.value_text(sample), facts.value_color(sample), facts.value_tip(sample)
                )
        self._none.setText(facts.NOTHING_YET if values.kept else facts.NOT_KEPT)
        self._none.setVisible(not samples)

    def close_values(self) -> None:
        """Let go all values that were opened here."""
        for opening in self.openings:
            opening.close_value()

    def _add_head(self) -> None:
        head = QVBoxLayout()
        head.setContentsMargins(PAD, PAD, PAD, PAD)
        head.setSpacing(6)
        colors = self._session.document.color_index
        for end, arrow in ((self.connection.source, ""), (self.connection.target, "→ ")):
            line = QHBoxLayout()
            line.setSpacing(8)
            line.addWidget(Swatch(self._theme, colors(end.routine)))
            middle = Qt.TextElideMode.ElideMiddle
            line.addWidget(ElidedLabel(self._theme, f"{arrow}{end}", font="title", mode=middle), 1)
            head.addLayout(line)
        self._box.addLayout(head)

    def _add_ends(self) -> None:
        section = Section(self._theme, "Types")
        source, target = self.connection.source, self.connection.target
        event = self._session.document.spec(source.routine).event(source.port)
        slot = self._session.document.spec(target.routine).slot(target.port)
        if event is not None:
            more = "a copy for each" if event.copy else ""
            section.body.addWidget(PortRow(self._theme, "event", event.type, more, event.doc))
        if slot is not None:
            more = shown_room(slot)
            section.body.addWidget(PortRow(self._theme, "slot", slot.type, more, slot.doc))
        self._box.addWidget(section)

    def _add_counts(self) -> None:
        self._counts_section = Section(self._theme, "In this job")
        self.passed = ValueRow(self._theme, "emitted", font="body")
        self.waiting = ValueRow(self._theme, "waiting", font="body")
        self._counts_section.body.addWidget(self.passed)
        self.lost = ValueRow(self._theme, "lost", font="body")
        self._counts_section.body.addWidget(self.waiting)
        self._counts_section.body.addWidget(self.lost)
        self._box.addWidget(self._counts_section)

    def _add_values(self) -> None:
        self._values_section = Section(self._theme, "Last values, newest first", gutter=True)
        self._none = PlainLabel(self._theme, facts.NOTHING_YET, color="text.3", font="mono")
        self._none.setContentsMargins(PAD, 0, 0, 0)
        self._values_section.body.addWidget(self._none)
        self.rows = [ValueRow(self._theme, "") for _ in range(_SHOWN)]
        names = ["the last value", *[f"value {place} back" for place in range(1, _SHOWN)]]
        self.openings = [
            Opening(self._theme, self._values, row, name)
            for row, name in zip(self.rows, names, strict=True)
        ]
        for opening in self.openings:
            opening.hide()
            self._values_section.body.addWidget(opening)
        self._box.addWidget(self._values_section)

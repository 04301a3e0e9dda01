"""The page of one routine: what it is, how it runs, its values, its config, its ports."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from penstock.flow import EventSpec, SlotSpec
from penstock.host import RoutineValues, ValueSample
from penstock.observe import RoutineCount
from penstock_gui.docks.inspector import facts
from penstock_gui.docks.inspector.form import ConfigForm, TextBox
from penstock_gui.docks.inspector.held_card import HeldCard
from penstock_gui.docks.inspector.opening import Opening, OpenValues
from penstock_gui.docks.inspector.parts import (
    PAD,
    PortRow,
    Section,
    SlotRow,
    StatRow,
    Swatch,
    ValueRow,
)
from penstock_gui.session import Session, shown_losses, shown_room
from penstock_gui.theme import Theme
from penstock_gui.widgets import ElidedLabel, PlainLabel, StateChip, plain_tip
from penstock_gui.widgets.wording import plural

ID_FIELD = "Id"
_NO_COUNT = RoutineCount("idle", 0, 0, 0, 0, 0.0, 0, {}, {})


class RoutinePage(QWidget):
    """Shows one routine by id. Parts without anything to say are hidden.

    One of a program's flow can't be changed: the fields of a page made for it are read-only.
    """

    def __init__(self, session: Session, theme: Theme, values: OpenValues, routine_id: str) -> None:
        super().__init__()
        self._values = values
        self._session = session
        self._theme = theme
        self.routine_id = routine_id
        self.spec = session.document.spec(routine_id)
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)
        self._add_head()
        self._add_stats()
        self._add_held()
        self._add_slots()
        self._add_events()
        self._add_form()
        self._add_ports()
        self._box.addStretch(1)
        self.show_run()

    # What changes while the page stands.

    def show_run(self) -> None:
        """Show the counters of the shown job."""
        view = self._session.view
        count = view.routines.get(self.routine_id) if view else None
        self.chip.show_state(*facts.chip(self.routine_id, view))
        self._stats_section.setVisible(count is not None)
        if count is not None:
            self.stats.show_stats(facts.stats(count))
            refusals = facts.refusals(count)
            self.refusals.setText(refusals)
            self.refusals.setVisible(bool(refusals))
        self._show_depths(count)
        self._events_section.setVisible(count is not None)
        self._show_held()
        self._show_version()

    def show_values(self, values: RoutineValues) -> None:
        """Show the last value of each port."""
        nothing = facts.NOTHING_YET if values.kept else facts.NOT_KEPT
        for name, slot in self.slots.items():
            samples = values.slots.get(name, ())
            _show_newest(slot, samples, nothing)
            _offer_newest(self.slot_openings[name], samples)
        for name, event in self.events.items():
            samples = values.events.get(name, ())
            _show_newest(event, samples, nothing)
            _offer_newest(self.event_openings[name], samples)
        self.held.offer(values.held)

    def close_values(self) -> None:
        """Let go all values that were opened here."""
        for opening in (*self.slot_openings.values(), *self.event_openings.values()):
            opening.close_value()
        self.held.close_values()

    def show_spec(self) -> bool:
        """Show the config and title as they are now; False when the page must be built anew."""
        spec = self._session.document.spec(self.routine_id)
        same_ports = (spec.slots, spec.events) == (self.spec.slots, self.spec.events)
        if not same_ports or not self.form.fits(spec):
            return False
        self.spec = spec
        self.form.show_spec(spec)
        self.show_errors()
        self.title.show_text(self._session.document.title(self.routine_id))
        self.title_box.show_text(self._session.document.flow.titles.get(self.routine_id, ""))
        return True

    def show_errors(self) -> None:
        """Say under each field what is wrong with it, in the words of the flow's problems."""
        prefix = f"{self.routine_id}.config."
        errors = {
            problem.place.removeprefix(prefix): problem.text
            for problem in self._session.document.problems()
            if problem.place.startswith(prefix)
        }
        for (routine, field), why in self._session.refused_fields.items():
            if routine == self.routine_id:
                errors.setdefault(field, why)
        self.form.show_errors(errors)

    def commit(self) -> None:
        """Hand in what was typed and not entered."""
        for box in (self.id_box, self.title_box):
            box.commit()
        self.form.commit()

    # Building.

    def _add_head(self) -> None:
        document, theme, spec = self._session.document, self._theme, self.spec
        head = QVBoxLayout()
        head.setContentsMargins(PAD, PAD, PAD, PAD)
        head.setSpacing(6)
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(Swatch(theme, document.color_index(self.routine_id)))
        self.title = ElidedLabel(theme, document.title(self.routine_id), font="title")
        first.addWidget(self.title, 1)
        self.chip = StateChip(theme)
        first.addWidget(self.chip)
        head.addLayout(first)
        kind = ElidedLabel(
            theme, spec.type, color="syn.type", font="mono", mode=Qt.TextElideMode.ElideLeft
        )
        kind.show_text(spec.type, f"{spec.source}:{spec.line}" if spec.source else "")
        head.addWidget(kind)
        if spec.error:
            head.addWidget(PlainLabel(theme, spec.error, color="state.failed", wrap=True))
        if spec.doc.strip():
            text = _paragraph(spec.doc)
            doc = PlainLabel(theme, text, color="text.2", wrap=True)
            doc.setToolTip(plain_tip(spec.doc.strip()[:2000]))
            head.addWidget(doc)
        self._box.addLayout(head)

    def _add_stats(self) -> None:
        self._stats_section = Section(self._theme)
        self._stats_section.body.setContentsMargins(0, 0, 0, 0)
        self.stats = StatRow(self._theme, facts.stats(_NO_COUNT))
        self._stats_section.body.addWidget(self.stats)
        self.refusals = PlainLabel(self._theme, color="state.failed", font="caption", wrap=True)
        self.refusals.setContentsMargins(PAD, 0, PAD, 10)
        self.refusals.hide()
        self._stats_section.body.addWidget(self.refusals)
        self._box.addWidget(self._stats_section)

    def _add_held(self) -> None:
        self._held_section = Section(self._theme, "Held")
        self.held = HeldCard(self._theme, self._values)
        self._held_id: int | None = None
        self._held_section.body.addWidget(self.held)
        self._box.addWidget(self._held_section)

    def _add_slots(self) -> None:
        self._slots_section = Section(self._theme, "Slots", gutter=True)
        self.slots: dict[str, SlotRow] = {}
        self.slot_openings: dict[str, Opening] = {}
        for slot in self.spec.slots:
            row = self.slots[slot.name] = SlotRow(self._theme, slot.name)
            row.show_value(facts.NOTHING_YET, "text.3")
            opening = Opening(self._theme, self._values, row, f"slot {slot.name}", low=True)
            self.slot_openings[slot.name] = opening
            self._slots_section.body.addWidget(opening)
        self._box.addWidget(self._slots_section)

    def _add_events(self) -> None:
        self._events_section = Section(self._theme, "Events, last value", gutter=True)
        self.events: dict[str, ValueRow] = {}
        self.event_openings: dict[str, Opening] = {}
        for name in [*(event.name for event in self.spec.events), "failed"]:
            row = ValueRow(self._theme, name, facts.NOTHING_YET, "text.3")
            self.events[name] = row
            opening = Opening(self._theme, self._values, row, f"event {name}")
            self.event_openings[name] = opening
            self._events_section.body.addWidget(opening)
        self._box.addWidget(self._events_section)

    def _add_form(self) -> None:
        theme, document = self._theme, self._session.document
        section = Section(theme, "Config")
        section.body.setSpacing(12)
        read_only = self._session.shows_program
        note = "" if read_only else "F2 renames; connections and breakpoints follow"
        self.id_box = TextBox(theme, ID_FIELD, note, self.routine_id)
        self.id_box.entered.connect(self._on_id_entered)
        title = document.flow.titles.get(self.routine_id, "")
        self.title_box = TextBox(theme, "Title", "", title, "as the id")
        self.title_box.entered.connect(self._on_title_entered)
        if read_only:
            self.id_box.set_read_only()
            self.title_box.set_read_only()
        section.body.addWidget(self.id_box)
        section.body.addWidget(self.title_box)
        self.form = ConfigForm(theme, self.spec, read_only)
        self.form.changed.connect(self._on_config_changed)
        section.body.addWidget(self.form)
        self.form.setVisible(bool(self.form.boxes))
        self.show_errors()
        self.version = PlainLabel(theme, color="text.3", font="caption", wrap=True)
        section.body.addWidget(self.version)
        self._box.addWidget(section)

    def _add_ports(self) -> None:
        section = Section(self._theme, "Ports")
        self.ports: dict[str, PortRow] = {}
        for slot in self.spec.slots:
            self._add_port(section, slot, shown_room(slot))
        for event in self.spec.events:
            self._add_port(section, event, self._connected(event.name))
        failed = EventSpec("failed", "Failure", "What became of an activation that raised.")
        self._add_port(section, failed, self._connected("failed"))
        self._box.addWidget(section)

    def _add_port(self, section: Section, port: SlotSpec | EventSpec, more: str) -> None:
        row = PortRow(self._theme, port.name, port.type, more, port.doc)
        self.ports[port.name] = row
        section.body.addWidget(row)

    def show_connections(self) -> None:
        """Say how often each event is connected now."""
        for name in [*(event.name for event in self.spec.events), "failed"]:
            self.ports[name].more.setText(self._connected(name))

    def _connected(self, event: str) -> str:
        outgoing = self._session.document.outgoing(self.routine_id)
        number = sum(connection.source.port == event for connection in outgoing)
        if not number:
            return "not connected"
        spec = self.spec.event(event)
        copies = ", a copy each" if spec is not None and spec.copy else ""
        return plural(number, "connection") + copies

    # What is shown of a run.

    def _show_depths(self, count: RoutineCount | None) -> None:
        self._slots_section.setVisible(count is not None and bool(self.slots))
        if count is None:
            return
        for name, row in self.slots.items():
            slot = count.slots.get(name)
            self.slot_openings[name].setVisible(slot is not None)
            if slot is not None:
                row.show_count(
                    facts.slot_line(slot),
                    shown_losses(slot),
                    facts.depth(slot),
                    facts.depth_color(slot),
                )

    def _show_held(self) -> None:
        view = self._session.view
        held = view.held if view else None
        is_here = held is not None and held.place == self.routine_id
        self._held_section.setVisible(is_here)
        if view is None or held is None or not is_here:
            self._held_id = None
            self.held.close_values()
        elif held.held_id != self._held_id:
            self._held_id = held.held_id
            self.held.show_held(facts.held_title(view), facts.held_lines(held))

    def _show_version(self) -> None:
        view = self._session.view
        live = view is not None and not view.is_over and not self._session.shows_program
        self.version.setVisible(live)
        if live:
            text = f"Job {self._session.job_id} runs as it was started; edits count from the next."
            if text != self.version.text():
                self.version.setText(text)

    # What the person does.

    def _exists(self) -> bool:
        """A page that is being replaced still hears its fields lose the focus."""
        return self.routine_id in self._session.document.flow.routines

    def _on_id_entered(self, text: str) -> None:
        if not self._exists():
            return
        reason = self._session.document.why_not_rename(self.routine_id, text)
        if reason is not None and not self._session.shows_program:
            self.id_box.reject(reason)
        else:
            self._session.edits.rename(self.routine_id, text)
            self._take_back_refused()

    def _on_title_entered(self, text: str) -> None:
        if self._exists():
            self._session.edits.set_title(self.routine_id, text.strip() or None)
            self._take_back_refused()

    def _on_config_changed(self, field: str, value: Any) -> None:
        if self._exists():
            self._session.edits.set_config(self.routine_id, field, value)
            self._take_back_refused()

    def _take_back_refused(self) -> None:
        """Show what is true again where nothing can be changed."""
        if self._session.shows_program:
            self.id_box.show_text(self.routine_id)
            self.show_spec()


def _show_newest(row: SlotRow | ValueRow, samples: tuple[ValueSample, ...], nothing: str) -> None:
    sample = facts.newest(samples)
    text = nothing if sample is None else facts.value_text(sample)
    row.show_value(text, facts.value_color(sample), facts.value_tip(sample))


def _offer_newest(opening: Opening, samples: tuple[ValueSample, ...]) -> None:
    sample = facts.newest(samples)
    if sample is None:
        opening.offer(0)
    else:
        opening.offer(sample.reference, sample.number, sample.value.type)


def _paragraph(doc: str) -> str:
    """The first paragraph of a docstring on one line."""
    first = doc.strip().split("\n\n", 1)[0]
    return " ".join(first.split())[:600]

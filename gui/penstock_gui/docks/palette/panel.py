"""The palette dock: a filter line above the routine types, dragged or double-clicked to add."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QStackedWidget, QVBoxLayout, QWidget

from penstock.flow import RoutineSpec, find_routines
from penstock_gui.docks.palette.delegate import PaletteDelegate
from penstock_gui.docks.palette.model import Entry, Heading, PaletteModel
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import EmptyState, SearchLine

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


_NO_FOLDERS = (
    'The flow\'s file names none. With "folders": ["."] in it, routines beside it appear here.'
)


class PalettePanel(QWidget):
    """Lists what is found in the flow's folders by reading sources; nothing is imported."""

    def __init__(
        self,
        session: Session,
        theme: Theme,
        save_action: QAction | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._theme = theme
        self.model = PaletteModel(self)
        self.search = SearchLine(theme, "Filter routines")
        self.list = TypeList(self.model, theme)
        self.unsaved = EmptyState(
            theme,
            "package",
            "No folder yet",
            "Save the flow first, then routines in its folder appear here.",
            save_action,
        )
        self.nothing = EmptyState(theme, "package", "", "")
        self._stack = QStackedWidget()
        self._lay_out()
        self._listen()
        self.refresh()

    def refresh(self) -> None:
        """Read the flow's folders again."""
        document = self._session.document
        self.model.show_specs(find_routines(document.code_folders))
        self._show_colors()
        self._choose_page()

    def add_current(self) -> None:
        """Add a routine of the type the cursor is on, or open and close a module."""
        row = self.model.row(self.list.currentIndex())
        if isinstance(row, Entry):
            self._add(row.spec)
        elif isinstance(row, Heading):
            self.model.toggle(row.module)

    def _lay_out(self) -> None:
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        types = QWidget()
        inner = QVBoxLayout(types)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(0)
        above = QVBoxLayout()
        above.setContentsMargins(8, 8, 8, 6)
        above.addWidget(self.search)
        inner.addLayout(above)
        inner.addWidget(self._stack, 1)
        for page in (self.list, self.nothing):
            self._stack.addWidget(page)
        self._pages = QStackedWidget()
        self._pages.addWidget(types)
        self._pages.addWidget(self.unsaved)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._pages)

    def _listen(self) -> None:
        document = self._session.document
        document.path_changed.connect(self.refresh)
        document.sources_changed.connect(self.refresh)
        document.reset.connect(self._show_colors)
        document.routine_added.connect(self._show_colors)
        document.routine_removed.connect(self._show_colors)
        self.search.textChanged.connect(self._on_filter)
        self.search.moved.connect(self.list.move_cursor)
        self.search.returnPressed.connect(self.add_current)
        self.list.doubleClicked.connect(self._on_double_clicked)
        self.list.chosen.connect(self.add_current)

    def _add(self, spec: RoutineSpec) -> None:
        if spec.error is None:
            self._session.edits.add_routine(spec, self._session.edits.free_place())

    def _show_colors(self) -> None:
        document = self._session.document
        colors: dict[str, int] = {}
        for routine_id in document.ids():
            colors.setdefault(document.spec(routine_id).type, document.color_index(routine_id))
        self.model.show_colors(colors)

    def _choose_page(self) -> None:
        document = self._session.document
        is_new = not document.code_folders and document.path is None
        self._pages.setCurrentIndex(1 if is_new else 0)
        self._stack.setCurrentIndex(0 if self.model.rows else 1)
        if not document.code_folders:
            self.nothing.say("No folders to look in", _NO_FOLDERS)
        elif not self.model.specs:
            folders = ", ".join(str(f) for f in document.code_folders)
            self.nothing.say(
                "No routines found",
                f"Classes derived from Routine in {folders} appear here.",
            )
        elif not self.model.rows:
            self.nothing.say("Nothing matches", "No routine's name or description has this text.")

    def _on_filter(self, text: str) -> None:
        self.model.filter(text)
        self._choose_page()
        if text:
            self.list.move_to_first_entry()

    def _on_double_clicked(self, index: QModelIndex) -> None:
        if isinstance(self.model.row(index), Entry):
            self.add_current()


class TypeList(QListView):
    """The list of types.

    Signals:
        chosen(): Enter was pressed on the current row.
    """

    chosen = Signal()

    def __init__(self, model: PaletteModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.setModel(model)
        self.setItemDelegate(PaletteDelegate(theme, self))
        self.setMouseTracking(True)
        self.setAccessibleName("Routine types")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        theme.changed.connect(self.viewport().update)

    def move_to_first_entry(self) -> None:
        """Put the cursor on the first type, past the heading."""
        for number, row in enumerate(self._model.rows):
            if isinstance(row, Entry):
                self.setCurrentIndex(self._model.index(number))
                return

    def move_cursor(self, by: int) -> None:
        """Put the cursor on the next or previous type."""
        number = self.currentIndex().row() + by
        while 0 <= number < len(self._model.rows):
            if isinstance(self._model.rows[number], Entry):
                self.setCurrentIndex(self._model.index(number))
                return
            number += by

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ENTER:
            self.chosen.emit()
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        row = self._model.row(index)
        if event.button() == Qt.MouseButton.LeftButton and isinstance(row, Heading):
            self._model.toggle(row.module)

"""The menu row and the menus that are made anew each time they open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from penstock_gui.assets import examples
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window.actions import Actions
from penstock_gui.window.files import Files

_GROUP_ENDS = frozenset(
    {"edit.redo", "edit.select_all", "view.fit_selection", "view.zoom_reset"}
    | {"run.run", "run.kill", "run.detach"}
)


def titled_menu(title: str, parent: QWidget) -> QMenu:
    """A menu whose disabled entries say why in their tooltip."""
    menu = QMenu(title, parent)
    menu.setToolTipsVisible(True)
    return menu


def fill(menu: QMenu, actions: Actions, name: str) -> None:
    """Add a menu's actions of the table, in groups."""
    for action in actions.of_menu(name):
        menu.addAction(action)
        if action.objectName() in _GROUP_ENDS:
            menu.addSeparator()


class PlacesMenu(QMenu):
    """Examples and recent files, as they are when it opens."""

    def __init__(
        self,
        title: str,
        files: Files,
        settings: Settings,
        parent: QWidget,
        *,
        with_examples: bool,
        with_recent: bool,
        first: Sequence[QAction] = (),
    ) -> None:
        super().__init__(title, parent)
        self._files = files
        self._settings = settings
        self._with_examples = with_examples
        self._with_recent = with_recent
        self._first = list(first)
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.fill)
        self.fill()

    def fill(self) -> None:
        """Make the entries."""
        self.clear()
        self.addActions(self._first)
        if self._with_examples:
            self._add("Examples", [(name, self._example(name)) for name in examples()])
        if self._with_recent:
            recent = [Path(text) for text in self._settings.recent]
            self._add("Recent files", [(str(path), self._recent(path)) for path in recent])

    def _add(self, title: str, entries: list[tuple[str, Callable[[], None]]]) -> None:
        if self._first or (self._with_examples and self._with_recent):
            self.addSeparator()
            heading = self.addAction(title if entries else f"{title}: none")
            heading.setEnabled(False)
        elif not entries:
            nothing = self.addAction("None yet")
            nothing.setEnabled(False)
            nothing.setToolTip("Files that were opened or saved are listed here")
        for text, handler in entries:
            action = self.addAction(text.replace("&", "&&"))
            action.triggered.connect(lambda checked=False, handler=handler: handler())

    def _example(self, name: str) -> Callable[[], None]:
        return lambda: self._files.open_example(name)

    def _recent(self, path: Path) -> Callable[[], None]:
        def open_it() -> None:
            if not path.exists():
                self._settings.remove_recent(path)
            self._files.open_file(path)

        return open_it


def make_menu_bar(
    window: QWidget,
    theme: Theme,
    actions: Actions,
    files: Files,
    settings: Settings,
    docks: Sequence[QAction],
    theme_menu: QMenu,
) -> QMenuBar:
    """The menus File, Edit, View, Run and Help."""
    bar = QMenuBar(window)
    bar.setFixedHeight(theme.px("size.menu"))
    menus = {name: titled_menu(f"&{name}", bar) for name in ("File", "Edit", "View", "Run", "Help")}
    for name, menu in menus.items():
        fill(menu, actions, name)
        bar.addMenu(menu)
    _insert_places(menus["File"], actions, files, settings, bar)
    _insert_docks(menus["View"], actions, docks, theme_menu)
    return bar


def _insert_places(
    menu: QMenu, actions: Actions, files: Files, settings: Settings, parent: QWidget
) -> None:
    before = actions["file.save"]
    for title, with_examples in (("Open example", True), ("Open recent", False)):
        places = PlacesMenu(
            title,
            files,
            settings,
            parent,
            with_examples=with_examples,
            with_recent=not with_examples,
        )
        menu.insertMenu(before, places)
    menu.insertSeparator(before)
    menu.insertSeparator(actions["file.quit"])


def _insert_docks(
    menu: QMenu, actions: Actions, docks: Sequence[QAction], theme_menu: QMenu
) -> None:
    before = actions["view.reset"]
    menu.insertSeparator(before)
    for action in docks:
        menu.insertAction(before, action)
    menu.insertSeparator(before)
    menu.insertMenu(before, theme_menu)

"""The docks and where they lie: palette left, inspector right, jobs, threads and log below."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtWidgets import (
    QDockWidget,
    QMainWindow,
    QTabWidget,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from penstock_gui.theme import Theme
from penstock_gui.widgets import DockHeader

LAYOUT_VERSION = 1
_AREA = Qt.DockWidgetArea


@dataclass(frozen=True)
class DockSpec:
    """A dock's id, title, icon and place; ``size`` is its part of the row, or its width.

    The palette is shown when it is asked for: hidden, it leaves a wide flow the room to be
    drawn in full.
    """

    id: str
    title: str
    icon: str
    area: Qt.DockWidgetArea
    size: int
    shown: bool = True


DOCKS = (
    DockSpec("palette", "Palette", "package", _AREA.LeftDockWidgetArea, 232, shown=False),
    DockSpec("inspector", "Inspector", "list-tree", _AREA.RightDockWidgetArea, 320),
    DockSpec("jobs", "Jobs", "layers", _AREA.BottomDockWidgetArea, 480),
    DockSpec("threads", "Threads", "cpu", _AREA.BottomDockWidgetArea, 600),
    DockSpec("log", "Log", "scroll-text", _AREA.BottomDockWidgetArea, 480),
)
BELOW = 336


class ToolDock(QDockWidget):
    """A dock whose title bar looks like a tab strip."""

    def __init__(self, theme: Theme, spec: DockSpec, panel: QWidget, window: QWidget) -> None:
        super().__init__(spec.title, window)
        self.setObjectName(spec.id)
        self.spec = spec
        self.header = DockHeader(theme, spec.title)
        self.header.closed.connect(self.close)
        self.setTitleBarWidget(self.header)
        self.setWidget(panel)
        summary = getattr(panel, "summary_changed", None)
        if summary is not None:
            summary.connect(self.header.set_count)
        action = self.toggleViewAction()
        action.setToolTip(f"Show or hide {spec.title}")
        action.setIconVisibleInMenu(False)  # a tick stands in its place


class Docking:
    """Puts the docks into the window and back where they belong."""

    stripe_area = Qt.ToolBarArea.LeftToolBarArea

    def __init__(self, window: QMainWindow, theme: Theme, panels: dict[str, QWidget]) -> None:
        self._window = window
        self._theme = theme
        self.docks = [ToolDock(theme, spec, panels[spec.id], window) for spec in DOCKS]
        window.setDockNestingEnabled(True)
        window.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks
        )
        window.setTabPosition(_AREA.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        for corner in (Qt.Corner.BottomLeftCorner, Qt.Corner.BottomRightCorner):
            window.setCorner(corner, _AREA.BottomDockWidgetArea)
        self.place()
        self._tint()
        theme.changed.connect(self._tint)

    def place(self) -> None:
        """The layout a new window has."""
        before: ToolDock | None = None
        for dock in self.docks:
            dock.setFloating(False)
            self._window.addDockWidget(dock.spec.area, dock)
            below = dock.spec.area == _AREA.BottomDockWidgetArea
            if below and before is not None:
                self._window.splitDockWidget(before, dock, Qt.Orientation.Horizontal)
            if below:
                before = dock
            dock.setVisible(dock.spec.shown)
        self.size()

    def size(self) -> None:
        """Give the docks their sizes; Qt takes it only once the window is shown."""
        sides = [dock for dock in self.docks if dock.spec.area != _AREA.BottomDockWidgetArea]
        below = [dock for dock in self.docks if dock.spec.area == _AREA.BottomDockWidgetArea]
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        high = min(BELOW, self._window.height() * 2 // 5)
        self._window.resizeDocks(below, [high] * len(below), down)
        self._window.resizeDocks(sides, [dock.spec.size for dock in sides], across)
        self._window.resizeDocks(below, [dock.spec.size for dock in below], across)

    def show(self, dock_id: str) -> None:
        """Show a dock, in front of those it shares a place with."""
        dock = next(one for one in self.docks if one.spec.id == dock_id)
        dock.show()
        dock.raise_()

    def save(self) -> QByteArray:
        """The layout as bytes."""
        return self._window.saveState(LAYOUT_VERSION)

    def restore(self, state: QByteArray) -> bool:
        """Take a layout back; False when it is of another version or damaged."""
        return not state.isEmpty() and self._window.restoreState(state, LAYOUT_VERSION)

    def make_stripe(self) -> QToolBar:
        """The strip at the left with a button per dock."""
        stripe = QToolBar("Docks", self._window)
        stripe.setObjectName("stripe")
        stripe.setOrientation(Qt.Orientation.Vertical)
        stripe.setMovable(False)
        stripe.setFloatable(False)
        stripe.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        wide, button_size = self._theme.px("size.stripe"), self._theme.px("size.button")
        stripe.setFixedWidth(wide)
        column = QWidget()
        box = QVBoxLayout(column)
        edge = (wide - button_size) // 2
        box.setContentsMargins(edge, edge, edge, edge)
        box.setSpacing(4)
        for dock in self.docks:
            button = QToolButton()
            button.setDefaultAction(dock.toggleViewAction())
            button.setIconSize(QSize(16, 16))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            box.addWidget(button)
        stripe.addWidget(column)
        return stripe

    def _tint(self) -> None:
        for dock in self.docks:
            dock.toggleViewAction().setIcon(self._theme.icon(dock.spec.icon))

"""The docks and where they lie: palette left, inspector right, jobs, threads, log, output below."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QDockWidget,
    QMainWindow,
    QTabBar,
    QTabWidget,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from penstock_gui.theme import Theme
from penstock_gui.widgets import DockHeader

LAYOUT_VERSION = 2
_AREA = Qt.DockWidgetArea


@dataclass(frozen=True)
class DockSpec:
    """A dock's id, title, icon and place; ``size`` is its part of the row, or its width.

    ``behind`` names the dock it shares a place with: each of them has a tab. The palette is shown
    when it is asked for: hidden, it leaves a wide flow the room to be drawn in full.
    """

    id: str
    title: str
    icon: str
    area: Qt.DockWidgetArea
    size: int
    shown: bool = True
    behind: str = ""


DOCKS = (
    DockSpec("palette", "Palette", "package", _AREA.LeftDockWidgetArea, 232, shown=False),
    DockSpec("inspector", "Inspector", "list-tree", _AREA.RightDockWidgetArea, 320),
    DockSpec("jobs", "Jobs", "layers", _AREA.BottomDockWidgetArea, 480),
    DockSpec("threads", "Threads", "cpu", _AREA.BottomDockWidgetArea, 600),
    DockSpec("log", "Log", "scroll-text", _AREA.BottomDockWidgetArea, 480),
    DockSpec("output", "Output", "terminal", _AREA.BottomDockWidgetArea, 480, behind="log"),
)
BELOW = 336


class ToolDock(QDockWidget):
    """A dock whose title bar looks like a tab strip; with others in its place it has a real tab."""

    def __init__(self, theme: Theme, spec: DockSpec, panel: QWidget, window: QWidget) -> None:
        super().__init__(spec.title, window)
        self.setObjectName(spec.id)
        self.spec = spec
        self.header = DockHeader(theme, spec.title)
        self.header.closed.connect(self.close)
        self._no_header = QWidget(self)
        self.setTitleBarWidget(self.header)
        self.setWidget(panel)
        summary = getattr(panel, "summary_changed", None)
        if summary is not None:
            summary.connect(self.header.set_count)
        action = self.toggleViewAction()
        action.setToolTip(f"Show or hide {spec.title}")
        action.setIconVisibleInMenu(False)  # a tick stands in its place
        action.triggered.connect(self._on_toggled)
        self._is_behind = False
        self.visibilityChanged.connect(self._on_visibility_changed)

    def show_tabbed(self, tabbed: bool) -> None:
        """Leave the title to the tab, or have it again."""
        wanted = self._no_header if tabbed else self.header
        if self.titleBarWidget() is not wanted:
            self.setTitleBarWidget(wanted)

    def bring_forward(self) -> None:
        """Show it, in front of those it shares a place with."""
        self.show()
        self.raise_()

    def _on_visibility_changed(self, visible: bool) -> None:
        """Told when another tab is in front, and once more when it is hidden then."""
        if visible or not self.isHidden():
            self._is_behind = not visible

    def _on_toggled(self, shown: bool) -> None:
        """Its button shows a dock that is behind others, too."""
        if shown or self._is_behind:
            self.bring_forward()


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
        self._settling = QTimer(window, singleShot=True, interval=0)
        self._settling.timeout.connect(self.settle_tabs)
        self.place()
        self._tint()
        theme.changed.connect(self._tint)
        for dock in self.docks:
            for moved in (dock.dockLocationChanged, dock.topLevelChanged, dock.visibilityChanged):
                moved.connect(self._settling.start)

    def place(self) -> None:
        """The layout a new window has."""
        before: ToolDock | None = None
        for dock in self.docks:
            dock.setFloating(False)
            self._window.addDockWidget(dock.spec.area, dock)
            below = dock.spec.area == _AREA.BottomDockWidgetArea and not dock.spec.behind
            if below and before is not None:
                self._window.splitDockWidget(before, dock, Qt.Orientation.Horizontal)
            if below:
                before = dock
            dock.setVisible(dock.spec.shown)
        for dock in self.docks:
            if dock.spec.behind:
                front = self._dock(dock.spec.behind)
                self._window.tabifyDockWidget(front, dock)
                front.raise_()
        self.settle_tabs()
        self.size()

    def size(self) -> None:
        """Give the docks their sizes; Qt takes it only once the window is shown."""
        sides = [dock for dock in self.docks if dock.spec.area != _AREA.BottomDockWidgetArea]
        below = [
            dock
            for dock in self.docks
            if dock.spec.area == _AREA.BottomDockWidgetArea and not dock.spec.behind
        ]
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        high = min(BELOW, self._window.height() * 2 // 5)
        self._window.resizeDocks(below, [high] * len(below), down)
        self._window.resizeDocks(sides, [dock.spec.size for dock in sides], across)
        self._window.resizeDocks(below, [dock.spec.size for dock in below], across)

    def show(self, dock_id: str) -> None:
        """Show a dock, in front of those it shares a place with."""
        self._dock(dock_id).bring_forward()

    def settle_tabs(self) -> None:
        """Give each dock a title of its own or a tab, and the tabs their look."""
        for dock in self.docks:
            others = self._window.tabifiedDockWidgets(dock)
            dock.show_tabbed(
                not dock.isFloating()
                and any(not other.isHidden() and not other.isFloating() for other in others)
            )
        for bar in self._window.findChildren(
            QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly
        ):
            bar.setDrawBase(False)
            bar.setExpanding(False)
            bar.setElideMode(Qt.TextElideMode.ElideNone)
            bar.setFont(self._theme.font("ui.strong"))

    def save(self) -> QByteArray:
        """The layout as bytes."""
        return self._window.saveState(LAYOUT_VERSION)

    def restore(self, state: QByteArray) -> bool:
        """Take a layout back; False when it is of another version or damaged."""
        restored = not state.isEmpty() and self._window.restoreState(state, LAYOUT_VERSION)
        self.settle_tabs()
        return restored

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

    def _dock(self, dock_id: str) -> ToolDock:
        return next(one for one in self.docks if one.spec.id == dock_id)

    def _tint(self) -> None:
        for dock in self.docks:
            dock.toggleViewAction().setIcon(self._theme.icon(dock.spec.icon))

"""The bar below the menus: the flow, run and step buttons, the shown job's state, the theme."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import StateChip
from penstock_gui.window.actions import Actions
from penstock_gui.window.status_text import chip_text

_STEPS = ("run.pause", "run.step", "run.restart", "run.stop")


class RunBar(QToolBar):
    """Only Run / Continue carries words, as it is the one to be found first."""

    def __init__(
        self,
        session: Session,
        theme: Theme,
        actions: Actions,
        flow_menu: QMenu,
        theme_menu: QMenu,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Run bar", parent)
        self.setObjectName("run-bar")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setFixedHeight(theme.px("size.runbar"))
        self._session = session
        self._theme = theme
        self._add_gap(6)
        self._flow = self._add_menu_button(flow_menu, "The flow under edit; open another one")
        self.addSeparator()
        self._run = self._add_button(actions["run.run"], words=True)
        for name in _STEPS:
            self._add_button(actions[name])
        self.addSeparator()
        self._add_button(actions["run.breakpoint"])
        self._add_stretch()
        self._chip = StateChip(theme)
        self.addWidget(self._chip)
        self._add_gap(8)
        self._look = self._add_menu_button(theme_menu, "Theme: light, dark or as the system")
        self._add_gap(6)
        self._look.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        for signal in (session.mode_changed, session.bridge.ticked, session.job_selected):
            signal.connect(self.refresh)
        session.document.name_changed.connect(self.refresh)
        theme.changed.connect(self._tint)
        self._tint()
        self.refresh()

    @property
    def chip(self) -> StateChip:
        """The state chip of the shown job."""
        return self._chip

    def refresh(self) -> None:
        """Show the flow's name and the shown job's state."""
        session = self._session
        view = session.view
        starting = session.job_id if view is None and session.mode == "starting" else None
        self._chip.show_state(*chip_text(view, starting))
        name = session.document.flow.name
        if self._flow.text().strip() != name:
            self._flow.setText(f" {name} ")

    def _tint(self) -> None:
        self._flow.setIcon(self._theme.icon("workflow"))
        self._look.setIcon(self._theme.icon("moon" if self._theme.name == "dark" else "sun"))

    def _add_button(self, action: QAction, *, words: bool = False) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(action)
        button.setIconSize(QSize(16, 16))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setFont(self._theme.font("ui.strong"))
        if words:
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setObjectName("run")  # the sheet keeps room for the longer word
        self.addWidget(button)
        return button

    def _add_menu_button(self, menu: QMenu, tip: str) -> QToolButton:
        button = QToolButton()
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(16, 16))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setFont(self._theme.font("ui.strong"))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        self.addWidget(button)
        return button

    def _add_stretch(self) -> None:
        stretch = QWidget()
        stretch.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(stretch)

    def _add_gap(self, width: int) -> None:
        gap = QWidget()
        gap.setFixedWidth(width)
        self.addWidget(gap)

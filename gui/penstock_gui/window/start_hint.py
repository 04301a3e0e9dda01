"""What an empty flow shows where its routines will be."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractScrollArea, QVBoxLayout

from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import EmptyState
from penstock_gui.widgets.wording import one_line


class StartHint(EmptyState):
    """Lies over the middle of the canvas while there is no routine; drops pass through it."""

    def __init__(
        self, session: Session, theme: Theme, over: QAbstractScrollArea, example: QAction
    ) -> None:
        super().__init__(
            theme,
            "workflow",
            "This flow is empty",
            "Open an example and run it, or save this flow beside your routines' Python files and"
            " drag them here from the palette.",
            example,
        )
        self._session = session
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground, False)
        self.setObjectName("hint")
        self._box = QVBoxLayout(over.viewport())
        self._box.addWidget(self, 0, Qt.AlignmentFlag.AlignCenter)
        for bar in (over.horizontalScrollBar(), over.verticalScrollBar()):
            bar.valueChanged.connect(self._recentre)
        session.engine.changed.connect(self.refresh)
        document = session.document
        for signal in (document.reset, document.routine_added, document.routine_removed):
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show while the flow has no routine."""
        engine = self._session.engine
        if engine.placement == "attached":
            name = one_line(engine.name or "The program", 60)
            self.say("No job yet", f"{name} is attached to. Its flow is drawn when a job runs.")
            self.drop_button()
        self.setVisible(not self._session.document.ids())

    def _recentre(self) -> None:
        """Scrolling a viewport moves its children along."""
        self._box.invalidate()
        self._box.activate()

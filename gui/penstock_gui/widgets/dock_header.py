"""The header of a dock: looks like a tab strip with one tab, buttons at the right."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from penstock_gui.theme import Theme

_PAD = 12
_GAP = 7


class DockHeader(QWidget):
    """Title, a count after it, and buttons.

    Signals:
        closed(): the cross was pressed.
    """

    closed = Signal()

    def __init__(
        self,
        theme: Theme,
        title: str,
        *,
        closable: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title = title
        self._count = ""
        self._closable = closable
        self.setFixedHeight(theme.px("size.dock.header"))
        self._buttons = QHBoxLayout(self)
        self._buttons.setContentsMargins(_PAD, 0, 6, 0)
        self._buttons.setSpacing(2)
        self._buttons.addStretch(1)
        if closable:
            self._add_close()
        theme.changed.connect(self.update)

    @property
    def title(self) -> str:
        """The tab's name."""
        return self._title

    def set_title(self, title: str) -> None:
        """Name the tab."""
        self._title = title
        self.update()

    def set_count(self, count: str) -> None:
        """Show a number or a few words after the title; "" shows none."""
        if count != self._count:
            self._count = count
            self.update()

    def add_action(self, action: QAction) -> QToolButton:
        """Put a button for an action before the cross."""
        button = self._button()
        button.setDefaultAction(action)
        self.add_widget(button)
        return button

    def add_widget(self, widget: QWidget) -> None:
        """Put something after what was added before, left of the cross."""
        end = self._buttons.count() - (1 if self._closable else 0)
        self._buttons.insertWidget(end, widget)

    def _add_close(self) -> None:
        close = self._button()
        close.setToolTip(f"Hide {self._title} (the strip at the left shows it again)")
        close.setAccessibleName(f"Hide {self._title}")
        close.clicked.connect(self.closed)
        self._buttons.addWidget(close)

        def tint() -> None:
            close.setIcon(self._theme.icon("x", "text.3", 14))

        tint()
        self._theme.changed.connect(tint)

    def _button(self) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("flat")
        button.setIconSize(QSize(14, 14))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def sizeHint(self) -> QSize:
        return QSize(120, self._theme.px("size.dock.header"))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme, height = self._theme, self.height()
        strong = theme.font("ui.strong")
        wide = QFontMetricsF(strong).horizontalAdvance(self._title)
        count_wide = QFontMetricsF(theme.font("body")).horizontalAdvance(self._count)
        tab = wide + 2 * _PAD + (count_wide + _GAP if self._count else 0)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.color("bg.chrome"))
        painter.setFont(strong)
        painter.setPen(theme.color("text"))
        painter.drawText(QRectF(_PAD, 0, wide + 2, height), middle, self._title)
        if self._count:
            painter.setFont(theme.font("body"))
            painter.setPen(theme.color("text.2"))
            painter.drawText(
                QRectF(_PAD + wide + _GAP, 0, count_wide + 2, height), middle, self._count
            )
        line = QRectF(QPointF(0, height - 2), QPointF(tab, height))
        painter.fillRect(line, theme.color("accent"))
        painter.end()

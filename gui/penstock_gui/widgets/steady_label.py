"""A label for numbers that change while a job runs: nothing around it moves."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets.plain_label import PlainLabel

_SPARE = 2


class SteadyLabel(PlainLabel):
    """As wide as the widest text it has shown.

    Its size is fixed between two growths, so another text of that width makes Qt lay out nothing:
    a layout of the whole window per changed number is what a busy window can't afford.
    """

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        *,
        color: str = "text",
        font: str = "body",
        selectable: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, text, color=color, font=font, selectable=selectable, parent=parent)
        self._grow()

    def setText(self, text: str) -> None:
        """Show the text; grow where it needs more room than any before."""
        super().setText(text)
        self._grow()

    def _grow(self) -> None:
        hint = self.sizeHint()
        if self.minimumWidth() != self.maximumWidth() or hint.width() > self.width():
            self.setFixedSize(hint.width() + _SPARE, hint.height())

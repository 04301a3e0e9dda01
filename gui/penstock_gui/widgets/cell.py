"""What a table cell shows, and the roles by which a model says it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex

_FIRST = Qt.ItemDataRole.UserRole + 0x100
CHIP_ROLE = _FIRST  # status (str): a state chip with DisplayRole or the status's word
SWATCH_ROLE = _FIRST + 1  # routine colour index (int), drawn before the text
BAR_ROLE = _FIRST + 2  # 0 to 1, a bar drawn before the text
MONO_ROLE = _FIRST + 3  # bool: the text is code or a value
HELD_ROLE = _FIRST + 4  # bool, asked of column 0: the row is held by the debugger
ICON_ROLE = _FIRST + 5  # icon name (str) drawn before the text
ICON_COLOR_ROLE = _FIRST + 6  # its colour token
COLOR_ROLE = _FIRST + 7  # colour token of the text; "text" when absent
STRONG_ROLE = _FIRST + 8  # bool: the key of a row
PATH_ROLE = _FIRST + 9  # bool: the text is elided in the middle
CELL_ROLE = _FIRST + 10  # a whole `Cell` at once, instead of all the roles above


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell in one piece; ``held`` is true for each cell of a held row.

    A model that changes many times a second gives this by `CELL_ROLE`: each role asked for one
    by one costs the window's thread about 25 us.
    """

    text: str = ""
    chip: str | None = None
    swatch: int | None = None
    bar: float | None = None
    icon: str | None = None
    icon_color: str = "text.2"
    color: str = "text"
    font: str = "body"
    right: bool = False
    is_path: bool = False
    held: bool = False


def cell_of(index: Index) -> Cell:
    """The cell at an index, from `CELL_ROLE` or put together from single roles."""
    whole = index.data(CELL_ROLE)
    if isinstance(whole, Cell):
        return whole
    swatch, bar = index.data(SWATCH_ROLE), index.data(BAR_ROLE)
    chip, icon = index.data(CHIP_ROLE), index.data(ICON_ROLE)
    align = index.data(Qt.ItemDataRole.TextAlignmentRole)
    font = "mono" if index.data(MONO_ROLE) else "body.strong" if index.data(STRONG_ROLE) else "body"
    return Cell(
        text=text_of(index.data(Qt.ItemDataRole.DisplayRole)),
        chip=None if chip is None else str(chip),
        swatch=None if swatch is None else int(swatch),
        bar=None if bar is None else float(bar),
        icon=None if icon is None else str(icon),
        icon_color=str(index.data(ICON_COLOR_ROLE) or "text.2"),
        color=str(index.data(COLOR_ROLE) or "text"),
        font=font,
        right=align is not None and bool(Qt.AlignmentFlag(align) & Qt.AlignmentFlag.AlignRight),
        is_path=bool(index.data(PATH_ROLE)),
        held=bool(index.sibling(index.row(), 0).data(HELD_ROLE)),
    )


def text_of(value: object) -> str:
    """One line: a table cell shows no line breaks."""
    return "" if value is None else " ".join(str(value)[:2000].splitlines())

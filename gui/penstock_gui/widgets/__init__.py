"""Reusable parts of docks and window; they know nothing of flows or jobs."""

from __future__ import annotations

from penstock_gui.widgets.cell import (
    BAR_ROLE,
    CELL_ROLE,
    CHIP_ROLE,
    COLOR_ROLE,
    HELD_ROLE,
    ICON_COLOR_ROLE,
    ICON_ROLE,
    MONO_ROLE,
    PATH_ROLE,
    STRONG_ROLE,
    SWATCH_ROLE,
    Cell,
)
from penstock_gui.widgets.cell_delegate import CellDelegate
from penstock_gui.widgets.cell_model import NO_PARENT, CellModel, LineModel
from penstock_gui.widgets.chip import CHIP_HEIGHT, StateChip, chip_width, paint_chip
from penstock_gui.widgets.dock_header import DockHeader
from penstock_gui.widgets.elided_label import ElidedLabel
from penstock_gui.widgets.empty_state import EmptyState
from penstock_gui.widgets.plain_label import PlainLabel, plain_tip, safe_tip
from penstock_gui.widgets.row_table import RowTable
from penstock_gui.widgets.search_line import SearchLine
from penstock_gui.widgets.steady_label import SteadyLabel
from penstock_gui.widgets.tool_strip import FlatButton, ToolStrip

__all__ = [
    "BAR_ROLE",
    "CELL_ROLE",
    "CHIP_HEIGHT",
    "CHIP_ROLE",
    "COLOR_ROLE",
    "HELD_ROLE",
    "ICON_COLOR_ROLE",
    "ICON_ROLE",
    "MONO_ROLE",
    "NO_PARENT",
    "PATH_ROLE",
    "STRONG_ROLE",
    "SWATCH_ROLE",
    "Cell",
    "CellDelegate",
    "CellModel",
    "DockHeader",
    "ElidedLabel",
    "EmptyState",
    "FlatButton",
    "LineModel",
    "PlainLabel",
    "RowTable",
    "SearchLine",
    "StateChip",
    "SteadyLabel",
    "ToolStrip",
    "chip_width",
    "paint_chip",
    "plain_tip",
    "safe_tip",
]

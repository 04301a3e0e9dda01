"""The palette: routine types found in the flow's folders, to be put on the canvas."""

from penstock_gui.docks.palette.model import MIME_TYPE, PaletteModel
from penstock_gui.docks.palette.panel import PalettePanel

__all__ = ["MIME_TYPE", "PaletteModel", "PalettePanel"]

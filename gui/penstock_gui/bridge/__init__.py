"""The engine's events on their way to Qt, and how often the window takes them in.

General layout:
    pace           how long the window leaves the interpreter to routines between two refreshes
    engine_bridge  EngineBridge: drained on a timer, folded, told as few signals
"""

from penstock_gui.bridge.engine_bridge import BUDGET, Drained, EngineBridge
from penstock_gui.bridge.pace import Pace, PacedTimer

__all__ = ["BUDGET", "Drained", "EngineBridge", "Pace", "PacedTimer"]

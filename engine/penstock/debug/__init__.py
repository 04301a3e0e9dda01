"""Steering a run: pause, resume, step, breakpoints.

General layout:
    breakpoints    what is set where
    debugger       Debugger and Held
"""

from penstock.debug.breakpoints import Breakpoint, Breakpoints
from penstock.debug.debugger import Debugger, Held

__all__ = ["Breakpoint", "Breakpoints", "Debugger", "Held"]

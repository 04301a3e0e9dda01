"""What happened: starts, holds, ends, refusals and failures, newest on top."""

from penstock_gui.docks.log.panel import LogPanel

__all__ = ["LogPanel"]

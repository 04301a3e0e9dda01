"""What the code of flows printed: stdout and stderr, line by line, newest at the end."""

from penstock_gui.docks.output.panel import OutputPanel

__all__ = ["OutputPanel"]

"""Every live thread: what it is for, what it does, for which job and since when."""

from penstock_gui.docks.threads.panel import ThreadsPanel

__all__ = ["ThreadsPanel"]

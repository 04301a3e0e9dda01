"""The jobs of this window: what each one does, and pausing, continuing or stopping it."""

from penstock_gui.docks.jobs.panel import JobsPanel

__all__ = ["JobsPanel"]

"""The main window: docks around a canvas, menus, keys and questions."""

from __future__ import annotations

from penstock_gui.window.dialogs import Questions, Silent
from penstock_gui.window.errors import ErrorReporter, FaultLog, install_hooks
from penstock_gui.window.main_window import MainWindow

__all__ = ["ErrorReporter", "FaultLog", "MainWindow", "Questions", "Silent", "install_hooks"]

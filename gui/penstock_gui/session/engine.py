"""The process the jobs run in: which it is, who steers it, and what became of it."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QObject, Signal

from penstock.host import HostGone, HostUp, SourcesChanged
from penstock_gui.bridge import EngineBridge

Placement = Literal["window", "own", "attached"]
"""Where jobs run: in the window's process, in one of its own, or in a user's program."""


class EngineProcess(QObject):
    """What the engine's process told of itself; nothing of it is known before it has started.

    Signals:
        changed(): any of the properties is another
    """

    changed = Signal()

    def __init__(
        self, bridge: EngineBridge, placement: Placement = "window", parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.placement: Placement = placement
        self._up: HostUp | None = None
        self._gone: HostGone | None = None
        self._in_control = True
        self._name = ""
        self._changed_sources: tuple[str, ...] = ()
        bridge.host_up.connect(self._on_host_up)
        bridge.host_gone.connect(self._on_host_gone)
        bridge.control_changed.connect(self._on_control_changed)
        bridge.sources_changed.connect(self._on_sources_changed)

    @property
    def up(self) -> HostUp | None:
        """The process that is there now."""
        return self._up

    @property
    def gone(self) -> HostGone | None:
        """How the last one ended, until another has started."""
        return self._gone

    @property
    def name(self) -> str:
        """What a person would call the program, also after its end."""
        return self._name

    @property
    def changed_sources(self) -> tuple[str, ...]:
        """Source files that are other than what it has imported, as absolute paths."""
        return self._changed_sources

    @property
    def in_control(self) -> bool:
        """Whether this window may pause, step and stop jobs, and start them."""
        return self._in_control

    @property
    def may_take_over(self) -> bool:
        """Whether this window could steer instead of whoever does."""
        return self._up is not None and self._up.grant != "view" and not self._in_control

    @property
    def why_not_steer(self) -> str:
        """Why this window only watches, "" when it steers."""
        if self._up is None and self.placement == "attached":
            return f"{self._name or 'the program'} is out of reach"
        if self._in_control or self._up is None:
            return ""
        if self._up.grant == "view":
            return f"{self._up.name} lets others watch only"
        return f"this window doesn't steer {self._up.name}: take over first"

    @property
    def why_not_start(self) -> str:
        """Why this window can't start jobs there, "" when it can: that imports code."""
        if self._up is None or self._up.grant == "evaluate":
            return self.why_not_steer
        return self.why_not_steer or f"{self._up.name} lets others steer its jobs, not start any"

    @property
    def why_not_kill(self) -> str:
        """Why its process can't be killed, "" when it can."""
        if self.placement == "window":
            return "the engine is a part of this window: it ends with it"
        if self.placement == "attached":
            return "the engine is a part of a program that isn't this window's to end"
        return "" if self._up is not None else "no engine is running"

    def _on_host_up(self, up: HostUp) -> None:
        self._up, self._gone, self._in_control = up, None, up.in_control
        self._name = up.name
        self._changed_sources = ()
        self.changed.emit()

    def _on_host_gone(self, gone: HostGone) -> None:
        self._up, self._gone, self._in_control = None, gone, True
        self._changed_sources = ()
        self.changed.emit()

    def _on_sources_changed(self, told: SourcesChanged) -> None:
        if told.paths != self._changed_sources:
            self._changed_sources = told.paths
            self.changed.emit()

    def _on_control_changed(self, in_control: bool) -> None:
        if in_control != self._in_control:
            self._in_control = in_control
            self.changed.emit()

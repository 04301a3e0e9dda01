"""One person's work on one flow: what is edited, which job is shown, what is selected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QUndoStack

from penstock.flow import Connection
from penstock.host import (
    LOST,
    BreakpointSpec,
    CommandRefused,
    LaunchSettings,
    StallChoice,
    StartRefused,
)
from penstock.ids import ID_PATTERN, PortRef
from penstock.observe import JobView
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument, SourceWatch
from penstock_gui.session.breakpoints import Breakpoints
from penstock_gui.session.client import Client
from penstock_gui.session.edits import Edits
from penstock_gui.session.engine import EngineProcess, Placement
from penstock_gui.session.remote_flows import RemoteFlows, first_to_show
from penstock_gui.session.selection import NOTHING, Selection
from penstock_gui.session.stopping import Stopping

_CONFIG_FIELD = re.compile(
    rf"routines\.(?P<routine>{ID_PATTERN.pattern})\.config\.(?P<field>\w+)(?P<why>.*)"
)


class _Input(NamedTuple):
    """What a job was started with, and the file of its flow."""

    flow_json: str
    folder: str | None
    path: Path | None
    launch: LaunchSettings


class Session(QObject):
    """One person's work on one flow: edits go through `edits`, runs through `client`.

    `engine` is the process the client's jobs run in, `stopping` the jobs that were told to end.
    Attached to a program, `remote_flows` has the document show what that one's jobs run.
    `trusted` says whether code in a folder may be run; until the application sets it, none may.

    Signals:
        job_selected(job id or None): another job is shown
        selection_changed(Selection)
        breakpoints_changed()
        mode_changed(): `mode` of the shown job is another
        trust_needed(Path): a run waits for consent to run code in that folder
        notice(text): something the person asked for can't be done, in one line
        centre_requested(routine id): please bring it into view
        refused_fields_changed(): `refused_fields` is another
        launch_changed(LaunchSettings): the next engine is launched with these
    """

    job_selected = Signal(object)
    selection_changed = Signal(object)
    breakpoints_changed = Signal()
    mode_changed = Signal()
    trust_needed = Signal(object)
    notice = Signal(str)
    centre_requested = Signal(str)
    refused_fields_changed = Signal()
    launch_changed = Signal(object)

    def __init__(
        self,
        document: FlowDocument,
        client: Client,
        bridge: EngineBridge,
        placement: Placement = "window",
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.document = document
        self.client = client
        self.bridge = bridge
        self.engine = EngineProcess(bridge, placement, self)
        self.stopping = Stopping(bridge, parent=self)
        self.remote_flows: RemoteFlows | None = None
        self.undo = _quiet_at_the_end(QUndoStack(self), self)
        self.edits = Edits(self)
        self._sources = SourceWatch(document, self)
        self.trusted: Callable[[Path], bool] = lambda folder: False
        self._launch = LaunchSettings()
        self._job_id: str | None = None
        self._former_job: str | None = None
        self._offered: str | None = None
        self._mode = "idle"
        self._selection = NOTHING
        self._asked: Path | None = None
        self._consented: set[Path] = set()
        self._started: dict[str, _Input] = {}
        self._written_off: set[str] = set()
        self._edited: str | None = None
        self._refused_fields: dict[tuple[str, str], str] = {}
        self._breakpoints = Breakpoints()
        self._listen()

    def _listen(self) -> None:
        document, bridge = self.document, self.bridge
        document.replaced.connect(self._on_document_replaced)
        document.saved.connect(self.undo.setClean)
        document.reset.connect(self._on_document_reset)
        document.routine_added.connect(self._on_routine_added)
        document.routine_removed.connect(self._on_routine_removed)
        document.routine_renamed.connect(self._on_routine_renamed)
        document.disconnected.connect(self._on_disconnected)
        document.problems_changed.connect(self._forget_edited)
        self.undo.indexChanged.connect(self._on_edited)
        for signal in (bridge.job_started, bridge.job_held, bridge.job_resumed, bridge.job_ended):
            signal.connect(self._on_job_event)
        bridge.job_changed.connect(self._on_job_event)
        bridge.refused.connect(self._on_refused)
        document.sources_changed.connect(self._check_sources)
        bridge.job_held.connect(self._check_sources)
        bridge.host_up.connect(self._on_host_up)
        if self.engine.placement == "attached":
            self.remote_flows = RemoteFlows(self.client, bridge, document, self._may_replace, self)
            self.job_selected.connect(self.remote_flows.show)
            self.undo.cleanChanged.connect(self._on_clean_changed)
            bridge.ticked.connect(self._show_first)

    # The job that is shown.

    @property
    def job_id(self) -> str | None:
        """The job whose state the canvas shows."""
        return self._job_id

    @property
    def view(self) -> JobView | None:
        """The shown job as its events told it; None also until its first event has come."""
        return self.bridge.views.get(self._job_id) if self._job_id else None

    @property
    def mode(self) -> str:
        """Of the shown job: idle (none, or over), starting, running, pausing or held."""
        return self._mode

    @property
    def stalled_jobs(self) -> tuple[str, ...]:
        """Jobs that can't go on by themselves, the shown one first, then the oldest."""
        found = [job_id for job_id, view in self.bridge.views.items() if view.stalled]
        return tuple(sorted(found, key=lambda job_id: job_id != self._job_id))

    @property
    def live_jobs(self) -> tuple[str, ...]:
        """Jobs that have started and aren't over."""
        return tuple(job_id for job_id, view in self.bridge.views.items() if not view.is_over)

    def show_job(self, job_id: str | None) -> None:
        """Show another job's state, or none."""
        if job_id == self._job_id:
            return
        self._former_job, self._job_id = self._job_id, job_id
        self.job_selected.emit(job_id)
        self._check_mode()

    def flow_of(self, job_id: str) -> str | None:
        """The JSON a job was started with from this window."""
        started = self._started.get(job_id)
        return started.flow_json if started is not None else None

    @property
    def lost_jobs(self) -> tuple[str, ...]:
        """Jobs that went with the engine that ended last, and can be started again.

        None of them any more once they were, or another engine has started.
        """
        return tuple(
            job_id
            for job_id, view in self.bridge.views.items()
            if view.status == LOST and job_id in self._started and job_id not in self._written_off
        )

    @property
    def job_flow_differs(self) -> bool:
        """Whether the shown job runs another version than the one under edit.

        Where routines lie and what they are titled doesn't count.
        """
        started = self.flow_of(self._job_id or "")
        if started is None:
            return False
        if self._edited is None:
            self._edited = _what_runs(self.document.flow.to_json())
        return _what_runs(started) != self._edited

    @property
    def refused_fields(self) -> Mapping[tuple[str, str], str]:
        """What the last start said is wrong with (routine, config field), until the next edit.

        The routine's own Config speaks here, which only the import of its module brings.
        """
        return self._refused_fields

    # Running.

    @property
    def launch(self) -> LaunchSettings:
        """What the next engine is launched with."""
        return self._launch

    def use_launch(self, settings: LaunchSettings) -> None:
        """Launch the next engine with these settings, whose paths are absolute."""
        if settings != self._launch:
            self._launch = settings
            self.launch_changed.emit(settings)

    def run(self) -> None:
        """Let the shown job go on when it is held, else start a job from the edited flow.

        Emits `notice` when the flow has errors, `trust_needed` when its code isn't trusted.
        """
        if self._mode in ("held", "pausing"):
            self.resume()
            return
        problem = next((p for p in self.document.problems() if p.severity == "error"), None)
        if problem is not None:
            self.notice.emit(f"{problem.place}: {problem.text}")
            return
        if not self.document.ids():
            self.notice.emit("The flow is empty: add a routine first")
            return
        self._start_if_trusted()

    def start_trusted(self) -> None:
        """Start after consent to the folder that `trust_needed` named."""
        if self._asked is not None:
            self._consented.add(self._asked)
        self._asked = None
        self._start_if_trusted()

    def pause(self) -> None:
        """Hold the shown job; what runs is let finish."""
        if self._job_id and self._mode in ("running", "starting"):
            self.client.pause(self._job_id)

    def resume(self) -> None:
        """Let the shown job go on."""
        if self._job_id and self._mode in ("held", "pausing"):
            self.client.resume(self._job_id)

    def step(self) -> None:
        """Let exactly the activation go that would be next."""
        if self._job_id and self._mode in ("held", "pausing"):
            self.client.step(self._job_id)

    def stop(self) -> None:
        """Cancel the shown job."""
        if self._job_id and self._mode != "idle":
            self.stop_job(self._job_id)

    def stop_job(self, job_id: str) -> None:
        """Cancel a job; `stopping` knows when that doesn't help."""
        self.client.cancel(job_id)
        self.stopping.ask(job_id)

    def kill(self) -> None:
        """End the engine's process at once, with every job in it."""
        reason = self.engine.why_not_kill
        if reason:
            self.notice.emit(f"Not killed: {reason}")
        else:
            self.client.kill()

    @property
    def why_not_restart(self) -> str:
        """Why the shown job can't be started again with the same input, "" when it can."""
        if self._job_id is None:
            return "no job is shown"
        if self._job_id not in self._started:
            return f"job {self._job_id} wasn't started from this window"
        return f"job {self._job_id} is starting" if self._mode == "starting" else ""

    def restart(self) -> None:
        """Start the shown job once more with the same input, after cancelling it if it lives."""
        if self._job_id is None or self.why_not_restart:
            return
        if self._mode != "idle":
            self.stop_job(self._job_id)
        self.show_job(self._start_again(self._job_id))

    def restart_lost(self) -> None:
        """Start the jobs that went with their engine once more, with the same input."""
        shown = self._job_id
        for job_id in self.lost_jobs:
            again = self._start_again(job_id)
            if shown == job_id or self._job_id is None:
                self.show_job(again)

    def unstall(self, job_id: str, choice: StallChoice) -> None:
        """End a stall: ``grow`` the full slots, ``drop`` what waits at them, or ``cancel``."""
        self.client.unstall(job_id, choice)

    def _start_if_trusted(self) -> None:
        for folder in self._folders_to_trust():
            if folder not in self._consented and not self.trusted(folder):
                self._asked = folder
                self.trust_needed.emit(folder)
                return
        self._start()

    def _folders_to_trust(self) -> tuple[Path, ...]:
        """Where the code comes from, and before it the file that says so."""
        own = (self.document.folder,) if self.document.path else ()
        return tuple(dict.fromkeys(own + self.document.code_folders))

    def _start(self) -> None:
        text = self.document.flow.to_json()
        folder = str(self.document.folder) if self.document.path else None
        self.show_job(self._start_with(_Input(text, folder, self.document.path, self._launch)))

    def _start_again(self, job_id: str) -> str:
        """With the settings of its own flow, which may be another than the one under edit."""
        self._written_off.add(job_id)
        given, present = self._started[job_id], self._launch
        if given.path == self.document.path:
            return self._start_with(given._replace(launch=present))
        self.use_launch(given.launch)
        again = self._start_with(given)
        self.use_launch(present)
        return again

    def _start_with(self, given: _Input) -> str:
        job_id = self.client.start(given.flow_json, given.folder)
        self._started[job_id] = given
        return job_id

    # Selection.

    @property
    def selection(self) -> Selection:
        """What is selected."""
        return self._selection

    def select(self, routines: Collection[str] = (), connection: Connection | None = None) -> None:
        """Select routines that exist, or one connection."""
        known = frozenset(r for r in routines if r in self.document.flow.routines)
        chosen = Selection(known, None if known else connection)
        if chosen != self._selection:
            self._selection = chosen
            self.selection_changed.emit(chosen)

    def select_routine(self, routine_id: str, centre: bool = False) -> None:
        """Select one routine and, if asked, have it brought into view."""
        self.select((routine_id,))
        if centre and routine_id in self.document.flow.routines:
            self.centre_requested.emit(routine_id)

    # Breakpoints.

    @property
    def breakpoints(self) -> Mapping[str, BreakpointSpec]:
        """The breakpoints by the routine they stand before."""
        return self._breakpoints.by_routine

    def toggle_breakpoint(self, routine_id: str) -> None:
        """Set a breakpoint before a routine, or take it away."""
        if routine_id in self.document.flow.routines and self._breakpoints.toggle(routine_id):
            self._send_breakpoints()

    def _send_breakpoints(self) -> None:
        self.client.breakpoints(self._breakpoints.specs())
        self.breakpoints_changed.emit()

    # Editing.

    @property
    def shows_program(self) -> bool:
        """Whether the flow is drawn as a program runs it: its routines may only be moved."""
        return self.remote_flows is not None and self.remote_flows.is_drawn

    @property
    def has_changes(self) -> bool:
        """Whether there are edits that no file has; how a program's flow is laid out is none."""
        return not self.undo.isClean() and not self.shows_program

    def _may_replace(self) -> bool:
        """Whether a program's flow may be drawn instead; edits that no file has stay."""
        if self.has_changes:
            flow = self.document.flow.name
            self.notice.emit(f"Save {flow} or undo its changes to see the job's flow drawn.")
        return not self.has_changes

    # What others tell.

    def _show_first(self) -> None:
        """Until the person chooses one, the job that asks most for being looked at."""
        if self._job_id != self._offered:
            return
        first = first_to_show(self.bridge.views)
        if self._offered is None or (first is not None and self.bridge.views[first].held):
            self._offered = first
            self.show_job(first)

    def _on_clean_changed(self, clean: bool) -> None:
        """The job's flow may be drawn now, once all have heard of the saving or undoing."""
        if clean:
            QTimer.singleShot(0, self, self._show_refused)

    def _show_refused(self) -> None:
        if self.remote_flows is not None and not self.has_changes:
            self.remote_flows.show_refused()

    def _on_document_replaced(self) -> None:
        self.undo.clear()
        if self.engine.placement == "attached":
            self.select()  # the flow follows the job, and breakpoints are the program's
            return
        self._breakpoints.clear()
        self._send_breakpoints()
        self.select()
        self.show_job(None)

    def _on_document_reset(self) -> None:
        self._forget_edited()
        self.select(self._selection.routines, self._selection.connection)

    def _on_routine_added(self, routine_id: str) -> None:
        """Undoing a deletion brings the routine's breakpoint back."""
        if self._breakpoints.bring_back(routine_id):
            self._send_breakpoints()

    def _on_routine_removed(self, routine_id: str) -> None:
        if routine_id in self._selection.routines:
            self.select(self._selection.routines - {routine_id})
        if self._breakpoints.remove(routine_id):
            self._send_breakpoints()

    def _on_routine_renamed(self, old: str, new: str) -> None:
        if old in self._selection.routines:
            self.select((self._selection.routines - {old}) | {new})
        chosen = self._selection.connection
        if chosen is not None:
            ends = (chosen.source, chosen.target)
            source, target = (PortRef(new if e.routine == old else e.routine, e.port) for e in ends)
            self.select(connection=Connection(source, target))
        if self._breakpoints.rename(old, new):
            self._send_breakpoints()

    def _on_disconnected(self, connection: Connection) -> None:
        if self._selection.connection == connection:
            self.select()

    def _check_sources(self) -> None:
        """What is seen of a held job and of the flow may be of two versions: have it told."""
        self.client.check_sources()

    def _on_job_event(self, job_id: str) -> None:
        if job_id == self._job_id:
            self._check_mode()

    def _on_host_up(self) -> None:
        self._written_off.update(self.lost_jobs)

    def _on_refused(self, refused: StartRefused | CommandRefused) -> None:
        self.notice.emit(refused.text)
        if isinstance(refused, StartRefused) and (named := _CONFIG_FIELD.search(refused.text)):
            self._refused_fields = {(named["routine"], named["field"]): named["why"].lstrip(".: ")}
            self.refused_fields_changed.emit()
        if isinstance(refused, StartRefused) and refused.job_id == self._job_id:
            self.show_job(self._former_job)

    def _check_mode(self) -> None:
        mode = self._mode_now()
        if mode != self._mode:
            self._mode = mode
            self.mode_changed.emit()

    def _mode_now(self) -> str:
        view = self.view
        if view is None:
            return "starting" if self._job_id in self._started else "idle"
        if view.is_over:
            return "idle"
        by_status = {"PAUSING": "pausing", "PAUSED": "held", "PENDING": "starting"}
        return by_status.get(view.status, "running")

    def _on_edited(self) -> None:
        self._forget_edited()
        if self._refused_fields:
            self._refused_fields = {}
            self.refused_fields_changed.emit()

    def _forget_edited(self) -> None:
        self._edited = None


def _quiet_at_the_end(undo: QUndoStack, owner: QObject) -> QUndoStack:
    """A stack clears itself while it is destroyed: nobody must hear of that any more."""
    owner.destroyed.connect(lambda: undo.blockSignals(True))
    return undo


def _what_runs(flow_json: str) -> str:
    """A flow file without what only the window cares for, in a comparable form."""
    data = json.loads(flow_json)
    routines = {
        routine_id: (entry.get("type"), entry.get("config") or {})
        for routine_id, entry in data.get("routines", {}).items()
    }
    connections = sorted(str(connection) for connection in data.get("connections", ()))
    return json.dumps([routines, connections, data.get("folders")], sort_keys=True)

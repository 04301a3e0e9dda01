"""The flows of a program's jobs, drawn from what the program tells of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from penstock.errors import FlowError
from penstock.flow import Flow, RoutineSpec
from penstock.host import FlowPicture
from penstock.observe import JobView
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session.client import Client

_KEPT = 100


class RemoteFlows(QObject):
    """Asks for the flow of each job once, and has the document show the one of the shown job.

    Jobs of one flow share what is drawn: going from one to the other moves nothing. `may_replace`
    is asked before another flow takes the place of the document's; what it refuses is remembered
    until another job is shown or another flow opened, and drawn by `show_refused`.

    Signals:
        shown(): the document shows another flow
    """

    shown = Signal()

    def __init__(
        self,
        client: Client,
        bridge: EngineBridge,
        document: FlowDocument,
        may_replace: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._may_replace = may_replace
        self._pictures: dict[str, FlowPicture] = {}
        self._job_id: str | None = None
        self._drawn: FlowPicture | None = None
        self._drawing = False
        self._refused = False
        bridge.job_started.connect(client.ask_flow)
        bridge.flow_told.connect(self._on_flow_told)
        document.replaced.connect(self._on_replaced)

    @property
    def is_drawn(self) -> bool:
        """Whether the document shows the flow of a program's job, and no file or new flow."""
        return self._drawn is not None

    def show(self, job_id: object) -> None:
        """Another job is shown: draw its flow, now or when it is known."""
        self._job_id = job_id if isinstance(job_id, str) else None
        self._refused = False
        picture = self._pictures.get(self._job_id or "")
        if picture is None:
            return
        drawn = replace(picture, job_id="")
        if drawn == self._drawn:
            return
        if not self._may_replace():
            self._refused = True
            return
        # Known before the document tells it: whoever hears of the new flow asks whose it is.
        self._drawn, self._drawing = drawn, True
        self._document.show(flow_of(picture))
        self._drawing = False
        self.shown.emit()

    def show_refused(self) -> None:
        """Draw the shown job's flow after all, if it had to stand back."""
        if self._refused:
            self.show(self._job_id)

    def _on_replaced(self) -> None:
        self._refused = False
        if not self._drawing:
            self._drawn = None

    def _on_flow_told(self, told: FlowPicture) -> None:
        if not told.kept:
            return
        self._pictures.pop(told.job_id, None)
        while len(self._pictures) >= _KEPT:
            del self._pictures[next(iter(self._pictures))]
        self._pictures[told.job_id] = told
        if told.job_id == self._job_id:
            self.show(told.job_id)


def flow_of(picture: FlowPicture) -> Flow:
    """A flow that looks like the one of the picture; it can be looked at, not run here.

    A connection that no flow of ours could have is left out.
    """
    flow = Flow(picture.flow)
    for one in picture.routines:
        flow.add(one.id, RoutineSpec(one.type, slots=one.slots, events=one.events, doc=one.doc))
    for event, slot in picture.connections:
        try:
            flow.connect(event, slot)
        except FlowError:
            continue
    return flow


def first_to_show(views: dict[str, JobView]) -> str | None:
    """The job somebody who comes would look at: one that is held, else the newest that lives."""

    def rank(view: JobView) -> tuple[bool, bool, float]:
        return view.held is not None, not view.is_over, view.started or 0.0

    return max(views, key=lambda job_id: rank(views[job_id]), default=None)

"""The flow of a job, told to whoever hasn't its file."""

from __future__ import annotations

from pathlib import Path

from helpers.hosted import Folder, Watch
from penstock import Event, Flow, Routine, Slot
from penstock.host import EngineClient, FlowPicture
from penstock.host.engine.picture import flow_picture
from penstock.observe import JobStarted
from penstock.run.routing import compile_flow


class Ask(Routine):
    """Asks."""

    question = Event(str)

    def logic(self) -> None:
        self.question.emit("why")


class Answer(Routine):
    question = Slot(str, capacity=7, overflow="drop_oldest")
    failures = Slot(object)

    def logic(self, question: str = "", failures: object = None) -> None: ...


def flow() -> Flow:
    made = Flow("talk")
    made.add("ask", Ask())
    made.add("answer", Answer())
    made.connect("ask.question", "answer.question")
    made.connect("ask.failed", "answer.failures")
    return made


def test_a_picture_has_every_routine_port_and_wire() -> None:
    picture = flow_picture("3", compile_flow(flow()))

    assert (picture.job_id, picture.flow, picture.kept) == ("3", "talk", True)
    assert [one.id for one in picture.routines] == ["ask", "answer"]
    ask, answer = picture.routines
    assert ask.type == f"{__name__}:Ask"
    assert ask.doc == "Asks."
    assert [(e.name, e.type) for e in ask.events] == [("question", "str")]
    assert [(s.name, s.capacity, s.overflow) for s in answer.slots] == [
        ("question", 7, "drop_oldest"),
        ("failures", 1000, "hold"),
    ]
    assert set(picture.connections) == {
        ("ask.question", "answer.question"),
        ("ask.failed", "answer.failures"),
    }


def test_a_client_gets_it_by_asking(client: EngineClient, tmp_path: Path) -> None:
    watch, folder = Watch(client), Folder(tmp_path)
    text = folder.flow({"a": "Numbers", "b": "Pass"}, "a.out -> b.value")
    job = client.start(text, str(folder.path))
    watch.until(lambda: watch.of(JobStarted))

    found = watch.answer(FlowPicture, lambda: client.ask_flow(job))
    assert [one.id for one in found.routines] == ["a", "b"]
    assert found.connections == (("a.out", "b.value"),)
    unknown = watch.answer(FlowPicture, lambda: client.ask_flow("none such"))
    assert unknown == FlowPicture("none such", "", (), (), kept=False)

"""What the canvas costs: building it, one frame at several zooms, and showing new states.

Run by hand: ``python tests/benchmarks/bench_canvas.py [nodes ...]``. Medians in milliseconds of
the window thread's processor time, so that a busy machine doesn't count.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("engine", "gui", "tests")]

from PySide6.QtCore import QPoint  # noqa: E402
from PySide6.QtGui import QPixmap  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

from helpers.scripted import ScriptedClient, routine_count, slot_count  # noqa: E402
from penstock.flow import EventSpec, RoutineSpec, SlotSpec  # noqa: E402
from penstock_gui.bridge import EngineBridge  # noqa: E402
from penstock_gui.canvas import FlowView  # noqa: E402
from penstock_gui.document import FlowDocument  # noqa: E402
from penstock_gui.session import Session  # noqa: E402
from penstock_gui.theme import Theme  # noqa: E402

ROUNDS = 15
WIRES_A_NODE = 1.5
INDEX_MS = 2_500
"""After so long without a new item Qt has sorted a scene's items into its index."""
STATES = ("idle", "queued", "running", "matching", "gated", "waiting")


def grow(document: FlowDocument, nodes: int) -> None:
    """A flow of routines that mostly feed the next dozen."""
    dice = random.Random(7)
    spec = RoutineSpec(
        "bench:Step",
        slots=(SlotSpec("first", "int"), SlotSpec("second", "int")),
        events=(EventSpec("done", "int"), EventSpec("more", "int")),
    )
    flow = document.flow
    for number in range(nodes):
        flow.add(f"step_{number}", spec)
    wires = {(max(0, n - dice.randint(1, 12)), n, "first") for n in range(1, nodes)}
    while len(wires) < WIRES_A_NODE * nodes:
        start = dice.randrange(nodes - 1)
        wires.add((start, min(nodes - 1, start + dice.randint(1, 12)), "second"))
    for source, target, slot in sorted(wires):
        if source != target:
            flow.connect(f"step_{source}.done", f"step_{target}.{slot}")


def timed(act: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median milliseconds of an action."""
    took = []
    for _ in range(rounds):
        begun = time.thread_time()
        act()
        took.append((time.thread_time() - begun) * 1000)
    return median(took)


class Bench:
    """One canvas of a size and what is done to it."""

    def __init__(self, nodes: int) -> None:
        self.document = FlowDocument()
        grow(self.document, nodes)
        self.client = ScriptedClient()
        self.bridge = EngineBridge(self.client)
        self.session = Session(self.document, self.client, self.bridge)
        self.session.trusted = lambda folder: True
        self.theme = Theme("dark")
        begun = time.thread_time()
        self.view = FlowView(self.session, self.theme)
        self.view.resize(1400, 900)
        self.view.show()
        self.canvas = QPixmap(1400, 900)
        self.frame()
        self.build = (time.thread_time() - begun) * 1000
        self.turn = 0
        self.job = self.client.start(self.document.flow.to_json())
        self.client.tell_started(self.job, "bench")
        self.session.show_job(self.job)
        QTest.qWait(INDEX_MS)

    def frame(self) -> None:
        """Paint the whole view once."""
        self.view.viewport().render(self.canvas)

    def look_at(self, zoom: float) -> None:
        middle = self.document.ids()[len(self.document.ids()) // 2]
        self.view.centre_on(middle)
        self.view.look_at(self.view.graph.nodes[middle].body.center(), zoom)
        self.view.centerOn(self.view.graph.nodes[middle].body.center())
        self.view.graph.live.refresh()

    def pan(self) -> None:
        self.view.scroll_by(QPoint(7, 3))
        self.frame()

    def tell(self) -> None:
        """Every routine changes its state and emits."""
        self.turn += 1
        counts = {
            routine: routine_count(
                STATES[(number + self.turn) % len(STATES)],
                activations=self.turn,
                running=1,
                slots={"first": slot_count((number + self.turn) % 1000)},
                emitted={"done": self.turn},
            )
            for number, routine in enumerate(self.document.ids())
        }
        self.client.tell_progress(self.job, counts)
        self.bridge.tick()

    def show_states(self) -> float:
        """One pass for changes of all routines, and the frame after it."""
        self.tell()
        begun = time.thread_time()
        self.view.graph.live.refresh()
        self.frame()
        return (time.thread_time() - begun) * 1000


def main() -> None:
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    sizes = [int(text) for text in sys.argv[1:]] or [100, 1_000, 10_000]
    print("  nodes   build |  frame 100 %   64 %   42 %  whole | all states change: 100 %  whole")
    for nodes in sizes:
        bench = Bench(nodes)
        frames = []
        for zoom in (1.0, 0.64, 0.42):
            bench.look_at(zoom)
            bench.tell()
            bench.view.graph.live.refresh()
            frames.append(timed(bench.pan))
        bench.look_at(1.0)
        near = median(bench.show_states() for _ in range(5))
        bench.view.fit_all()
        far = median(bench.show_states() for _ in range(5))
        whole = timed(bench.frame)
        row = " ".join(f"{ms:6.1f}" for ms in (*frames, whole))
        print(f"{nodes:7,} {bench.build:7.0f} |      {row} |              {near:8.1f} {far:6.1f}")
        bench.bridge.stop()
        bench.view.close()
        del bench


if __name__ == "__main__":
    main()

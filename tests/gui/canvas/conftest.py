from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from helpers.canvas_desk import Desk
from helpers.flow_folder import write_words
from helpers.scripted import ScriptedClient
from penstock_gui.bridge import EngineBridge
from penstock_gui.canvas import FlowView
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme


@pytest.fixture
def desk(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    document, client, theme = FlowDocument(), ScriptedClient(), Theme("dark")
    document.load(write_words(tmp_path / "words"))
    bridge = EngineBridge(client, interval_ms=100_000)
    session = Session(document, client, bridge)
    session.trusted = lambda folder: True
    view = FlowView(session, theme)
    qtbot.addWidget(view)
    view.resize(1000, 600)
    view.show()
    qtbot.waitExposed(view)
    yield Desk(view, session, document, client, theme)
    bridge.stop()

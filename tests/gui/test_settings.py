"""Preferences survive a restart, and a silent window writes none."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QSettings

from penstock_gui.settings import MAX_RECENT, Settings


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "penstock.ini"


def settings(store: Path, *, read_only: bool = False) -> Settings:
    return Settings(QSettings(str(store), QSettings.Format.IniFormat), read_only=read_only)


def test_everything_is_read_back_by_the_next_run(store: Path, tmp_path: Path) -> None:
    first = settings(store)
    first.theme = "light"
    first.geometry = QByteArray(b"\x00geometry")
    first.state = QByteArray(b"\x01state")
    first.add_recent(tmp_path / "a.flow.json")
    first.add_trusted(tmp_path)
    first.sync()

    again = settings(store)
    assert again.theme == "light"
    assert again.geometry == QByteArray(b"\x00geometry")
    assert again.state == QByteArray(b"\x01state")
    assert again.recent == [str(tmp_path / "a.flow.json")]
    assert again.is_trusted(tmp_path)


def test_trust_is_for_exactly_the_folder(store: Path, tmp_path: Path) -> None:
    one = settings(store)
    one.add_trusted(tmp_path / "a")

    assert one.is_trusted(tmp_path / "a" / ".." / "a")
    assert not one.is_trusted(tmp_path)
    assert not one.is_trusted(tmp_path / "a" / "b")


def test_recent_files_are_newest_first_and_bounded(store: Path) -> None:
    one = settings(store)
    for number in range(MAX_RECENT + 3):
        one.add_recent(Path(f"/f/{number}.json"))
    one.add_recent(Path("/f/5.json"))

    assert one.recent[:2] == ["/f/5.json", f"/f/{MAX_RECENT + 2}.json"]
    assert len(one.recent) == MAX_RECENT
    one.remove_recent(Path("/f/5.json"))
    assert "/f/5.json" not in one.recent


def test_read_only_reads_and_writes_nothing(store: Path) -> None:
    settings(store).theme = "light"
    before = store.read_bytes() if store.exists() else b""
    silent = settings(store, read_only=True)
    assert silent.theme == "light"
    silent.theme = "dark"
    silent.sync()

    assert silent.theme == "dark"
    assert settings(store).theme == "light"
    assert (store.read_bytes() if store.exists() else b"").startswith(before)


def test_a_damaged_value_gives_the_default(store: Path) -> None:
    store.write_text("[General]\ntheme=purple\nrecent=\n[window]\nstate=5\n", encoding="utf-8")
    one = settings(store)

    assert (one.theme, one.recent, one.state.isEmpty()) == ("system", [], True)


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(ValueError, match="purple"):
        Settings().theme = "purple"

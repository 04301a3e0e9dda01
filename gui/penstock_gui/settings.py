"""What the window remembers between two runs."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings

THEMES = ("system", "light", "dark")
MAX_RECENT = 10
MAX_SEEN = 200


class Settings:
    """Typed preferences over a QSettings store.

    Without a store they live in memory only. With ``read_only`` the store is read and never
    written: changes are kept in memory.
    """

    def __init__(self, scope: QSettings | None = None, *, read_only: bool = False) -> None:
        self._scope = scope
        self._writes = scope is not None and not read_only
        self._memory: dict[str, Any] = {}

    @property
    def theme(self) -> str:
        """One of `THEMES`."""
        value = self._get("theme", "system")
        return value if value in THEMES else "system"

    @theme.setter
    def theme(self, choice: str) -> None:
        if choice not in THEMES:
            raise ValueError(f"no theme is called {choice!r}")
        self._set("theme", choice)

    @property
    def geometry(self) -> QByteArray:
        """`QWidget.saveGeometry` of the main window, empty when none was stored."""
        return self._bytes("window/geometry")

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self._set("window/geometry", value)

    @property
    def state(self) -> QByteArray:
        """`QMainWindow.saveState`, empty when none was stored."""
        return self._bytes("window/state")

    @state.setter
    def state(self, value: QByteArray) -> None:
        self._set("window/state", value)

    @property
    def recent(self) -> list[str]:
        """Paths of the flow files opened or saved last, newest first."""
        return self._strings("recent")

    def add_recent(self, path: Path) -> None:
        """Put a flow file at the head of the recent ones."""
        text = str(path)
        rest = [one for one in self.recent if one != text]
        self._set("recent", [text, *rest][:MAX_RECENT])

    def remove_recent(self, path: Path) -> None:
        """Forget a file, for one that is gone."""
        self._set("recent", [one for one in self.recent if one != str(path)])

    @property
    def trusted(self) -> set[str]:
        """Folders whose code may be run, as resolved paths."""
        return set(self._strings("trusted"))

    def add_trusted(self, folder: Path) -> None:
        """Remember that the code of a folder may be run."""
        self._set("trusted", sorted(self.trusted | {str(folder.resolve())}))

    def is_trusted(self, folder: Path) -> bool:
        """Whether consent was given for exactly this folder."""
        return str(folder.resolve()) in self.trusted

    def launch(self, flow: Path) -> str:
        """The user's own launch settings of a flow file as JSON text, "" for none."""
        value = self._get(_launch_key(flow), "")
        return value if isinstance(value, str) else ""

    def set_launch(self, flow: Path, text: str) -> None:
        """Keep the user's own launch settings of a flow file; "" forgets them."""
        self._set(_launch_key(flow), text)

    def has_seen_launch(self, digest: str) -> bool:
        """Whether launch settings with that digest were shown to the user."""
        return digest in self._strings("launch/seen")

    def add_seen_launch(self, digest: str) -> None:
        """Remember that launch settings were shown."""
        rest = [one for one in self._strings("launch/seen") if one != digest]
        self._set("launch/seen", [digest, *rest][:MAX_SEEN])

    def sync(self) -> None:
        """Write to disk now."""
        if self._scope is not None and self._writes:
            self._scope.sync()

    def _get(self, key: str, default: object) -> Any:
        if key in self._memory:
            return self._memory[key]
        return default if self._scope is None else self._scope.value(key, default)

    def _set(self, key: str, value: object) -> None:
        if self._scope is not None and self._writes:
            self._scope.setValue(key, value)
        else:
            self._memory[key] = value

    def _bytes(self, key: str) -> QByteArray:
        value = self._get(key, QByteArray())
        return value if isinstance(value, QByteArray) else QByteArray()

    def _strings(self, key: str) -> list[str]:
        """A list as QSettings gives it back: one entry comes as a str, none as ""."""
        value = self._get(key, [])
        if isinstance(value, str):
            return [value] if value else []
        return [str(one) for one in value] if isinstance(value, list) else []


def _launch_key(flow: Path) -> str:
    """A key of any path: slashes would be groups."""
    return f"launch/{sha256(str(flow.resolve()).encode(errors='surrogateescape')).hexdigest()[:32]}"

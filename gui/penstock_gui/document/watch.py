"""Notices when routine sources in the flow's folders change on disk."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer

from penstock_gui.document.document import FlowDocument

_MAX_FILES = 400
_SETTLE_MS = 300


class SourceWatch(QObject):
    """Has the document read its sources again a moment after one of them changed.

    Folders tell of files that come, go or are replaced (as most editors save), the files
    themselves of changes in place.
    """

    def __init__(self, document: FlowDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._watcher = QFileSystemWatcher(self)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._on_settled)
        self._watcher.directoryChanged.connect(self._on_change)
        self._watcher.fileChanged.connect(self._on_change)
        document.path_changed.connect(self._watch)
        self._watch()

    def _watch(self) -> None:
        wanted = _sources(self._document.code_folders)
        watched = set(self._watcher.directories() + self._watcher.files())
        if gone := watched - wanted:
            self._watcher.removePaths(sorted(gone))
        if new := wanted - watched:
            self._watcher.addPaths(sorted(new))

    def _on_change(self, path: str) -> None:
        self._settle.start()

    def _on_settled(self) -> None:
        self._watch()
        self._document.read_again()


def _sources(folders: tuple[Path, ...]) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            continue
        found.add(str(folder))
        for path in folder.glob("*.py"):
            if len(found) >= _MAX_FILES:
                return found
            found.add(str(path))
    return found

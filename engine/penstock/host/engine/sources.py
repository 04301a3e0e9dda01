"""Which source files of flows this process has imported, and whether they are different now."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.flow import Flow, RoutineSpec, roots_of

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_UNREAD = b""
"""Instead of a digest: it isn't known what was imported."""
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MODULE_DICT: Any = vars(ModuleType)["__dict__"].__get__
_Stamp = tuple[int, int, int, int]


class SourceBook:
    """Remembers modules that flows brought into this process, as they were when imported.

    That is every module from a flow's folders, and those of its routines wherever they are; of the
    folders, what is installed there (a virtual environment) isn't. A file that is written while
    it is being imported counts as changed: nobody knows which of the two was read.

    Methods may be called on any thread. `_lock` guards the entries; never held while files are
    looked at.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def note(self, flow: Flow, since: int | None = None) -> None:
        """Remember what is imported now of a flow; what is known already stays as it was.

        Call it when the flow's routines were made live, on the thread that did it; also when that
        failed, as some modules may be there. `since` is `time.time_ns` before.
        """
        now = time.time_ns()
        for file in _files_of(flow):
            with self._lock:
                if file in self._entries:
                    continue
            entry = _entry(file)
            written = 0 if entry.stamp is None else entry.stamp[0]
            if since is not None and since <= written <= now:
                entry = _Entry(entry.stamp, entry.digest, _UNREAD)
            with self._lock:
                self._entries.setdefault(file, entry)

    def changed(self) -> tuple[Path, ...]:
        """The files whose text is another than what was imported, or that are gone; sorted.

        One that was only touched, or is again as it was, isn't among them. Looks at the text of
        those only whose time or size is another. A file that can't be read now is left out.
        """
        with self._lock:
            entries = list(self._entries.items())
        found = []
        for file, entry in entries:
            now = _look_again(file, entry)
            if now is not entry:
                with self._lock:
                    self._entries[file] = now
            if now.digest != now.imported:
                found.append(Path(file))
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file as it was when last looked at, and the digest of what was imported.

    Without a stamp it isn't there.
    """

    stamp: _Stamp | None
    digest: bytes | None
    imported: bytes


def _entry(file: str) -> _Entry:
    """As it is now, taken to be what was imported."""
    try:
        stamp = _stamp(file)
        digest = None if stamp is None else _digest(file)
    except OSError:
        stamp = digest = None
    return _Entry(stamp, digest, _UNREAD if digest is None else digest)


def _look_again(file: str, before: _Entry) -> _Entry:
    try:
        stamp = _stamp(file)
        if stamp == before.stamp:
            return before
        digest = None if stamp is None else _digest(file)
    except OSError:
        return before
    return _Entry(stamp, digest, before.imported)


def _stamp(file: str) -> _Stamp | None:
    """None when there is no such regular file; raises OSError when that can't be told."""
    try:
        status = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ctime_ns, status.st_ino


def _digest(file: str) -> bytes:
    with open(os.open(file, _OPEN), "rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _files_of(flow: Flow) -> Iterator[str]:
    """Absolute paths of the files of modules that belong to a flow, as they are imported."""
    named = set(_module_names(flow))
    places = [os.path.join(place, "") for place in _places(roots_of(flow.folders, flow.base))]
    for name, module in list(sys.modules.items()):
        file = _file_of(module)
        if file is None:
            continue
        if name in named:
            yield file
            continue
        place = next((place for place in places if file.startswith(place)), None)
        if place is not None and not _INSTALLED.intersection(file.split(os.sep)):
            yield file


def _module_names(flow: Flow) -> Iterator[str]:
    for routine in flow.routines.values():
        if isinstance(routine, RoutineSpec):
            yield routine.type.partition(":")[0]
        else:
            yield type(routine).__module__


def _places(roots: Iterable[Path]) -> set[str]:
    """The folders, also by the name without links: a module may have come by either."""
    return {place for root in roots for place in (str(root), os.path.realpath(root))}


def _file_of(module: object) -> str | None:
    """Read past the module's own ``__getattr__``, which would import what isn't needed yet."""
    if not issubclass(type(module), ModuleType):
        return None
    file = _MODULE_DICT(module).get("__file__")
    return os.path.abspath(file) if type(file) is str else None

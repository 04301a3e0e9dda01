"""Reading and writing whole files: nothing that blocks is opened, nothing is left half-written."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from penstock.errors import FlowFileError

_OPEN_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def shown(path: str | os.PathLike[str]) -> str:
    """A path on one line, whatever characters are in it."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


def read_bytes(path: Path, limit: int) -> bytes:
    """A regular file of at most `limit` bytes; raises FlowFileError, never blocks."""
    try:
        _refuse_irregular(path, os.stat(path))
        descriptor = os.open(path, _OPEN_READ)
        with open(descriptor, "rb") as file:
            _refuse_irregular(path, os.fstat(descriptor))
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise FlowFileError(f"{shown(path)}: can't be read: {_reason(error)}") from None
    if len(data) > limit:
        raise FlowFileError(f"{shown(path)}: expected at most {limit} bytes")
    return data


def read_text(path: Path, limit: int) -> str:
    """The same as UTF-8 text, line ends as they are."""
    data = read_bytes(path, limit)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FlowFileError(
            f"{shown(path)}: line {line}: expected UTF-8, byte {error.start} isn't"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Replace the file in one step: whoever reads sees the old text or the new, never a part.

    A symbolic link stays and its target is replaced; the file's mode stays.
    """
    target = Path(os.path.realpath(path))
    try:
        data = text.encode("utf-8")
        mode = _mode_of(target)
        _replace(target, data, mode)
    except (OSError, ValueError) as error:
        raise FlowFileError(f"{shown(path)}: can't be written: {_reason(error)}") from None


def _mode_of(target: Path) -> int | None:
    """None when there is nothing yet."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    _refuse_irregular(target, status)
    if not os.access(target, os.W_OK):
        raise PermissionError("it is read-only")
    return stat.S_IMODE(status.st_mode)


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        with open(os.open(temporary, _OPEN_NEW, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse_irregular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kind = next((words for is_kind, words in _KINDS if is_kind(status.st_mode)), "something else")
    raise FlowFileError(f"{shown(path)}: expected a regular file, it is {kind}")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file or folder"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]

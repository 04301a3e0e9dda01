"""The Python a host runs in: whether the engine can run there, and how it is started."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import pydantic

from penstock.errors import LaunchError
from penstock.flow import shown
from penstock.host.crossing.launch import LaunchSettings
from penstock.host.links.boot import LENT, OLDEST, lent_by

CHECK_SECONDS = 20.0
_BOOT = Path(__file__).with_name("boot.py")
_MAX_OUTPUT = 65_536
_NEEDED_PYDANTIC = (2, 7)
_OF_ONE_PYTHON = ("PYTHONHOME", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
"""Variables that tell the window's interpreter where it is, and would mislead another."""


def check_interpreter(
    path: str,
    environment: Mapping[str, str] | None = None,
    timeout: float = CHECK_SECONDS,
) -> str:
    """The version of the Python at `path`, as in ``3.12.1``, if the engine can run there.

    Starts it with `environment` (that of `host_environment`; None: without a flow's variables),
    away from any folder of the user's, and has it import the engine. So call it only for what the
    user trusts, and not on a window's thread: it takes up to `timeout` seconds, after which that
    process is killed. Raises LaunchError in one line saying what is wrong and what helps.
    """
    program = os.path.abspath(os.path.expanduser(path))
    _refuse_no_program(program)
    facts = _asked(program, environment or host_environment(LaunchSettings(program)), timeout)
    return _version(program, facts)


def host_command(settings: LaunchSettings) -> tuple[str, ...]:
    """What starts a host: ``python -m penstock.host`` here, `boot` in an interpreter of the user's.

    Neither has the folder it is started in on its path, and both are found by the name
    ``penstock.host`` among the processes. Raises LaunchError when this process
    doesn't know its own interpreter.
    """
    if settings.interpreter is not None:
        return settings.interpreter, str(_BOOT), "penstock.host"
    if not sys.executable:
        raise LaunchError("this program doesn't know which Python runs it; choose an interpreter")
    return sys.executable, "-P", "-m", "penstock.host"


def host_environment(
    settings: LaunchSettings, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All variables of a host: those of `base` (this process's), and the user's changes."""
    inherited = dict(os.environ if base is None else base)
    if settings.interpreter is not None:
        for name in _OF_ONE_PYTHON:
            inherited.pop(name, None)
        inherited[LENT] = lent_by(str(Path(pydantic.__file__).parents[1]))
    return settings.changed_environment(inherited)


def _refuse_no_program(program: str) -> None:
    try:
        status = os.stat(program)
    except (OSError, ValueError):
        raise LaunchError(f"{shown(program)}: there is no such file") from None
    if not stat.S_ISREG(status.st_mode):
        raise LaunchError(f"{shown(program)}: expected the program of a Python, it is no file")
    if not os.access(program, os.X_OK):
        raise LaunchError(f"{shown(program)}: can't be started: it isn't executable")


def _asked(program: str, environment: Mapping[str, str], timeout: float) -> dict[str, Any]:
    mark = secrets.token_hex(16)
    with tempfile.TemporaryFile() as output:
        try:
            _run([program, str(_BOOT), "--tell", mark], environment, output, timeout)
        except subprocess.TimeoutExpired:
            text = f"{shown(program)}: gave no answer within {timeout:g} s"
            raise LaunchError(text) from None
        except OSError as error:
            raise LaunchError(f"{shown(program)}: can't be started: {error.strerror}") from None
        lines = _last_lines(output)
    for line in reversed(lines):
        if line.startswith(mark):
            with contextlib.suppress(ValueError):
                return dict(json.loads(line.removeprefix(mark)))
    said = f": {lines[-1].strip()[:200]}" if lines else ""
    raise LaunchError(f"{shown(program)}: didn't answer as a Python does{said}")


def _run(
    command: list[str], environment: Mapping[str, str], output: IO[bytes], timeout: float
) -> None:
    """Until it has ended, whatever it has started that still writes."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=os.path.abspath(os.sep),
        env=dict(environment),
        start_new_session=True,
    )
    try:
        process.wait(timeout)
    finally:
        if process.poll() is None:
            kill_all(process)
            process.wait()


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session of its own, and what it has started there.

    Its number must not be free yet: it hasn't been waited for.
    """
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _last_lines(output: IO[bytes]) -> list[str]:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _MAX_OUTPUT))
    text = output.read().decode("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip()]


def _version(program: str, facts: dict[str, Any]) -> str:
    version = str(facts.get("version", ""))
    where = f"{shown(program)} is Python {version}"
    if _numbers(version) < OLDEST:
        raise LaunchError(f"{where}; expected {OLDEST[0]}.{OLDEST[1]} or later")
    pydantic_there = str(facts.get("pydantic", ""))
    needed = "pydantic {}.{} or later and msgspec".format(*_NEEDED_PYDANTIC)
    if pydantic_there and _numbers(pydantic_there) < _NEEDED_PYDANTIC:
        raise LaunchError(f"{where} and has pydantic {pydantic_there}; install {needed} there")
    error = str(facts.get("error", ""))
    if error:
        text = " ".join(error.split())[:300]
        raise LaunchError(
            f"{where}, where the engine can't be imported ({text}); install {needed} there"
        )
    return version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())

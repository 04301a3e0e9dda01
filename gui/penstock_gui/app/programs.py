"""Programs that listen, found by what a person types."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from penstock.host import Listening, listening
from penstock_gui.app.options import BadOption


def find_program(wanted: str, look: Callable[[], Sequence[Listening]] = listening) -> Listening:
    """The program of that name or process number, or at that socket.

    A socket may be the near end of a tunnel: what is behind it says for itself who it is. Raises
    BadOption in one line when there is none, or more than one.
    """
    path = Path(wanted).expanduser()
    if path.is_socket():
        return Listening(0, path.name, str(path.absolute()), "view", time.time())
    known = look()
    found = [one for one in known if wanted in (one.name, str(one.pid))]
    if len(found) == 1:
        return found[0]
    if found:
        pids = ", ".join(str(one.pid) for one in found)
        raise BadOption(f"{len(found)} programs called {wanted!r} listen: say which of {pids}")
    names = ", ".join(f"{one.name} ({one.pid})" for one in known) or "none does"
    raise BadOption(f"no program called {wanted!r} listens (there are: {names})")

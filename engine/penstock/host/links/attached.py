"""`Attached`: the link to a program that listens, which goes on when it is left."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Literal, NoReturn

from penstock.errors import PenstockError
from penstock.host.crossing.commands import AskCounters, Command, MakeWay, Start, WhenGone, refusal
from penstock.host.crossing.protocol import Answer, HostUp, Told
from penstock.host.links.wire import Inbox, JobsHeard, Wire
from penstock.host.serving.attaching import Listening, attach
from penstock.host.transport.connections import AUTH_SECONDS, Gone

_CONNECTING_SECONDS = 0.1
_log = logging.getLogger(__name__)


class Attached:
    """A link to a program that listens; it connects on a thread of its own.

    ``held`` is what becomes of held jobs when this client steers and is gone. A program that isn't
    reached, or has gone, is told as `HostGone`; nothing is tried again. Every call but `close`
    returns at once.

    Counters needn't be asked for: a host tells them by itself.
    """

    def __init__(
        self,
        info: Listening,
        held: Literal["resume", "hold"] = "resume",
        timeout: float = AUTH_SECONDS,
    ) -> None:
        self._info = info
        self._timeout = timeout
        self._inbox = Inbox()
        self._jobs = JobsHeard()
        self._commands: SimpleQueue[Command | None] = SimpleQueue()
        self._commands.put(WhenGone(held))
        self._lock = threading.Lock()  # guards what follows; never held while calling out
        self._wire: Wire | None = None
        self._is_over = False
        self._left = False
        self._connecting = threading.Thread(
            target=self._connect, name="penstock-attach", daemon=True
        )
        self._connecting.start()

    @property
    def lost(self) -> int:
        """Display events that were dropped because nobody drained in time."""
        return self._inbox.lost

    @property
    def answers(self) -> bool:
        """Whether the program is there, or is being connected to."""
        return not self._is_over

    def send(self, command: Command) -> None:
        """Have a command carried out there."""
        if isinstance(command, AskCounters | MakeWay):
            return
        if self._is_over:
            self._inbox.put((refusal(command, f"{self._info.name} is out of reach"),))
            return
        if isinstance(command, Start):
            self._jobs.starting(command.job_id)
        self._commands.put(command)

    def when_urgent(self, call: Callable[[], object]) -> None:
        """Call that, on any thread, when anything but display is to be drained."""
        self._inbox.when_urgent(call)

    def drain(self) -> tuple[Told | Answer, ...]:
        """What was told since the last call."""
        return self._inbox.drain()

    def kill(self) -> NoReturn:
        """Raises PenstockError: the program isn't this client's to end."""
        raise PenstockError(f"{self._info.name} isn't this window's to end")

    restart = kill

    def close(self, timeout: float = 5.0) -> None:
        """Leave, within `timeout` seconds; the program goes on. Idempotent.

        A connection that is being made isn't waited for: its thread gives it up by itself.
        """
        deadline = monotonic() + timeout
        with self._lock:
            self._left = True
            wire = self._wire
        if wire is not None:
            wire.close(max(0.0, deadline - monotonic()))
        self._connecting.join(max(0.0, min(_CONNECTING_SECONDS, deadline - monotonic())))

    # ---- on a thread of this link, then on the reader's

    def _connect(self) -> None:
        connection = None
        try:
            connection = attach(self._info, self._timeout)
            with self._lock:
                if not self._left:
                    self._wire = Wire(
                        connection,
                        self._commands,
                        self._inbox,
                        self._jobs,
                        self._on_up,
                        self._on_gone,
                    )
                    return
        except (Gone, TimeoutError) as error:
            self._on_gone(str(error))
        except Exception as error:  # noqa: BLE001 -- a fault of ours must not leave a window waiting
            _log.exception("the link to a program can't be made")
            self._on_gone(f"{type(error).__name__}: {error}")
        if connection is not None:
            connection.close()

    def _on_up(self, _up: HostUp) -> None: ...

    def _on_gone(self, why: str) -> None:
        self._is_over = True
        self._inbox.put(self._jobs.lose(self._info.pid, why, "", asked=self._left))

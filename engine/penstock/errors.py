"""Every error Penstock raises, with the place in the flow it speaks of."""

from __future__ import annotations


class PenstockError(Exception):
    """Base of all errors raised to callers.

    ``job``, ``routine`` and ``port`` say where, as far as it is known.
    """

    def __init__(
        self,
        text: str,
        *,
        job: str | None = None,
        routine: str | None = None,
        port: str | None = None,
    ) -> None:
        super().__init__(text)
        self.job = job
        self.routine = routine
        self.port = port


class FlowFileError(PenstockError):
    """A flow file can't be read or written; the text names file, place and what was expected."""


class LaunchError(PenstockError):
    """The interpreter chosen for a flow can't run the engine. Choose another one, or prepare it."""


class FlowError(PenstockError):
    """An edit of a flow that makes no sense: an id taken, malformed or unknown."""


class UnknownPort(PenstockError):
    """A routine, slot or event that the flow doesn't have. Check the spelling of the place."""


class InvalidValue(PenstockError):
    """A value that its slot's or parameter's type refuses; nothing was delivered."""


class SlotFull(PenstockError):
    """A slot had no room: with overflow ``hold`` within the time given, with ``fail`` at once."""


class JobEnded(PenstockError):
    """The job takes no messages any more. Start another one."""


class EmitOutsideActivation(PenstockError):
    """``emit`` was called where no activation of that routine runs; nothing was delivered.

    Emit on the thread that runs ``logic``.
    """


class Cancelled(BaseException):
    """Raised inside a body whose job has ended. Let it pass: clean up and return."""

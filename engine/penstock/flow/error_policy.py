"""What happens when a body raises: frozen values without counters, chosen by ``on_error``."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.flow.numbers import is_count, is_duration, is_number

Errors = type[BaseException] | tuple[type[BaseException], ...]

_LONGEST = 366 * 24 * 3600.0  # a backoff without max_delay soon passes what a timer can wait


@dataclass(frozen=True, slots=True)
class Stop:
    """The job fails; its queues are kept for inspection."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The failure is recorded, its messages go to the dead letters, the job goes on."""


@dataclass(frozen=True, slots=True)
class Skip:
    """The job goes on without this routine.

    The failing messages go to the dead letters; queued and later ones count as skipped, its
    ``finish()`` isn't run.
    """


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again with the same messages up to ``times`` times after the first try, then ``then``.

    The first retry waits ``delay`` seconds, each further one ``backoff`` times as long, at most
    ``max_delay``. ``jitter`` leaves out, at random, up to that fraction (0 to 1) of each wait.
    Exceptions that are none of ``on`` (a class or a tuple of them) aren't retried. What an attempt
    emits is kept back until it succeeds and revoked if it fails; a waiting retry counts for
    ``max_parallel``.
    """

    times: int = 3
    delay: float = 0.0
    backoff: float = 1.0
    max_delay: float | None = None
    jitter: float = 0.0
    on: Errors = (Exception,)
    then: Stop | Continue | Skip = Stop()

    def __post_init__(self) -> None:
        if isinstance(self.on, type):
            object.__setattr__(self, "on", (self.on,))
        if not is_count(self.times, least=0):
            raise ValueError(f"times: expected a whole number from 0 on, got {self.times!r}")
        if not is_number(self.delay) or self.delay < 0:
            raise ValueError(f"delay: expected seconds from 0 on, got {self.delay!r}")
        if not is_number(self.backoff) or self.backoff < 1:
            raise ValueError(f"backoff: expected a number from 1 on, got {self.backoff!r}")
        if self.max_delay is not None and not is_duration(self.max_delay):
            raise ValueError(f"max_delay: expected None or seconds above 0, got {self.max_delay!r}")
        if not is_number(self.jitter) or not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter: expected a fraction from 0 to 1, got {self.jitter!r}")
        if not _are_errors(self.on):
            raise ValueError(f"on: expected exception classes, got {self.on!r}")
        if not isinstance(self.then, Stop | Continue | Skip):
            raise ValueError(f"then: expected Stop(), Continue() or Skip(), got {self.then!r}")

    def delay_before(self, retry: int, chance: float) -> float:
        """Seconds to wait before retry number 1, 2, ...; `chance`, from 0 up to 1, is the dice."""
        longest = _LONGEST if self.max_delay is None else self.max_delay
        try:
            wait = float(self.delay * self.backoff ** (retry - 1)) if self.delay else 0.0
        except OverflowError:
            wait = longest
        return min(wait, longest) * (1.0 - self.jitter * chance)


def _are_errors(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(isinstance(item, type) and issubclass(item, BaseException) for item in value)
    )


ErrorPolicy = Stop | Continue | Skip | Retry

"""Instruments watch a run; they can't alter it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable

from penstock.observe.events import EVENT_TYPES, EngineEvent

_log = logging.getLogger(__name__)


def method_of(kind: type[EngineEvent]) -> str:
    """``ActivationStarted`` -> ``on_activation_started``."""
    return "on_" + re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


_METHODS = {kind: method_of(kind) for kind in EVENT_TYPES}


class Instrument:
    """Base for watchers: define ``on_`` + an event's name in snake_case for what you want.

    Called on the job's loop thread, per job in the order of ``seq``; returns nothing and must be
    quick. One that raises is logged and removed. Events nobody has a method for aren't built.

        class Count(Instrument):
            ended = 0
            def on_activation_ended(self, event):
                self.ended += 1
    """


class Instruments:
    """The attached instruments of one runtime.

    `kinds` has the kinds of event that anybody listens to. The other tables are immutable and
    swapped whole, so a job's loop, which reads them without a lock, sees either the set before a
    change or the one after it. ``_lock`` guards the swap; held only while an instrument's methods
    are looked up, and re-entrant for a look-up that attaches more.
    """

    def __init__(self, instruments: Iterable[object] = ()) -> None:
        self._lock = threading.RLock()
        self.kinds: set[type[EngineEvent]] = set()
        self._handlers: dict[type[EngineEvent], tuple[tuple[object, object], ...]] = {}
        self._all: tuple[object, ...] = ()
        for instrument in instruments:
            self.add(instrument)

    def wants(self, kind: type[EngineEvent]) -> bool:
        """Whether anybody listens to that kind of event; any thread."""
        return kind in self.kinds

    def add(self, instrument: object) -> None:
        """Attach; from any thread. One whose methods can't even be looked up is left out."""
        with self._lock:
            self._rebuild((*self._all, instrument))

    def remove(self, instrument: object) -> None:
        """Detach; from any thread; a stranger is ignored."""
        with self._lock:
            self._rebuild(tuple(one for one in self._all if one is not instrument))

    def tell(self, *events: EngineEvent) -> None:
        """Hand events, one after the other, to whoever listens to their kinds."""
        for event in events:
            for instrument, handler in self._handlers.get(type(event), ()):
                try:
                    handler(event)  # type: ignore[operator]
                except BaseException:  # noqa: BLE001 -- border to user code: it may fail in any way
                    self._drop(instrument, type(event))

    def _drop(self, instrument: object, kind: type[EngineEvent]) -> None:
        _log.exception("instrument %s failed in %s, removed", _name(instrument), method_of(kind))
        self.remove(instrument)

    def _rebuild(self, instruments: tuple[object, ...]) -> None:
        handlers: dict[type[EngineEvent], list[tuple[object, object]]] = {}
        kept: list[object] = []
        for instrument in instruments:
            try:
                found = _methods(instrument)
            except BaseException:  # noqa: BLE001 -- border to user code: even a look-up may raise
                _log.exception("instrument %s can't be attached, removed", _name(instrument))
                continue
            kept.append(instrument)
            for kind, method in found.items():
                handlers.setdefault(kind, []).append((instrument, method))
        self._all = tuple(kept)
        self._handlers = {kind: tuple(pairs) for kind, pairs in handlers.items()}
        self.kinds.update(handlers)
        self.kinds.intersection_update(handlers)


def _methods(instrument: object) -> dict[type[EngineEvent], object]:
    found = {kind: getattr(instrument, name, None) for kind, name in _METHODS.items()}
    return {kind: method for kind, method in found.items() if callable(method)}


def _name(instrument: object) -> str:
    return type(instrument).__name__

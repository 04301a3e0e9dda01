"""Forming sets of messages with equal keys, in time independent of how many wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

Message = tuple[int, Any]  # (number, value)
KeyFunction = Callable[[Any], Hashable]


class KeyedQueues:
    """The waiting messages of several slots, by key.

    A set is complete in the step in which its last message arrives, so complete sets come out
    in the order in which they became complete; per key and slot the oldest message goes first.
    """

    def __init__(self, slots: int, key: KeyFunction) -> None:
        self._key = key
        self._slots = slots
        self._waiting: list[dict[Hashable, deque[Message]]] = [{} for _ in range(slots)]
        self._counts = [0] * slots

    def add(self, slot: int, message: Message) -> tuple[Message, ...] | None:
        """Take one message of slot number `slot`; returns the set it completes, oldest first.

        Raises whatever the key function raises; the message is not kept then.
        """
        key = self._key(message[1])
        if not all(key in self._waiting[i] for i in range(self._slots) if i != slot):
            self._waiting[slot].setdefault(key, deque()).append(message)
            self._counts[slot] += 1
            return None
        if key in self._waiting[slot]:  # older ones of the key wait here: they go first
            self._waiting[slot][key].append(message)
            self._counts[slot] += 1
            return tuple(self._pop(i, key) for i in range(self._slots))
        return tuple(message if i == slot else self._pop(i, key) for i in range(self._slots))

    def depth(self, slot: int) -> int:
        """How many messages of the slot wait for their set."""
        return self._counts[slot]

    def _pop(self, slot: int, key: Hashable) -> Message:
        queue = self._waiting[slot][key]
        message = queue.popleft()
        self._counts[slot] -= 1
        if not queue:
            del self._waiting[slot][key]
        return message


class InOrder:
    """The waiting messages of several slots, taken one of each in arrival order."""

    def __init__(self, slots: int) -> None:
        self._queues: list[deque[Message]] = [deque() for _ in range(slots)]

    def add(self, slot: int, message: Message) -> tuple[Message, ...] | None:
        """Take one message of slot number `slot`; returns the set it completes."""
        self._queues[slot].append(message)
        if all(self._queues):
            return tuple(queue.popleft() for queue in self._queues)
        return None

    def depth(self, slot: int) -> int:
        """How many messages of the slot wait for their set."""
        return len(self._queues[slot])

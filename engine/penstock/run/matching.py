"""Forming activations: which waiting messages of a routine's slots make one.

A rule keeps what waits and gives *bounds*: one item per slot, a message, a list of messages, or
None for a slot that isn't passed to ``logic``. One slot under `AllSlots` needs no rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Protocol, overload

from penstock.errors import FlowError
from penstock.flow import Activation

Message = tuple[int, Any]  # (number, value)
Bound = tuple[Message | list[Message] | None, ...]
KeyFunction = Callable[[Any], Hashable]


class Rule(Protocol):
    """The waiting messages of one routine in one job. Written by the core only."""

    def add(self, slot: int, message: Message) -> Sequence[Bound]:
        """Take one message of slot number `slot`; returns what can be activated now."""

    def depth(self, slot: int) -> int:
        """How many messages of the slot wait here."""

    def put_back(self, bound: Bound) -> None:
        """Take what was formed apart: its messages are the oldest of their slots again."""

    def form(self) -> Sequence[Bound]:
        """What can be activated now, after messages were put back or dropped."""

    def drop_oldest(self, slot: int) -> Message | None:
        """Take out the oldest message of the slot, if there is one."""


def messages_in(bound: Bound) -> Iterator[tuple[int, Message]]:
    """(slot number, message) of everything in it."""
    for slot, item in enumerate(bound):
        if isinstance(item, tuple):
            yield slot, item
        elif item is not None:
            for message in item:
                yield slot, message


def newest(bound: Bound) -> int:
    """The number of its newest message: when it became complete."""
    return max(message[0] for _, message in messages_in(bound))


class InOrder:
    """One message of each slot, in arrival order."""

    def __init__(self, slots: int) -> None:
        self._queues: list[deque[Message]] = [deque() for _ in range(slots)]

    def add(self, slot: int, message: Message) -> Sequence[Bound]:
        self._queues[slot].append(message)
        if all(self._queues):
            return (tuple([queue.popleft() for queue in self._queues]),)
        return ()

    def depth(self, slot: int) -> int:
        return len(self._queues[slot])

    def put_back(self, bound: Bound) -> None:
        for slot, message in messages_in(bound):
            self._queues[slot].appendleft(message)

    def form(self) -> Sequence[Bound]:
        complete = min(map(len, self._queues))
        return [tuple([queue.popleft() for queue in self._queues]) for _ in range(complete)]

    def drop_oldest(self, slot: int) -> Message | None:
        return self._queues[slot].popleft() if self._queues[slot] else None


class KeyedQueues:
    """One message of each slot with equal keys, in time independent of how many wait.

    A set is complete in the step in which its last message arrives, so complete sets come out
    in the order in which they became complete; per key and slot the oldest message goes first.
    `add` raises whatever the key function raises; the message is not kept then.
    """

    def __init__(self, slots: int, key: KeyFunction) -> None:
        self._key = key
        self._slots = slots
        self._waiting: list[dict[Hashable, deque[Message]]] = [{} for _ in range(slots)]
        self._counts = [0] * slots

    def add(self, slot: int, message: Message) -> Sequence[Bound]:
        key = self._key(message[1])
        if not all(key in self._waiting[i] for i in range(self._slots) if i != slot):
            self._push(slot, key, message)
            return ()
        if key in self._waiting[slot]:  # older ones of the key wait here: they go first
            self._push(slot, key, message)
            return (self._take(key),)
        return (tuple([message if i == slot else self._pop(i, key) for i in range(self._slots)]),)

    def depth(self, slot: int) -> int:
        return self._counts[slot]

    def put_back(self, bound: Bound) -> None:
        for slot, message in messages_in(bound):
            self._waiting[slot].setdefault(self._key(message[1]), deque()).appendleft(message)
            self._counts[slot] += 1

    def form(self) -> Sequence[Bound]:
        found: list[Bound] = []
        for key in [*self._waiting[0]]:
            while all(key in waiting for waiting in self._waiting):
                found.append(self._take(key))
        return sorted(found, key=newest)

    def drop_oldest(self, slot: int) -> Message | None:
        heads = ((queue[0][0], key) for key, queue in self._waiting[slot].items())
        oldest = min(heads, key=lambda head: head[0], default=None)
        return None if oldest is None else self._pop(slot, oldest[1])

    def _push(self, slot: int, key: Hashable, message: Message) -> None:
        self._waiting[slot].setdefault(key, deque()).append(message)
        self._counts[slot] += 1

    def _take(self, key: Hashable) -> Bound:
        return tuple([self._pop(slot, key) for slot in range(self._slots)])

    def _pop(self, slot: int, key: Hashable) -> Message:
        queue = self._waiting[slot][key]
        message = queue.popleft()
        self._counts[slot] -= 1
        if not queue:
            del self._waiting[slot][key]
        return message


class AnyOf:
    """One message of any slot, the oldest first; nothing ever waits for a partner."""

    def __init__(self, slots: int) -> None:
        self._queues: list[deque[Message]] = [deque() for _ in range(slots)]

    def add(self, slot: int, message: Message) -> Sequence[Bound]:
        return (self._bound(slot, message),)

    def depth(self, slot: int) -> int:
        return len(self._queues[slot])

    def put_back(self, bound: Bound) -> None:
        for slot, message in messages_in(bound):
            self._queues[slot].appendleft(message)

    def form(self) -> Sequence[Bound]:
        waiting = [(m[0], i, m) for i, queue in enumerate(self._queues) for m in queue]
        for queue in self._queues:
            queue.clear()
        return [self._bound(i, message) for _, i, message in sorted(waiting, key=lambda w: w[0])]

    def drop_oldest(self, slot: int) -> Message | None:
        return self._queues[slot].popleft() if self._queues[slot] else None

    def _bound(self, slot: int, message: Message) -> Bound:
        return tuple([message if i == slot else None for i in range(len(self._queues))])


class Batches:
    """`size` messages of the one slot; `flush` gives what a last, smaller one holds."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Message] = deque()

    def add(self, slot: int, message: Message) -> Sequence[Bound]:
        self._waiting.append(message)
        return self.form()

    def depth(self, slot: int) -> int:
        return len(self._waiting)

    def put_back(self, bound: Bound) -> None:
        self._waiting.extendleft([message for _, message in messages_in(bound)][::-1])

    def form(self) -> Sequence[Bound]:
        full = len(self._waiting) // self._size
        return [([self._waiting.popleft() for _ in range(self._size)],) for _ in range(full)]

    def drop_oldest(self, slot: int) -> Message | None:
        return self._waiting.popleft() if self._waiting else None

    def first(self) -> int:
        """The number of the oldest message that waits; 0 for none."""
        return self._waiting[0][0] if self._waiting else 0

    def flush(self) -> Bound | None:
        """All that waits as one batch; None when nothing does."""
        if not self._waiting:
            return None
        bound: Bound = (list(self._waiting),)
        self._waiting.clear()
        return bound


class Custom:
    """What a user's `Activation.take` says. It sees the values that wait, oldest first.

    It is asked when an activation may start, so that it can choose among all that waits by then.
    """

    def __init__(self, slots: Sequence[str], activation: Activation) -> None:
        self._take = activation.take
        self._names = tuple(slots)
        self._queues: list[list[Message]] = [[] for _ in slots]
        self._views = {n: _Values(q) for n, q in zip(slots, self._queues, strict=True)}

    def add(self, slot: int, message: Message) -> Sequence[Bound]:
        self._queues[slot].append(message)
        return ()

    def depth(self, slot: int) -> int:
        return len(self._queues[slot])

    def put_back(self, bound: Bound) -> None:
        for slot, message in messages_in(bound):
            self._queues[slot].append(message)
        for queue in self._queues:
            queue.sort(key=lambda message: message[0])

    def form(self) -> Sequence[Bound]:
        return ()

    def drop_oldest(self, slot: int) -> Message | None:
        return self._queues[slot].pop(0) if self._queues[slot] else None

    def choose(self) -> Bound | None:
        """What is to be activated next, if anything.

        Raises what `take` raises, and FlowError when its answer makes no sense; nothing is taken.
        """
        if not any(self._queues):
            return None
        chosen = self._take(dict(self._views))
        return None if chosen is None else self._taken(chosen)

    def _taken(self, chosen: object) -> Bound:
        if not isinstance(chosen, Mapping):
            raise FlowError(f"take: expected slot -> positions or None, got {chosen!r}")
        positions = self._checked(chosen)
        items: list[Message | list[Message] | None] = []
        for name, queue in zip(self._names, self._queues, strict=True):
            wanted = positions.get(name, [])
            if isinstance(wanted, int):
                items.append(queue.pop(wanted))
                continue
            taken = [queue[position] for position in wanted]
            for position in sorted(wanted, reverse=True):
                del queue[position]
            items.append(taken or None)
        return tuple(items)

    def _checked(self, chosen: Mapping[Any, Any]) -> dict[str, int | list[int]]:
        positions: dict[str, int | list[int]] = {
            name: wanted if isinstance(wanted, int) else list(wanted)
            for name, wanted in chosen.items()
        }
        for name, wanted in positions.items():
            if name not in self._names:
                raise FlowError(f"take: there is no slot {name!r}; it has {', '.join(self._names)}")
            several = [wanted] if isinstance(wanted, int) else wanted
            waiting = len(self._views[name])
            if not set(several) <= set(range(waiting)) or len(set(several)) != len(several):
                raise FlowError(f"take: {name!r} has positions 0 to {waiting - 1}, got {several!r}")
        if all(wanted == [] for wanted in positions.values()):
            raise FlowError("take: an activation needs at least one message; return None for none")
        return positions


class _Values(Sequence[Any]):
    """The values of waiting messages, read-only."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [message[1] for message in self._messages[index]]
        return self._messages[index][1]

    def __len__(self) -> int:
        return len(self._messages)

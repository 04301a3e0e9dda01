"""Where messages go: routing, full slots, parking and room. Pure; only `JobCore` calls it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.flow import Batch
from penstock.observe import MessageQueued
from penstock.run.emitters import Emitter
from penstock.run.ending import end, flush, wake
from penstock.run.failures import failure_of
from penstock.run.granting import free, issue, issue_for_grant, pump, recall
from penstock.run.matching import Batches, Message, Rule, newest
from penstock.run.records import RoutineRun, SlotQueue
from penstock.run.slices import SLICE
from penstock.run.state import JobStatus

if TYPE_CHECKING:
    from penstock.run.core import JobCore


MEASURED_BELOW = 16
"""Room is measured anew when less is left, or more came; else what was emitted is taken off."""
NOBODY = -1
"""Owner of a message that waits at a slot's door and holds no producer up."""


def route(
    core: JobCore, emitter: Emitter, values: list[Any], reserved: Sequence[SlotQueue] = ()
) -> None:
    """Number the values of one event and hand them to every slot it goes to.

    In the slots of `reserved` their places are kept free.
    """
    many = len(values)
    messages = core.numbered(values)
    emitter.emitted += many
    if core.tell.wants.values:
        number, value = messages[-1]
        core.tell.value(emitter, (number, (emitter.branches(value) or (value,))[0]))
    if not emitter.targets:
        _keep_output(emitter, values)
        return
    if reserved or emitter.plan.copies or emitter.again or MessageQueued in core.tell.wants.kinds:
        _route_with_care(core, emitter, messages, reserved)
    else:
        for slot in emitter.targets:
            if not _granted(core, slot, messages):
                arrive(core, slot, messages, emitter, emitter.owner)
    emitter.soft -= many
    emitter.hard -= many
    if emitter.soft < MEASURED_BELOW or many > MEASURED_BELOW or core.parked:
        emitter.measure()


def route_one(core: JobCore, emitter: Emitter, value: Any) -> None:
    """`route` for one value; the short way into the grants of open routines."""
    if core.tell.tells_messages or not emitter.is_plain:
        route(core, emitter, [value], emitter.refusing)
        return
    core.last_number = number = core.last_number + 1
    message = (number, value)
    emitter.emitted += 1
    for slot in emitter.targets:
        run = slot.run
        grant = run.grant
        depth = len(grant) + 1
        if not run.open or slot.parked or depth + len(run.ready) + slot.reserved > slot.capacity:
            arrive(core, slot, [message], emitter, emitter.owner)
            continue
        grant.append(message)
        slot.posted += 1
        if depth > slot.high_water:
            slot.high_water = depth
        if not (run.tokens or run.retrying):
            issue(core, run, SLICE)
        elif len(run.tokens) < run.limit:
            issue_for_grant(core, run)
    emitter.soft -= 1
    emitter.hard -= 1
    if emitter.soft < MEASURED_BELOW or core.parked:
        emitter.measure()


def _granted(core: JobCore, slot: SlotQueue, messages: list[Message]) -> bool:
    """The short way of most messages: into the grant of an open routine with room for them."""
    run = slot.run
    grant = run.grant
    many = len(messages)
    if not run.open or slot.parked:
        return False
    if len(grant) + len(run.ready) + slot.reserved + many > slot.capacity:
        return False
    slot.posted += many
    grant.extend(messages)
    depth = len(grant)
    if depth > slot.high_water:
        slot.high_water = depth
    tokens = run.tokens
    if not (tokens or run.retrying) and (many == 1 or run.limit == 1):
        issue(core, run, SLICE)
    elif len(tokens) < run.limit:
        issue_for_grant(core, run)
    return True


def _route_with_care(
    core: JobCore, emitter: Emitter, messages: list[Message], reserved: Sequence[SlotQueue]
) -> None:
    """Messages whose places are kept, of which each branch gets a copy, or that are told of."""
    branches = [emitter.branches(value) for _, value in messages]
    for i, slot in enumerate(emitter.targets):
        if emitter.plan.copies:
            messages = [(m[0], b[i]) for m, b in zip(messages, branches, strict=True) if b]
        if slot in emitter.again:  # a number means one message in a routine
            messages = core.numbered([value for _, value in messages])
        if slot in reserved:
            slot.reserved -= len(messages)
        arrive(core, slot, messages, emitter, emitter.owner)
        if core.is_over:
            return


def _keep_output(emitter: Emitter, values: list[Any]) -> None:
    if emitter.outputs is None:
        return
    copies = [emitter.branches(value) for value in values]
    emitter.outputs.extend(
        value if copy is None else copy[0] for value, copy in zip(values, copies, strict=True)
    )


def arrive(
    core: JobCore,
    slot: SlotQueue,
    messages: list[Message],
    emitter: Emitter | None,
    owner: int | None = None,
) -> None:
    """Messages reach a slot: into the grant at once if its routine is open, else queued.

    What doesn't fit waits at the connection of its `owner`, the index of its producer or `NOBODY`;
    or what the slot's overflow says. Without an owner there is room.
    """
    if core.is_over:
        return
    run = slot.run
    room = slot.free()
    if owner is None and not slot.overflow.startswith("drop"):
        room = max(room, len(messages))  # its place was kept, also before others that wait
    slot.posted += len(messages)
    core.tell.queued(slot, messages, emitter, room)
    if emitter is None:
        core.tell.value(slot, messages[-1])
    if run.open and len(messages) <= room:
        run.grant.extend(messages)
        slot.high_water = max(slot.high_water, slot.depth() if run.attempts else len(run.grant))
        if len(run.tokens) < run.limit:
            issue_for_grant(core, run)
        return
    if run.skipping:
        skip_messages(core, slot, messages)
        return
    if len(messages) > room and slot.overflow in ("drop_oldest", "drop_newest"):
        messages = _overflow(core, slot, messages)
    elif len(messages) > room and owner is not None:
        fits = max(0, room)
        _park(core, slot, messages[fits:], owner)
        messages = messages[:fits]
    if messages and _enqueue(core, slot, messages):
        pump(core, run)
    if slot.parked and not core.is_over:
        _unpark(core, slot)  # a worker may have taken one before it could know that it is awaited


def skip_messages(core: JobCore, slot: SlotQueue, messages: Sequence[Message]) -> None:
    """Count messages for a routine that is skipped."""
    slot.skipped += len(messages)
    for message in messages:
        core.tell.dropped(slot, message, "skipped")


def drop(core: JobCore, slot: SlotQueue, messages: Sequence[Message], reason: str) -> None:
    """Count messages that are lost on purpose."""
    slot.dropped += len(messages)
    for message in messages:
        core.tell.dropped(slot, message, reason)


def _overflow(core: JobCore, slot: SlotQueue, messages: list[Message]) -> list[Message]:
    """More messages than fit into a slot that drops; returns those that stay."""
    if slot.overflow == "drop_newest":
        room = max(0, slot.free())
        drop(core, slot, messages[room:], "drop_newest")
        return messages[:room]
    lost = max(0, len(messages) - slot.capacity)
    run = slot.run
    recall(run)
    oldest = _take_oldest(run, slot, len(messages) - lost - max(0, slot.free()))
    drop(core, slot, [*oldest, *messages[:lost]], "drop_oldest")
    return messages[lost:]


def _take_oldest(run: RoutineRun, slot: SlotQueue, many: int) -> list[Message]:
    """Take the oldest messages out of a slot whose grant is recalled; sets are formed anew.

    What is tried again is in the slot no longer, so it stays.
    """
    rule = run.rule
    again = [entry for entry in run.ready if entry[0] in run.attempts]
    new = deque([entry for entry in run.ready if entry[0] not in run.attempts])
    if rule is None:
        oldest = [new.popleft() for _ in range(min(many, len(new)))]
    else:
        for entry in reversed(new):
            rule.put_back(entry[1])
        oldest = [m for _ in range(many) if (m := rule.drop_oldest(slot.index)) is not None]
        new = deque([(newest(bound), bound) for bound in rule.form()])
    run.ready = deque([*again, *new])
    return oldest


def _park(core: JobCore, slot: SlotQueue, messages: Sequence[Message], owner: int) -> None:
    """Messages wait at their connection; their producer isn't activated until they fit."""
    slot.run.is_awaited = True
    if slot.parked is None:
        slot.parked = deque()
    slot.parked.extend((message, owner) for message in messages)
    core.parked += len(messages)
    if owner == NOBODY:
        return
    producer = core.runs[owner]
    producer.parked_out += len(messages)
    producer.stop = True
    producer.open = False
    recall(producer)


def _enqueue(core: JobCore, slot: SlotQueue, messages: Sequence[Message]) -> bool:
    """Put messages that fit into the slot; False when that ended the job."""
    run = slot.run
    if run.rule is None:
        run.waiting.extend(messages)
    else:
        for i, message in enumerate(messages):
            if not _form(core, slot, run.rule, message):
                rest = [(left, run.index) for left in messages[i + 1 :]]
                slot.parked = deque([*rest, *(slot.parked or ())])
                slot.high_water = max(slot.high_water, slot.depth())
                return False
        if isinstance(run.rule, Batches):
            _watch_batch(core, run, run.rule)
    slot.high_water = max(slot.high_water, slot.depth())
    return True


def _form(core: JobCore, slot: SlotQueue, rule: Rule, message: Message) -> bool:
    """Let the rule have a message; False when it raised, before it kept it, and the job failed."""
    try:
        complete = rule.add(slot.index, message)
    except BaseException as error:  # noqa: BLE001 -- border to user code: `match`
        failure = failure_of(slot.run.id, {slot.name: message[1]}, error)
        slot.dead += 1
        core.tell.failed(failure, "stop")
        end(core, JobStatus.FAILED, failure)
        return False
    slot.run.waiting.extend((newest(bound), bound) for bound in complete)
    return True


def _watch_batch(core: JobCore, run: RoutineRun, rule: Batches) -> None:
    """A batch that isn't full goes after ``max_wait`` seconds from its first message."""
    limit = run.plan.activation.max_wait if isinstance(run.plan.activation, Batch) else None
    if limit is None:
        return
    first = rule.first()
    if run.timer is not None and run.timer_for == first:
        return
    core.timers.call_off(run.timer)
    run.timer = None
    if first:
        run.timer_for = first
        run.timer = core.timers.add(
            core.clock() + limit, lambda: _time_is_up(core, run), keeps=True
        )


def _time_is_up(core: JobCore, run: RoutineRun) -> None:
    run.timer = None
    flush(run)
    pump(core, run)


# ---- room


def make_room(core: JobCore, slot: SlotQueue) -> None:
    """After messages were taken: first what waits at the connections, then waiting posts."""
    if not (slot.parked or slot.posters):
        return
    if slot.parked:
        _unpark(core, slot)
    while slot.posters and slot.free() > 0 and not core.is_over:
        poster = slot.posters.popleft()
        poster.taken = True
        core.more.wakes.append(poster.latch)
        arrive(core, slot, core.numbered([poster.value]), None)
    slot.run.is_awaited = any(other.parked or other.posters for other in slot.run.slots)


def _unpark(core: JobCore, slot: SlotQueue) -> None:
    parked = slot.parked
    room = len(parked or ()) if slot.run.skipping else slot.room()
    fits: list[Message] = []
    owners: set[int] = set()
    while parked and len(fits) < room:
        message, owner = parked.popleft()
        fits.append(message)
        owners.add(owner)
        if owner != NOBODY:
            core.runs[owner].parked_out -= 1
    core.parked -= len(fits)
    if not parked:
        slot.parked = None
    if not fits:
        return
    if slot.run.skipping:
        skip_messages(core, slot, fits)
    elif not _enqueue(core, slot, fits):
        return
    else:
        pump(core, slot.run)
    _release_all(core, slot, owners)


def _release_all(core: JobCore, slot: SlotQueue, owners: set[int]) -> None:
    """Those whose messages no longer wait at the slot, and all whose bodies stand for want of it.

    What others have parked counts against the room of every producer.
    """
    for index in slot.producers:
        producer = core.runs[index]
        standing = any(token.parked_at for token in producer.tokens)
        if standing or producer.index in owners:
            release(core, producer)


def release(core: JobCore, producer: RoutineRun) -> None:
    """There is more room for what a routine emits: it, and who waits in `emit`, may go on."""
    for emitter in producer.emitters:
        emitter.measure()
    if not producer.parked_out:
        free(core, producer)
    wake_emitters(core, producer)


def wake_emitters(core: JobCore, producer: RoutineRun) -> None:
    """Let bodies that wait in `emit` go on, if what they emitted has been taken and more fits."""
    if core.hold is not None or core.is_over:
        return
    for token in producer.tokens:
        if token.parked_at == "emit" and all(
            emitter.hard > 0 and not emitter.pending for emitter in producer.emitters
        ):
            wake(core, token)


def drop_parked(core: JobCore, slot: SlotQueue) -> None:
    """Drop what waits at a slot's connections; its producers may go on."""
    parked = slot.parked or ()
    slot.parked = None
    drop(core, slot, [message for message, _ in parked], "stall")
    core.parked -= len(parked)
    for _, owner in parked:
        if owner != NOBODY:
            core.runs[owner].parked_out -= 1
    _release_all(core, slot, {owner for _, owner in parked})

"""What an answer is to, and the answer that says nothing."""

from __future__ import annotations

from dataclasses import replace

from penstock.host.crossing.commands import AskFlow, AskPage, AskSnapshot, AskThreads, AskValues
from penstock.host.crossing.protocol import (
    EngineSnapshot,
    FlowPicture,
    RoutineValues,
    ThreadTable,
    ValuePage,
)
from penstock.host.engine.picture import no_picture
from penstock.host.engine.values import no_page

Ask = AskThreads | AskSnapshot | AskValues | AskFlow | AskPage


def question_of(ask: Ask) -> object:
    """What an answer has to be about."""
    if isinstance(ask, AskPage):
        return AskPage, ask.reference, ask.path, ask.offset
    return ask


def answered(told: object) -> object:
    """What this is the answer to, if it is one."""
    match told:
        case ThreadTable():
            return AskThreads()
        case EngineSnapshot():
            return AskSnapshot()
        case RoutineValues():
            return AskValues(told.job_id, told.routine)
        case FlowPicture():
            return AskFlow(told.job_id)
        case ValuePage():
            return AskPage, told.reference, told.path, told.offset
        case _:
            return None


def nothing_of(told: object) -> object:
    """An answer to the same question that says nothing: who has asked must not wait for ever."""
    match told:
        case ThreadTable():
            return replace(told, threads=())
        case EngineSnapshot():
            return replace(told, jobs=())
        case RoutineValues():
            return replace(told, slots={}, events={}, kept=False, held=())
        case FlowPicture():
            return no_picture(told.job_id)
        case ValuePage():
            return no_page(told.reference, told.path, told.offset)
        case _:
            return None

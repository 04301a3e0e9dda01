"""Every event is frozen, slotted, plain, and turns into JSON and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.observe import (
    EVENT_TYPES,
    ROUTINE_STATUSES,
    EngineEvent,
    JobEnded,
    RoutineCount,
    events,
    from_json,
    to_json,
)

PARTS = {"EngineEvent", "FailureSummary", "HeldMessage", "SlotCount", "RoutineCount"}
FINITE = {float: st.floats(allow_nan=False, allow_infinity=False)}


def dataclasses_of(module: Any) -> set[type]:
    return {
        value
        for value in vars(module).values()
        if dataclasses.is_dataclass(value)
        and isinstance(value, type)
        and value.__module__ == module.__name__
    }


def test_every_dataclass_of_the_module_is_an_event_or_a_part_of_one() -> None:
    assert {kind.__name__ for kind in dataclasses_of(events)} == PARTS | {
        kind.__name__ for kind in EVENT_TYPES
    }


def test_the_events_of_the_api_are_there() -> None:
    names = (
        "JobStarted JobEnded JobHeld JobResumed MessageQueued ActivationStarted ActivationEnded"
        " ActivationFailed SliceEnded"
    )

    assert set(names.split()) <= {kind.__name__ for kind in EVENT_TYPES}


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_an_event_is_frozen_slotted_and_begins_with_seq_job_and_time(
    kind: type[EngineEvent],
) -> None:
    fields = [field.name for field in dataclasses.fields(kind)]

    assert fields[:3] == ["seq", "job_id", "time"]
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__dict__" not in dir(kind)


for _type, _strategy in FINITE.items():
    st.register_type_strategy(_type, _strategy)


@pytest.mark.parametrize("kind", EVENT_TYPES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_event_survives_json(kind: type[EngineEvent], data: st.DataObject) -> None:
    event = data.draw(st.from_type(kind))

    text = json.dumps(to_json(event))

    assert from_json(json.loads(text)) == event


@pytest.mark.parametrize(
    "data",
    [{}, {"event": "Nothing"}, {"event": "JobEnded"}, {"event": "JobEnded", "seq": "x"}],
)
def test_another_shape_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no event|validation error"):
        from_json(data)


def test_reading_does_not_change_what_it_was_given() -> None:
    data = to_json(JobEnded(1, "j", 0.0, "COMPLETED", None, {}))
    before = dict(data)

    from_json(data)

    assert data == before


def test_the_statuses_of_routines_have_words() -> None:
    assert all(ROUTINE_STATUSES.values())
    assert RoutineCount.__doc__ is not None

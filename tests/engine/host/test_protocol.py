"""What crosses between window and engine is plain, frozen, and turns into JSON and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock import host
from penstock.host import PLAIN_TYPES, from_json, protocol, to_json
from penstock.observe import EVENT_TYPES

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))


def test_every_dataclass_of_the_module_crosses() -> None:
    found = {
        value
        for value in vars(protocol).values()
        if isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and value.__module__ == protocol.__name__
    }

    assert found == set(PLAIN_TYPES)


@pytest.mark.parametrize("kind", PLAIN_TYPES)
def test_a_plain_type_is_frozen_slotted_and_at_the_front_door(kind: type[Any]) -> None:
    assert kind.__dataclass_params__.frozen
    assert "__dict__" not in dir(kind)
    assert getattr(host, kind.__name__) is kind
    assert kind.__name__ in host.__all__


@pytest.mark.parametrize("kind", [*PLAIN_TYPES, *EVENT_TYPES])
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_crosses_survives_json(kind: type[Any], data: st.DataObject) -> None:
    told = data.draw(st.from_type(kind))

    text = json.dumps(to_json(told))

    assert from_json(json.loads(text)) == told


def test_what_does_not_cross_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        to_json(object())
    for data in ({}, {"data": "Nothing"}, {"data": "ThreadInfo"}, {"event": "Nothing"}):
        with pytest.raises(ValueError, match=r"called|validation error"):
            from_json(data)

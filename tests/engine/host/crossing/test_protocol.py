"""What crosses between window and engine is plain and frozen."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from penstock import host
from penstock.host import PLAIN_TYPES
from penstock.host.crossing import protocol


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

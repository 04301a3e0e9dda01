"""Numbers that declarations take: counts and lengths of time."""

from __future__ import annotations

import math


def is_count(value: object, least: int = 1) -> bool:
    """Whether it is a whole number from `least` on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: object) -> bool:
    """Whether it is a finite number; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def is_duration(value: object) -> bool:
    """Whether it is a finite number above 0, as of seconds."""
    return is_number(value) and value > 0  # type: ignore[operator]

"""Named colours and numbers, read from the tokens file; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUTINE_COLORS = 10
DARK_INK = "#0B0D10"
LIGHT_INK = "#FFFFFF"


@dataclass(frozen=True)
class FontUse:
    """What a use of text is set in; ``px`` may be a fraction."""

    px: float
    weight: int
    mono: bool


@dataclass(frozen=True)
class Tokens:
    """Everything in ``tokens.json``: colours by token and theme, font uses, numbers by path."""

    colors: Mapping[str, Mapping[str, str]]
    fonts: Mapping[str, FontUse]
    numbers: Mapping[str, float]

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Read the file; it is part of the program, so a fault in it is ours and raises."""
        data = json.loads(path.read_text(encoding="utf-8"))
        colors = {
            name: {theme: str(one[theme]) for theme in ("dark", "light")}
            for name, one in data["color"].items()
        }
        fonts = {
            name: FontUse(float(one["px"]), int(one["weight"]), one.get("family") == "mono")
            for name, one in data["type"].items()
        }
        return cls(colors, fonts, _numbers(data))


def _numbers(data: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of all other groups as ``group.name``."""
    return {
        f"{group}.{name}": float(value)
        for group, entries in data.items()
        if group not in ("meta", "color", "type")
        for name, value in entries.items()
        if isinstance(value, int | float)
    }


def rgb(color: str) -> tuple[int, int, int]:
    """``#RRGGBB`` as three numbers up to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def luminance(color: str) -> float:
    """Relative luminance as WCAG defines it."""
    red, green, blue = (_linear(part / 255) for part in rgb(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, from 1 to 21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def mix_hex(a: str, b: str, part: float) -> str:
    """``part`` of ``a`` laid over ``b``, opaque."""
    mixed = (round(x * part + y * (1 - part)) for x, y in zip(rgb(a), rgb(b), strict=True))
    return "#" + "".join(f"{one:02X}" for one in mixed)


def ink_on(color: str) -> str:
    """White or near-black, whichever reads better on the colour."""
    return max((LIGHT_INK, DARK_INK), key=lambda ink: contrast(ink, color))

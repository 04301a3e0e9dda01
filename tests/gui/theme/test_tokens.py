"""The colours keep enough contrast wherever they meet on screen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from penstock_gui.assets import resource
from penstock_gui.theme import Tokens, contrast, mix_hex
from penstock_gui.theme.colors import ROUTINE_COLORS, ink_on

TOKENS = Tokens.load(resource("themes", "tokens.json"))
GROUNDS = (
    "bg.canvas",
    "bg.panel",
    "bg.chrome",
    "bg.raised",
    "bg.head",
    "bg.field",
    "bg.plate",
    "bg.hover",
    "bg.selected",
    "bg.selected.inactive",
)
STATES = (*(name for name in TOKENS.colors if name.startswith("state.")), "queue.high", "accent")
LINES = ("line.strong", "wire", "wire.failed", "wire.compat", "held.edge", "bp", "accent.fill")
ON_FILLS = (
    ("on.accent", "accent.fill"),
    ("on.held", "held.fill"),
    ("on.bp", "bp"),
    ("on.status.run", "status.run"),
    ("on.status.held", "status.held"),
    ("state.held", "held.bg"),
)
VALUES = ("syn.str", "syn.num", "syn.type")
VALUE_GROUNDS = (*(g for g in GROUNDS[1:] if g not in ("bg.head", "bg.chrome")), "held.bg")


def pairs() -> Iterator[tuple[str, str, float]]:
    """Foreground, ground and the least ratio, by tokens."""
    texts = product(("text", "text.2", "text.3"), (*GROUNDS, "bg.pressed", "held.bg"))
    for fore, ground in (*texts, *product(STATES, GROUNDS), *product(VALUES, VALUE_GROUNDS)):
        yield fore, ground, 4.5
    for fore, ground in ON_FILLS:
        yield fore, ground, 4.5
    for fore, ground in product(LINES, ("bg.canvas", "bg.panel", "bg.raised", "bg.chrome")):
        yield fore, ground, 3.0
    for number, ground in product(range(ROUTINE_COLORS), ("bg.panel", "bg.raised")):
        yield f"cat.{number}.edge", ground, 3.0


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_colours_that_meet_keep_their_contrast(theme: str) -> None:
    colors = {token: one[theme] for token, one in TOKENS.colors.items()}

    poor = [
        f"{fore} on {ground}: {contrast(colors[fore], colors[ground]):.2f} < {least}"
        for fore, ground, least in pairs()
        if contrast(colors[fore], colors[ground]) < least
    ]

    assert not poor


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_state_reads_on_its_own_tint(theme: str) -> None:
    colors = {token: one[theme] for token, one in TOKENS.colors.items()}
    part = TOKENS.numbers["tint.chip"]
    poor = []
    for state, ground in product(STATES, ("bg.panel", "bg.raised", "bg.head", "bg.chrome")):
        tint = mix_hex(colors[state], colors[ground], part)
        fores = (fore for fore in (state, "text") if contrast(colors[fore], tint) < 4.5)
        poor += [f"{fore} on the tint of {state} over {ground}" for fore in fores]

    assert not poor


def test_a_bar_label_reads_on_every_routine_colour() -> None:
    fills = [TOKENS.colors[f"cat.{number}"]["dark"] for number in range(ROUTINE_COLORS)]

    assert min(contrast(ink_on(fill), fill) for fill in fills) >= 4.5


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_a_mix_lies_between_its_colours() -> None:
    assert mix_hex("#FFFFFF", "#000000", 0.5) == "#808080"
    assert mix_hex("#FF8000", "#000000", 1.0) == "#FF8000"

"""Colours, fonts and icons of the window, in light and dark."""

from __future__ import annotations

from penstock_gui.theme.colors import Tokens, contrast, mix_hex
from penstock_gui.theme.states import (
    STATE_WORDS,
    STATES,
    StateLook,
    state_color,
    state_icon,
    state_word,
)
from penstock_gui.theme.theme import Theme

__all__ = [
    "STATES",
    "STATE_WORDS",
    "StateLook",
    "Theme",
    "Tokens",
    "contrast",
    "mix_hex",
    "state_color",
    "state_icon",
    "state_word",
]

"""The palette: every role in all three groups, so that no colour of the system shows through."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QColor, QPalette

_ROLES = QPalette.ColorRole
_GROUPS = QPalette.ColorGroup

TOKEN_OF_ROLE = {
    _ROLES.Window: "bg.chrome",
    _ROLES.WindowText: "text",
    _ROLES.Base: "bg.panel",
    _ROLES.AlternateBase: "bg.panel",
    _ROLES.Text: "text",
    _ROLES.Button: "bg.raised",
    _ROLES.ButtonText: "text",
    _ROLES.BrightText: "text",
    _ROLES.ToolTipBase: "bg.raised",
    _ROLES.ToolTipText: "text",
    _ROLES.PlaceholderText: "text.3",
    _ROLES.Highlight: "bg.selected",
    _ROLES.HighlightedText: "text",
    _ROLES.Link: "accent",
    _ROLES.LinkVisited: "accent",
    _ROLES.Light: "line",
    _ROLES.Midlight: "line",
    _ROLES.Mid: "line",
    _ROLES.Dark: "line",
    _ROLES.Shadow: "line",
    _ROLES.Accent: "accent",
}
_DISABLED = (_ROLES.WindowText, _ROLES.Text, _ROLES.ButtonText, _ROLES.HighlightedText)


def make_palette(color: Callable[[str], QColor]) -> QPalette:
    """A palette of the colours that ``color`` gives for the tokens."""
    palette = QPalette()
    for role, token in TOKEN_OF_ROLE.items():
        for group in (_GROUPS.Active, _GROUPS.Inactive, _GROUPS.Disabled):
            palette.setColor(group, role, color(token))
    palette.setColor(_GROUPS.Inactive, _ROLES.Highlight, color("bg.selected.inactive"))
    for role in _DISABLED:
        palette.setColor(_GROUPS.Disabled, role, color("text.disabled"))
    return palette

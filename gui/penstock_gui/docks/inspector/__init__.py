"""The inspector: everything about the selected routine or wire.

General layout:
    facts         what is said about counters and values, as text (pure)
    fields        config values to and from the text of an editor (pure)
    parts         sections, stats and rows the pages are made of
    form          the id and config fields
    routine_page, wire_page
    panel         InspectorPanel: chooses the page, polls last values
"""

from penstock_gui.docks.inspector.panel import InspectorPanel

__all__ = ["InspectorPanel"]

"""The inspector: everything about the selected routine or wire.

General layout:
    facts         what is said about counters and values, as text (pure)
    fields        config values to and from the text of an editor (pure)
    parts         sections, stats and rows the pages are made of
    pages         what pages of a value say, as rows of a tree (pure)
    value_model, value_tree
                  the inside of one value, filled as it is opened
    opening       rows whose value can be opened, and which values are open
    held_card     the messages held at a routine
    form          the id and config fields
    routine_page, wire_page
    panel         InspectorPanel: chooses the page, polls last values
"""

from penstock_gui.docks.inspector.panel import InspectorPanel

__all__ = ["InspectorPanel"]

"""The flow drawn as a graph: edited with the mouse, lit by the job that is shown.

General layout, a line uses only lines above it:
    geometry, wires, layout     pure: sizes, ports, ways, places
    looks, offers, steering     pure: a run's state as a picture, what fits, where keys lead
    ink, marks                  colours kept ready, small painted parts
    painting, wire_painting, overview   nodes, wires, the graph from afar
    node_item, edge_item        one item per routine and connection
    live, scene                 items in step with the job and with the document
    gestures, hints, zoom_bar, view
"""

from penstock_gui.canvas.layout import Link, layered
from penstock_gui.canvas.view import ROUTINE_MIME, FlowView

__all__ = ["ROUTINE_MIME", "FlowView", "Link", "layered"]

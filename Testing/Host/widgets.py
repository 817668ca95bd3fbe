"""All widget classes that the host offers beside Qt's own."""

from . import (
    buttons_and_boxes,
    checkable,
    collapsible,
    mrml_widgets,
    node_combo_box,
    numbers,
    paths,
    plot_view,
    segments_view,
    table_views,
)
from .ui_loader import widget_classes

__all__ = [
    "buttons_and_boxes",
    "checkable",
    "collapsible",
    "mrml_widgets",
    "node_combo_box",
    "numbers",
    "paths",
    "plot_view",
    "segments_view",
    "table_views",
    "widget_classes",
]

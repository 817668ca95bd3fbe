"""Names and colors of label values, in a file beside predictions whose format has none.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..errors import GenSegError
from ..files import read_json, write_json
from ..images.label_colors import Color, class_colors
from ..label_maps import parse_labels

FILE_NAME = "labels.json"
_SELF_DESCRIBING = (".seg.nrrd", ".dcm")


def write_label_names(
    prediction: Path, labels: Mapping[int, str], colors: Mapping[int, Color]
) -> None:
    """Write `labels.json` beside a prediction unless its own format has names and colors.

    Args:
        prediction: file.
        labels: class name by value.
        colors: of values; others get one of their own.
    """
    if prediction.name.endswith(_SELF_DESCRIBING):
        return
    names = {str(value): name for value, name in labels.items()}
    shown = {str(value): list(color) for value, color in class_colors(labels, colors).items()}
    write_json(prediction.with_name(FILE_NAME), {"labels": names, "colors": shown})


def read_label_names(folder: Path) -> dict[int, str]:
    """Return the class name by value from the `labels.json` in a folder; empty without one."""
    path = folder / FILE_NAME
    with suppress(GenSegError):  # somebody else's file of that name
        if path.is_file():
            return parse_labels(read_json(path).get("labels"))
    return {}

"""Tables of segment volumes and scores, as nodes and in the panel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from GenSegSlicerLib.Tables import scoresTable, volumesTable
from GenSegSlicerLib.TableWidgets import showTableNode
from mrml_nodes import (
    GRIDS,
    MIRRORING,
    add_ball,
    add_segmentation,
    add_transform,
    add_volume,
    modification_state,
    nodes_in,
    oriented_image,
    two_class_labels,
)

from GenSegLib.errors import GenSegError

NAMES = {1: "Anterior", 2: "Posterior"}


def rows_of(table: Any) -> list[list[str]]:
    columns = range(table.GetNumberOfColumns())
    return [[table.GetCellText(row, c) for c in columns] for row in range(table.GetNumberOfRows())]


def titles_of(table: Any) -> list[str]:
    return [table.GetColumnName(k) for k in range(table.GetNumberOfColumns())]


def test_volumes_are_measured(scene: Any) -> None:
    label = two_class_labels()
    node = add_segmentation([(oriented_image(label, GRIDS["anisotropic"]), NAMES)])
    table = volumesTable([node], "Volumes of segments")
    assert table.GetName() == "Volumes of segments"
    assert titles_of(table) == ["Segment", "Volume (ml)", "Voxels"]
    for row, (value, name) in enumerate(NAMES.items()):
        count = int((label == value).sum())
        assert rows_of(table)[row][0] == name
        assert float(rows_of(table)[row][1]) == pytest.approx(
            count * 0.7 * 1.1 * 3 / 1000, abs=1e-4
        )
        assert rows_of(table)[row][2] == str(count)


def test_rows_of_several_segmentations_are_named(scene: Any) -> None:
    nodes = [
        add_segmentation([(oriented_image(two_class_labels(), GRIDS["oblique"]), NAMES)])
        for _ in range(2)
    ]
    nodes[1].SetName("second")
    table = volumesTable(nodes, "Volumes")
    assert titles_of(table)[:2] == ["Segmentation", "Segment"]
    owners = [nodes[0].GetName()] * len(NAMES) + ["second"] * len(NAMES)
    assert [row[0] for row in rows_of(table)] == owners


def test_parent_transform_scales_volumes(scene: Any) -> None:
    node = add_segmentation([(oriented_image(two_class_labels(), GRIDS["oblique"]), NAMES)])
    plain = float(rows_of(volumesTable([node], "t"))[0][1])
    add_transform(MIRRORING, node)
    assert float(rows_of(volumesTable([node], "t"))[0][1]) == pytest.approx(8 * plain, abs=1e-3)


def test_closed_surfaces_are_measured_in_their_reference_volume(scene: Any) -> None:
    volume = add_volume(np.zeros((40, 40, 40), np.int16), np.eye(4))
    ball = add_ball((20, 20, 20), 10)
    ball.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    table = volumesTable([ball], "t")
    assert float(rows_of(table)[0][1]) == pytest.approx(4 / 3 * math.pi, rel=0.02)


def test_closed_surfaces_without_reference_volume_are_reported(scene: Any) -> None:
    ball = add_ball((20, 20, 20), 10)
    nodes = nodes_in(scene)
    with pytest.raises(GenSegError, match="Ball surface has closed surfaces but no reference"):
        volumesTable([ball], "t")
    assert nodes_in(scene) == nodes


def test_segmentation_is_not_modified(scene: Any) -> None:
    node = add_segmentation([(oriented_image(two_class_labels(), GRIDS["oblique"]), NAMES)])
    before = modification_state(node)
    volumesTable([node], "t")
    assert modification_state(node) == before


def test_table_is_in_the_folder_of_its_segmentation(scene: Any) -> None:
    node = add_segmentation([(oriented_image(two_class_labels(), GRIDS["oblique"]), NAMES)])
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "results")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), folder)
    table = volumesTable([node], "t")
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(table)) == folder


def test_scores_become_typed_columns(scene: Any) -> None:
    scores = [
        {"name": "Anterior", "dice": 0.9, "hd95_mm": 1.5, "surface_dice": 1, "volume_error_ml": -2},
        {"name": "Mitte", "dice": None, "hd95_mm": None, "surface_dice": 0.5, "volume_error_ml": 0},
    ]
    table = scoresTable(scores, "Scores")
    assert titles_of(table) == [
        *("Segment", "Dice", "HD95 (mm)", "Surface Dice (1 mm)", "Volume difference (ml)"),
    ]
    assert slicer.util.arrayFromTableColumn(table, "Dice") == pytest.approx(
        [0.9, np.nan], nan_ok=True
    )
    assert [row[0] for row in rows_of(table)] == ["Anterior", "Mitte"]
    assert slicer.util.arrayFromTableColumn(table, "Surface Dice (1 mm)") == pytest.approx([1, 0.5])


@pytest.fixture
def shown(scene: Any) -> Any:
    """A table widget with two scores."""
    widget = qt.QTableWidget()
    scores = [
        {"segment": "Tête", "dice": 0.8876, "hd95_mm": 2.0, "surface_dice": 1, "label": 1},
        {"segment": "Corps", "dice": 0.0, "hd95_mm": None, "surface_dice": 0.5, "label": 2},
    ]
    showTableNode(widget, scoresTable(scores, "Scores"))
    return widget


def test_numbers_have_three_decimals_integers_none_and_long_titles_are_wrapped(shown: Any) -> None:
    columns = [[shown.item(row, column).text() for row in range(2)] for column in range(5)]
    assert columns == [
        *(["Tête", "Corps"], ["0.888", "0.000"], ["2.000", "-"]),
        *(["1.000", "0.500"], ["1", "2"]),
    ]
    assert shown.horizontalHeaderItem(3).text() == "Surface Dice\n(1 mm)"


def test_table_height_fits_its_rows(shown: Any) -> None:
    showTableNode(shown, scoresTable([{"segment": "Tête", "dice": 1.0}], "Scores"))
    assert (shown.rowCount, shown.columnCount) == (1, 2)
    assert shown.maximumHeight < 4 * shown.rowHeight(0)

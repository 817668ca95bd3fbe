"""How well a segmentation agrees with a reference."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.files import read_json
from GenSegSlicerLib.CommonGrid import commonGrid
from GenSegSlicerLib.ProcessJob import ProcessJob
from GenSegSlicerLib.SegmentationFiles import writeLabel
from GenSegSlicerLib.Segments import segmentsOf
from GenSegSlicerLib.SubjectHierarchy import placeBeside
from GenSegSlicerLib.Tables import scoresTable
from GenSegSlicerLib.Turns import Steps

_MEASURES = ("dice", "hd95_mm", "surface_dice", "volume_error_ml")


class EvaluateJob(ProcessJob):
    """Compares the segments of two nodes that have one name, whatever the case of its letters.

    A segment that only the reference has scores Dice 0; one that only the prediction has is left
    out.

    Args:
        predictionNode: segmentation node or label map volume.
        referenceNode: another one, taken for the truth.

    Attributes:
        rows: one for each segment, with `segment` and the measures.
        tableNode: the same as a table; None until the job is finished.

    Raises:
        GenSegError: the two have no segment name in common, or are one node.
    """

    def __init__(self, predictionNode: slicer.vtkMRMLNode, referenceNode: slicer.vtkMRMLNode):
        if predictionNode is None or referenceNode is None or predictionNode is referenceNode:
            raise GenSegError(_("Choose a segmentation and another one as its reference"))
        self._labels = dict(enumerate(_namesOf(referenceNode), start=1))
        self._maps = [_mapOf(node, self._labels) for node in (predictionNode, referenceNode)]
        if not self._maps[0]:
            raise GenSegError(
                _("{prediction} and {reference} have no segment name in common ({names})").format(
                    prediction=predictionNode.GetName(),
                    reference=referenceNode.GetName(),
                    names=", ".join(self._labels.values()),
                )
            )
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self.tableNode: slicer.vtkMRMLTableNode | None = None
        self._nodes = (predictionNode, referenceNode)

    def _writeInputs(self) -> Steps:
        prediction, reference = self._nodes
        grid = commonGrid(reference, prediction)
        for index, (node, classMap) in enumerate(zip(self._nodes, self._maps)):
            yield index / 2
            self._requirePresent()
            path = self.folder / ("predictions", "references")[index] / "case.nrrd"
            writeLabel(node, grid, classMap, self._labels, path, allowEmpty=True)

    def _arguments(self) -> list[object]:
        folders = [self.folder / "predictions", "--references", self.folder / "references"]
        return ["evaluate", "--predictions", *folders, "--out", self.folder / "scores.csv"]

    def _readOutputs(self) -> Steps:
        yield 0.0
        self._requirePresent()
        (case,) = read_json(self.folder / "scores.json")["cases"]
        for row in case["scores"]:
            scores = {measure: row.get(measure) for measure in _MEASURES}
            self.rows.append({"segment": self._labels[row["label"]], **scores})
        prediction, reference = self._nodes
        text = _("Scores of {prediction} against {reference}")
        name = text.format(prediction=prediction.GetName(), reference=reference.GetName())
        self.tableNode = scoresTable(self.rows, slicer.mrmlScene.GenerateUniqueName(name))
        placeBeside(self.tableNode, prediction)

    def _requirePresent(self) -> None:
        if any(node.GetScene() is None for node in self._nodes):
            raise GenSegError(_("A segmentation is no longer in the scene; nothing was compared"))


def _namesOf(node: slicer.vtkMRMLNode) -> list[str]:
    return list(dict.fromkeys(segment.name for segment in segmentsOf(node)))


def _mapOf(node: slicer.vtkMRMLNode, labels: dict[int, str]) -> dict[str, str]:
    """The reference's name of each segment name that stands for the same."""
    known = {name.casefold(): name for name in labels.values()}
    names = _namesOf(node)
    return {name: known[name.casefold()] for name in names if name.casefold() in known}

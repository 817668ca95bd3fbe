"""Whether a model has learned from a volume, so that scores on it say little about new ones."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from GenSegLib.cases import Role
from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.EvaluateJob import referenceVolume
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.SegmentNodes import MODEL_ATTRIBUTE
from GenSegSlicerLib.TrainingPair import TrainingPair


def learnedWarning(predictionNode: Any, referenceNode: Any) -> str:
    """Return a warning if the model of a prediction was trained on the same volume, "" if not.

    Cases are recognized by their names, in the recent run that trained the model.
    """
    model = predictionNode.GetAttribute(MODEL_ATTRIBUTE)
    volume = referenceVolume(referenceNode) or referenceVolume(predictionNode)
    if not model or volume is None:
        return ""
    name = TrainingPair(volume, referenceNode).name
    if name not in _learnedCases(model):
        return ""
    text = _(
        "{model} was trained on {volume}, so these scores are higher than can be expected on other "
        "volumes. Validation cases are used in the final training, too."
    )
    return text.format(model=model, volume=volume.GetName())


def _learnedCases(model: str) -> set[str]:
    """Names of the labeled cases of the recent run with a name; models are named after runs."""
    run = next((path for path in RunHistory().runs() if path.name == model), None)
    try:
        cases = RunFolder(run).cases.cases if run is not None else ()
    except GenSegError:
        return set()
    return {case.name for case in cases if case.role in (Role.TRAIN, Role.VALIDATE)}

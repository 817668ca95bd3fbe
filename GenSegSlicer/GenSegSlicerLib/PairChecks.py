"""Validation of training pairs, and a summary of all pairs for the panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.case_annotation import COMPLETE, ClassState
from GenSegLib.checks.annotations import without_drafts
from GenSegLib.checks.class_counts import NO_BACKGROUND
from GenSegLib.data.volume_ranges import to_ml
from GenSegLib.errors import GenSegError
from GenSegLib.images.label_counts import label_counts
from GenSegLib.images.size_checks import spacing_problem
from GenSegLib.images.volume import MAX_CHANNELS, Volume
from GenSegLib.label_maps import IGNORE, special_value
from GenSegLib.steps import Steps, finish
from GenSegSlicerLib.AnnotatedLabels import annotatedLabelSteps, annotationProblem
from GenSegSlicerLib.Channels import (
    furtherChannels,
    hasTransparency,
    isGrayInColor,
    totalChannels,
)
from GenSegSlicerLib.FilePairs import loaded
from GenSegSlicerLib.Geometry import fileIJKToRAS, spacingFromMatrix
from GenSegSlicerLib.LabelImages import hasVoxels, lossWarnings, rasterizeSteps
from GenSegSlicerLib.NestedClasses import nestedSteps
from GenSegSlicerLib.PartialAnnotation import annotationOf
from GenSegSlicerLib.Resampling import overlapWarnings
from GenSegSlicerLib.SegmentationFiles import chooseSegments
from GenSegSlicerLib.SegmentClasses import classLabels
from GenSegSlicerLib.SegmentLosses import SegmentLosses
from GenSegSlicerLib.Segments import isSegmentation, voxelsOf
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs
from GenSegSlicerLib.VolumeContents import contentIfSmall
from GenSegSlicerLib.VolumeFiles import finiteSteps, isPlanar, requireUsableVolume

OK = "ok"
_MAX_WARNINGS = 6


def checkPair(
    pair: TrainingPair, classMap: Mapping[str, str], others: Sequence[TrainingPair] = ()
) -> str:
    """Return "ok", or a one-line reason why a pair cannot be used; also sets its volumes.

    Args:
        pair: the pair to check.
        classMap: class of each segment name.
        others: all pairs, which must not share a node; may include `pair`. Pairs with the role
            "ignore" are not considered.
    """
    return finish(checkSteps(pair, classMap, others))


def checkSteps(
    pair: TrainingPair, classMap: Mapping[str, str], others: Sequence[TrainingPair] = ()
) -> Steps[str]:
    """Return what `checkPair` returns, after steps of about a slice."""
    try:
        with loaded(pair):
            if pair.isFromFiles:  # others may release its voxels between steps
                finish(_allChecks(pair, classMap, others))
            else:
                yield from _allChecks(pair, classMap, others)
    except GenSegError as error:
        return str(error)
    return OK


def _allChecks(
    pair: TrainingPair, classMap: Mapping[str, str], others: Sequence[TrainingPair]
) -> Steps[None]:
    yield from _checkVolume(pair.volumeNode)
    _checkDuplicates(pair, others)
    yield from _checkChannels(pair)
    yield from _checkSegments(pair, classMap)
    pair.content = contentIfSmall(pair.volumeNode)


def referenceWarning(pair: TrainingPair) -> str:
    """Return a warning if the segmentation was made on another volume, "" if it was not."""
    node = pair.segmentationNode
    if not isSegmentation(node):
        return ""
    reference = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    if reference is None or reference is pair.volumeNode:
        return ""
    text = _("{segmentation} was made on {reference}; check that it belongs to {volume}")
    names = (each.GetName() for each in (node, reference, pair.volumeNode))
    return text.format(**dict(zip(("segmentation", "reference", "volume"), names)))


def trainingProblem(pairs: Sequence[TrainingPair], hasClasses: bool) -> str:
    """Return in one line why pairs cannot be trained on, "" if they can."""
    used, invalid = usedPairs(pairs), _invalidPairs(pairs)
    if len(used) < 2:
        return _("add at least two pairs of a volume and its segmentation")
    if not any(pair.role == "train" for pair in used):
        return _("set the role of at least one pair to Train")
    if invalid:
        return invalid[0].status
    if not hasClasses:
        return _("choose a class of the model for at least one segment")
    if any(pair.status == "" for pair in used):
        return _("the pairs are being checked")
    return ""


def pairSummary(pairs: Sequence[TrainingPair], general: Sequence[str] = ()) -> tuple[str, str]:
    """Return kind ("error", "warning" or "hint") and text of a message about all pairs.

    Args:
        pairs: all pairs.
        general: warnings about all of them.
    """
    invalid = _invalidPairs(pairs)
    warnings = [*general, *(pair.warning for pair in usedPairs(pairs) if pair.warning)]
    if len(warnings) > _MAX_WARNINGS:
        more = _("and {count} more; see the column Status")
        warnings[_MAX_WARNINGS:] = [more.format(count=len(warnings) - _MAX_WARNINGS)]
    if invalid:
        more = len(invalid) - 1
        suffix = _(" (and {count} more)").format(count=more) if more else ""
        return "error", invalid[0].status + suffix
    if warnings:
        return "warning", "\n".join([_roleCounts(pairs), *warnings])
    return "hint", _roleCounts(pairs)


def _roleCounts(pairs: Sequence[TrainingPair]) -> str:
    train, validate = (sum(p.role == role for p in pairs) for role in ("train", "validate"))
    if not pairs:
        return _("No pairs yet. Load volumes and segmentations, then add them.")
    if validate:
        text = _("Pairs for training: {train}, for validation: {validate}.")
        return text.format(train=train, validate=validate)
    if train == 1:
        return _("One training pair; training needs at least two.")
    text = _("{train} pairs; about 30% of them will be used for validation.")
    return text.format(train=train)


def _invalidPairs(pairs: Sequence[TrainingPair]) -> list[TrainingPair]:
    return [pair for pair in usedPairs(pairs) if pair.status not in ("", OK)]


def _checkVolume(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Steps[None]:
    name = requireUsableVolume(volumeNode).GetName()
    spacing = [float(step) for step in spacingFromMatrix(fileIJKToRAS(volumeNode))]
    if problem := spacing_problem(spacing):
        raise GenSegError(f"{name}: {problem}")
    yield from finiteSteps(volumeNode)
    voxels = voxelsOf(volumeNode.GetImageData())
    value = voxels.flat[0]
    for part in voxels:
        if (part != value).any():
            return
        yield None
    raise GenSegError(_("{name} is empty: all voxels are {value:g}").format(name=name, value=value))


def _checkChannels(pair: TrainingPair) -> Steps[None]:
    """Further channels are volumes like the first one, at the same place."""
    alpha = hasTransparency(pair.volumeNode.GetImageData())
    pair.channelWarnings = [_("transparency is ignored")] if alpha else []
    for node in furtherChannels(pair.volumeNode):
        yield from _checkVolume(node)
    pair.channelWarnings += overlapWarnings(pair.volumeNode)
    pair.channels, pair.isFlat = totalChannels(pair.volumeNode), isPlanar(pair.volumeNode)
    pair.isGrayInColor = isGrayInColor(pair.volumeNode)
    if pair.channels > MAX_CHANNELS:
        text = _("{name} has {count} channels in total; at most {most} are supported. Remove some")
        values = {"name": pair.volumeNode.GetName(), "count": pair.channels, "most": MAX_CHANNELS}
        raise GenSegError(text.format(**values))


def _checkDuplicates(pair: TrainingPair, others: Sequence[TrainingPair]) -> None:
    name = pair.volumeNode.GetName()
    if pair.volumeNode is pair.segmentationNode:
        text = _("{name} is paired with itself; select another volume")
        raise GenSegError(text.format(name=name))
    for other in others:
        if other is pair or "ignore" in (other.role, pair.role):
            continue
        text = _("{name} is also paired with {other}; remove one of the pairs")
        segmentation = pair.segmentationNode.GetName()
        if other.volumeNode is pair.volumeNode:
            raise GenSegError(text.format(name=name, other=other.segmentationNode.GetName()))
        if other.segmentationNode is pair.segmentationNode:
            raise GenSegError(text.format(name=segmentation, other=other.volumeNode.GetName()))


def _checkSegments(pair: TrainingPair, classMap: Mapping[str, str]) -> Steps[None]:
    node, labels = pair.segmentationNode, classLabels(classMap)
    chosen = chooseSegments(node, classMap, labels)
    drawn = [(segment, value) for segment, value in chosen if not special_value(labels[value])]
    classes = {value: name for value, name in labels.items() if not special_value(name)}
    losses = SegmentLosses(drawn)
    yield from rasterizeSteps(node, pair.volumeNode, losses)
    counts, pair.lost, pair.nested = losses.counts(), lossWarnings(node, losses), []
    if not any(counts.values()) and any(hasVoxels(node, segment) for segment, _value in drawn):
        text = _("{segmentation} does not overlap {volume}; select the matching one")
        raise GenSegError(
            text.format(segmentation=node.GetName(), volume=pair.volumeNode.GetName())
        )
    if pair.lost:
        pair.nested = yield from nestedSteps(node, pair.volumeNode, drawn, labels)
    annotation = annotationOf(node).of_classes(classes.values())
    pair.unknown, pair.isStated = frozenset(), bool(annotation.classes)
    if len(drawn) < len(chosen) or annotation != COMPLETE:
        voxels = yield from annotatedLabelSteps(node, pair.volumeNode, chosen)
        pair.lost += _checkAnnotation(pair, voxels, classes)
        counts = label_counts(voxels)
    spacing = spacingFromMatrix(fileIJKToRAS(pair.volumeNode))
    pair.volumes = dict(to_ml({value: counts.get(value, 0) for value in classes}, spacing))


def _checkAnnotation(
    pair: TrainingPair, voxels: np.ndarray, classes: Mapping[int, str]
) -> list[str]:
    """Check what the segmentation says, remove unused voxels, and return warnings."""
    node = pair.segmentationNode
    if problem := annotationProblem(node, voxels, classes, annotationOf(node)):
        raise GenSegError(problem)
    annotation, warnings = annotationOf(node), list[str]()
    volume = Volume(voxels.T[np.newaxis], np.eye(4))
    voxels[:] = without_drafts(annotation, volume, classes, warnings.append).array[0].T
    isPartial = bool((voxels == IGNORE).any())
    if isPartial and (voxels != 0).all():
        warnings.append(NO_BACKGROUND)
    pair.unknown = frozenset(
        value
        for value, name in classes.items()
        if isPartial or annotation.state(name) is not ClassState.ANNOTATED
    )
    return warnings

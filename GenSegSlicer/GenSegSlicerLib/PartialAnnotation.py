"""What a segmentation says beyond its voxels: parts that nobody has drawn, and absent classes.

It is stored with the node, so that it is saved with the scene. Segments named Ignore and Background
say the same of single voxels, see `AnnotatedLabels`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import slicer
from slicer.i18n import tr as _

from GenSegLib.case_annotation import PLANES, Annotation, ClassState
from GenSegLib.label_maps import BACKGROUND, IGNORE, normalized, special_value

DRAWN_ATTRIBUTE = "GenSeg.Drawn"
"""Node attribute with the part of a segmentation that is drawn: a plane of which only the slices
with a segment are, or `STROKES`."""

CLASSES_ATTRIBUTE = "GenSeg.Classes"
"""Node attribute with the states of classes that were not annotated, as JSON."""

STROKES = "strokes"
"""Only voxels in a segment are drawn, as with scribbles."""


def annotationOf(node: slicer.vtkMRMLNode) -> Annotation:
    """Return what a segmentation says beyond its voxels."""
    part = drawnPartOf(node)
    only = "" if part == STROKES else part
    return Annotation(_classStates(node), only_slices=only, scribbles=part == STROKES)


def setAnnotation(node: slicer.vtkMRMLNode, annotation: Annotation) -> None:
    """Store with a node what its segmentation says beyond its voxels."""
    setDrawnPart(node, STROKES if annotation.scribbles else annotation.only_slices)
    states = {name: state.value for name, state in annotation.classes.items()}
    states = {name: value for name, value in states.items() if value != ClassState.ANNOTATED.value}
    _setAttribute(node, CLASSES_ATTRIBUTE, json.dumps(states) if states else "")


def drawnPartOf(node: slicer.vtkMRMLNode) -> str:
    """Return which part of a segmentation is drawn: a plane, `STROKES`, or "" for all of it."""
    part = node.GetAttribute(DRAWN_ATTRIBUTE) or ""
    return part if part in (*PLANES, STROKES) else ""


def setDrawnPart(node: slicer.vtkMRMLNode, part: str) -> None:
    """Store which part of a segmentation is drawn."""
    _setAttribute(node, DRAWN_ATTRIBUTE, part)


def setClassState(node: slicer.vtkMRMLNode, name: str, state: ClassState) -> None:
    """Store whether a class was annotated."""
    annotation = annotationOf(node)
    others = {
        key: value
        for key, value in annotation.classes.items()
        if normalized(key) != normalized(name)
    }
    setAnnotation(node, replace(annotation, classes={**others, name: state}))


def drawnChoices() -> list[tuple[str, str, str]]:
    """Return the choices of what is drawn: identifier, text and tooltip."""
    hint = _("Slices of this plane without any segment are ignored in training.")
    return [
        ("", _("Everything is drawn"), _("Voxels in no segment are background.")),
        ("axial", _("Only some axial slices (red view)"), hint),
        ("coronal", _("Only some coronal slices (green view)"), hint),
        ("sagittal", _("Only some sagittal slices (yellow view)"), hint),
        (
            STROKES,
            _("Only where I drew"),
            _(
                "Voxels in no segment are ignored. Draw some background, too, in a segment named "
                "Background."
            ),
        ),
    ]


def classStateChoices() -> list[tuple[ClassState, str, str]]:
    """Return the states of a class: state, text and tooltip."""
    return [
        (
            ClassState.ANNOTATED,
            _("annotated"),
            _("Drawn wherever it is in the annotated voxels."),
        ),
        (
            ClassState.ABSENT,
            _("absent"),
            _("The patient does not have it; the model learns this from the case."),
        ),
        (
            ClassState.NOT_ANNOTATED,
            _("not annotated"),
            _("It was not annotated; the model learns nothing about it from this case."),
        ),
    ]


def annotationText(annotation: Annotation) -> str:
    """Return in a few words what is not annotated or absent, "" if everything is annotated."""
    parts = []
    if annotation.only_slices:
        parts.append(_("some {plane} slices").format(plane=annotation.only_slices))
    if annotation.scribbles:
        parts.append(_("only where drawn"))
    texts = {state: text for state, text, _toolTip in classStateChoices()}
    for state in (ClassState.ABSENT, ClassState.NOT_ANNOTATED):
        names = [name for name, each in annotation.classes.items() if each is state]
        if names:
            parts.append(f"{', '.join(names)} {texts[state]}")
    return "; ".join(parts)


def classNames(names: Iterable[str]) -> list[str]:
    """Return the distinct names of classes, without those of Ignore and Background."""
    found: dict[str, str] = {}
    for name in names:
        if name and not special_value(name):
            found.setdefault(normalized(name), name)
    return list(found.values())


def specialNames(annotation: Annotation) -> dict[int, str]:
    """Return the segment names Ignore and Background by the label values that mean them."""
    names = {IGNORE: "Ignore", BACKGROUND: "Background"}
    return {own: names[new] for own, new in annotation.values.items() if new in names}


def _classStates(node: slicer.vtkMRMLNode) -> dict[str, ClassState]:
    try:
        stored = json.loads(node.GetAttribute(CLASSES_ATTRIBUTE) or "{}")
        return {str(name): ClassState(state) for name, state in stored.items()}
    except (ValueError, AttributeError):  # edited by another program
        return {}


def _setAttribute(node: slicer.vtkMRMLNode, name: str, value: str) -> None:
    if value:
        node.SetAttribute(name, value)
    elif node.GetAttribute(name) is not None:
        node.RemoveAttribute(name)

"""Corrections in progress of the annotation loop, which survive the process.

A correction is one JSON file that names the label file it belongs to. It is replaced when the new
label is complete, so that a process that is killed meanwhile leaves the correction of before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import slicer

from GenSegLib.annotation.folder import AnnotationFolder, CaseState
from GenSegLib.case_annotation import Annotation
from GenSegLib.errors import GenSegError
from GenSegLib.files import read_json, remove, write_json
from GenSegLib.label_maps import parse_labels
from GenSegLib.nesting import Includes
from GenSegLib.steps import Steps
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.AnnotationFiles import labelsToJson, loadLabel
from GenSegSlicerLib.CaseNames import EditsNote
from GenSegSlicerLib.PartialAnnotation import annotationOf, setAnnotation
from GenSegSlicerLib.SegmentationFiles import writeLabelSteps
from GenSegSlicerLib.SegmentationStates import setSavedTime
from GenSegSlicerLib.SegmentNodes import SegmentStyle
from GenSegSlicerLib.Segments import segmentsOf


def hasEdits(folder: AnnotationFolder, name: str) -> bool:
    """Return whether there is a correction in progress of a case."""
    return _listOf(folder, name).is_file()


def editsNotes(folder: AnnotationFolder) -> dict[str, EditsNote]:
    """Return what is noted with each correction in progress, by the name of its case."""
    notes = {}
    for path in (folder.path / "edits").glob("*.json"):
        with suppress(OSError):  # removed meanwhile
            notes[path.stem] = _readNote(path, path.stat().st_mtime_ns)
    return notes


@lru_cache(maxsize=1000)
def _readNote(path: Path, version: int) -> EditsNote:
    """Read a note again only when the version of its file is another."""
    try:
        values = read_json(path)
        return EditsNote(str(values.get("content", "")), float(values.get("time", 0)))
    except (GenSegError, TypeError, ValueError):  # damaged
        return EditsNote()


def writeEditsSteps(
    folder: AnnotationFolder, case: AnnotationCase, includes: Includes, seconds: float
) -> Steps[None]:
    """Write a correction in progress, slice by slice.

    Args:
        folder: the annotation folder.
        case: that is open; all segments are written.
        includes: names of the classes within a class.
        seconds: that the user has spent on the case.

    Raises:
        GenSegError: the volume cannot be used, or the folder cannot be written; the correction of
            before stays.
    """
    before = _currentLabel(folder, case.name) if hasEdits(folder, case.name) else None
    first, second = _labelsOf(folder, case.name)
    path = second if before == first else first
    names = [segment.name for segment in segmentsOf(case.segmentationNode)]
    labels, classMap = folder.class_names(names), {name: name for name in names}
    nodes = case.segmentationNode, case.volumeNode
    ijkToRAS = yield from writeLabelSteps(*nodes, classMap, labels, path, True, includes)
    said = annotationOf(case.segmentationNode).to_json()
    entries: dict[str, Any] = {
        "file": path.name,
        "labels": labelsToJson(labels),
        "seconds": round(seconds, 1),
        "content": case.content,
        "affine": ijkToRAS.ravel().tolist(),
        "time": time.time(),
    }
    write_json(_listOf(folder, case.name), {**entries, **said})
    setSavedTime(case.segmentationNode, entries["time"])
    if before is not None:
        remove(before)


def loadEdits(
    folder: AnnotationFolder, case: AnnotationCase, style: SegmentStyle
) -> slicer.vtkMRMLSegmentationNode | None:
    """Load a correction in progress, if there is one; raises as `loadLabel`."""
    if not hasEdits(folder, case.name):
        return None
    values = read_json(_listOf(folder, case.name))
    names, annotation = parse_labels(values.get("labels", {})), Annotation.from_json(values)
    path = _labelOf(folder, case.name, values)
    affine = values.get("affine", [])
    node = loadLabel(case.volumeNode, path, names, style, CaseState.DRAFT, affine)
    setAnnotation(node, annotation)
    return node


def secondsOfEdits(folder: AnnotationFolder, name: str) -> float:
    """Return the time that the user has spent on a correction in progress; 0 if there is none."""
    with suppress(GenSegError, KeyError, TypeError, ValueError):  # none, or of an earlier version
        return max(0.0, float(read_json(_listOf(folder, name))["seconds"]))
    return 0.0


def removeEdits(folder: AnnotationFolder, name: str) -> None:
    """Remove the correction in progress of a case that is checked now."""
    if hasEdits(folder, name):
        label = _currentLabel(folder, name)
        remove(_listOf(folder, name))
        remove(label)


def _listOf(folder: AnnotationFolder, name: str) -> Path:
    return folder.path / "edits" / f"{name}.json"


def _currentLabel(folder: AnnotationFolder, name: str) -> Path:
    return _labelOf(folder, name, read_json(_listOf(folder, name)))


def _labelOf(folder: AnnotationFolder, name: str, values: Mapping[str, Any]) -> Path:
    """The label file that a correction's JSON names; those of earlier versions do not."""
    file = values.get("file", f"{name}.nrrd")
    return folder.path / "edits" / Path(str(file)).name


def _labelsOf(folder: AnnotationFolder, name: str) -> list[Path]:
    """The two label files that are written in turns."""
    return [folder.path / "edits" / f"{name}.{number}.nrrd" for number in (1, 2)]

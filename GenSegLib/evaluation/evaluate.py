"""Scores a folder of predictions against reference segmentations."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case_annotation import Annotation, ClassState
from ..cases import Case
from ..checks.annotations import unknown_class_errors
from ..datasets.case_labels import read_case_label
from ..datasets.image_io import Volume, read_label, read_segment_names
from ..datasets.label_names import read_label_names
from ..datasets.layouts import list_labels
from ..datasets.mask_folders import pair_mask_files
from ..datasets.mask_names import Name
from ..datasets.pairing import FIRST_CHANNEL
from ..dicom.files import list_folder
from ..errors import GenSegError
from ..events import EventLog
from ..images.file_names import frame_path, image_stem, is_raster_file
from ..images.label_counts import label_counts
from ..images.label_placement import PlacedLabel, place_together
from ..label_maps import IGNORE, collect_classes, format_labels, match_names, normalized
from ..nesting import region_values
from ..prediction.uncertainty import FILE_SUFFIX
from .metrics import case_scores
from .reference_list import ReferenceList
from .score_tables import CaseResult, Evaluation

__all__ = ["CaseResult", "Evaluation", "evaluate_folders"]

_FRAME = re.compile(r"(.+)_frame(\d{3,6})")  # of a clip: a label of one frame


def evaluate_folders(
    predictions: Path,
    references: Path,
    labels: Mapping[int, str],
    events: EventLog | None = None,
    given: ReferenceList | None = None,
) -> Evaluation:
    """Score each prediction against the reference of the same name, of any file format.

    A prediction may have nnU-Net's channel suffix: `a_0000.nii.gz` matches `a.nii.gz`. For
    predictions without a reference of their name, words for masks do not count (`a_mask.png`), and
    several masks of an image are one reference, as in training. The uncertainty maps that `predict`
    writes are skipped, and so are references without a prediction. Classes are matched by name:
    those of `.seg.nrrd` and DICOM SEG files, and those that a list beside other files gives their
    values; values without any names count as they are. Cropped files and files in other axes are
    compared in physical space. Voxels and classes that nobody annotated in a reference do not
    count; a class that includes others is scored with them. The frames of a clip (DICOM SEG) are
    scored one by one, or those of a prediction `a` that references such as `a_frame003.png` show.

    Args:
        predictions: folder of label volumes.
        references: folder of label volumes.
        labels: value and name of the labels to score, which also name the values of files without
            names; if empty, those of `given`, or all labels of the references, with the names that
            `predict` wrote beside the predictions.
        events: receives the progress, and warnings of what was unclear in a file.
        given: what else is known of the references.

    Raises:
        GenSegError: a prediction has no reference, a file cannot be read, a class of one file is
            none of the other's, or the two of a case lie in different places; the message names
            the case.
    """
    cases = _pair(predictions, references)
    given = given or ReferenceList()
    written = read_label_names(predictions)
    known = dict(labels or given.labels) or _labels_in(cases, given, written)
    names = _Names(known, written or labels, given.labels or labels)
    regions = region_values(given.includes, known)
    results: list[CaseResult] = []
    grids: set[tuple[str, bool]] = set()
    for done, case in enumerate(cases):
        if events:
            events.progress("evaluate", done, len(cases))
        annotation = given.annotation(case.labels[0])
        names.check(case, annotation)
        predicted, expected = _read_pair(case, names, given, partial(_warn, events, case.name))
        hidden = annotation.names_with(ClassState.NOT_ANNOTATED, known.values())
        hidden_values = [value for value, name in known.items() if name in hidden]
        for name, one, other in _images(case.name, predicted, expected, events):
            scores = case_scores(one, other, known, expected.spacing, regions, hidden_values)
            results.append(CaseResult(name, tuple(scores)))
        grids.add((expected.unit, expected.is_2d))
    if events:
        events.progress("evaluate", len(cases), len(cases))
    unit = "px" if any(unit == "px" for unit, _ in grids) else "mm"
    return Evaluation(known, tuple(results), unit, is_2d=all(flat for _, flat in grids))


@dataclass(frozen=True)
class _Names:
    """Names of the classes to score, by value, and those of the values in files without names."""

    classes: Mapping[int, str]
    predictions: Mapping[int, str]
    references: Mapping[int, str]

    def check(self, case: Case, annotation: Annotation) -> None:
        """Raise GenSegError if what is known of a reference has a misspelled name."""
        if not annotation.classes:
            return
        segments = (read_segment_names(path) for path in case.labels)
        named = (self.classes, self.references, *segments)
        known = {name: None for names in named for name in names.values()}
        for error in unknown_class_errors(annotation, known.keys()):
            raise GenSegError(f"case {case.name}: {error}")

    def of_predictions(self, annotation: Annotation) -> Annotation:
        """Return the meaning of values in predictions, like references if they have no names."""
        values = {} if self.predictions else annotation.values
        return Annotation(values=self._values(self.predictions, values))

    def of_references(self, annotation: Annotation) -> Annotation:
        """Return the annotation of a reference for files with the values of the classes."""
        return replace(annotation, values=self._values(self.references, annotation.values))

    def _values(self, names: Mapping[int, str], values: Mapping[int, int]) -> dict[int, int]:
        """Return the class value, or 0, of each value in a file, see `Annotation.values`."""
        if not names or names == self.classes:
            return dict(values)
        matched = match_names(names, self.classes, ignore_unknown=True)
        new = {value: matched.get(value, 0) for value in (*self.classes, *names)}
        return new | {old: new.get(value, value) for old, value in values.items()}

    def require_common(self, case: Case, predicted: Volume, expected: Volume) -> None:
        """Refuse a class in one file that is not listed among those of the other."""
        for path, other, names in (
            (case.image, expected, self.predictions),
            (case.labels[0], predicted, self.references),
        ):
            listed = set(map(normalized, names.values()))
            lacking = {v for v, name in self.classes.items() if normalized(name) not in listed}
            if not names or not lacking or read_segment_names(path):
                continue
            for value in label_counts(other.array[0]):
                if value in lacking:
                    raise GenSegError(
                        f"case {case.name}: the class {self.classes[value]} is not among those of "
                        f"{path.name} ({format_labels(names)}); correct the names"
                    )


def _warn(events: EventLog | None, case: str, text: str) -> None:
    if events:
        events.log(f"case {case}: {text}", "warning")


def _images(
    case: str, predicted: Volume, expected: Volume, events: EventLog | None
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Yield names and label values (x, y, z) of what is compared; of a clip, its frames."""
    if not expected.is_stack:
        yield case, predicted.array[0], expected.array[0]
        return
    empty = int((expected.array[0] == 0).all(axis=(0, 1)).sum())
    if empty:
        _warn(
            events,
            case,
            f"{empty} of {expected.shape[2]} frames have no label in the reference; they are "
            "scored as not containing any structure",
        )
    for k in range(expected.shape[2]):
        one, other = (volume.array[0, ..., k : k + 1] for volume in (predicted, expected))
        yield f"{case}_frame{k + 1:03d}", one, other


def _pair(predictions: Path, references: Path) -> list[Case]:
    """Return cases whose image is a prediction and whose label is its reference."""
    found, files = _by_stem(predictions), _by_stem(references)
    maps = [stem for stem in found if stem.removesuffix(FILE_SUFFIX) in found.keys() - {stem}]
    found = _with_frames({stem: found[stem] for stem in found if stem not in maps}, files)
    names = {s: s if s in files else s.removesuffix(FIRST_CHANNEL) for s in found}
    unpaired = [found[stem] for stem, name in names.items() if name not in files]
    others = [path for stem, path in files.items() if stem not in names.values()]
    by_words = _by_words_for_masks(unpaired, others) if unpaired and others else {}
    if len(unpaired) < len(names):  # else the names of all references may have further words
        by_words = {stem: case for stem, case in by_words.items() if _has_its_name(stem, case)}
    cases = []
    for stem, name in names.items():
        if stem in by_words:
            cases.append(replace(by_words[stem], name=stem))
        elif name in files:
            cases.append(Case(name, found[stem], files[name]))
        else:
            text = f"case {name}: {references} has no reference for {found[stem].name}"
            raise GenSegError(text)
    return cases


def _with_frames(predictions: Mapping[str, Path], references: Collection[str]) -> dict[str, Path]:
    """Replace predictions of clips by those of the frames that have a reference of their own."""
    found = dict(predictions)
    for name in references:
        match = _FRAME.fullmatch(name)
        if match and match[1] in predictions and match[1] not in references:
            found.pop(match[1], None)
            found[name] = frame_path(predictions[match[1]], int(match[2]))
    return found


def _has_its_name(prediction: str, case: Case) -> bool:
    """Return whether the references have a prediction's name but for words for masks."""
    cores = {Name.of((), image_stem(path)).core for path in case.labels}
    return cores == {Name.of((), prediction).core}


def _by_words_for_masks(predictions: Sequence[Path], masks: Sequence[Path]) -> dict[str, Case]:
    """Return the cases of masks such as `a_mask` and `a_mask_1`, by the name of the prediction."""
    try:
        cases = pair_mask_files(predictions, masks).cases
    except GenSegError:
        return {}  # no names match
    return {image_stem(case.image): case for case in cases if case.label is not None}


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _label_files(folder):
        case = image_stem(path)
        if case in found:
            raise GenSegError(
                f"case {case}: {folder} has both {found[case].name} and {path.name}; remove one"
            )
        found[case] = path
    return found


def _label_files(folder: Path) -> list[Path]:
    """Return the labels in a folder, with the raster images beside uncertainty maps."""
    found = list_labels(folder)
    if not all(image_stem(path).endswith(FILE_SUFFIX) for path in found):
        return found
    return [*found, *(path for path in list_folder(folder) if is_raster_file(path))]


def _labels_in(
    cases: Sequence[Case], given: ReferenceList, predicted: Mapping[int, str]
) -> dict[int, str]:
    """Return the classes of references: by name, and by value where a file has no names.

    Such values are called as in the predictions.
    """
    if any(case.label_classes for case in cases):
        return dict(predicted)
    references = [path for case in cases for path in case.labels]
    named = [names for path in references if (names := read_segment_names(path))]
    classes = collect_classes(named)
    values: set[int] = set()
    for path in references:
        meaning = Annotation(values=given.annotation(path).values)
        label = read_label(path, classes=classes, annotation=meaning)
        values |= {int(value) for value in np.unique(label.array)}
    values -= {0, IGNORE}
    known: Mapping[int, str] = classes or predicted
    labels = {value: known.get(value, f"label {value}") for value in sorted(values)}
    if not known:
        _require_no_names([case.image for case in cases], labels)
    return labels


def _require_no_names(predictions: Sequence[Path], labels: Mapping[int, str]) -> None:
    """Refuse predictions with names where the references' values have none."""
    for path in predictions:
        try:
            match_names(read_segment_names(path), labels)
        except GenSegError:
            raise GenSegError(
                f"{path}: its segments have names, but the values of the references have none; "
                "name them with --model"
            ) from None


def _read_pair(
    case: Case, names: _Names, given: ReferenceList, warn: Callable[[str], None]
) -> tuple[Volume, Volume]:
    """Read a prediction and its reference, with the values of the labels and on one grid."""
    annotation = given.annotation(case.labels[0])
    known: dict[str, Any] = {
        "classes": names.classes,
        "terminology": given.terminology,
        "includes": given.includes,
        "ignore_unknown": True,
    }
    predicted = read_label(case.image, annotation=names.of_predictions(annotation), **known)
    reference = replace(case, annotation=names.of_references(annotation))
    whole = replace(reference, annotation=Annotation(values=reference.annotation.values))
    expected = read_case_label(whole, warn=warn, **known)
    _require_same_values(case, predicted, expected, names)
    names.require_common(case, predicted, expected)
    try:
        if annotation.only_slices or annotation.scribbles:
            # a file may hold a part of the image; what is not annotated depends on the whole
            expected = read_case_label(reference, predicted, **known)
            placed = PlacedLabel(predicted)
        else:
            placed, expected = place_together(predicted, expected)
    except GenSegError as error:
        raise GenSegError(
            f"case {case.name}: prediction and reference have different grids "
            f"({_describe(predicted)}; {_describe(expected)}): {error}"
        ) from None
    for text in placed.warnings:
        warn(f"prediction, placed on the image of the reference: {text}")
    # files other than DICOM SEG do not say that their slices are frames
    return placed.volume, replace(expected, is_stack=predicted.is_stack or expected.is_stack)


def _require_same_values(case: Case, predicted: Volume, expected: Volume, names: _Names) -> None:
    """Refuse to compare values with names where the values are none of the classes."""
    pair = ((case.image, predicted), (case.labels[0], expected))
    if len({bool(read_segment_names(path)) for path, _ in pair}) == 1:
        return
    for path, volume in pair:
        unknown = sorted(set(np.unique(volume.array).tolist()) - {0, IGNORE, *names.classes})
        if unknown:
            values = ", ".join(map(str, unknown))
            raise GenSegError(
                f"case {case.name}: the values {values} of {path.name} are not among the classes "
                f"{format_labels(names.classes)}; name them with --model"
            )


def _describe(volume: Volume) -> str:
    size = "x".join(map(str, volume.shape))
    spacing = "x".join(f"{length:.3g}" for length in volume.spacing)
    origin = ", ".join(f"{position:.1f}" for position in volume.affine[:3, 3])
    return f"{size} voxels of {spacing} {volume.unit}, {volume.orientation}, origin {origin}"

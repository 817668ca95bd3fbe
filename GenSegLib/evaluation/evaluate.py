"""Scores a folder of predictions against reference segmentations."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case_annotation import Annotation, ClassState
from ..cases import Case
from ..datasets.case_labels import read_case_label
from ..datasets.image_io import Volume, read_label, read_segment_names
from ..datasets.label_names import read_label_names
from ..datasets.layouts import list_labels
from ..datasets.mask_folders import pair_mask_files
from ..datasets.mask_names import Name
from ..dicom.files import list_folder
from ..errors import GenSegError
from ..events import EventLog
from ..images.file_names import frame_path, image_stem, is_raster_file
from ..images.label_placement import PlacedLabel, place_together
from ..label_maps import IGNORE, collect_classes, format_labels, match_names
from ..nesting import region_values
from ..prediction.uncertainty import FILE_SUFFIX
from .metrics import case_scores
from .reference_list import ReferenceList
from .score_tables import CaseResult, Evaluation

__all__ = ["CaseResult", "Evaluation", "evaluate_folders"]

_FIRST_CHANNEL = "_0000"


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
    several masks of an image are one reference, as in training. The
    uncertainty maps that `predict` writes are skipped, and so are references without a prediction.
    Segments of `.seg.nrrd` and DICOM SEG files are matched by name, values of other files count as
    they are. Cropped files and files in other axes are compared in physical space. Voxels and
    classes that nobody annotated in a reference do not count; a class that includes others is
    scored with them. The frames of a clip (DICOM SEG) are scored one by one, or those of a
    prediction `a` that references such as `a_frame003.png` show.

    Args:
        predictions: folder of label volumes.
        references: folder of label volumes.
        labels: value and name of the labels to score; if empty, those of `given`, or all labels of
            the references, with the names that `predict` wrote beside the predictions.
        events: receives the progress, and warnings of what was unclear in a file.
        given: what else is known of the references.

    Raises:
        GenSegError: a prediction has no reference, a file cannot be read, or the two of a case
            lie in different places; the message names the case.
    """
    cases = _pair(predictions, references)
    given = given or ReferenceList()
    known = dict(labels or given.labels) or _labels_in(cases, given, read_label_names(predictions))
    given = replace(given, labels=known)
    regions = region_values(given.includes, known)
    results: list[CaseResult] = []
    grids: set[tuple[str, bool]] = set()
    for done, case in enumerate(cases):
        if events:
            events.progress("evaluate", done, len(cases))
        predicted, expected = _read_pair(case, given, partial(_warn, events, case.name))
        annotation = given.annotation(case.labels[0])
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
    names = {stem: _reference_name(stem, files) for stem in found}
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
    for stem, path in predictions.items():
        frame = re.compile(re.escape(stem) + r"_frame(\d{3,6})")
        numbers = {name: match[1] for name in references if (match := frame.fullmatch(name))}
        if numbers and stem not in references:
            del found[stem]
            found |= {name: frame_path(path, int(number)) for name, number in numbers.items()}
    return found


def _has_its_name(prediction: str, case: Case) -> bool:
    """Return whether the references have a prediction's name but for words for masks."""
    cores = {Name.of((), image_stem(path)).core for path in case.labels}
    return cores == {Name.of((), prediction).core}


def _reference_name(prediction: str, references: Collection[str]) -> str:
    return prediction if prediction in references else prediction.removesuffix(_FIRST_CHANNEL)


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
    """Return the labels in a folder, also beside uncertainty maps, where pictures do not count."""
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
    case: Case, given: ReferenceList, warn: Callable[[str], None]
) -> tuple[Volume, Volume]:
    """Read a prediction and its reference, with the values of the labels and on one grid."""
    reference = case.labels[0]
    annotation = given.annotation(reference)
    read = partial(
        read_label,
        classes=given.labels,
        terminology=given.terminology,
        ignore_unknown=True,
        includes=given.includes,
        annotation=Annotation(values=annotation.values),
    )
    predicted = read(case.image)
    if case.further_labels:
        expected = read_case_label(case, classes=given.labels, warn=warn)
    else:
        expected = read(reference, warn=warn)
    _require_same_values(case.name, (case.image, predicted), (reference, expected), given.labels)
    try:
        if annotation.only_slices or annotation.scribbles:
            # a file may hold a part of the image; what is not annotated depends on the whole
            expected = read(reference, predicted, annotation=annotation)
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


def _require_same_values(
    case: str,
    prediction: tuple[Path, Volume],
    reference: tuple[Path, Volume],
    labels: Mapping[int, str],
) -> None:
    """Refuse to compare values with names where the values are none of the classes."""
    pair = (prediction, reference)
    if len({bool(read_segment_names(path)) for path, _ in pair}) == 1:
        return
    for path, volume in pair:
        unknown = sorted(set(np.unique(volume.array).tolist()) - {0, IGNORE, *labels})
        if unknown:
            values = ", ".join(map(str, unknown))
            raise GenSegError(
                f"case {case}: the values {values} of {path.name} are not among the classes "
                f"{format_labels(labels)}; name them with --model"
            )


def _describe(volume: Volume) -> str:
    size = "x".join(map(str, volume.shape))
    spacing = "x".join(f"{length:.3g}" for length in volume.spacing)
    origin = ", ".join(f"{position:.1f}" for position in volume.affine[:3, 3])
    return f"{size} voxels of {spacing} {volume.unit}, {volume.orientation}, origin {origin}"

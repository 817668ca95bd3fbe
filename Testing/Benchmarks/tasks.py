"""Tasks of the benchmarks: a cohort with some of its labels, its tests, arms, and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from cohorts_data import (
    ABDOMEN,
    COHORTS,
    SHIFTED,
    Cohort,
    CohortCase,
    Split,
    cohort_labels,
    dice,
    read_cohort,
    split_cohort,
)
from PIL import Image

from GenSegLib.presets import load_preset

_MASK = 127  # masks of 2-D images have 0 and 255
# values of a class in predictions, and in the labels of a test cohort
Values = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Task:
    """A cohort to train with, and what is learned from it.

    Attributes:
        name: of the task, in the column ``task``.
        cohort: of the training.
        labeled: number of labeled groups (volumes) or images (2-D).
        organs: those of `ABDOMEN` that are the classes; all classes of the cohort if empty.
        preset: for benchmarks that train with one; empty if the training is planned in all.
        any_modality: models are applied to another modality, so that even those without
            generation must normalize intensities accordingly.
        merged: the classes count as one in the shifted cohorts.
        simulated: models are also tested on their own cohort under `simulated_scanners`.
    """

    name: str
    cohort: Cohort
    labeled: int
    organs: tuple[str, ...] = ()
    preset: str = ""
    any_modality: bool = False
    merged: bool = False
    simulated: bool = False

    def label_values(self) -> dict[str, int]:
        """Return names and values of the classes in the label files."""
        if self.organs:
            return {name: ABDOMEN[name] for name in self.organs}
        if self.cohort.spatial_dims == 2 and self.preset:
            return {load_preset(self.preset).labels[1]: 1}
        return cohort_labels(self.cohort)

    def values_in(self, test: str) -> Values:
        """Return the values of each class in predictions and in the labels of a test cohort."""
        labels = self.label_values()
        if self.merged and test in self.shifted:
            return {"whole": (tuple(labels.values()), tuple(cohort_labels(COHORTS[test]).values()))}
        return {name: ((value,), (value,)) for name, value in labels.items()}

    @property
    def shifted(self) -> tuple[str, ...]:
        """Names of the test cohorts of other scanners."""
        return SHIFTED.get(self.cohort.name, ())

    def split(self, seed: int) -> Split:
        """Return the labeled, unlabeled and test cases of a training."""
        return split_cohort(self.cohort, self.labeled, seed)

    def tests(self, split: Split) -> dict[str, Sequence[CohortCase]]:
        """Return the test cases of the training's own cohort and of the shifted ones."""
        others = {name: read_cohort(COHORTS[name]) for name in self.shifted}
        return {self.cohort.name: split.test, **others}

    def scores(self, test: str, case: CohortCase, predictions: Path) -> dict[str, float]:
        """Return the Dice of each class that a test case or its prediction has.

        Args:
            test: cohort of the case.
            case: with a label.
            predictions: folder of label maps with the names of cases.
        """
        assert case.label is not None
        predicted = read_array(next(predictions.glob(f"{case.name}.*")))
        reference = read_array(case.label)
        if self.cohort.spatial_dims == 2:
            reference = (reference > _MASK).astype(np.uint8)
        found = {
            name: dice(np.isin(predicted, ours), np.isin(reference, theirs), (1,))
            for name, (ours, theirs) in self.values_in(test).items()
        }
        return {name: score for name, score in found.items() if np.isfinite(score)}


def read_array(path: Path) -> np.ndarray:
    """Return the values of an image file (indices of a palette) without axes of length 1."""
    if path.suffix == ".png":  # SimpleITK returns the colors of a palette
        with Image.open(path) as image:
            return np.asarray(image if image.mode == "P" else image.convert("L"))
    array: np.ndarray = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    return array.squeeze()


def _by_name(*tasks: Task) -> dict[str, Task]:
    return {task.name: task for task in tasks}


_CARDIAC = Task("cardiac", COHORTS["cardiac_cine_acdc"], 7)
_CT, _MR, _ORGANS = COHORTS["abdomen_ct_btcv"], COHORTS["abdomen_mr_t2_chaos"], tuple(ABDOMEN)
_HIPPOCAMPUS = Task(
    "hippocampus",
    COHORTS["hippocampus"],
    10,
    preset="hippocampus-mri",
    merged=True,
    simulated=True,
)
VOLUMES = _by_name(
    _CARDIAC,
    Task("atrium", COHORTS["atrium_mr_la2018"], 8),
    Task("liver", _CT, 10, ("Liver",)),
    Task("organs", _CT, 10),
    Task("abdomen-mr", _MR, 6, _ORGANS),
    _HIPPOCAMPUS,
)
IMAGES = _by_name(
    Task("polyps", COHORTS["polyp_kvasir"], 40, preset="polyp"),
    Task("skin", COHORTS["skin_isic"], 40, preset="skin-lesion"),
    Task("breast", COHORTS["breast_busi"], 40, preset="breast-ultrasound"),
    Task("ulcers", COHORTS["wound_fuseg"], 40, preset="foot-ulcer"),
    Task("lungs", COHORTS["lung_jsrt"], 9, preset="chest-xray-lungs"),
    Task("vessels", COHORTS["vessel_drive"], 10, preset="placental-vessels"),
)
# volumes that models of one modality or scanner are tested on in others, and images
SHIFTS = _by_name(
    Task("ct-to-mr", _CT, 10, _ORGANS, any_modality=True),
    Task("mr-to-ct", _MR, 6, _ORGANS, any_modality=True),
    _CARDIAC,
    _HIPPOCAMPUS,
    *IMAGES.values(),
    Task("edema", COHORTS["oct_dukedme"], 40),
)
# arguments of `genseg train`
REAL_ARMS: dict[str, tuple[str, ...]] = {  # without generated images
    "plain": ("--generator", "none", "--set", "augmentation_transforms=geometric"),
    "augmented": ("--generator", "none"),
}

"""Small cases annotated in part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from small_runs import small_preset

from GenSegLib.case_annotation import Annotation, ClassState
from GenSegLib.cases import Case
from GenSegLib.data.case_cache import CaseCache
from GenSegLib.data.case_loading import load_training_cases
from GenSegLib.data.label_sets import LabelSets
from GenSegLib.data.training_case import TrainingCase
from GenSegLib.datasets.image_io import Volume, write_image, write_label
from GenSegLib.presets import Preset

CPU = torch.device("cpu")
LABELS = {1: "Anterior", 2: "Posterior"}
SHAPE = (12, 10, 8)
WITHOUT_POSTERIOR = Annotation({"posterior": ClassState.NOT_ANNOTATED})


def label_array() -> np.ndarray:
    """Anterior (6 x 4 x 4) and Posterior (6 x 3 x 4) side by side in slices 2 to 5."""
    label = np.zeros(SHAPE, np.int16)
    label[2:8, 1:5, 2:6], label[2:8, 5:8, 2:6] = 1, 2
    return label


def write_case(
    folder: Path, name: str, label: np.ndarray, annotation: Annotation | None = None
) -> Case:
    """Write a bright image and a NIfTI label, both of 1 mm in RAS."""
    noise = np.random.default_rng(len(name) + ord(name[0])).normal(size=SHAPE)
    image = (100 * (label_array() > 0) + noise).astype(np.float32)
    image_path, label_path = (
        folder / "images" / f"{name}.nii.gz",
        folder / "labels" / f"{name}.nii.gz",
    )
    write_image(image_path, Volume(image[None], np.eye(4)))
    write_label(label_path, Volume(label[None], np.eye(4)))
    return Case(name, image_path, label_path, annotation=annotation or Annotation())


def preset_without_resampling() -> Preset:
    return replace(
        small_preset(), spacing=(1.0, 1.0, 1.0), multiple=4, patch_size=(8, 8, 8), labels={}
    )


def load(cases: list[Case], sets: LabelSets, cache: CaseCache | None = None) -> list[TrainingCase]:
    preset = preset_without_resampling()
    return load_training_cases(cases, preset, sets.names, CPU, cache, sets=sets)


def partly_annotated(folder: Path) -> tuple[list[Case], LabelSets]:
    """A complete case, one without Posterior, and one of which two slices were drawn."""
    label = label_array()
    sparse = label.copy()
    sparse[:, :, [3, 5]] = 0
    cases = [
        write_case(folder, "complete", label),
        write_case(folder, "one", label, WITHOUT_POSTERIOR),
        write_case(folder, "sparse", sparse, Annotation(only_slices="axial")),
    ]
    return cases, LabelSets.of([case.annotation for case in cases], LABELS, {})

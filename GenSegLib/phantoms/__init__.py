"""Procedural phantoms: synthetic cases for the demo and the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import __version__
from ..cases import CaseSet
from ..datasets.image_io import Volume, write_image, write_label
from ..datasets.layouts import read_cases
from ..errors import GenSegError
from ..files import atomic_folder, write_json
from . import hippocampus, skin, ultrasound

ANATOMIES = {"hippocampus": hippocampus, "skin": skin, "ultrasound": ultrasound}
_TRAINING, _TEST = 0, 1


def make_cases(out: Path, anatomy: str, cases: int, seed: int, test: int = 0) -> CaseSet:
    """Generate cases and write them in the layout of the Medical Segmentation Decathlon.

    Args:
        out: folder for dataset.json, imagesTr and labelsTr; it must not exist, or be empty.
        anatomy: "hippocampus" (MR crops of 1 mm), "skin" (photos of lesions, in color) or
            "ultrasound" (of lesions of the breast).
        cases: number of labeled cases. Case k of a seed does not depend on the number.
        seed: 0 or more; determines all voxels.
        test: number of test cases, written to imagesTs and labelsTs.

    Returns:
        The labeled cases, as `read_cases` returns them.

    Raises:
        GenSegError: an argument is out of range, or the folder is not empty or cannot be written.
    """
    _check(anatomy, cases, seed, test)
    with atomic_folder(out) as folder:
        names = [f"{anatomy}_{number:03d}" for number in range(1, cases + 1)]
        test_names = [f"{anatomy}_test_{number:03d}" for number in range(1, test + 1)]
        _write_pairs(
            folder, "Tr", _file_names(anatomy, names), _generator(anatomy, seed, _TRAINING)
        )
        if test_names:
            files = _file_names(anatomy, test_names)
            _write_pairs(folder, "Ts", files, _generator(anatomy, seed, _TEST))
        write_json(folder / "dataset.json", _description(anatomy, seed, names, test_names))
    return read_cases(out)


def _check(anatomy: str, cases: int, seed: int, test: int) -> None:
    if anatomy not in ANATOMIES:
        known = ", ".join(ANATOMIES)
        raise GenSegError(f"unknown phantom {anatomy!r}; choose one of {known}")
    if cases < 1 or test < 0:
        raise GenSegError(
            f"cannot generate {cases} cases and {test} test cases; at least 1 and 0 are needed"
        )
    if seed < 0:
        raise GenSegError(f"the seed {seed} is negative; choose 0 or more")


def _generator(anatomy: str, seed: int, stream: int) -> Callable[[int], tuple[Volume, Volume]]:
    """Return a function that generates case `number` from a random stream of its own."""

    def generate(number: int) -> tuple[Volume, Volume]:
        return ANATOMIES[anatomy].generate(np.random.default_rng([seed, stream, number]))

    return generate


def _file_names(anatomy: str, names: list[str]) -> list[str]:
    return [f"{name}{ANATOMIES[anatomy].SUFFIX}" for name in names]


def _write_pairs(
    folder: Path, part: str, files: list[str], generate: Callable[[int], tuple[Volume, Volume]]
) -> None:
    images, labels = folder / f"images{part}", folder / f"labels{part}"
    images.mkdir()
    labels.mkdir()
    for number, file in enumerate(files):
        image, label = generate(number)
        write_image(images / file, image)
        write_label(labels / file, label)


def _description(
    anatomy: str, seed: int, names: list[str], test_names: list[str]
) -> dict[str, object]:
    module = ANATOMIES[anatomy]
    return {
        "name": anatomy.capitalize(),
        "description": f"GenSeg phantoms of the {anatomy}, seed {seed}: synthetic images",
        "reference": "GenSegLib.phantoms",
        "licence": "CC0 1.0",
        "release": __version__,
        "tensorImageSize": "2D" if module.SUFFIX == ".png" else "3D",
        "modality": {"0": module.MODALITY},
        "labels": {"0": "background"} | {str(k): name for k, name in module.LABELS.items()},
        "numTraining": len(names),
        "numTest": len(test_names),
        "training": [
            {"image": f"./imagesTr/{file}", "label": f"./labelsTr/{file}"}
            for file in _file_names(anatomy, names)
        ],
        "test": [f"./imagesTs/{file}" for file in _file_names(anatomy, test_names)],
    }

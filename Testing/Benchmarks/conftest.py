"""Small cases in the Decathlon's layout, made once for all tests of the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from GenSegLib.data.image_io import write_image, write_label
from Testing.conftest import draw_tiny_pair

PHANTOMS = 7
LABELS = {"0": "background", "1": "Anterior", "2": "Posterior"}


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven cases of two parts, which train and predict in a moment."""
    folder = tmp_path_factory.mktemp("phantoms")
    training = []
    for number in range(1, PHANTOMS + 1):
        image, label = draw_tiny_pair(seed=number, shape=(16, 16, 10))
        name = f"hippocampus_{number:03d}.nii.gz"
        write_image(folder / "imagesTr" / name, image)
        write_label(folder / "labelsTr" / name, label)
        training.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    known = {"labels": LABELS, "modality": {"0": "MRI"}, "training": training}
    (folder / "dataset.json").write_text(json.dumps(known), encoding="utf-8")
    return folder

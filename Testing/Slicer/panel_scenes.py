"""Scenes for tests of the panel: real volumes, phantoms, a tiny preset."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import slicer

from GenSegLib.phantoms import make_cases
from GenSegLib.presets import Steps, load_preset


def load_pair(image: Path, label: Path, name: str) -> tuple[Any, Any]:
    """Load an image and its label map as a volume and a segmentation."""
    volume = slicer.util.loadVolume(str(image), {"name": name})
    label_map = slicer.util.loadLabelVolume(str(label), {"name": f"{name} label"})
    segmentation = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLSegmentationNode", f"{name} segmentation"
    )
    logic = slicer.modules.segmentations.logic()
    logic.ImportLabelmapToSegmentationNode(label_map, segmentation)
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    slicer.mrmlScene.RemoveNode(label_map)
    for index, segment_name in enumerate(("Anterior", "Posterior")):
        if index < segmentation.GetSegmentation().GetNumberOfSegments():
            segmentation.GetSegmentation().GetNthSegment(index).SetName(segment_name)
    return volume, segmentation


def load_hippocampi(data: Path, count: int) -> list[tuple[Any, Any]]:
    """Load the first real hippocampus cases of the Decathlon."""
    images = sorted((data / "imagesTr").glob("*.nii.gz"))[:count]
    return [
        load_pair(image, data / "labelsTr" / image.name, image.name.split(".")[0])
        for image in images
    ]


@cache
def _phantoms(cases: int, test: int) -> TemporaryDirectory[str]:
    """Phantoms that are made once per test session, and removed at its end."""
    folder = TemporaryDirectory(prefix="genseg-phantoms-")
    make_cases(Path(folder.name, "phantoms"), "hippocampus", cases, seed=3, test=test)
    return folder


def phantom_folder(folder: Path, cases: int = 4, test: int = 1) -> Path:
    """Write hippocampus phantoms in the Decathlon's layout."""
    made = Path(_phantoms(cases, test).name, "phantoms")
    return Path(shutil.copytree(made, folder / "phantoms"))


TINY_NETWORK = {"channels": [4, 8], "strides": [2], "num_res_units": 1}


def tiny_preset(
    folder: Path,
    name: str = "tiny",
    patch_size: tuple[int, int, int] = (16, 24, 16),
    network: dict[str, Any] = TINY_NETWORK,
    **steps: int,
) -> Path:
    """Write a preset whose quick training takes seconds on one core."""
    counts = {"warmup_steps": 2, "joint_steps": 4, "final_steps": 40, **steps}
    preset = replace(
        load_preset("hippocampus-mri"),
        name=name,
        patch_size=patch_size,
        segmenter="unet",
        network=network,
        steps={name: Steps(**counts) for name in ("quick", "standard", "thorough")},
    )
    path = folder / "tiny.json"
    path.write_text(json.dumps(preset.to_json()), encoding="utf-8")
    return path

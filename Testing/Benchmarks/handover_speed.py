"""What it takes to hand nodes of Slicer to the library, and to get results back.

    python Testing/Benchmarks/handover_speed.py [--data DIR] [--rounds 5]

Two jobs: 50 real hippocampus pairs are written for a training; a CT of 512x512x300 voxels is
written and its result loaded as a segmentation, against what SimpleITK needs to write and read the
same files, in turns. Writes results/handover_speed.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing/Slicer")]
sys.path.append(str(ROOT / "GenSegSlicer"))

import Host  # noqa: E402 - found through the path above

Host.install()

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402, N813
from GenSegSlicerLib.PairFinder import importFolder  # noqa: E402
from GenSegSlicerLib.SegmentationFiles import loadSegmentation, writeLabel  # noqa: E402
from GenSegSlicerLib.TrainingPair import caseNames  # noqa: E402
from GenSegSlicerLib.VolumeFiles import writeVolume  # noqa: E402
from measuring import write_findings  # noqa: E402
from mrml_nodes import add_volume, metadata, turned  # noqa: E402

from GenSegLib.data.layouts import read_cases  # noqa: E402
from GenSegLib.images.image_io import Volume, write_label  # noqa: E402
from GenSegLib.presets import load_preset  # noqa: E402

CT_SHAPE = (300, 512, 512)  # k, j, i
PAIRS = 50


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def hand_over_pairs(data: Path, folder: Path) -> dict[str, float]:
    """Seconds to import 50 real pairs into the scene, and to write them for a training."""
    cases = read_cases(data)
    listed = cases.to_json()
    listed["cases"] = listed["cases"][:PAIRS]
    (folder / "cases.json").write_text(json.dumps(listed))
    pairs: list[Any] = []
    importing = seconds(lambda: pairs.extend(importFolder(folder / "cases.json")))
    same = {name: name for name in cases.labels.values()}

    def write() -> None:
        for name, pair in zip(caseNames(pairs), pairs):
            writeVolume(pair.volumeNode, folder / "images" / f"{name}.nrrd")
            label = folder / "labels" / f"{name}.nrrd"
            writeLabel(pair.segmentationNode, pair.volumeNode, same, cases.labels, label)

    return {"import_50_pairs_s": importing, "hand_over_50_pairs_s": seconds(write)}


def draw_ct() -> tuple[Any, np.ndarray]:
    """A volume node of noise in Hounsfield units, and a label of two ellipsoids."""
    voxels = np.random.default_rng(0).integers(-1000, 1500, CT_SHAPE, dtype=np.int16)
    axes = np.ogrid[tuple(slice(-1, 1, length * 1j) for length in CT_SHAPE)]
    radius = sum((2.2 * axis) ** 2 for axis in axes)
    label = (radius < 1).astype(np.uint8) + (radius < 0.2)
    return add_volume(voxels, turned((-0.8, -0.8, 1.5)), "CT"), label


def ct_there_and_back(folder: Path, rounds: int) -> dict[str, float]:
    """Median seconds and their ratio: GenSeg and SimpleITK do the same in turns."""
    volume, label = draw_ct()
    image, result = folder / "ct.nrrd", folder / "result.seg.nrrd"
    label_path = folder / "label.nrrd"
    grid = writeVolume(volume, image)
    write_label(result, Volume(label.T[None], grid), {1: "Liver", 2: "Tumor"})
    model = metadata(load_preset("generic-ct"), labels={1: "Liver", 2: "Tumor"})
    ct = sitk.ReadImage(str(image))
    segments = loadSegmentation(result, model, volume)
    same = {"Liver": "Liver", "Tumor": "Tumor"}
    ways: dict[str, Callable[[], object]] = {
        "write_ct_s": lambda: writeVolume(volume, image),
        "load_result_s": lambda: loadSegmentation(result, model, volume),
        "write_label_s": lambda: writeLabel(segments, volume, same, model.labels, label_path),
        "simpleitk_write_ct_s": lambda: sitk.WriteImage(ct, str(folder / "sitk.nrrd")),
        "simpleitk_read_result_s": lambda: sitk.ReadImage(str(result)),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours = medians["write_ct_s"] + medians["load_result_s"]
    theirs = medians["simpleitk_write_ct_s"] + medians["simpleitk_read_result_s"]
    return {**medians, "ct_there_and_back_over_simpleitk": ours / theirs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = hand_over_pairs(args.data, Path(folder))
        found.update(ct_there_and_back(Path(folder), args.rounds))
    rounded = {name: round(value, 3) for name, value in found.items()}
    print(write_findings("handover_speed", {**rounded, "ct_voxels": list(CT_SHAPE[::-1])}))


if __name__ == "__main__":
    main()

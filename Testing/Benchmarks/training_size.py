"""What training on large CTs takes: the memory of patches, whatever the number of cases.

    python Testing/Benchmarks/training_size.py [--slices 500] [--counts 1 10 100] [--steps 3]

One CT of 512 x 512 voxels is made up and prepared for liver-ct, in a process of its own: time,
peak memory and size of the entry in the cache. Then trainings of 1, 10 and 100 cases take steps of
all three levels, each in a process of its own; their cases are links to that one entry, which are
opened and read each for itself. Writes results/training_size.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import ROOT, write_findings

SPACING = (0.7, 0.7, 1.0)
CLASSES = 2


def made_ct(slices: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a body with noise and an ellipsoid for a liver, (512, 512, slices)."""
    x, y, z = np.ogrid[-1:1:512j, -1:1:512j, -1 : 1 : slices * 1j]
    body = (x / 0.8) ** 2 + (y / 0.6) ** 2 < 1
    liver = ((x - 0.3) / 0.35) ** 2 + ((y - 0.1) / 0.35) ** 2 + ((z - 0.2) / 0.3) ** 2 < 1
    rng = np.random.default_rng(0)
    image = np.empty((512, 512, slices), np.int16)
    for place in range(slices):
        grain = rng.normal(0, 20, (512, 512))
        image[..., place] = np.where(body[..., 0], 20 + 40 * liver[..., place] + grain, -1000)
    return image, liver.astype(np.uint8)


def prepare(folder: Path, slices: int) -> dict[str, float]:
    """Write the CT, prepare it as a training does, and tell what that took."""
    from GenSegLib.images.image_io import Volume, write_image, write_label

    affine = np.diag([*SPACING, 1.0])
    for name, array, write in zip(("image", "label"), made_ct(slices), (write_image, write_label)):
        write(folder / f"{name}.nii", Volume(array[np.newaxis], affine))
    return measured("prepare", folder)


def measured(*arguments: object) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def child_prepare(folder: Path) -> None:
    import torch

    from GenSegLib.cases import Case
    from GenSegLib.data.case_cache import CaseCache
    from GenSegLib.data.subjects import load_subjects
    from GenSegLib.presets import load_preset

    case = Case("made", folder / "image.nii", folder / "label.nii")
    start = time.monotonic(), time.process_time()
    cache = CaseCache(folder / "cache", 1e12)
    (subject,) = load_subjects([case], load_preset("liver-ct"), [1], torch.device("cpu"), cache)
    path = next((folder / "cache").glob("*.case"))
    tell(
        start,
        entry_mb=round(path.stat().st_size / 1e6, 1),
        voxels=list(subject.size_of("label")),
    )


def child_train(folder: Path, count: int, steps: int) -> None:
    import torch

    from GenSegLib.config import TrainConfig
    from GenSegLib.data.array_file import ArrayFile
    from GenSegLib.data.subjects import open_case
    from GenSegLib.presets import load_preset
    from GenSegLib.training.learner import Learner

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    entry = next((folder / "cache").glob("*.case"))
    cpu, files = torch.device("cpu"), []
    for place in range(count):
        link = folder / f"{count}-{place}.case"
        os.link(entry, link)
        files.append(ArrayFile(link))
    cases = [open_case(file.path.stem, file, cpu) for file in files]
    config = TrainConfig(segmenter="unet", device="cpu")
    learner = Learner(config, load_preset("liver-ct"), cases, max(0, count // 5), CLASSES)
    learner.set_segmenter_rate(1.0)
    start = time.monotonic(), time.process_time()
    for step in range(steps):
        learner.joint_step(step)
    learner.final_step()
    tell(start, cases=count, steps=steps + 1)


def tell(start: tuple[float, float], **more: object) -> None:
    seconds = time.monotonic() - start[0], time.process_time() - start[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = {"wall_s": round(seconds[0], 1), "cpu_s": round(seconds[1], 1)}
    print(json.dumps({**found, "peak_gb": round(peak, 2), **more}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rehearse", action="store_true", help="write no results")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(folder, args.slices)
        print(prepared, flush=True)
        trained = []
        for count in args.counts:
            trained.append(measured("train", folder, count, args.steps))
            print(trained[-1], flush=True)
    found = {"slices": args.slices, "prepare_one": prepared, "train": trained}
    if not args.rehearse:
        write_findings("training_size", found)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] == ["--child"]:
        verb, place, *rest = sys.argv[2:]
        if verb == "prepare":
            child_prepare(Path(place))
        else:
            child_train(Path(place), *map(int, rest))
    else:
        main()

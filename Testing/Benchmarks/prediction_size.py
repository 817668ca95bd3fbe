"""Time and memory of prediction against the number of slices.

    python Testing/Benchmarks/prediction_size.py [--slices 100 300 1000] [--threads 2]
        [--slice-wise] [--name NAME]

The volumes are synthetic: the real CT of TotalSegmentator's test files (3 mm), continued along the
body axis by mirroring, resampled to 512 x 512 slices of 0.8 x 0.8 x 1.5 mm, with noise. It uses
the preset liver-ct and its network; a short training on that one CT at both spacings teaches it
where the liver is, so that the fine pass has its usual size. With --slice-wise, a 2-D network
segments slices of 160 x 160 pixels at 2 mm instead. Accuracy is not measured. Every
prediction is a `genseg predict` process on the CPU. Other programs on the machine add to `seconds`;
`processor_s` is CPU time. Writes results/prediction_size.json, or NAME.json for another processor.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from measuring import ROOT, write_result

from GenSegLib.augmentation.patches import PatchSampler, SliceSampler
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.computing.devices import choose_precision
from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image
from GenSegLib.images.resampling import resample
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.models.weights import save_model
from GenSegLib.networks import build_segmenter, segmenter_args, segmenter_target
from GenSegLib.presets import Preset, load_preset
from GenSegLib.training.losses import segmentation_loss

SPACING = (0.8, 0.8, 1.5)
ACROSS = 512
AIR = -1000.0
NOISE = 15.0

# VmHWM, since ru_maxrss of a child includes the memory of the process that started it
MEASURED = """
import json, sys, time
from GenSegLib.cli import main
start = time.monotonic()
code = main(sys.argv[1:])
found = {"seconds": time.monotonic() - start, "processor_s": time.process_time()}
status = open("/proc/self/status").read().splitlines()
peak_kb = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({"code": code, **found, "peak_bytes": peak_kb * 1024}))
"""


def make_volume(ct: Volume, slices: int) -> Volume:
    """Mirror a CT along z, pad it with air, and resample it to fine voxels."""
    scale = np.array(SPACING) / ct.spacing
    needed = np.ceil(np.array([ACROSS, ACROSS, slices]) * scale).astype(int)
    body = ct.array[0]
    body = np.pad(body, [(0, 0), (0, 0), (0, max(0, needed[2] - body.shape[2]))], "symmetric")
    body = body[:, :, : needed[2]]
    sides = [(0, 0) if axis == 2 else split(needed[axis] - body.shape[axis]) for axis in range(3)]
    body = np.pad(body, sides, constant_values=AIR)[np.newaxis]
    fine = resample(body, (ACROSS, ACROSS, slices), scale)
    random = np.random.default_rng(slices)
    for index in range(slices):
        fine[..., index] += random.normal(0, NOISE, fine.shape[1:3])
    affine = np.diag([*SPACING, 1.0])
    return Volume(np.rint(fine).astype(np.int16), affine)


def split(count: int) -> tuple[int, int]:
    return max(count, 0) // 2, max(count, 0) - max(count, 0) // 2


def benchmark_preset(slice_wise: bool) -> Preset:
    preset = replace(load_preset("liver-ct"), labels={1: "Liver"}, optional_labels=())
    if not slice_wise:
        return preset
    slices = {"spatial_dims": 2, "patch_size": (160, 160), "spacing": (2.0, 2.0), "multiple": 16}
    return replace(preset, **slices, coarse_spacing=None)


def train_briefly(data: Path, folder: Path, preset: Preset, steps: int) -> None:
    """Train the network of the preset on random patches of the CT at its spacings."""
    args = segmenter_args(
        preset.segmenter, preset.input_channels, 2, preset.spatial_dims, preset.patch_size
    )
    torch.manual_seed(0)
    network = build_segmenter(preset.segmenter, args)
    sampler = SliceSampler if preset.spatial_dims == 2 else PatchSampler
    samplers = [sampler([case], preset.patch_size) for case in prepared_cases(data, preset)]
    rng = RandomGenerator(0)
    autocast = choose_precision(torch.device("cpu"), "auto")
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    for _ in range(steps):
        patches = [each.sample(rng, 2 // len(samplers)) for each in samplers]
        images, labels = (torch.cat(parts) for parts in zip(*patches))
        optimizer.zero_grad()
        with autocast():
            logits = network(images)
        segmentation_loss(logits, labels.long()).backward()
        optimizer.step()
    metadata = ModelMetadata(
        name="prediction_size",
        preset=preset,
        labels=preset.labels,
        network=preset.segmenter,
        network_target=segmenter_target(preset.segmenter),
        network_args=args,
        cases=1,
    )
    save_model(folder, metadata, network.eval().state_dict())


def prepared_cases(data: Path, preset: Preset) -> list[InMemoryCase]:
    """Return the CT at the spacing of the preset, and at its coarse spacing if it has one."""
    image = read_image(data / "ct_full.nii.gz")
    label = read_label(data / "ct_full_liver.nii.gz")
    cases = []
    for spacing in (preset.spacing, preset.coarse_spacing):
        if spacing is not None:
            prepared = Preprocessor(replace(preset, spacing=spacing)).apply(image, label)
            assert prepared.label is not None
            tensors = torch.from_numpy(prepared.image), torch.from_numpy(prepared.label)
            cases.append(InMemoryCase("ct", *tensors, prepared.spacing))
    return cases


def measure(model: Path, image: Path, out: Path, options: list[str], threads: int) -> dict:
    """Run `genseg predict` in a process of its own; return time and memory."""
    threaded = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    arguments = ["predict", str(model), str(image), "--out", str(out), "--overwrite"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments, "--device", "cpu", *options],
        env={**os.environ, **threaded},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    print(done.stderr, file=sys.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        "seconds": round(found["seconds"], 1),
        "processor_s": round(found["processor_s"], 1),
        "peak_gb": round(found["peak_bytes"] / 2**30, 2),
        "exit_code": found["code"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/abdomen")
    parser.add_argument("--work", type=Path, default=ROOT / "runs/prediction_size")
    parser.add_argument("--slices", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--steps", type=int, default=100, help="of the short training")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--options", nargs="*", default=[], help="further options of predict")
    parser.add_argument("--slice-wise", action="store_true", help="segment slices in 2-D")
    parser.add_argument(
        "--name", help="of the result; prediction_size or slice_wise_prediction_size"
    )
    args = parser.parse_args()
    model = args.work / ("slice_wise_model" if args.slice_wise else "model")
    name = args.name or ("slice_wise_" if args.slice_wise else "") + "prediction_size"
    if not model.is_dir():
        train_briefly(args.data, model, benchmark_preset(args.slice_wise), args.steps)
    ct = read_image(args.data / "ct_full.nii.gz")
    rows = []
    for slices in args.slices:
        image = args.work / f"ct_{slices}.nii.gz"
        if not image.is_file():
            write_image(image, make_volume(ct, slices))
        started = time.strftime("%H:%M")
        row = measure(model, image, args.work / f"out_{slices}", args.options, args.threads)
        rows.append({"slices": slices, **row, "started": started, "load": os.getloadavg()[0]})
        print(rows[-1], flush=True)
    found = {"rows": rows, "threads": args.threads, "image": [ACROSS, ACROSS], "spacing": SPACING}
    print(write_result(name, found))


if __name__ == "__main__":
    main()

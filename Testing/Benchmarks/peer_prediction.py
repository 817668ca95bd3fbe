"""Prediction of a large CT by GenSeg and by nnU-Net's own predictor, side by side.

    python Testing/Benchmarks/peer_prediction.py [--slices 300] [--threads 2] [--rounds 1]

Both use the very same network and the same volume of prediction_size.py, each in a process of its
own on the CPU, one after the other, from the start of Python to the written file. GenSeg segments
as its preset says, coarse to fine, and keeps the largest component; nnU-Net goes over the whole
volume at the fine spacing. The model is hardly taught and finds liver in many places: the labels
agree where GenSeg looks (Dice 0.85 in its box, of the largest component), and not elsewhere.
Writes results/peer_prediction.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path

from measuring import ROOT, write_findings
from peer_environment import NNUNET, peer_python
from prediction_size import make_volume, measure, teach

from GenSegLib.images.image_io import read_image, read_label, write_image

NEEDED = ("monai", "einops", "contourpy", "SimpleITK", "scipy")  # by GenSeg's network


def measure_peer(python: Path, model: Path, image: Path, out: Path, threads: int) -> dict:
    """Run nnU-Net's predictor in a process of its own; give its time and its memory."""
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    program = Path(__file__).with_name("nnunet_predictor.py")
    done = subprocess.run(
        [python, program, model, image, out],
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        "seconds": round(found["seconds"], 1),
        "processor_s": round(found["processor_s"], 1),
        "peak_gb": round(found["peak_bytes"] / 2**30, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/abdomen")
    parser.add_argument("--work", type=Path, default=ROOT / "runs/prediction_size")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    python = peer_python("nnunet-predictor", (*NNUNET, *NEEDED))
    model, image = args.work / "model", args.work / f"ct_{args.slices}.nii.gz"
    if not model.is_dir():
        teach(args.data, model, 100)
    if not image.is_file():
        write_image(image, make_volume(read_image(args.data / "ct_full.nii.gz"), args.slices))
    rows: dict[str, list[dict]] = {"genseg": [], "nnunet": []}
    ours, theirs = args.work / "peer_genseg", args.work / "peer_nnunet"
    for _ in range(args.rounds):
        rows["genseg"].append(measure(model, image, ours, [], args.threads))
        rows["nnunet"].append(measure_peer(python, model, image, theirs, args.threads))
        print({name: found[-1] for name, found in rows.items()}, flush=True)
    agreement = agreeing(next(ours.glob("*.nii.gz")), theirs.with_name(theirs.name + ".nii.gz"))
    found = {
        "slices": args.slices,
        "threads": args.threads,
        **rows,
        "nnunet_over_genseg": {
            name: round(middle(rows["nnunet"], name) / middle(rows["genseg"], name), 2)
            for name in ("seconds", "processor_s", "peak_gb")
        },
        "dice_between_them": agreement,
    }
    print(write_findings("peer_prediction", found))


def middle(rows: list[dict], name: str) -> float:
    return statistics.median(row[name] for row in rows)


def agreeing(one: Path, other: Path) -> float:
    """Give the Dice of two label files' foregrounds."""
    first, second = (read_label(path).array > 0 for path in (one, other))
    return round(2 * float((first & second).sum()) / float(first.sum() + second.sum()), 3)


if __name__ == "__main__":
    main()

"""What predicting in bfloat16 saves against `--exact`, which is float32, and what it changes.

    python Testing/Benchmarks/fast_prediction.py MODEL IMAGE... [--references FOLDER]

Each image is segmented in both ways, one after the other, by loaded models. Says the ratio of the
times, the share of the foreground whose label changes, and the Dice of both where references of the
same names are given. Writes results/fast_prediction_PRESET.json.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import fmean, median

import numpy as np
import torch
from measuring import write_findings

from GenSegLib.evaluation.metrics import case_scores
from GenSegLib.images.image_io import read_image, read_label
from GenSegLib.prediction.predictor import Predictor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--references", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ways = {name: Predictor(args.model, exact=name == "exact") for name in ("usual", "exact")}
    values = ways["usual"].metadata.label_values[1:]
    ratios, changed, scores = [], [], {name: list[float]() for name in ways}
    for path in args.images:
        image, labels, seconds = read_image(path), {}, {}
        for name, predictor in ways.items():
            began = time.perf_counter()
            labels[name] = predictor.predict(image).label.array
            seconds[name] = time.perf_counter() - began
        ratios.append(seconds["exact"] / seconds["usual"])
        either = (labels["usual"] > 0) | (labels["exact"] > 0)
        changed.append(float((labels["usual"] != labels["exact"])[either].mean()))
        if args.references:
            wanted = read_label(args.references / path.name).array
            for name, label in labels.items():
                found = case_scores(label[0], wanted[0], values, image.spacing)
                scores[name].append(fmean(score.dice for score in found))
    facts: dict[str, object] = {
        "images": len(args.images),
        "threads": args.threads,
        "times_as_fast": round(median(ratios), 3),
        "share_of_foreground_changed": round(float(np.mean(changed)), 5),
    }
    if args.references:
        facts["dice"] = {name: round(fmean(each), 4) for name, each in scores.items()}
    preset = ways["usual"].metadata.preset.name
    print(write_findings(f"fast_prediction_{preset.replace('-', '_')}", facts))


if __name__ == "__main__":
    main()

"""Liver segmentation on a cohort derived from one real CT, with and without generated pairs.

    python Testing/Benchmarks/derived_cohort.py [--cases 60] [--labeled 10] [--seeds 0]

There is no cohort of liver CTs at hand. This one is made of the one real CT by random smooth
deformations of the anatomy and random contrast phase, noise, resolution and field of view: its
cases share the anatomy of one patient, so that scores on it say how well a training copes with
such changes, and nothing of other patients. Each arm is one `genseg train` with as many steps of
the segmenter; then `genseg predict` on the unseen cases, on the real CT that all are derived from,
and, as a shift, on a real MR of somebody else. Writes results/derived_cohort.csv and .json; what
they hold of other seeds and arms stays, where all else that was asked for is the same.

The real CT has voxels of 3 mm, which is the spacing that is trained at; `--spacing 1.5` trains as
liver-ct does, on voxels that no finer detail is in, and takes about six times as long.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from comparing import Row, mean_by_case, mean_by_seed, paired_tests
from measuring import RESULTS, ROOT, commit, genseg, write_findings
from resumable import finish_training
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from GenSegLib.images.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.images.resampling import resample, target_size
from GenSegLib.presets import load_preset

DATA = ROOT.parent / "shared/data/abdomen"
ARMS = {"genseg": [], "no-generator": ["--no-generator"]}
# as many of the segmenter's as liver-ct's standard effort takes, fewer of them joint ones
STEPS = {"warmup_steps": 100, "joint_steps": 300, "final_steps": 2400}
AIR, FAT, SOFT = -1024.0, -20.0, 130.0
SETS = ("unseen", "real-ct", "real-mr")
COLUMNS = ("arm", "seed", "set", "case", "dice")
Training = dict[str, Any]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """Return a smooth field of unit variance whose details have about `scale` voxels."""
    knots = [max(4, round(size / scale) + 3) for size in shape]
    coarse = rng.standard_normal(knots)
    field = zoom(coarse, [size / knot for size, knot in zip(shape, knots)], order=3)
    return field / field.std()


def deformed(rng: np.random.Generator, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Deform image and mask alike: turned, stretched, moved, and bent at two scales.

    Lengths are in voxels of 3 mm. The arrays are an image, a mask from 0 to 1, and where there is
    anything.
    """
    shape = arrays[0].shape
    middle = (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")) - middle
    turn = np.triu(rng.normal(0, 0.08, (3, 3)), 1)
    linear = np.eye(3) + turn - turn.T
    linear = linear * np.exp(rng.normal(0, 0.08) + rng.normal(0, 0.06, 3))
    places = np.einsum("ij,jxyz->ixyz", linear, grid) + middle
    places[:2] += rng.normal(0, 2, (2, 1, 1, 1))
    for scale, size in ((25, 2.6), (11, 0.9)):
        places += size * np.stack([smooth_noise(rng, shape, scale) for _ in range(3)])
    outside = (AIR, 0.0, 0.0)
    return [map_coordinates(a, places, order=1, cval=out) for a, out in zip(arrays, outside)]


def enhanced(rng: np.random.Generator, image: np.ndarray, liver: np.ndarray) -> np.ndarray:
    """Return another contrast phase: organs enhance differently, fat and bone hardly."""
    soft = gaussian_filter(((image > FAT) & (image < SOFT)).astype(np.float32), 0.7)
    others = rng.uniform(-5, 30) + 14 * smooth_noise(rng, image.shape, 18)
    texture = rng.uniform(-15, 60) + 4 * smooth_noise(rng, image.shape, 6)
    change = soft * ((1 - liver) * others + liver * texture)
    bright = np.maximum(image - SOFT, 0) * rng.uniform(-0.15, 0.3)
    return image + change + bright


def acquired(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image with a reconstruction's softness and its correlated noise."""
    blurred = gaussian_filter(image, rng.uniform(0, 0.6))
    grain = gaussian_filter(rng.standard_normal(image.shape), rng.uniform(0.3, 0.8))
    return blurred + grain / grain.std() * rng.uniform(5, 25)


def field_of_view(
    rng: np.random.Generator, liver: np.ndarray, there: np.ndarray
) -> tuple[slice, ...]:
    """Return a box around the liver: all of the body in plane, more or less of it along z.

    Slices that the deformation left partly empty are no part of it, as a scan ends at a plane.
    """
    share = (there > 0.5).mean(axis=(0, 1))
    full = np.flatnonzero(share > 0.9 * share.max())
    inside = np.flatnonzero((liver > 0.5).any(axis=(0, 1)))
    low = rng.integers(full[0], max(full[0] + 1, inside[0] - 5))
    high = rng.integers(min(inside[-1], full[-1]), full[-1] + 1) + 1
    sides = [(rng.integers(0, 9), size - rng.integers(0, 9)) for size in liver.shape[:2]]
    return (*(slice(a, b) for a, b in sides), slice(low, high))


def derive(seed: int, image: Volume, liver: Volume) -> tuple[Volume, Volume]:
    """Return a case derived from the real one."""
    rng = np.random.default_rng([7, seed])
    whole = image.array[0]
    arrays = [whole, liver.array[0].astype(np.float32), np.ones_like(whole)]
    array, mask, there = deformed(rng, arrays)
    array = acquired(rng, enhanced(rng, array, mask))
    box = field_of_view(rng, mask, there)
    array, mask = array[box], mask[box]
    scale = np.array([*[rng.uniform(0.7, 1.2)] * 2, rng.choice([0.7, 1.0, 1.0, 5 / 3])])
    size = [target_size(*pair) for pair in zip(array.shape, scale)]
    affine = image.affine @ np.diag([*scale, 1.0])
    array, mask = (resample(each[np.newaxis], size, scale) for each in (array, mask))
    array = np.clip(np.rint(array), -1024, 3071).astype(np.int16)
    return Volume(array, affine), Volume((mask > 0.5).astype(np.int16), affine)


def make_cohort(folder: Path, cases: int, labeled: int) -> None:
    """Write the labeled cases as `images` and `labels`, the others as `unseen` and `truth`."""
    if (folder / "made.json").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    image, liver = read_image(DATA / "ct_full.nii.gz"), read_label(DATA / "ct_full_liver.nii.gz")
    for place in range(cases):
        made = derive(place, image, liver)
        names = ("images", "labels") if place < labeled else ("unseen", "truth")
        for name, volume, write in zip(names, made, (write_image, write_label)):
            write(folder / name / f"derived_{place:02d}.nii.gz", volume)
    (folder / "made.json").write_text(json.dumps({"cases": cases, "labeled": labeled}))


def write_preset(path: Path, spacing: float) -> None:
    """Write liver-ct at another spacing, its coarse one in proportion."""
    preset = load_preset("liver-ct")
    assert preset.spacing is not None and preset.coarse_spacing is not None
    coarse = max(preset.coarse_spacing[0], 2 * spacing)
    changed = replace(preset, spacing=(spacing,) * 3, coarse_spacing=(coarse,) * 3)
    path.write_text(json.dumps(changed.to_json()))


def run_arm(args: argparse.Namespace, arm: str, seed: int) -> Path:
    """Do what is not done yet of an arm with one seed: train, predict; return its run folder."""
    run = args.runs / f"{arm}-{seed}"
    if (run / "cost.json").is_file():
        return run
    settings = [word for item in args.steps.items() for word in ("--set", "=".join(map(str, item)))]
    common = ("--preset", args.runs / "preset.json", "--seed", seed, "--out", run)
    common += ("--segmenter", args.segmenter) if args.segmenter else ()
    command = ["train", args.runs / "cohort", *common, *settings, *ARMS[arm]]
    seconds, memory = finish_training(run, command)
    for name, images in image_sets(args.runs).items():
        shutil.rmtree(args.runs / f"{run.name}-{name}", ignore_errors=True)
        genseg("predict", run, *images, "--out", args.runs / f"{run.name}-{name}")
    cost = {"train_s": round(seconds, 1), "peak_gb": round(memory, 2)}
    (run / "cost.json").write_text(json.dumps(cost))
    print(f"{arm} seed {seed}: {cost}", flush=True)
    return run


def image_sets(runs: Path) -> dict[str, list[Path]]:
    unseen = sorted((runs / "cohort/unseen").glob("*.nii.gz"))
    return dict(zip(SETS, (unseen, [DATA / "ct_full.nii.gz"], [DATA / "mr.nii.gz"])))


def dice(prediction: Path, reference: Path) -> float:
    first, second = (read_label(path).array == 1 for path in (prediction, reference))
    return float(2 * (first & second).sum() / max(1, first.sum() + second.sum()))


def read_rows(runs: Path, arm: str, seed: int) -> list[Row]:
    rows: list[Row] = []
    for name, images in image_sets(runs).items():
        for image in images:
            stem = image.name.removesuffix(".nii.gz")
            truth = runs / "cohort/truth" / image.name
            truth = truth if name == "unseen" else DATA / f"{stem}_liver.nii.gz"
            found = dice(runs / f"{arm}-{seed}-{name}" / image.name, truth)
            rows.append(dict(zip(COLUMNS, (arm, seed, name, stem, round(found, 4)))))
    return rows


def summary(rows: list[Row], trainings: list[Training]) -> dict[str, object]:
    """Return means of each arm and set, and the paired test between the arms."""
    arms = {}
    for arm in ARMS:
        own = [row for row in rows if row["arm"] == arm]
        if own:
            cost = [each for each in trainings if each["arm"] == arm]
            arms[arm] = {**{name: scores(own, name) for name in SETS}, "trainings": cost}
    unseen = [row for row in rows if row["set"] == "unseen"]
    others = [arm for arm in arms if arm != "genseg"]
    tests = paired_tests(unseen, "genseg", others, "dice") if "genseg" in arms else {}
    of_seeds = {
        seed: paired_tests(
            [row for row in unseen if int(str(row["seed"])) == seed], "genseg", others, "dice"
        )
        for seed in sorted({int(str(row["seed"])) for row in unseen})
    }
    return {
        "cohort": "derived from one real CT; nothing is known of other patients",
        "arms": arms,
        "genseg_against": {"all seeds": tests, **of_seeds},
    }


def scores(rows: list[Row], name: str) -> dict[str, object]:
    """Return the mean Dice on a set of images, that of each seed, and the least of all."""
    by_case = mean_by_case((row for row in rows if row["set"] == name), "dice")
    seeds = {seed: round(mean, 4) for seed, mean in mean_by_seed(by_case).items()}
    mean = round(float(np.mean(list(seeds.values()))), 4)
    return {"dice": mean, "seeds": seeds, "least": min(by_case.values())}


def earlier(
    asked: dict[str, object], now: set[tuple[str, int]]
) -> tuple[list[Row], list[Training]]:
    """Give the rows and trainings of earlier calls that asked for the same but other trainings."""
    path = RESULTS / "derived_cohort.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    if any(known.get(name) != value for name, value in asked.items()):
        return [], []
    found = [each for arm in known["arms"].values() for each in arm["trainings"]]
    found = [each for each in found if (each["arm"], each["seed"]) not in now]
    named = {(each["arm"], str(each["seed"])) for each in found}
    with (RESULTS / "derived_cohort.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if (row["arm"], row["seed"]) in named]
    return list(rows), found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/derived_cohort")
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--labeled", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--segmenter", help="default: that of liver-ct")
    parser.add_argument("--spacing", type=float, default=3.0, help="mm")
    parser.add_argument("--steps", type=json.loads, default=STEPS, help="as JSON")
    parser.add_argument("--rehearse", action="store_true", help="write no results")
    return parser.parse_args()


def main() -> None:
    args = parse()
    args.runs = args.runs.resolve()
    make_cohort(args.runs / "cohort", args.cases, args.labeled)
    write_preset(args.runs / "preset.json", args.spacing)
    named = ("cases", "labeled", "steps", "spacing", "segmenter")
    asked = {name: getattr(args, name) for name in named}
    pairs = [(arm, seed) for seed in args.seeds for arm in args.arms]
    rows, trainings = earlier(asked, set(pairs))
    for arm, seed in pairs:
        run = run_arm(args, arm, seed)
        rows += read_rows(args.runs, arm, seed)
        cost = json.loads((run / "cost.json").read_text())
        trainings.append({"arm": arm, "seed": seed, **cost, "commit": commit()})
    found = {**summary(rows, trainings), **asked}
    if args.rehearse:
        print(json.dumps(found, indent=1))
        return
    with (RESULTS / "derived_cohort.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    print(write_findings("derived_cohort", found))


if __name__ == "__main__":
    main()

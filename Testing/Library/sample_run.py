"""A small run folder, made without training."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from scipy import ndimage

from GenSegLib.config import TrainConfig
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.events import EventLog
from GenSegLib.phantoms import hippocampus, make_cases
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State

OPERATIONS = ("conv4", "conv6", "conv8")


def make_run(folder: Path, cases: int = 5, test: int = 2, steps: int = 120) -> RunFolder:
    """Cases, events and previews of two steps."""
    data = make_cases(folder / "data", "hippocampus", cases, seed=0, test=test)
    config = TrainConfig(warmup_steps=steps, joint_steps=steps, final_steps=steps)
    preset = load_preset("hippocampus-mri")
    run = RunFolder.create(folder / "run", config, preset, data.with_validation(0.3, 0))
    write_events(run, steps)
    for step in (steps, 2 * steps):
        write_previews(run, step)
    run.write_status(State.FINISHED, 3 * steps)
    return run


def write_events(run: RunFolder, steps: int) -> None:
    """Write events of a plausible training."""
    log = EventLog(run.events_file)
    rng = np.random.default_rng(0)
    log.state("running")
    for step in range(0, 3 * steps, 2):
        phase = ("warm-up", "joint", "final")[step // steps]
        noise = rng.normal(0, 0.08)
        values = {"generator_loss": 3 * math.exp(-step / steps) + 1 + noise}
        values["discriminator_loss"] = 1.4 - 0.4 * math.exp(-step / steps) + noise / 2
        if phase == "joint":
            share = (step - steps) / steps
            values |= {"gamma": 1.0 - 0.7 * share, "upper/elastic": 0.5 + 0.2 * share}
            for cell in ("encoder1", "encoder2", "decoder1", "decoder2"):
                weights = np.exp(share * rng.normal((1.5, 0.4, 0), 0.1))
                weights /= weights.sum()
                names = (f"alpha/{cell}/{operation}" for operation in OPERATIONS)
                values |= dict(zip(names, weights))
        if phase != "warm-up":
            values["segmenter_loss"] = 1.6 * math.exp(-(step - steps) / steps) + 0.2 + noise
            if step % 20 == 0:
                dice = 0.88 * (1 - math.exp(-(step - steps + 20) / steps * 2))
                values |= {"validation_dice": dice, "validation_loss": 1 - dice}
        log.metrics(phase, step, **values)
    log.state("finished")


def write_previews(run: RunFolder, step: int) -> None:
    """Write real pairs, stand-ins for generated pairs, and predictions of validation cases."""
    folder = run.previews / f"{step:06d}"
    folder.mkdir(parents=True)
    for number, case in enumerate(run.cases.labeled[:3]):
        assert case.label is not None
        image, label = read_image(case.image), read_label(case.label)
        write_pair(folder, f"real_{number}", image, label)
        drawn, mask = hippocampus.generate(np.random.default_rng(100 + number))
        soft = ndimage.gaussian_filter(drawn.array, (0, *(3 * (1.2 - step / 400),) * 3))
        write_pair(folder, f"generated_{number}", Volume(soft, drawn.affine), mask)
        name = f"validation_{case.name}"
        write_pair(folder, name, image, label)
        write_label(folder / f"{name}_prediction.nii.gz", shifted(label, number))


def write_pair(folder: Path, name: str, image: Volume, label: Volume) -> None:
    """Write NAME_image and NAME_label to the folder."""
    write_image(folder / f"{name}_image.nii.gz", image)
    write_label(folder / f"{name}_label.nii.gz", label)


def shifted(label: Volume, shift: int) -> Volume:
    """Shift a label by some voxels, as a prediction."""
    return Volume(np.roll(label.array, (shift, -shift), (1, 3)), label.affine)


def write_evaluation(folder: Path, run: RunFolder) -> tuple[Path, Path, Path]:
    """Write predictions of the test cases and their scores; return both and the references."""
    root = run.cases.cases[0].image.parent.parent
    predictions = folder / "predictions"
    predictions.mkdir()
    rows = ["case,label,name,dice,hd95_mm,surface_dice,volume_error_ml"]
    for number, path in enumerate(sorted((root / "labelsTs").iterdir())):
        write_label(predictions / path.name, shifted(read_label(path), number))
        case = path.name.removesuffix(".nii.gz")
        for value, name in run.cases.labels.items():
            rows.append(
                f"{case},{value},{name},{0.9 - 0.04 * number - 0.01 * value:.4f},"
                f"{1 + number / 4},{0.95 - 0.05 * number:.4f},{0.05 * (number - 1):.4f}"
            )
    table = folder / "evaluation.csv"
    table.write_text("\n".join(rows) + "\n")
    return table, predictions, root / "labelsTs"

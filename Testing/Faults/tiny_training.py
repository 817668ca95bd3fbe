"""The smallest training with all three levels, for the programs and tests in this folder.

The networks are those of the library with few channels, so that checkpoints are small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from typing import Any
from unittest.mock import patch

from GenSegLib.cases import CaseSet
from GenSegLib.config import TrainConfig
from GenSegLib.datasets.image_io import write_image, write_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.events import EventLog, read_events
from GenSegLib.networks import segmenters
from GenSegLib.networks.discriminator import Discriminator
from GenSegLib.networks.image_generator import GeneratorConfig
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.training.train import train
from Testing.conftest import draw_tiny_pair
from Testing.training_states import final_state

STEPS = {"warmup_steps": 4, "joint_steps": 6, "final_steps": 6, "upper_interval": 3}
SETTINGS = {
    **STEPS,
    "validation_interval": 6,
    "segmenter": "unet",
    "threads": 1,
    "precision": "fp32",
}
EVERY_STEP_S = 1e-9
SMALL: dict[str, Any] = {"generator": "none", "checkpoint_interval_s": EVERY_STEP_S}


def _few_channels(request: segmenters.Request) -> dict[str, Any]:
    common = segmenters._channels(request)
    return {**common, "channels": [4, 8], "strides": [2], "num_res_units": 1}


@contextmanager
def few_channels() -> Iterator[None]:
    """Build U-Net, generator and discriminator with two or three levels of few channels."""
    known = segmenters._REGISTRY["unet"]
    segmenters._REGISTRY["unet"] = replace(known, arguments=_few_channels)
    try:
        with _narrowed(GeneratorConfig), _narrowed(Discriminator):
            yield
    finally:
        segmenters._REGISTRY["unet"] = known


def _narrowed(kind: type) -> Any:
    """Patch the default widths of a network or its configuration."""
    return patch.object(kind, "__init__", partialmethod(kind.__init__, widths=(4, 8, 8)))


def tiny_cases(folder: Path, count: int = 3) -> CaseSet:
    """Noise with two bright blocks; one of the cases validates."""
    for k in range(count):
        image, label = draw_tiny_pair(seed=k, shape=(16, 16, 16))
        write_image(folder / "images" / f"case_{k}.nii.gz", image)
        write_label(folder / "labels" / f"case_{k}.nii.gz", label)
    return read_cases(folder).with_validation(0.3, 0)


def tiny_run(folder: Path, cases: CaseSet, **changes: Any) -> RunFolder:
    """A run folder for a training of a second."""
    preset = replace(load_preset("hippocampus-mri"), patch_size=(16, 16, 16), segmenter="unet")
    return RunFolder.create(folder, TrainConfig(**{**SETTINGS, **changes}), preset, cases)


def trained(run: RunFolder, *, resume: bool = False) -> RunFolder:
    """Train in this process."""
    with few_channels():
        train(run, EventLog(run.events_file), resume=resume)
    return run


def stopped(run: RunFolder, at: int) -> RunFolder:
    """Train in this process until a step at which a stop is requested."""

    def ask(event: dict[str, Any]) -> None:
        if event["kind"] == "metrics" and event["step"] >= at:
            run.request_stop()

    with few_channels():
        train(run, EventLog(run.events_file, [ask]))
    return run


def final_learner(run: RunFolder) -> dict[str, Any]:
    """The learner's state in the last checkpoint."""
    return dict(final_state(run)["learner"])


def logs(run: RunFolder) -> list[str]:
    """The messages of a run."""
    return [event["text"] for event in read_events(run.events_file) if event["kind"] == "log"]


def at_first_metrics(action: Callable[[], object]) -> EventLog:
    """An event log that runs an action once, in the middle of a training."""
    left = [action]

    def sink(event: dict[str, Any]) -> None:
        if event["kind"] == "metrics" and left:
            left.pop()()

    return EventLog(None, [sink])

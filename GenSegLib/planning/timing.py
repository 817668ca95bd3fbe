"""Seconds of an optimizer step of a candidate, measured on this machine and cached for an hour.

A machine is not always equally fast: other programs use it, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..augmentation.patches import patch_margin
from ..augmentation.policy import AugmentationPolicy, augment
from ..augmentation.random_generator import RandomGenerator
from ..computing.devices import choose_device, cpu_capabilities
from ..computing.memory import default_memory_limit, resident_bytes
from ..config import TrainConfig
from ..errors import GenSegError
from ..files import read_json, write_json
from ..presets import Preset
from ..training.trial_step import trial_step

_VALID_S = 3600.0
_ENOUGH_S = 2.0
_MAX_STEPS = 5
_USABLE_FRACTION = 0.8  # of a GPU's free memory


def measure_step(preset: Preset, config: TrainConfig, classes: int, batch_size: int) -> float:
    """Return the seconds of an optimizer step of a preset's segmenter, augmentation included.

    Args:
        preset: with patch and network.
        config: segmenter, device, precision and threads.
        classes: number of classes, background included.
        batch_size: patches a step.
    """
    device = choose_device(config.device)
    if config.threads:
        torch.set_num_threads(config.threads)
    key = _key(preset, config, classes, batch_size, device)
    known = _cached(key)
    if known is not None:
        return known
    batches = _batches(preset, classes, batch_size, device)
    step = trial_step(preset, config, classes, batches, device)
    seconds = _fastest_threads(step, device, config)
    _store(key, seconds)
    return seconds


def free_memory(device: torch.device) -> int:
    """Return the bytes that a training on this device may use in addition."""
    if device.type == "cuda":
        return int(_USABLE_FRACTION * torch.cuda.mem_get_info(device)[0])
    return default_memory_limit() - resident_bytes()


def _batches(
    preset: Preset, classes: int, batch_size: int, device: torch.device
) -> Callable[[], tuple[Tensor, Tensor]]:
    """Return a function that augments random images and their labels."""
    rng = RandomGenerator(0, device)
    policy, size = AugmentationPolicy.for_preset(preset), preset.patch_size
    source = [edge + 2 * margin for edge, margin in zip(size, patch_margin(size))]
    images = rng.uniform(batch_size, preset.input_channels, *source)
    labels = (images[:, :1] * classes).to(torch.int64).clamp(max=classes - 1)

    def batch() -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            return augment(images, labels, classes, policy, rng, size)

    return batch


def _fastest_threads(step: Callable[[], None], device: torch.device, config: TrainConfig) -> float:
    """Return the seconds of a step with as many CPU threads as the training will choose.

    Beside other programs a single thread can be many times as fast as one per core.
    """
    available = torch.get_num_threads()
    seconds = _fastest(step, device)
    if device.type != "cpu" or config.threads or available == 1:
        return seconds
    torch.set_num_threads(1)
    try:
        return min(seconds, _fastest(step, device))
    finally:
        torch.set_num_threads(available)


def _fastest(step: Callable[[], None], device: torch.device) -> float:
    """Return the seconds of the fastest of a few steps after the first, which allocates memory."""
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < _MAX_STEPS and sum(seconds) < _ENOUGH_S):
        start = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
        if seconds[0] > _ENOUGH_S * _MAX_STEPS:
            break
    return min(seconds)


def _key(
    preset: Preset, config: TrainConfig, classes: int, batch_size: int, device: torch.device
) -> str:
    is_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if is_gpu else cpu_capabilities().get("cpu_name")
    settings: list[Any] = [
        *(str(device), str(name), platform.node(), torch.__version__, torch.get_num_threads()),
        *(config.network, config.precision, preset.network, preset.patch_size),
        *(preset.input_channels, preset.bias_field, classes, batch_size),
    ]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:24]


def cache_file() -> Path:
    """Return the file of measured seconds, in the user's folder for caches."""
    home = Path.home()
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        folder = home / "Library" / "Caches"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    return folder / "genseg" / "step-seconds.json"


def _entries() -> dict[str, Any]:
    """Return the valid entries; a missing or damaged file has none."""
    try:
        entries = read_json(cache_file())
        now = time.time()
        return {
            key: (float(seconds), float(when))
            for key, (seconds, when) in entries.items()
            if now - _VALID_S < float(when) <= now
        }
    except (GenSegError, OSError, ValueError, TypeError, AttributeError):
        return {}


def _cached(key: str) -> float | None:
    entry = _entries().get(key)
    return None if entry is None else float(entry[0])


def _store(key: str, seconds: float) -> None:
    """Remember a measurement; a folder that cannot be written to costs a few seconds next time."""
    with suppress(GenSegError, OSError, RuntimeError):
        file = cache_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, _entries() | {key: (seconds, time.time())})

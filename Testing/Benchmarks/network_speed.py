"""Training step of every segmenter on this CPU by normalization, memory format and precision.

    python Testing/Benchmarks/network_speed.py [--segmenters dynunet unet ...] [--rounds 7]
        [--name NAME]

Compares PyTorch's instance normalization with that of GenSeg (both channels last), GenSeg's with
channels first, and float32 with bfloat16. Variants alternate in one process, so that a busy machine
slows all of them. Writes results/network_speed.json, or NAME.json for another processor.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from measuring import write_result
from torch import nn

from GenSegLib.computing.devices import choose_precision, cpu_capabilities, to_device
from GenSegLib.computing.memory_format import CHANNELS_FIRST, to_memory_format
from GenSegLib.config import SEGMENTERS
from GenSegLib.networks import build_segmenter, segmenter_args
from GenSegLib.presets import load_preset
from GenSegLib.training.losses import segmentation_loss

BATCH = 4
CLASSES = 3
CPU = torch.device("cpu")


def plain(network: nn.Module) -> nn.Module:
    """Convert to channels last with PyTorch's normalization."""
    return network.to(memory_format=torch.channels_last_3d)


def fast(network: nn.Module) -> nn.Module:
    """Convert as training runs do."""
    to_device(network, CPU)
    return network


def first(network: nn.Module) -> nn.Module:
    """Convert as training runs do, but channels first."""
    to_device(network, CPU, CHANNELS_FIRST)
    return network


def step(network: nn.Module, precision: str, images: torch.Tensor, labels: torch.Tensor) -> None:
    with choose_precision(CPU, precision)():
        logits = network(images)
    segmentation_loss(logits, labels).backward()
    network.zero_grad()


def measure(name: str, rounds: int) -> dict[str, float]:
    """Return the median seconds of a step by variant."""
    size = load_preset("hippocampus-mri").patch_size
    arguments = segmenter_args(name, 1, CLASSES, 3, size)
    networks = {
        convert.__name__: convert(build_segmenter(name, arguments))
        for convert in (plain, fast, first)
    }
    images = torch.randn(BATCH, 1, *size)
    labels = torch.randint(CLASSES, (BATCH, 1, *size))
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for variant, network in networks.items():
            for precision in ("fp32", "bf16"):
                start = time.thread_time()
                step(
                    network,
                    precision,
                    images if variant == "first" else to_memory_format(images),
                    labels,
                )
                seconds.setdefault(f"{variant}_{precision}_s", []).append(
                    time.thread_time() - start
                )
    return {variant: round(statistics.median(values), 4) for variant, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segmenters", nargs="+", default=SEGMENTERS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--name", default="network_speed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    capabilities = cpu_capabilities()
    has_units = {name: capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")}
    found: dict[str, object] = {"batch": BATCH, "threads": 1, **has_units}
    for name in args.segmenters:
        medians = measure(name, args.rounds)
        ratios = {
            f"fast_over_{variant}_{precision}": round(
                medians[f"fast_{precision}_s"] / medians[f"{variant}_{precision}_s"], 3
            )
            for variant in ("plain", "first")
            for precision in ("fp32", "bf16")
        }
        ratios["bf16_over_fp32"] = round(medians["fast_bf16_s"] / medians["fast_fp32_s"], 3)
        found[name] = {**medians, **ratios}
        print(name, ratios, flush=True)
    print(write_result(args.name, found))


if __name__ == "__main__":
    main()

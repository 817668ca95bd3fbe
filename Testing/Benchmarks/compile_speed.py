"""Whether torch.compile pays for the segmenter's training step on this machine.

    python Testing/Benchmarks/compile_speed.py [--rounds 5] [--device cpu] [--threads 1]

The same network as it is and compiled take turns. What compiling costs at the start is compared
with what a step gains: so many steps it takes to pay. Writes results/compile_speed.json.
"""

from __future__ import annotations

import argparse
import math

import torch
from clocks import interleaved, seconds_of
from measuring import write_findings
from torch import nn

from GenSegLib.computing.devices import choose_device, choose_precision, to_device
from GenSegLib.computing.memory_format import laid_out
from GenSegLib.networks import build_segmenter, segmenter_args
from GenSegLib.presets import load_preset
from GenSegLib.training.losses import segmentation_loss

BATCH, CLASSES = 4, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device, preset = choose_device(args.device), load_preset("hippocampus-mri")
    arguments = segmenter_args("dynunet", 1, CLASSES, 3, preset.patch_size)
    network = build_segmenter("dynunet", arguments)
    to_device(network, device)
    images = laid_out(torch.randn(BATCH, 1, *preset.patch_size, device=device))
    labels = torch.randint(CLASSES, (BATCH, 1, *preset.patch_size), device=device)
    autocast = choose_precision(device, "auto")

    def step(used: nn.Module) -> None:
        with autocast():
            logits = used(images)
        segmentation_loss(logits, labels).backward()
        network.zero_grad()

    compiled = torch.compile(network)
    first = seconds_of(lambda: step(compiled), device)
    ways = {"eager": lambda: step(network), "compiled": lambda: step(compiled)}
    medians = interleaved(ways, args.rounds, device)
    gain = medians["eager"] - medians["compiled"]
    found = {
        "threads": args.threads,
        "compiling_s": round(first - medians["compiled"], 1),
        **{f"{way}_step_s": round(seconds, 4) for way, seconds in medians.items()},
        "compiled_over_eager": round(medians["compiled"] / medians["eager"], 3),
        "pays_after_steps": math.ceil(first / gain) if gain > 0 else None,
    }
    print(write_findings("compile_speed", found))


if __name__ == "__main__":
    main()

"""`genseg devices`: list the devices for training."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

NAME = "devices"
SUMMARY = "list the available devices: GPUs and the CPU"
EXAMPLE = """\
  genseg devices
  genseg devices --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print a JSON list, for programs")


def run(args: argparse.Namespace) -> None:
    """Print the devices; `--device auto` selects the first."""
    from ..computing.devices import list_devices

    devices = list_devices()
    if args.json:
        print(json.dumps([asdict(device) for device in devices]))
        return
    for device in devices:
        memory = "unknown memory" if device.memory_gb is None else f"{device.memory_gb:g} GB"
        print(f"{device.name:<8} {device.title}, {memory}")

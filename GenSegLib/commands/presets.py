"""`genseg presets`: list the presets."""

from __future__ import annotations

import argparse
import json

from ..presets import Preset, list_presets, load_preset

NAME = "presets"
SUMMARY = "list the presets (settings per anatomy and modality), or show one"
EXAMPLE = """\
  genseg presets
  genseg presets liver-ct > my-organ.json

Edit that file for your anatomy, then train with: genseg train CASES --preset my-organ.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="show this preset as JSON")


def run(args: argparse.Namespace) -> None:
    """Print the list, or one preset."""
    if args.name:
        print(json.dumps(load_preset(args.name).to_json(), indent=2, ensure_ascii=False))
        return
    for name in list_presets():
        print(_describe(load_preset(name)))


def _describe(preset: Preset) -> str:
    labels = ", ".join(preset.labels.values()) or "labels of your cases"
    spacing = " x ".join(f"{size:g}" for size in preset.spacing or ())
    grid = f"{spacing} mm" if spacing else "planned from your images"
    return f"{preset.name:<16} {preset.title}: {labels}; {grid}"

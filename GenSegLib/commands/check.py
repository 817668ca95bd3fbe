"""`genseg check`: are the cases sound?"""

from __future__ import annotations

import argparse

from ..presets import load_preset
from .options import add_data, read_data

VERB = "check"
SUMMARY = "look at every case and tell what is wrong with it, before a training meets it"
EXAMPLE = """\
  genseg check my-cases --preset hippocampus-mri
  genseg check scans --labels segmentations"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_data(parser, "folder of the cases (Decathlon, nnU-Net, or with images and labels in it)")
    parser.add_argument(
        "--preset", metavar="NAME", help="also check that the labels are this preset's"
    )


def run(args: argparse.Namespace) -> None:
    """Print the table of the cases; faults end with exit code 2."""
    from ..data.checks import check_cases, format_table, require_sound
    from ..label_maps import require_fitting_labels

    cases = read_data(args)
    preset = load_preset(args.preset) if args.preset else None
    checks = check_cases(cases, preset.labels if preset else None)
    print(format_table(checks))
    if preset is not None:
        require_fitting_labels(cases.labels, preset.labels, preset.optional_labels)
    require_sound(checks)

"""`genseg predict`: a trained model segments images."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..layouts import list_images
from ..outputs import output_folder
from .options import add_device, add_events, add_out, find_model, watch

VERB = "predict"
SUMMARY = "segment images with a trained model"
EXAMPLE = """\
  genseg predict runs/first new-scans --out predictions
  genseg predict runs/first scan.nii.gz --out predictions --format seg.nrrd --mirror"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder, or its model folder")
    parser.add_argument(
        "images",
        metavar="IMAGES",
        type=Path,
        nargs="+",
        help="image files, folders of images, or folders of one DICOM series",
    )
    add_out(parser, "folder for the segmentations, one file an image")
    parser.add_argument(
        "--format",
        choices=("nii.gz", "seg.nrrd", "nrrd", "mha"),
        default="nii.gz",
        help="kind of file; seg.nrrd opens in 3D Slicer with names and colors (default: nii.gz)",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="also segment mirrored copies and average: slower, a little better",
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="also write each label's probability"
    )
    parser.add_argument(
        "--uncertainty",
        action="store_true",
        help="also write NAME_uncertainty.nii.gz: 0 where the model is sure, 1 where it guesses",
    )
    add_device(parser)
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Write the segmentations; all of them or, after a fault, none."""
    model = find_model(args.model)
    images = [image for path in args.images for image in list_images(path)]
    with output_folder(args.out, args.overwrite) as folder, watch(args) as events:
        from ..prediction import predict_files

        predict_files(
            model,
            images,
            folder,
            device=args.device,
            mirror=args.mirror,
            probabilities=args.probabilities,
            uncertainty=args.uncertainty,
            suffix=f".{args.format}",
            events=events,
        )
    print(f"{len(images)} segmentations are in {args.out}")

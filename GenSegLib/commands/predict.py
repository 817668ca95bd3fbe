"""`genseg predict`: a trained model segments images."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..computing.memory import parse_memory
from ..data.layouts import list_images
from ..outputs import output_folder
from .options import add_device, add_events, add_out, find_model, read_by, watch

VERB = "predict"
SUMMARY = "segment images with a trained model"
EXAMPLE = """\
  genseg predict runs/first new-scans --out predictions
  genseg predict runs/first scan.nii.gz --out predictions --format seg.nrrd
  genseg predict runs/first new-scans --out predictions --with runs/second --uncertainty
  genseg predict runs/first ct-series --out predictions --format dcm --measure"""


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
        choices=("nii.gz", "seg.nrrd", "nrrd", "mha", "dcm"),
        default="nii.gz",
        help="kind of file; seg.nrrd opens in 3D Slicer with names and colors; dcm is a DICOM SEG "
        "that refers to the DICOM series that it was made from (default: nii.gz)",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="also segment copies mirrored along the axes that the model learned from mirrored "
        "cases along (its preset's mirror_axes), and average: 2 to 8 times slower",
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="also write each label's probability"
    )
    parser.add_argument(
        "--uncertainty",
        action="store_true",
        help="also write NAME_uncertainty.nii.gz (0 where the model is sure, 1 where it guesses) "
        "and uncertainty.csv, the images with the Dice that the model expects, worst first; both "
        "from slightly moved copies of the image, for six times the work",
    )
    parser.add_argument(
        "--with",
        metavar="MODEL",
        dest="others",
        type=Path,
        action="append",
        default=[],
        help="average with another model of the same kind, such as one trained with another "
        "--seed; may be given several times",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="compute in float32 even where bfloat16 is several times as fast; a few voxels at "
        "borders change",
    )
    parser.add_argument(
        "--max-memory",
        metavar="AMOUNT",
        type=read_by(parse_memory),
        help="the most memory to take, of the computer's and of the device's, such as 4G "
        "(default: most of what is free)",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="also write measurements.csv: volume, values, center and box of each class",
    )
    add_device(parser)
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Write the segmentations; all of them or, after a fault, none."""
    model = find_model(args.model)
    images = [image for path in args.images for image in list_images(path)]
    with output_folder(args.out, args.overwrite) as folder, watch(args) as events:
        from ..models.folder import ModelMetadata
        from ..prediction.measurements import Measurement, format_measurements
        from ..prediction.predict import predict_files

        measured: list[Measurement] | None = [] if args.measure else None

        predict_files(
            model,
            images,
            folder,
            device=args.device,
            mirror=args.mirror,
            others=[find_model(path) for path in args.others],
            max_memory=args.max_memory,
            exact=args.exact,
            probabilities=args.probabilities,
            uncertainty=args.uncertainty,
            suffix=f".{args.format}",
            measured=measured,
            events=events,
        )
    if measured is not None:
        ct = ModelMetadata.load(model).preset.modality == "CT"
        print(format_measurements(measured, "HU" if ct else ""))
    print(f"Segmentations written to {args.out}: {len(images)}")

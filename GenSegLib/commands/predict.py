"""`genseg predict`: segment images with a trained model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..computing.memory import parse_memory
from ..datasets.image_folders import list_images, skipped_image_notes
from ..events import EventLog
from ..outputs import require_free
from .options import add_device, add_events, add_out, argument_type, find_model, open_event_log

NAME = "predict"
SUMMARY = "segment images with a trained model"
EXAMPLE = """\
  genseg predict runs/first new-scans --out predictions
  genseg predict runs/first scan.nii.gz --out predictions --format seg.nrrd
  genseg predict runs/first new-scans --out predictions --with runs/second --uncertainty
  genseg predict runs/first ct-series --out predictions --format dcm --measure"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder or model folder")
    parser.add_argument(
        "images",
        metavar="IMAGES",
        type=Path,
        nargs="+",
        help="image files, folders of images, or folders of a DICOM series",
    )
    add_out(parser, "output folder for the segmentations, one file per image")
    parser.add_argument(
        "--format",
        choices=("nii.gz", "seg.nrrd", "nrrd", "mha", "png", "dcm"),
        help="file format; seg.nrrd keeps names and colors in 3D Slicer, dcm is a DICOM SEG that "
        "references its source image (default: png for PNG, JPEG and the like; seg.nrrd for nrrd; "
        "else nii.gz)",
    )
    _add_inference_options(parser)
    _add_output_options(parser)
    add_device(parser)
    add_events(parser)


def _add_inference_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="test-time augmentation: average over flips along the axes that training flipped "
        "(mirror_axes of the preset); 2 to 8 times slower",
    )
    parser.add_argument(
        "--with",
        metavar="MODEL",
        dest="others",
        type=Path,
        action="append",
        default=[],
        help="ensemble with another model of the same task, such as one trained with another "
        "seed; can be repeated",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="compute in float32 even where bfloat16 is much faster; changes a few boundary voxels",
    )
    parser.add_argument(
        "--max-memory",
        metavar="AMOUNT",
        type=argument_type(parse_memory),
        help="memory limit, of main and GPU memory each, such as 4G (default: most of it)",
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--probabilities", action="store_true", help="also write a probability map per label"
    )
    parser.add_argument(
        "--uncertainty",
        action="store_true",
        help="also write NAME_uncertainty.nii.gz (from 0, certain, to 1) and uncertainty.csv with "
        "the expected Dice of each image, lowest first; estimated by test-time augmentation, 6 "
        "times slower",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="also write measurements.csv: volume (2-D: area) and intensities of each label",
    )


def run(args: argparse.Namespace) -> None:
    """Write each segmentation as it is complete; exit with 2 if images were skipped."""
    model = find_model(args.model)
    images = [image for path in args.images for image in list_images(path)]
    require_free(args.out, args.overwrite)
    from ..models.folder import ModelMetadata
    from ..prediction.measurements import Measurement, format_measurements
    from ..prediction.predict import predict_files

    measured: list[Measurement] | None = [] if args.measure else None
    with open_event_log(args) as events:
        _report_left_out(args.images, images, events)
        files = predict_files(
            model,
            images,
            args.out,
            overwrite=args.overwrite,
            device=args.device,
            mirror=args.mirror,
            others=[find_model(path) for path in args.others],
            max_memory=args.max_memory,
            exact=args.exact,
            probabilities=args.probabilities,
            uncertainty=args.uncertainty,
            suffix=f".{args.format}" if args.format else None,
            measured=measured,
            events=events,
        )
    if measured is not None:
        ct = ModelMetadata.load(model).preset.modality == "CT"
        print(format_measurements(measured, "HU" if ct else ""))
    if files:
        print(f"{len(files)} segmentations are in {args.out}")


def _report_left_out(paths: Sequence[Path], images: Sequence[Path], events: EventLog) -> None:
    """Log which images in a folder are skipped; screenshots often lie beside volumes."""
    listed = set(images)
    for path in paths:
        for note in skipped_image_notes(path, listed):
            events.log(note, "warning")

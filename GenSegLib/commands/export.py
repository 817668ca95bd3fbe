"""`genseg export`: a model for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import GenSegError
from ..models.folder import ModelMetadata
from ..outputs import output_folder
from .options import add_out, find_model

VERB = "export"
SUMMARY = "write a model for other programs: a MONAI bundle, or ONNX"
EXAMPLE = """\
  genseg export runs/first --format bundle --out first-bundle
  genseg export runs/first --format onnx --out first.onnx"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder, or its model folder")
    parser.add_argument(
        "--format",
        choices=("bundle", "onnx"),
        default="bundle",
        help="bundle: a folder that `python -m monai.bundle run` segments with, where GenSeg is "
        "not installed; onnx: the network alone, for any ONNX runtime (default: bundle)",
    )
    add_out(parser, "folder of the bundle, or the .onnx file")


def run(args: argparse.Namespace) -> None:
    """Export, compare with the model, and say what was found."""
    model = find_model(args.model)
    if args.format == "bundle":
        _export_bundle(model, args)
    else:
        _export_onnx(model, args)


def _export_bundle(model: Path, args: argparse.Namespace) -> None:
    with output_folder(args.out, args.overwrite) as folder:
        from ..models.export_bundle import export_bundle

        difference = export_bundle(model, folder)
    print(f"Probabilities differ from the model's by {difference:.1e} at most")
    print(f"The bundle is {args.out}; {args.out / 'docs' / 'README.md'} says how to run it")


def _export_onnx(model: Path, args: argparse.Namespace) -> None:
    if args.out.suffix != ".onnx":
        raise GenSegError(f"--out {args.out} must end with .onnx")
    if args.out.is_dir() or (args.out.exists() and not args.overwrite):
        raise GenSegError(f"{args.out} exists already; choose another --out or add --overwrite")
    from ..models.export_onnx import export_onnx

    difference, any_size = export_onnx(model, args.out)
    print(f"Probabilities in onnxruntime differ from the model's by {difference:.1e} at most")
    preset = ModelMetadata.load(model).preset
    patch = " x ".join(map(str, preset.patch_size))
    other = f"other multiples of {preset.multiple}" if any_size else "no other size"
    print(f"The network is {args.out}; it takes any batch of {patch} voxels, and {other}")

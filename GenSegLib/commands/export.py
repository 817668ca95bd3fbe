"""`genseg export`: convert a model for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import GenSegError
from ..models.folder import ModelMetadata
from ..outputs import output_folder
from .options import add_out, find_model

NAME = "export"
SUMMARY = "export a model as a MONAI bundle or to ONNX"
EXAMPLE = """\
  genseg export runs/first --format bundle --out first-bundle
  genseg export runs/first --format onnx --out first.onnx"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder or model folder")
    parser.add_argument(
        "--format",
        choices=("bundle", "onnx"),
        default="bundle",
        help="bundle: a MONAI bundle that `python -m monai.bundle run` runs without GenSeg; "
        "onnx: the network only, for ONNX runtimes (default: bundle)",
    )
    add_out(parser, "folder of the bundle, or the .onnx file")


def run(args: argparse.Namespace) -> None:
    """Export the model and report the largest difference from the original."""
    model = find_model(args.model)
    if args.format == "bundle":
        _export_bundle(model, args)
    else:
        _export_onnx(model, args)


def _export_bundle(model: Path, args: argparse.Namespace) -> None:
    with output_folder(args.out, args.overwrite) as folder:
        from ..models.export_bundle import export_bundle

        difference = export_bundle(model, folder)
    print(f"Largest difference from the model's probabilities: {difference:.1e}")
    print(f"Bundle: {args.out} (to run it, see {args.out / 'docs' / 'README.md'})")


def _export_onnx(model: Path, args: argparse.Namespace) -> None:
    if args.out.suffix != ".onnx":
        raise GenSegError(f"--out {args.out} must end with .onnx")
    if args.out.is_dir() or (args.out.exists() and not args.overwrite):
        raise GenSegError(f"{args.out} already exists; choose another --out or add --overwrite")
    from ..models.export_onnx import export_onnx

    difference, any_size = export_onnx(model, args.out)
    print(f"Largest difference from the model's probabilities in onnxruntime: {difference:.1e}")
    preset = ModelMetadata.load(model).preset
    patch = " x ".join(map(str, preset.patch_size))
    other = f" or other multiples of {preset.multiple}" if any_size else " only"
    print(f"Network: {args.out}; input: any batch size, patches of {patch} voxels{other}")

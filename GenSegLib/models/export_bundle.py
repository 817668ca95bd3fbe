"""Exports a model as a MONAI bundle that runs without GenSeg."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai.bundle import ConfigParser
from torch import nn

from ..files import write_json, write_text
from ..networks import segmenter_target
from .bundle_config import (
    REQUIRED_PACKAGES,
    SLICE_WISE,
    inference_config,
    is_for_raster_images,
    may_have_channel_files,
)
from .export_check import VolumeProbabilities, example_shape, largest_difference
from .folder import INFERENCE, METADATA, WEIGHTS, ModelMetadata, write_manifest
from .weights import load_segmenter

_OWN = "GenSegLib.networks."
_SCRIPTS = "scripts"
_OWN_IMPORT = re.compile(r"^from \.(\w+) import", re.MULTILINE)

_README = """\
# {title}

A MONAI bundle exported by GenSeg. {description}

To segment a folder of {files}, run in this folder:

    pip install "monai>=1.4" {packages}
    python -m monai.bundle run --config_file configs/inference.json \\
        --dataset_dir /path/to/images --output_dir /path/to/predictions

For each image, `NAME_seg{suffix}` is written on the image's own grid, with the label values
{labels}.

The pipeline uses MONAI's own transforms. `genseg predict` on this folder gives slightly different
results where an image is resampled, may locate the organ at a coarse spacing first, and keeps
components that may be connected outside the field of view; this pipeline does not.
"""


def export_bundle(model: Path, folder: Path) -> float:
    """Write a model's files, the source of GenSeg's own networks and a README to an empty folder.

    Returns:
        The largest difference of probabilities between the exported network and the model.

    Raises:
        GenSegError: the model cannot be read, or the exported network differs.
    """
    segmenter, metadata = load_segmenter(model)
    (folder / WEIGHTS).parent.mkdir(parents=True)
    shutil.copyfile(model / WEIGHTS, folder / WEIGHTS)
    write_json(folder / METADATA, metadata.to_json())
    write_json(folder / INFERENCE, _inference(metadata, folder))
    write_text(folder / "docs" / "README.md", _readme(metadata))
    write_manifest(folder)
    shape = example_shape(metadata.preset)
    model_probabilities: nn.Module = VolumeProbabilities(segmenter, metadata.preset)
    if is_for_raster_images(metadata.preset):
        shape = shape[:-1]
        model_probabilities = nn.Sequential(segmenter, nn.Softmax(dim=1)).eval()
    with _importable(folder):
        exported = _network(folder)
        return largest_difference(model_probabilities, exported, [(1, *shape), (2, *shape)])


def _inference(metadata: ModelMetadata, folder: Path) -> dict[str, object]:
    """Return the configuration; the source of networks of GenSeg is copied as scripts."""
    target = _without_genseg(segmenter_target(metadata.network), folder)
    slice_wise = SLICE_WISE
    if metadata.preset.spatial_dims == 2 and not is_for_raster_images(metadata.preset):
        slice_wise = _without_genseg(SLICE_WISE, folder)
    network = {"_target_": target, **metadata.network_args}
    return inference_config(metadata.preset, metadata.label_values, network, slice_wise)


def _without_genseg(target: str, folder: Path) -> str:
    """Return the import path of a class in the bundle; the source of one of GenSeg is copied.

    So is that of the modules beside it that it imports.
    """
    if not target.startswith(_OWN):
        return target
    module, _, name = target.removeprefix(_OWN).rpartition(".")
    write_text(folder / _SCRIPTS / "__init__.py", '"""Networks that MONAI does not have."""\n')
    sources = Path(__file__).parents[1] / "networks"
    text = (sources / f"{module}.py").read_text(encoding="utf-8")
    write_text(folder / _SCRIPTS / f"{module}.py", text)
    for other in _OWN_IMPORT.findall(text):
        source = (sources / f"{other}.py").read_text(encoding="utf-8")
        write_text(folder / _SCRIPTS / f"{other}.py", source)
    return f"{_SCRIPTS}.{module}.{name}"


def _readme(metadata: ModelMetadata) -> str:
    values = metadata.to_json()
    is_raster, channels = is_for_raster_images(metadata.preset), metadata.preset.channels
    files = "images (`*.png`, `*.jpg`)" if is_raster else "NIfTI files (`*.nii`, `*.nii.gz`)"
    if may_have_channel_files(metadata.preset):
        where = "in gray files" if is_raster else "along the fourth axis or in files"
        files += f" of {channels} channels, {where} named `NAME_0000` etc."
    labels = ", ".join(f"{value} {name}" for value, name in sorted(metadata.labels.items()))
    return _README.format(
        title=metadata.name,
        description=values["description"],
        packages=" ".join([*REQUIRED_PACKAGES, *(["pillow"] if is_raster else [])]),
        files=files,
        suffix=".png" if is_raster else ".nii.gz",
        labels=f"0 background, {labels}",
    )


def _network(folder: Path) -> nn.Module:
    """Build the network as `monai.bundle run` does."""
    parser = ConfigParser()
    parser.read_config(folder / INFERENCE)
    parser["bundle_root"] = str(folder)
    parser["device"] = "$torch.device('cpu')"
    network: nn.Module = parser.get_parsed_content("network")
    parser.get_parsed_content("initialize")
    return network


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Add the bundle to the import path, as if Python ran in its folder."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == _SCRIPTS]:
            del sys.modules[name]

"""Exports a model as a MONAI bundle that needs no GenSeg to run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai.bundle import ConfigParser
from torch import nn

from ..files import write_json, write_text
from ..networks import segmenter_target
from .bundle_config import REQUIRED_PACKAGES, inference_config
from .exporting import Probabilities, largest_difference
from .folder import INFERENCE, METADATA, WEIGHTS, ModelMetadata, seal
from .weights import load_segmenter

_OWN = "GenSegLib.networks."
_SCRIPTS = "scripts"

_README = """\
# {title}

A MONAI bundle that GenSeg exported. {description}

Segment a folder of NIfTI files (`*.nii`, `*.nii.gz`), in this folder:

    pip install "monai>=1.4" {packages}
    python -m monai.bundle run --config_file configs/inference.json \\
        --dataset_dir /path/to/images --output_dir /path/to/predictions

For each image `NAME_seg.nii.gz` is written, on the image's own grid, with the values
{labels}.

The pipeline consists of MONAI's own transforms. `genseg predict` on this folder differs a little
where an image is resampled, may look for the organ at a coarse spacing first, may part labels at a
plane as the labeled cases do, and keeps lobes that hang together beyond the image; this pipeline
does none of these.
"""


def export_bundle(model: Path, folder: Path) -> float:
    """Write a model's files, its own networks' source and a README into an empty folder.

    Returns:
        The largest difference of probabilities between the exported network and the model's.

    Raises:
        GenSegError: the model cannot be read, or the exported network differs.
    """
    segmenter, metadata = load_segmenter(model)
    (folder / WEIGHTS).parent.mkdir(parents=True)
    shutil.copyfile(model / WEIGHTS, folder / WEIGHTS)
    write_json(folder / METADATA, metadata.to_json())
    write_json(folder / INFERENCE, _inference(metadata, folder))
    write_text(folder / "docs" / "README.md", _readme(metadata))
    seal(folder)
    shape = (metadata.preset.channels, *metadata.preset.patch_size)
    with _importable(folder):
        exported = _network(folder)
        return largest_difference(Probabilities(segmenter), exported, [(1, *shape), (2, *shape)])


def _inference(metadata: ModelMetadata, folder: Path) -> dict[str, object]:
    """Write the configuration; a network that is GenSeg's own comes along as a script."""
    target = segmenter_target(metadata.network)
    if target.startswith(_OWN):
        module, _, name = target.removeprefix(_OWN).rpartition(".")
        source = Path(__file__).parents[1] / "networks" / f"{module}.py"
        write_text(folder / _SCRIPTS / "__init__.py", '"""Networks that are not in MONAI."""\n')
        write_text(folder / _SCRIPTS / f"{module}.py", source.read_text(encoding="utf-8"))
        target = f"{_SCRIPTS}.{module}.{name}"
    network = {"_target_": target, **metadata.network_args}
    return inference_config(metadata.preset, metadata.label_values, network)


def _readme(metadata: ModelMetadata) -> str:
    values = metadata.to_json()
    labels = ", ".join(f"{value} {name}" for value, name in sorted(metadata.labels.items()))
    return _README.format(
        title=metadata.name,
        description=values["description"],
        packages=" ".join(REQUIRED_PACKAGES),
        labels=f"0 background, {labels}",
    )


def _network(folder: Path) -> nn.Module:
    """Build the network the way `monai.bundle run` does."""
    parser = ConfigParser()
    parser.read_config(folder / INFERENCE)
    parser["bundle_root"] = str(folder)
    parser["device"] = "$torch.device('cpu')"
    network: nn.Module = parser.get_parsed_content("network")
    parser.get_parsed_content("initialize")
    return network


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let the bundle's scripts be found, as they are where Python runs in its folder."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == _SCRIPTS]:
            del sys.modules[name]

"""A trained model on disk: a MONAI bundle whose files are known by their checksums.

MODEL/configs/metadata.json   what the model is and needs (`ModelMetadata`)
MODEL/configs/inference.json  the network and its pipeline, for `monai.bundle`
MODEL/models/model.pt         the weights (see `model_weights`)
MODEL/manifest.json           SHA-256 of each of them

Light: the standard library alone, so that a panel can list models before PyTorch is installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata as packages
from pathlib import Path
from typing import Any

from . import __version__
from .bundle_config import inference_config, network_data_format
from .errors import GenSegError
from .files import read_json, write_json
from .presets import Preset

FORMAT_VERSION = 1
METADATA = "configs/metadata.json"
INFERENCE = "configs/inference.json"
WEIGHTS = "models/model.pt"
MANIFEST = "manifest.json"

_CHUNK = 1 << 20


def library_versions() -> dict[str, str]:
    """Give the versions of what a model is made with; a package that is absent is left out."""
    versions = {"genseg": __version__}
    for package in ("torch", "monai", "numpy", "SimpleITK"):
        try:
            versions[package] = packages.version(package)
        except packages.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True)
class ModelMetadata:
    """What a model is and needs.

    `preset` tells how images are prepared (orientation, spacing, intensity, patch size, modality,
    colors, terminology), `labels` maps voxel values to names. The network's class k stands for
    the k-th of `label_values`. `network` is the segmenter's name in the registry,
    `network_target` its import path, `network_args` its JSON arguments. `cases` counts the
    labelled ones it learned from, `validation` holds its scores on those held back, `spacing` is
    what these cases typically had, in mm.
    """

    name: str
    preset: Preset
    labels: dict[int, str]
    network: str
    network_target: str
    network_args: dict[str, Any]
    cases: int = 0
    validation: dict[str, float] = field(default_factory=dict)
    spacing: tuple[float, ...] | None = None
    versions: dict[str, str] = field(default_factory=library_versions)

    @property
    def label_values(self) -> tuple[int, ...]:
        """The voxel value of each class of the network, background (0) first."""
        return (0, *sorted(self.labels))

    def save(self, folder: Path) -> None:
        """Write the metadata into a model folder; the manifest is for `seal` to renew.

        Raises:
            GenSegError: the folder cannot be written.
        """
        write_json(folder / METADATA, self.to_json())

    @classmethod
    def load(cls, folder: Path) -> ModelMetadata:
        """Read the metadata of a model folder.

        Raises:
            GenSegError: the folder is none, its metadata was changed or damaged, or it was
                written by a newer GenSeg.
        """
        verify(folder, METADATA)
        return cls.from_json(read_json(folder / METADATA), folder)

    def to_json(self) -> dict[str, Any]:
        """Give the entries that MONAI's bundles have, and GenSeg's own under `genseg`."""
        return {
            "version": "1.0.0",
            "changelog": {"1.0.0": "as trained"},
            "monai_version": self.versions.get("monai", ""),
            "pytorch_version": self.versions.get("torch", ""),
            "numpy_version": self.versions.get("numpy", ""),
            "required_packages_version": {},
            "name": self.name,
            "task": f"Segmentation of {', '.join(self.labels.values())}",
            "description": f"Trained by GenSeg from {self.cases} labelled cases. Research use.",
            "authors": "",
            "copyright": "",
            "network_data_format": network_data_format(self.preset, self._class_names()),
            "genseg": {
                "format_version": FORMAT_VERSION,
                "preset": self.preset.to_json(),
                "labels": {str(value): name for value, name in self.labels.items()},
                "network": self.network,
                "network_target": self.network_target,
                "network_args": self.network_args,
                "cases": self.cases,
                "validation": self.validation,
                "spacing": None if self.spacing is None else list(self.spacing),
                "versions": self.versions,
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], folder: Path) -> ModelMetadata:
        """Read what `to_json` gives; `folder` is where it came from, for messages.

        Raises:
            GenSegError: entries are missing or unsound, or of a newer GenSeg.
        """
        try:
            own = dict(values["genseg"])
            _require_known_format(own.pop("format_version"), folder)
            own["preset"] = Preset.from_json(own["preset"])
            own["labels"] = {int(value): str(name) for value, name in own["labels"].items()}
            own["spacing"] = None if own["spacing"] is None else tuple(own["spacing"])
            return cls(name=str(values["name"]), **own)
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise GenSegError(
                f"{folder / METADATA} is not sound ({fault!r}); train again"
            ) from fault

    def _class_names(self) -> Sequence[str]:
        return ["background", *(self.labels[value] for value in sorted(self.labels))]


def write_bundle(folder: Path, metadata: ModelMetadata) -> None:
    """Write all of a model folder but the weights, and seal it.

    Raises:
        GenSegError: the folder cannot be written.
    """
    metadata.save(folder)
    network = {"_target_": metadata.network_target, **metadata.network_args}
    write_json(
        folder / INFERENCE, inference_config(metadata.preset, metadata.label_values, network)
    )
    seal(folder)


def seal(folder: Path) -> None:
    """Write the manifest: the checksum of each of the model's files that is there."""
    names = [name for name in (METADATA, INFERENCE, WEIGHTS) if (folder / name).is_file()]
    checksums = {name: _checksum(folder / name) for name in names}
    write_json(folder / MANIFEST, {"format_version": FORMAT_VERSION, "sha256": checksums})


def verify(folder: Path, *names: str) -> None:
    """Hold files of a model folder to its manifest.

    This finds damage and careless edits; it is no signature. What protects from a malicious model
    is that nothing in the folder is ever run: the network is built by its name, and the weights
    are read as plain tensors.

    Raises:
        GenSegError: the folder is none, or one of the files is missing, changed or damaged.
    """
    if not (folder / MANIFEST).is_file():
        raise GenSegError(f"{folder} is no model folder: it has no {MANIFEST}; check the path")
    manifest = read_json(folder / MANIFEST)
    _require_known_format(manifest.get("format_version"), folder)
    known = manifest.get("sha256")
    for name in names:
        path = folder / name
        if not path.is_file():
            raise GenSegError(f"{path} is missing; copy the whole model folder again")
        if not isinstance(known, dict) or known.get(name) != _checksum(path):
            raise GenSegError(f"{path} was changed or damaged; copy the whole model folder again")


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _require_known_format(version: object, folder: Path) -> None:
    if not isinstance(version, int):
        raise GenSegError(f"{folder} does not tell its format's version; copy the folder again")
    if version > FORMAT_VERSION:
        raise GenSegError(f"{folder} was written by a newer GenSeg; update GenSeg to use it")

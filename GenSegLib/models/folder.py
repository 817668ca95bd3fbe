"""A trained model on disk: a MONAI bundle with checksums.

MODEL/configs/metadata.json   properties and requirements (`ModelMetadata`)
MODEL/configs/inference.json  the network and its pipeline, for `monai.bundle`
MODEL/models/model.pt         the weights (see `weights`)
MODEL/manifest.json           SHA-256 of each file (see `manifest`)

Light: imports the standard library alone, so that the panel can list models before PyTorch is
installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import GenSegError
from ..files import read_json, write_json
from ..label_maps import check_labels
from ..presets import Preset
from ..settings import is_count, is_number, is_spacing
from . import manifest
from .bundle_config import REQUIRED_PACKAGES, inference_config, network_data_format

METADATA = "configs/metadata.json"
INFERENCE = "configs/inference.json"
WEIGHTS = "models/model.pt"
FILES = (METADATA, INFERENCE, WEIGHTS)


def library_versions() -> dict[str, str]:
    """Return the versions of GenSeg and of the installed packages that a model is made with."""
    from importlib import metadata as packages  # slow to import, and only training needs it

    versions = {"genseg": __version__}
    for package in ("torch", "monai", "numpy", "SimpleITK"):
        try:
            versions[package] = packages.version(package)
        except packages.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True)
class ModelMetadata:
    """Properties and requirements of a model.

    Attributes:
        name: of the model.
        preset: preprocessing (orientation, spacing, intensity, patch size), modality, colors and
            terminology.
        labels: label value to name; class k of the network is the k-th of `label_values`.
        network: the segmenter's name in the registry.
        network_target: its import path, for other programs; GenSeg uses the registry.
        network_args: its JSON arguments.
        cases: number of labeled training cases.
        validation: scores on the validation cases.
        spacing: typical voxel size of the training cases in mm.
        volumes: smallest and largest volume of each label in the training cases, in ml.
        versions: of the packages that the model was made with.
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
    volumes: dict[int, tuple[float, float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=library_versions)

    def __post_init__(self) -> None:
        """Check the entries.

        Raises:
            ValueError: an entry is invalid; the message names it.
        """
        dims = self.preset.spatial_dims
        _require(self.spacing is None or is_spacing(self.spacing, dims), "spacing", self.spacing)
        _require(is_count(self.cases), "cases", self.cases)
        known = set(self.volumes) <= set(self.labels)
        _require(known and all(map(_is_range, self.volumes.values())), "volumes", self.volumes)
        scores = self.validation
        _require(_is_table(scores) and all(map(is_number, scores.values())), "validation", scores)
        _require(_is_table(self.versions), "versions", self.versions)

    @property
    def label_values(self) -> tuple[int, ...]:
        """The voxel value of each class of the network, background (0) first."""
        return (0, *sorted(self.labels))

    def save(self, folder: Path) -> None:
        """Write the metadata to a model folder, without updating the manifest.

        Raises:
            GenSegError: the folder cannot be written.
        """
        write_json(folder / METADATA, self.to_json())

    @classmethod
    def load(cls, folder: Path) -> ModelMetadata:
        """Read the metadata of a model folder.

        Raises:
            GenSegError: this is not a model folder, its metadata were modified or are corrupted,
                or they were written by a newer GenSeg.
        """
        manifest.verify(folder, METADATA)
        return cls.from_json(read_json(folder / METADATA), folder)

    def to_json(self) -> dict[str, Any]:
        """Return the entries of a MONAI bundle, and GenSeg's own under `genseg`."""
        return {
            "version": "1.0.0",
            "changelog": {"1.0.0": "initial version"},
            "monai_version": self.versions.get("monai", ""),
            "pytorch_version": self.versions.get("torch", ""),
            "numpy_version": self.versions.get("numpy", ""),
            "required_packages_version": REQUIRED_PACKAGES,
            "name": self.name,
            "task": f"Segmentation of {', '.join(self.labels.values())}",
            "description": f"Trained by GenSeg on {self.cases} labeled cases. Research use only.",
            "authors": "",
            "copyright": "",
            "network_data_format": network_data_format(self.preset, self._class_names()),
            "genseg": {
                "format_version": manifest.format_version(),
                "preset": self.preset.to_json(),
                "labels": {str(value): name for value, name in self.labels.items()},
                "network": self.network,
                "network_target": self.network_target,
                "network_args": self.network_args,
                "cases": self.cases,
                "validation": self.validation,
                "spacing": None if self.spacing is None else list(self.spacing),
                "volumes": {str(value): list(ends) for value, ends in self.volumes.items()},
                "versions": self.versions,
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], folder: Path) -> ModelMetadata:
        """Parse the result of `to_json`, of this or an older format.

        Args:
            values: as in `metadata.json`.
            folder: model folder, for messages.

        Raises:
            GenSegError: an entry is missing or invalid, or the format is newer.
        """
        try:
            own = manifest.migrate(values["genseg"], folder)
            own["preset"] = Preset.from_json(own["preset"])
            own["network"] = _text(own["network"])
            own["network_target"] = _text(own["network_target"])
            own["network_args"] = _arguments(own["network_args"])
            own["labels"] = {int(value): str(name) for value, name in own["labels"].items()}
            check_labels(own["labels"])
            own["spacing"] = None if own["spacing"] is None else tuple(own["spacing"])
            own["volumes"] = {int(value): tuple(ends) for value, ends in own["volumes"].items()}
            return cls(name=str(values["name"]), **own)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as fault:
            raise GenSegError(
                f"{folder / METADATA} is invalid ({fault!r}); get a new copy of the model"
            ) from fault

    def _class_names(self) -> Sequence[str]:
        return ["background", *(self.labels[value] for value in sorted(self.labels))]


def _require(valid: bool, entry: str, value: object) -> None:
    if not valid:
        raise ValueError(f"{entry} is {value!r}")


def _is_range(ends: Sequence[Any]) -> bool:
    return len(ends) == 2 and all(map(is_number, ends)) and 0 <= ends[0] <= ends[1]


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _arguments(values: object) -> dict[str, Any]:
    """Return a network's arguments after checking that they are plain values.

    An exported bundle contains them, and MONAI evaluates strings that start with a special
    character and instantiates `_target_`.

    Raises:
        TypeError: they are not a JSON object.
        ValueError: MONAI would evaluate one of the strings.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{values!r} is not a JSON object")
    for text in _texts_in(values):
        if text.startswith(("$", "@", "%", "_")):
            raise ValueError(f"{text!r} is not a plain value")
    return values


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _texts_in(part)


def write_model_files(folder: Path, metadata: ModelMetadata) -> None:
    """Write all files of a model folder except the weights, and the manifest.

    Raises:
        GenSegError: the folder cannot be written.
    """
    metadata.save(folder)
    network = {"_target_": metadata.network_target, **metadata.network_args}
    write_json(
        folder / INFERENCE, inference_config(metadata.preset, metadata.label_values, network)
    )
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    """Write the checksums of the model's existing files; raises as `save` does."""
    manifest.write_manifest(folder, FILES)

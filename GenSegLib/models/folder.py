"""A trained model on disk: a MONAI bundle whose files are known by their checksums.

MODEL/configs/metadata.json   what the model is and needs (`ModelMetadata`)
MODEL/configs/inference.json  the network and its pipeline, for `monai.bundle`
MODEL/models/model.pt         the weights (see `model_weights`)
MODEL/manifest.json           SHA-256 of each of them (see `manifest`)

Light: the standard library alone, so that a panel can list models before PyTorch is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import __version__
from ..cuts import Cut
from ..errors import GenSegError
from ..files import read_json, write_json
from ..label_maps import check_labels
from ..presets import Preset
from ..values import is_count, is_number, is_spacing
from . import manifest
from .bundle_config import REQUIRED_PACKAGES, inference_config, network_data_format

METADATA = "configs/metadata.json"
INFERENCE = "configs/inference.json"
WEIGHTS = "models/model.pt"
FILES = (METADATA, INFERENCE, WEIGHTS)


def library_versions() -> dict[str, str]:
    """Give the versions of what a model is made with; a package that is absent is left out."""
    from importlib import metadata as packages  # slow to import, and only trainings need it

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
    `network_target` its import path (told to other programs; GenSeg itself asks the registry),
    `network_args` its JSON arguments. `cases` counts the labeled ones it learned from,
    `validation` holds its scores on those held back, `spacing` is what these cases typically had,
    in mm, `cuts` are the planes at which they part two labels (see `images.cutting`), and `volumes`
    the least and the largest volume of each label in them, in ml.
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
    cuts: tuple[Cut, ...] = ()
    volumes: dict[int, tuple[float, float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=library_versions)

    def __post_init__(self) -> None:
        """Refuse what no training writes.

        Raises:
            ValueError: an entry is not sound; the message names it.
        """
        dims = self.preset.spatial_dims
        _require(self.spacing is None or is_spacing(self.spacing, dims), "spacing", self.spacing)
        _require(is_count(self.cases), "cases", self.cases)
        named = {value for cut in self.cuts for value in cut.labels}
        _require(named <= set(self.labels), "cuts", self.cuts)
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
        manifest.verify(folder, METADATA)
        return cls.from_json(read_json(folder / METADATA), folder)

    def to_json(self) -> dict[str, Any]:
        """Give the entries that MONAI's bundles have, and GenSeg's own under `genseg`."""
        return {
            "version": "1.0.0",
            "changelog": {"1.0.0": "as trained"},
            "monai_version": self.versions.get("monai", ""),
            "pytorch_version": self.versions.get("torch", ""),
            "numpy_version": self.versions.get("numpy", ""),
            "required_packages_version": REQUIRED_PACKAGES,
            "name": self.name,
            "task": f"Segmentation of {', '.join(self.labels.values())}",
            "description": f"Trained by GenSeg from {self.cases} labeled cases. Research use.",
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
                "cuts": [cut.to_json() for cut in self.cuts],
                "volumes": {str(value): list(ends) for value, ends in self.volumes.items()},
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
            own = manifest.migrate(values["genseg"], folder)
            own["preset"] = Preset.from_json(own["preset"])
            own["network"] = _text(own["network"])
            own["network_target"] = _text(own["network_target"])
            own["network_args"] = _arguments(own["network_args"])
            own["labels"] = {int(value): str(name) for value, name in own["labels"].items()}
            check_labels(own["labels"])
            own["spacing"] = None if own["spacing"] is None else tuple(own["spacing"])
            own["cuts"] = tuple(map(Cut.from_json, own["cuts"]))
            own["volumes"] = {int(value): tuple(ends) for value, ends in own["volumes"].items()}
            return cls(name=str(values["name"]), **own)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as fault:
            raise GenSegError(
                f"{folder / METADATA} is not sound ({fault!r}); train again"
            ) from fault

    def _class_names(self) -> Sequence[str]:
        return ["background", *(self.labels[value] for value in sorted(self.labels))]


def _require(sound: bool, entry: str, value: object) -> None:
    if not sound:
        raise ValueError(f"{entry} is {value!r}")


def _is_range(ends: Sequence[Any]) -> bool:
    return len(ends) == 2 and all(map(is_number, ends)) and 0 <= ends[0] <= ends[1]


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no name")
    return value


def _arguments(values: object) -> dict[str, Any]:
    """Give a network's arguments, if they are plain values.

    An exported bundle holds them, and MONAI evaluates texts that begin with one of its signs, and
    builds what `_target_` names.

    Raises:
        TypeError: they are no object.
        ValueError: they hold what MONAI would run.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{values!r} are no arguments")
    for text in _texts_in(values):
        if text.startswith(("$", "@", "%", "_")):
            raise ValueError(f"{text!r} is no plain value")
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
    """Write the manifest of those of the model's files that are there; raises as `save` does."""
    manifest.seal(folder, FILES)

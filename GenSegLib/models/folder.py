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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import GenSegError
from ..files import read_json, write_json
from ..label_maps import check_labels
from ..nesting import check_includes, parse_includes, region_values
from ..presets import Preset
from ..settings import at_least, is_number, is_spacing, require, setting, validate
from . import manifest
from .bundle_config import REQUIRED_PACKAGES, inference_config, network_data_format
from .training_record import TrainingRecord

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
        training: record of its training.
        includes: names of the classes within a class; the network's classes are exclusive.
    """

    name: str
    preset: Preset
    labels: dict[int, str]
    network: str
    network_target: str
    network_args: dict[str, Any]
    cases: int = setting(at_least(0), 0)
    validation: dict[str, float] = field(default_factory=dict)
    spacing: tuple[float, ...] | None = None
    volumes: dict[int, tuple[float, float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=library_versions)
    training: TrainingRecord = field(default_factory=TrainingRecord)
    includes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the entries.

        Raises:
            GenSegError: an entry is invalid; the message names it.
        """
        validate(self)
        _require_plain(self.network_args)
        check_includes(self.includes)
        known = set(self.volumes) <= set(self.labels) and all(map(_is_range, self.volumes.values()))
        require(known, "volumes", "the smallest and largest volume of each label")
        scores = isinstance(self.validation, dict) and all(map(is_number, self.validation.values()))
        require(scores, "validation", "an object of numbers")
        require(isinstance(self.versions, dict), "versions", "an object")
        dims = {3, self.preset.spatial_dims}
        known = self.spacing is None or any(is_spacing(self.spacing, count) for count in dims)
        require(known, "spacing", "a voxel size in mm per axis")

    @property
    def label_values(self) -> tuple[int, ...]:
        """The voxel value of each class of the network, background (0) first."""
        return (0, *sorted(self.labels))

    @property
    def regions(self) -> dict[int, tuple[int, ...]]:
        """The values in the region of each label: its own and those of labels within it."""
        return region_values(self.includes, self.labels)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each thing that a user of the model must know about its training."""
        return tuple(self.training.notes(self.validation.get("dice")))

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
        includes = {outer: list(inner) for outer, inner in self.includes.items()}
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
                "training": asdict(self.training),
                **({"includes": includes} if includes else {}),
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
            own = manifest.migrate(values["genseg"])
            own["preset"] = Preset.from_json(own["preset"])
            own["labels"] = {int(value): str(name) for value, name in own["labels"].items()}
            check_labels(own["labels"])
            own["spacing"] = None if own["spacing"] is None else tuple(own["spacing"])
            own["training"] = TrainingRecord(**own["training"])
            own["includes"] = parse_includes(own.get("includes", {}))
            own["volumes"] = {int(value): tuple(ends) for value, ends in own["volumes"].items()}
            return cls(name=str(values["name"]), **own)
        except GenSegError as fault:
            raise GenSegError(f"{folder / METADATA} is invalid: {fault}") from fault
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as fault:
            raise GenSegError(
                f"{folder / METADATA} is invalid ({fault!r}); get a new copy of the model"
            ) from fault

    def _class_names(self) -> Sequence[str]:
        return ["background", *(self.labels[value] for value in sorted(self.labels))]


def _is_range(ends: Sequence[Any]) -> bool:
    return len(ends) == 2 and all(map(is_number, ends)) and 0 <= ends[0] <= ends[1]


def _require_plain(arguments: object) -> None:
    """Check that a network's arguments are plain values.

    An exported bundle contains them, and MONAI evaluates strings that start with a special
    character and instantiates `_target_`.
    """
    require(isinstance(arguments, dict), "network_args", "an object")
    for text in _texts_in(arguments):
        plain = not text.startswith(("$", "@", "%", "_"))
        require(plain, "network_args", f"plain values, without {text!r}")


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

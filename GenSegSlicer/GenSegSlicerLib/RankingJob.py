"""Order in which cases should be annotated next, by a model: `genseg next`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.errors import GenSegError
from GenSegLib.files import write_json
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.steps import Steps
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.Channels import channelNodes
from GenSegSlicerLib.ProcessJob import ProcessJob
from GenSegSlicerLib.TrainingPair import TrainingVolume
from GenSegSlicerLib.Units import unitOfInput
from GenSegSlicerLib.VolumeFiles import writeChannelsSteps

_MAX_CASES = 20  # a new model ranks them anew long before all of them are annotated


class RankingJob(ProcessJob):
    """Ranks cases by a strategy that needs a model.

    Args:
        model: model folder.
        strategy: name of the strategy.
        cases: cases that are not checked.
        folder: annotation folder, which lists the checked cases.
        device: "auto" or the name of a device.

    Attributes:
        order: names of the cases, the one to annotate first in front.
        model: model folder.
        strategy: name of the strategy.
    """

    def __init__(
        self,
        model: Path,
        strategy: str,
        cases: Mapping[str, AnnotationCase],
        folder: AnnotationFolder,
        device: str = "auto",
    ) -> None:
        super().__init__()
        self.model, self.strategy = model, strategy
        self.order: list[str] = []
        self._checked = folder.path / "cases.json"
        self._device = device
        self._volumes: dict[str, slicer.vtkMRMLScalarVolumeNode] = {
            name: case.volumeNode for name, case in cases.items() if _mustBeWritten(case)
        }
        self._files = {name: self._filesOf(name, case) for name, case in cases.items()}

    def _filesOf(self, name: str, case: AnnotationCase) -> list[Path]:
        """The files of a case's channels, with nnU-Net's numbers where they are written."""
        if name not in self._volumes:
            if case.image is None:
                return list(TrainingVolume(case.volumeNode).files)
            return [case.image, *case.others]
        count = len(channelNodes(case.volumeNode))
        ends = [f"_{k:04d}" for k in range(count)] if count > 1 else [""]
        return [self.folder / "in" / f"{name}{end}.nrrd" for end in ends]

    def _writeInputs(self) -> Steps:
        preset = ModelMetadata.load(self.model).preset
        for index, (name, node) in enumerate(self._volumes.items()):
            yield index / len(self._volumes)
            yield from writeChannelsSteps(node, self._files[name], unitOfInput(node, preset))
        cases = (
            Case(str(number), first, None, Role.UNLABELED, others=tuple(others))
            for number, (first, *others) in enumerate(self._files.values())
        )
        write_json(self._list, CaseSet(tuple(cases)).to_json())

    def _arguments(self) -> list[object]:
        options: list[object] = ["--strategy", self.strategy, "--device", self._device]
        if self._checked.is_file():
            options += ["--labeled", self._checked]
        count = min(len(self._files), _MAX_CASES)
        return ["next", self.model, self._list, *options, "--count", count, "--json"]

    @property
    def _list(self) -> Path:
        """List of the cases, since command lines of Windows end after 32,767 characters."""
        return self.folder / "cases.json"

    def _readOutputs(self) -> Steps:
        yield 0.0
        names = {str(paths[0]): name for name, paths in self._files.items()}
        # With events on its standard output, the library prints everything else to the other one.
        text = f"{self._process.output}\n{self._process.details}"
        try:
            found, _end = json.JSONDecoder().raw_decode(text, text.index("{\n"))
            cases = found["cases"]
            paths = [str(case["images"][0]) for case in cases]
        except (ValueError, KeyError, TypeError, IndexError):
            raise GenSegError(_("the cases could not be ranked; choose another strategy")) from None
        self.order = [names[path] for path in paths if path in names]


def _mustBeWritten(case: AnnotationCase) -> bool:
    """Whether the voxels of a case are in the scene alone, or as they are now."""
    return case.image is None and not TrainingVolume(case.volumeNode).files

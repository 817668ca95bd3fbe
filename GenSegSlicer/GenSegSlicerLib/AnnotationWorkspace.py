"""What the annotation loop works on: settings, cases, the folder on disk, and the newest model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.annotation.folder import AnnotationFolder, CaseState
from GenSegLib.datasets.image_folders import list_cases
from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import special_value
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.nesting import Includes, direct_includes
from GenSegLib.presets import Preset, load_preset
from GenSegLib.steps import Steps
from GenSegSlicerLib.AnnotationCases import AnnotationCase, collectCases, structuresOf
from GenSegSlicerLib.AnnotationEdits import editsNotes
from GenSegSlicerLib.AnnotationFiles import classMapOf
from GenSegSlicerLib.AnnotationTraining import classProblem, newestModel
from GenSegSlicerLib.CaseContents import isMadeFor
from GenSegSlicerLib.NestedClasses import mayOverlap, nestedSteps
from GenSegSlicerLib.PartialAnnotation import classNames
from GenSegSlicerLib.RunHistory import modelFolder
from GenSegSlicerLib.SegmentationFiles import chooseSegments
from GenSegSlicerLib.SegmentClasses import unusedNames
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs

_MODEL_S = 2.0
TRAIN_NOW, TRAIN_EVERY, TRAIN_BUTTON = "now", "every", "button"


@dataclass(frozen=True)
class AnnotationSettings:
    """Settings of the annotation loop.

    Attributes:
        outputFolder: parent of the runs and of the annotation folder; "" if none is selected.
        imageFolder: folder of images that are loaded case by case; "" for none.
        strategy: one of `GenSegLib.annotation.strategies.STRATEGIES`.
        preset: name or file of the preset.
        model: model or run folder to use until a training has finished; "" for none.
        device: "auto" or the name of a device.
        trainWhen: "now", "every" or "button".
        every: number of new cases after which a training starts.
        training: overrides of the training configuration.
        classMap: class of each segment name that the user has chosen.
        pairs: training pairs of the panel, with their roles.
        includes: names of the classes within a class.
        trainsNested: whether classes that lie within others are trained as nested ones.
    """

    outputFolder: str = ""
    imageFolder: str = ""
    strategy: str = "order"
    preset: str = "generic-mri"
    model: str = ""
    device: str = "auto"
    trainWhen: str = TRAIN_NOW
    every: int = 3
    training: Mapping[str, Any] = field(default_factory=dict)
    classMap: Mapping[str, str] = field(default_factory=dict)
    pairs: Sequence[TrainingPair] = ()
    includes: Includes = field(default_factory=dict)
    trainsNested: bool = True


class AnnotationWorkspace:
    """Reads what it needs anew at each call, since users and other programs change it.

    Args:
        settings: returns the current settings.
    """

    def __init__(self, settings: Callable[[], AnnotationSettings]) -> None:
        self._settings = settings
        self._folder: AnnotationFolder | None = None
        self._images: tuple[object, dict[str, list[Path]]] = (None, {})
        self._newest: tuple[object, Any] = (None, None)

    @property
    def settings(self) -> AnnotationSettings:
        """The current settings."""
        return self._settings()

    @property
    def preset(self) -> Preset:
        """The preset; raises GenSegError if its file is invalid."""
        return load_preset(self.settings.preset)

    @property
    def folder(self) -> AnnotationFolder:
        """The annotation folder in the output folder.

        Raises:
            GenSegError: no output folder is selected.
        """
        parent = self.settings.outputFolder
        if not parent:
            raise GenSegError(_("Select an output folder in Training"))
        if self._folder is None or self._folder.path.parent != Path(parent):
            self.close()
            self._folder = AnnotationFolder(Path(parent))
        return self._folder

    def isIn(self, folder: AnnotationFolder) -> bool:
        """Return whether an annotation folder is that of the output folder."""
        return folder.path.parent == Path(self.settings.outputFolder)

    def close(self) -> None:
        """Release the annotation folder."""
        if self._folder is not None:
            self._folder.unlock()
            self._folder = None

    def frozen(self) -> AnnotationWorkspace:
        """Return a workspace of the same folder that keeps the current settings; as `folder`."""
        settings = self.settings
        settings = replace(settings, classMap=dict(settings.classMap), pairs=list(settings.pairs))
        workspace = AnnotationWorkspace(lambda: settings)
        workspace._folder = self.folder
        return workspace

    def sharesFolder(self, other: AnnotationWorkspace) -> bool:
        """Return whether both use the same object of the annotation folder."""
        return self._folder is other._folder

    def cases(self) -> list[AnnotationCase]:
        """Return all cases of the scene and of the folders.

        Raises:
            GenSegError: a folder cannot be read.
        """
        images, pairs = self._listImages(), usedPairs(self.settings.pairs)
        if not self.settings.outputFolder:
            return collectCases({}, images, pairs)
        return collectCases(self.folder.entries(), images, pairs, editsNotes(self.folder))

    def roles(self) -> dict[str, str]:
        """Return the roles of the cases that are training pairs, too, by name; raises as `cases`.

        A volume is ignored if all its pairs are.
        """
        roles = {pair.volumeNode.GetID(): pair.role for pair in self.settings.pairs}
        roles |= {pair.volumeNode.GetID(): pair.role for pair in usedPairs(self.settings.pairs)}
        nodes = {case.name: case.volumeNode for case in self.cases() if case.volumeNode is not None}
        return {name: roles[node.GetID()] for name, node in nodes.items() if node.GetID() in roles}

    def case(self, name: str) -> AnnotationCase | None:
        """Return the case with a name; raises as `cases`."""
        return next((case for case in self.cases() if case.name == name), None)

    def model(self) -> Path | None:
        """Return the model folder of the newest model; None if there is none."""
        newest = self._findNewest()
        return None if newest is None else newest[0]

    def metadata(self) -> ModelMetadata | None:
        """Return the metadata of the newest model; None if there is none."""
        newest = self._findNewest()
        return None if newest is None else newest[1]

    def includes(
        self, nested: Sequence[tuple[str, str]] = (), folder: AnnotationFolder | None = None
    ) -> Includes:
        """Return the names of the classes within a class: of the newest model, cases and pairs.

        Args:
            nested: outer and inner class of a case that is not checked yet.
            folder: with the cases; by default that of the output folder.
        """
        metadata, settings = self.metadata(), self.settings
        found = list(nested)
        if settings.trainsNested:
            found += (folder or self.folder).nested()
        for includes in (settings.includes, metadata.includes if metadata else {}):
            found += [(outer, inner) for outer, within in includes.items() for inner in within]
        return direct_includes(found)

    def nestedSteps(self, case: AnnotationCase) -> Steps[list[tuple[str, str]]]:
        """Return outer and inner class where a segment of a case lies within another one."""
        node = case.segmentationNode
        if not (self.settings.trainsNested and mayOverlap(node)):
            return []
        classMap = self.classMap(node)
        labels = dict(enumerate(dict.fromkeys(filter(None, classMap.values())), start=1))
        chosen = chooseSegments(node, classMap, labels)
        return (yield from nestedSteps(node, case.volumeNode, chosen, labels))

    def invalidate(self) -> None:
        """Look for the newest model again."""
        self._newest = (None, None)

    def _findNewest(self) -> tuple[Path, ModelMetadata] | None:
        """Find the newest model, at most once in `_MODEL_S` seconds."""
        settings = self.settings
        key = settings.outputFolder, settings.model, time.monotonic() // _MODEL_S
        if key != self._newest[0]:
            others = [modelFolder(Path(settings.model))] if settings.model else []
            folder = settings.outputFolder
            self._newest = key, newestModel(Path(folder), others) if folder else None
        return self._newest[1]

    def classMap(self, node: slicer.vtkMRMLNode) -> dict[str, str]:
        """Return the class of each segment name of a segmentation."""
        known = dict.fromkeys(self.folder.class_names(()).values())
        metadata = self.metadata()
        if metadata is not None:
            known.update(dict.fromkeys(metadata.labels.values()))
        return classMapOf(node, self.settings.classMap, list(known), self.preset)

    def unusedClasses(self) -> set[str]:
        """Return the classes that count as if they had not been drawn, in any case."""
        chosen = self.settings.classMap
        return unusedNames(chosen, self.preset) - set(chosen.values())

    def knownClasses(self, node: slicer.vtkMRMLNode) -> list[str]:
        """Return the classes of a segmentation, of the checked cases, of the model and preset."""
        metadata = self.metadata()
        names = [*self.classMap(node).values(), *self.classes(), *self.preset.labels.values()]
        return classNames([*names, *(metadata.labels.values() if metadata is not None else ())])

    def newClassesText(self, case: AnnotationCase) -> str:
        """Return what a class that no case checked before has means for those, "" without one."""
        classMap, known = self.classMap(case.segmentationNode), self.classes(without=case.name)
        drawn = classNames(classMap[name] for name in structuresOf(case.segmentationNode))
        new = [name for name in drawn if name not in known] if known else []
        text = _(
            "{names} is a new class: earlier accepted cases count as not having it. If it was not "
            'annotated there, open them and set it to "not annotated" in Partial annotation'
        )
        return text.format(names=", ".join(new)) if new else ""

    def classes(self, without: str = "") -> list[str]:
        """Return the classes of all checked cases, in the order of their first occurrence.

        Args:
            without: name of a case to leave out.
        """
        found: dict[str, None] = {}
        for case in self.cases():
            if case.state is not CaseState.CHECKED or case.name == without:
                continue
            names = [name for name in case.structures if name not in self.unusedClasses()]
            if case.segmentationNode is not None:
                classMap = self.classMap(case.segmentationNode)
                names = [classMap[name] for name in structuresOf(case.segmentationNode)]
            found.update(dict.fromkeys(name for name in names if name and not special_value(name)))
        return list(found)

    def classProblem(self) -> tuple[str, bool]:
        """Compare the classes of the newest model and the checked cases; see `classProblem`."""
        metadata = self.metadata()
        return ("", False) if metadata is None else classProblem(metadata, self.classes())

    def taskText(self, case: AnnotationCase, *, isDrafted: bool) -> str:
        """Return what the user is to do with an open case."""
        if case.outdated:
            text = _(
                "The annotation folder has a newer segmentation of {case} than the scene; it was "
                "opened. Correct it, then accept it"
            )
            return text.format(case=case.title)
        if isDrafted:
            return _("Correct the draft of {case}, then accept it").format(case=case.title)
        if case.state is CaseState.CHECKED:
            return _("Correct {case}, then accept it again").format(case=case.title)
        text = _("Segment {case}, then accept it (anatomy: {preset}; select another in Training)")
        return text.format(case=case.title, preset=self.preset.title)

    def question(self, case: AnnotationCase) -> str:
        """Return what may be a mistake in a segmentation to accept, "" if nothing is.

        Segments without a class are not used, which the user may not know unless they chose so.
        """
        drawn, classMap = structuresOf(case.segmentationNode), self.classMap(case.segmentationNode)
        chosen = self.settings.classMap
        unused = [name for name in drawn if not classMap[name] and name not in chosen]
        if not isMadeFor(case.segmentationNode, case.volumeNode):
            text = _(
                "The voxels of {case} have changed since it was opened. Show the image that you "
                "segmented (for example its frame of a sequence), or press Accept again to use the "
                "current one"
            )
            return text.format(case=case.title)
        if not drawn:
            text = _("All segments of {case} are empty; press Accept again to confirm")
            return text.format(case=case.title)
        if not unused:
            return ""
        text = _(
            "{segments} in {case} will not be used in training, because the anatomy {preset} has "
            "no such class. Rename the segment, select a Custom anatomy in Training, or press "
            "Accept again"
        )
        values = {"segments": ", ".join(unused), "case": case.title}
        return text.format(preset=self.preset.title, **values)

    def _listImages(self) -> dict[str, list[Path]]:
        """The images of the folder, listed again when files have come or gone."""
        folder, metadata = self.settings.imageFolder, self.metadata()
        if not folder:
            return {}
        channels = metadata.preset.channels if metadata is not None else 0
        version: object
        try:
            version = folder, channels, Path(folder).stat().st_mtime_ns
        except OSError:  # a drive that was removed has the images of before
            version = self._images[0] or (folder, channels, 0)
        if version != self._images[0]:
            self._images = version, list_cases(Path(folder), channels)
        return self._images[1]

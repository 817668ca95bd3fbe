"""A scripted user of the annotation loop, who corrects drafts with the Segment Editor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from GenSegSlicerLib.Geometry import fileIJKToRAS
from GenSegSlicerLib.LabelFiles import readLabelImage
from GenSegSlicerLib.Segments import voxelsOf
from panel_driver import PanelDriver
from panel_scenes import load_pair
from segment_strokes import begin_stroke

CLASSES = ("Anterior", "Posterior")


class AnnotationUser:
    """Operates the section *Annotate* of the panel.

    Args:
        host: the application's driver.
        phantoms: folder of phantoms in the Decathlon's layout.
        folder: output folder.
        preset: file of the preset.
    """

    def __init__(self, host: Any, phantoms: Path, folder: Path, preset: Path) -> None:
        self.host, self.phantoms = host, phantoms
        self.panel = PanelDriver(host)
        self.section = self.panel.widget.panel.annotate
        self.panel.parameters.preset = str(preset)
        self.panel.parameters.outputFolder = str(folder)
        self.panel.ui.annotateSection.collapsed = False
        host.process_events()

    @property
    def ui(self) -> Any:
        return self.panel.ui

    @property
    def loop(self) -> Any:
        return self.section.loop

    @property
    def current(self) -> Any:
        return self.loop.current.case if self.loop.current is not None else None

    def images(self) -> list[Path]:
        """Image files of the phantoms."""
        return sorted((self.phantoms / "imagesTr").glob("*.nii.gz"))

    def load(self, segmented: int, count: int) -> None:
        """Load phantoms into the scene, the first ones with their segmentation."""
        for index, path in enumerate(self.images()[:count]):
            name = path.name.split(".")[0]
            if index < segmented:
                load_pair(path, self.phantoms / "labelsTr" / path.name, name)
            else:
                slicer.util.loadVolume(str(path), {"name": name})
        self.host.process_events()

    def rows(self) -> dict[str, list[str]]:
        """State, structures, Dice and minutes in the table, by volume."""
        return {row[0]: row[1:] for row in self.panel.rows(self.ui.annotateTable)}

    def next(self) -> None:
        """Press *Next case* and wait until a case is open."""
        self.panel.press(self.ui.nextCaseButton)
        self.wait_until_open()

    def wait_until_open(self) -> None:
        """Wait until a case is open, or the loop reports a problem."""
        self.host.wait_until(lambda: not self.loop.isWaiting, 400)

    def correct(self) -> None:
        """Draw the true segments with the Segment Editor."""
        for value, name in enumerate(CLASSES, start=1):
            self.draw(name, self.truth() == value)

    def truth(self) -> np.ndarray:
        """True label values (k, j, i) of the open case."""
        volume = self.current.volumeNode
        path = self.phantoms / "labelsTr" / f"{self.current.name}.nii.gz"
        return voxelsOf(readLabelImage(path, volume, fileIJKToRAS(volume)))

    def draw(self, name: str, mask: np.ndarray) -> None:
        """Set the voxels of a segment of the open case."""
        editor = self.section.view.editor
        node = editor.segmentationNode()
        segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
        assert segment_id, f"{node.GetName()} has no segment {name}"
        editor.setCurrentSegmentID(segment_id)
        logic, stroke, voxels = begin_stroke(editor)
        voxels[:] = mask.ravel()
        arguments = (node, segment_id, stroke, logic.ModificationModeSet, False, False)
        logic.ModifySegmentByLabelmap(*arguments)

    def accept(self) -> None:
        """Press *Accept* and wait for the next case."""
        self.panel.press(self.ui.acceptButton)
        self.wait_until_open()

    def wait_for_training(self) -> Any:
        """Wait until no training is running; returns the last job."""
        job = self.panel.widget.logic.trainingJob
        self.host.wait_until(lambda: not job.isActive, 900)
        assert job.state == "finished", f"{job.message}\n{job.details}"
        return job

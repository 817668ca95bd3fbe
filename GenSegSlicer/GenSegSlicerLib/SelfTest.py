"""The module's test in the application: *Reload and Test*, CTest, and Testing/InSlicer."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

SEGMENTED = 4
QUICK = {
    "segmenter": "unet",
    "warmup_steps": 4,
    "joint_steps": 8,
    "final_steps": 60,
    "validate_every": 8,
}
LEAST_DICE = 0.3


class GenSegSlicerTest(ScriptedLoadableModuleTest):
    """Trains a tiny model on phantoms and applies it, as a user of the module's logic would."""

    def setUp(self) -> None:
        """Begin with an empty scene and an empty folder whose name no program expects."""
        slicer.mrmlScene.Clear()
        self.folder = Path(tempfile.mkdtemp(prefix="GenSeg tést "))

    def tearDown(self) -> None:
        """Leave nothing behind."""
        slicer.mrmlScene.Clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def test_trainAndApply(self) -> None:
        """From phantoms to a segmentation node that overlaps the truth on the volume's grid."""
        from GenSegSlicerLib.Logic import GenSegSlicerLogic

        logic = GenSegSlicerLogic()
        missing = logic.missingPackages()
        if missing:
            self.skipTest(f"not installed in Slicer yet: {', '.join(missing)}")
        cases = self._makePhantoms()
        model = self._train(logic, cases)
        self._apply(logic, model, cases)

    def _makePhantoms(self) -> Path:
        from GenSegSlicerLib.SampleData import makePhantoms

        ended: list[tuple[int, str]] = []
        cases = self.folder / "phantoms"
        process = makePhantoms(cases, SEGMENTED, 1, lambda *result: ended.append(result))
        while not ended:
            slicer.app.processEvents()
        self.assertEqual(ended, [(0, "")])
        self.assertFalse(process.isRunning)
        return cases

    def _train(self, logic: Any, cases: Path) -> Path:
        pairs = logic.importFolder(cases)
        self.assertEqual(len(pairs), SEGMENTED)
        job = logic.train(pairs, "hippocampus-mri", self.folder / "runs", settings=QUICK, wait=True)
        self.assertEqual(job.state, "finished", job.message)
        return job.runFolder / "model"

    def _apply(self, logic: Any, model: Path, cases: Path) -> None:
        from GenSegSlicerLib.VolumeFiles import loadVolume

        (image,) = (cases / "imagesTs").glob("*.nii.gz")
        volume = loadVolume(image, "unseen")
        job = logic.apply(model, volume, wait=True)
        self.assertEqual(job.state, "finished", job.message)
        (segmentation,) = job.segmentationNodes
        names = segmentation.GetSegmentation()
        found = [names.GetNthSegment(k).GetName() for k in range(names.GetNumberOfSegments())]
        self.assertEqual(found, ["Anterior", "Posterior"])

"""Self-test of the module, run by *Reload and Test*, CTest and Testing/InSlicer."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

SEGMENTED = 4
UNSEEN = 1
QUICK_SETTINGS = {  # all phases, and enough steps to locate the structure
    "segmenter": "unet",
    "warmup_steps": 2,
    "joint_steps": 4,
    "final_steps": 300,
    "segmenter_lr": 6e-3,
    "ema_decay": 0.7,
}
PATCH_SIZE = [16, 24, 16]
NETWORK = {"channels": [16, 32, 64], "strides": [2, 2]}
MIN_DICE = 0.4


class GenSegSlicerTest(ScriptedLoadableModuleTest):
    """Trains a small model on phantoms and applies it through the module logic."""

    def setUp(self) -> None:
        """Clear the scene and create a folder with spaces and non-ASCII characters in its name."""
        slicer.mrmlScene.Clear()
        self.folder = Path(tempfile.mkdtemp(prefix="GenSeg tést "))

    def tearDown(self) -> None:
        """Clear the scene and remove the folder."""
        slicer.mrmlScene.Clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def runTest(self) -> None:
        """Run the test for *Reload and Test*, which reports exceptions as failures."""
        try:
            self.setUp()
            self.test_trainAndApply()
        except unittest.SkipTest as reason:
            self.delayDisplay(f"Skipped: {reason}")
        finally:
            self.tearDown()

    def test_trainAndApply(self) -> None:
        """Train on phantoms, segment another one and compare with its reference."""
        from GenSegSlicerLib.Logic import GenSegSlicerLogic

        logic = GenSegSlicerLogic()
        missing = logic.missingPackages()
        if missing:
            self.skipTest(f"not installed in Slicer: {', '.join(missing)}")
        cases = self._makePhantoms()
        volume, reference = self._loadUnseen(cases)
        model = self._train(logic, cases)
        prediction = self._apply(logic, model, volume)
        self._compare(logic, prediction, reference)

    def _makePhantoms(self) -> Path:
        from GenSegSlicerLib.SampleData import makePhantoms

        self.delayDisplay("Generating phantoms")
        ended: list[tuple[int, str]] = []
        cases = self.folder / "phantoms"
        makePhantoms(cases, SEGMENTED, UNSEEN, lambda *result: ended.append(result))
        while not ended:
            slicer.app.processEvents()
        self.assertEqual(ended, [(0, "")])
        return cases

    def _loadUnseen(self, cases: Path) -> tuple[Any, Any]:
        """Load a volume that is not used for training, and its reference segmentation."""
        from GenSegLib.cases import Case, CaseSet
        from GenSegLib.files import write_json
        from GenSegSlicerLib.PairFinder import importFolder

        (image,) = (cases / "imagesTs").iterdir()
        case = Case("unseen", image, cases / "labelsTs" / image.name)
        labels = {1: "Anterior", 2: "Posterior"}
        write_json(cases / "unseen.json", CaseSet((case,), labels, "MR").to_json(cases))
        (pair,) = importFolder(cases / "unseen.json")
        return pair.volumeNode, pair.segmentationNode

    def _train(self, logic: Any, cases: Path) -> Path:
        self.delayDisplay("Training on phantoms")
        pairs = logic.importFolder(cases)
        self.assertEqual(len(pairs), SEGMENTED)
        runs = self.folder / "runs"
        job = logic.train(pairs, self._writePreset(), runs, settings=QUICK_SETTINGS, wait=True)
        self.assertEqual(job.state, "finished", job.message)
        return job.runFolder / "model"

    def _writePreset(self) -> Path:
        """Write the hippocampus preset with a patch size and network that train in seconds."""
        from GenSegLib.files import write_json
        from GenSegLib.presets import load_preset

        preset = load_preset("hippocampus-mri").to_json()
        path = self.folder / "tiny.json"
        changes = {"name": "tiny", "patch_size": PATCH_SIZE, "network": NETWORK}
        write_json(path, preset | changes)
        return path

    def _apply(self, logic: Any, model: Path, volume: Any) -> Any:
        self.delayDisplay("Applying the model")
        job = logic.apply(model, volume, wait=True)
        self.assertEqual(job.state, "finished", job.message)
        (node,) = job.segmentationNodes
        segments = node.GetSegmentation()
        names = [segments.GetNthSegment(k).GetName() for k in range(segments.GetNumberOfSegments())]
        self.assertEqual(names, ["Anterior", "Posterior"])
        return node

    def _compare(self, logic: Any, prediction: Any, reference: Any) -> None:
        job = logic.evaluate(prediction, reference, wait=True)
        self.assertEqual(job.state, "finished", job.message)
        for row in job.rows:
            self.assertGreater(row["dice"], MIN_DICE, row)
        self.delayDisplay("Training, inference and evaluation passed")

"""Takes the pictures of the panel that the README's tutorial shows.

    python Testing/Tools/screenshots.py [FOLDER] [--run RUN]

The panel runs in the desktop host, on phantoms, with a real training of some minutes, or with a
finished one that is shown again as it went: the run of `make demo`. FOLDER is Testing/Screenshots
where it is not given.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("", "GenSegSlicer", "Testing", "Testing/Slicer")]

import Host  # noqa: E402

host = Host.install()

import qt  # noqa: E402
import slicer  # noqa: E402
from GenSegSlicerLib import TrainingSettings  # noqa: E402
from panel_driver import PanelDriver  # noqa: E402
from panel_scenes import load_pair, phantom_folder, tiny_preset  # noqa: E402

from GenSegLib.runs import RunFolder, State  # noqa: E402

PANEL_WIDTH = 450
WINDOW = 1280, 860
SECTIONS = ("cases", "training", "review", "apply", "evaluate")
STEPS = {"warmup_steps": 6, "joint_steps": 30, "final_steps": 120}
PATCH_SIZE = 16, 32, 16
FAST = {"validate_every": 10, "segmenter_rate": 4e-3, "ema_decay": 0.9}  # no widget sets these
FROM_THE_END = "model", "report.html", "checkpoints", "tensorboard"
LONG_S = 1800  # a busy machine takes that long for what is said to take minutes


class Photographer:
    """Opens the sections that a picture is about, and takes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.panel = PanelDriver(host)
        self.window = slicer.util.mainWindow()
        slicer.util.selectModule("GenSegSlicer")
        self.window.show_views()
        self.window.resize(*WINDOW)
        dock = self.window.findChildren(qt.QDockWidget)[0]
        self.window.resizeDocks([dock], [PANEL_WIDTH + 16], qt.Qt.Horizontal)
        self.window.show()

    def open(self, *sections: str) -> None:
        """Open these sections and close the others."""
        for name in SECTIONS:
            getattr(self.panel.ui, f"{name}Section").collapsed = name not in sections
        for _ in range(10):  # layouts within layouts settle one after the other
            host.process_events()

    def take_section(self, section: str, name: str) -> None:
        """Take one section at the panel's usual width."""
        self.open(section)
        widget = getattr(self.panel.ui, f"{section}Section")
        self._save(widget.grab(), name)

    def take_window(self, name: str, *sections: str) -> None:
        """Take the whole window with these sections open."""
        self.open(*sections)
        self._save(self.window.grab(), name)

    def _save(self, picture: Any, name: str) -> None:
        path = self.folder / f"{name}.png"
        assert picture.save(str(path)), path
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def main() -> None:
    """Take all pictures, in the order of the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = ROOT / "Testing" / "Screenshots"
    parser.add_argument("folder", nargs="?", type=Path, default=folder)
    parser.add_argument("--run", type=Path, help="a finished run on hippocampus phantoms")
    asked = parser.parse_args()
    folder = asked.folder
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="genseg-screenshots-"))
    try:
        photographer = Photographer(folder)
        phantoms = phantom_folder(work, cases=6, test=1)
        take_cases(photographer, phantoms)
        if asked.run is None:
            take_training(photographer, work)
        else:
            take_training_again(photographer, work, asked.run)
        take_review(photographer)
        take_apply(photographer, phantoms)
        take_evaluate(photographer, phantoms)
        take_error(photographer)
        host.close_module("GenSegSlicer")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def take_cases(photographer: Photographer, phantoms: Path) -> None:
    """The empty panel, and the pairs with their segments."""
    panel = photographer.panel
    photographer.take_window("window_empty", "cases", "training")
    panel.ui.importFolderButton.directorySelected.emit(str(phantoms))
    panel.wait_for_checks()
    panel.select_rows(panel.ui.casesTable, [4, 5])
    panel.press(panel.ui.roleValidateButton)
    panel.wait_for_checks()
    panel.select_rows(panel.ui.casesTable, [0])
    panel.press(panel.ui.showPairButton)
    photographer.take_section("cases", "cases")
    photographer.take_window("window_pairs", "cases", "training")


def take_training(photographer: Photographer, work: Path) -> None:
    """A training under way, with its curves, and when it is finished."""
    panel, ui = photographer.panel, photographer.panel.ui
    panel.parameters.preset = str(tiny_preset(work, "hippocampus-mri", PATCH_SIZE, **STEPS))
    asked = TrainingSettings.trainSettings
    TrainingSettings.trainSettings = lambda parameters: {**asked(parameters), **FAST}
    panel.parameters.augmentation = 1.0
    ui.outputFolderEdit.currentPath = str(work / "GenSeg runs")
    panel.wait_for_checks()
    panel.press(ui.trainButton)
    job = panel.widget.panel.runs.job
    host.wait_until(lambda: not job.isActive or has_dice(job, 2), LONG_S)
    take_while_it_trains(photographer)
    host.wait_until(lambda: not job.isActive, LONG_S)
    take_when_it_has_trained(photographer, job)


def take_training_again(photographer: Photographer, work: Path, finished: Path) -> None:
    """The same with a run that was finished before: it is opened while it seems to go on."""
    panel, ui = photographer.panel, photographer.panel.ui
    ui.outputFolderEdit.currentPath = str(work / "GenSeg runs")
    panel.wait_for_checks()
    run = RunFolder(work / "GenSeg runs" / "hippocampus-mri")
    shutil.copytree(finished, run.path, ignore=shutil.ignore_patterns(*FROM_THE_END))
    events = run.events_file.read_bytes().splitlines(keepends=True)
    measured = next(k for k, line in enumerate(events) if b"validation_dice" in line)
    run.events_file.write_bytes(b"".join(events[: measured + 8]))
    with run.lock():
        run.write_status(State.RUNNING, 0)
        ui.openRunButton.directorySelected.emit(str(run.path))
        job = panel.widget.panel.runs.job
        host.wait_until(lambda: has_dice(job), LONG_S)
        take_while_it_trains(photographer)
        shutil.copytree(finished, run.path, dirs_exist_ok=True)
    host.wait_until(lambda: not job.isActive, LONG_S)
    take_when_it_has_trained(photographer, job)


def take_while_it_trains(photographer: Photographer) -> None:
    """The progress of a training, with its log and with its curves."""
    panel, ui = photographer.panel, photographer.panel.ui
    ui.logSection.collapsed = False
    photographer.take_section("training", "training")
    ui.logSection.collapsed = True
    panel.press(ui.chartButton)
    photographer.take_window("window_training", "training")
    panel.press(ui.closingContinueButton)


def take_when_it_has_trained(photographer: Photographer, job: Any) -> None:
    """The end of a training, and what can be chosen for the next one."""
    ui = photographer.panel.ui
    assert job.state == "finished", job.message
    photographer.take_section("training", "training_finished")
    ui.advancedSection.collapsed = False
    photographer.take_section("training", "training_advanced")
    ui.advancedSection.collapsed = True


def has_dice(job: Any, times: int = 1) -> bool:
    """Whether the validation Dice was measured so often."""
    return sum(event.get("validation_dice") is not None for event in job.events) >= times


def take_review(photographer: Photographer) -> None:
    """A generated pair beside a real one."""
    panel = photographer.panel
    photographer.open("review")
    panel.press(panel.ui.rejectButton)
    photographer.take_section("review", "review")
    photographer.take_window("window_review", "review")


def take_apply(photographer: Photographer, phantoms: Path) -> None:
    """The model's card, the result in slices and 3D, and the volumes."""
    panel, ui = photographer.panel, photographer.panel.ui
    image = next((phantoms / "imagesTs").iterdir())
    volume = slicer.util.loadVolume(str(image), {"name": "New patient"})
    photographer.open("apply")
    layout = slicer.app.layoutManager()
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    ui.inputVolumeSelector.setCurrentNode(volume)
    panel.press(ui.applyButton)
    job = panel.widget.panel.apply.job
    host.wait_until(lambda: not job.isActive, LONG_S)
    assert job.state == "finished", job.message
    photographer.take_section("apply", "apply")
    photographer.take_window("window_result", "apply")


def take_evaluate(photographer: Photographer, phantoms: Path) -> None:
    """The scores of the result against the truth."""
    panel, ui = photographer.panel, photographer.panel.ui
    image = next((phantoms / "imagesTs").iterdir())
    _, reference = load_pair(image, phantoms / "labelsTs" / image.name, "New patient")
    reference.SetName("Drawn by hand")
    photographer.open("evaluate")
    ui.referenceSelector.setCurrentNode(reference)
    panel.press(ui.evaluateButton)
    job = panel.widget.panel.evaluate.job
    host.wait_until(lambda: not job.isActive, LONG_S)
    photographer.take_section("evaluate", "evaluate")


def take_error(photographer: Photographer) -> None:
    """A training that cannot be: what went wrong stands in one line."""
    panel = photographer.panel
    panel.parameters.device = "cuda:7"
    host.process_events()
    panel.press(panel.ui.trainButton)
    job = panel.widget.panel.runs.job
    host.wait_until(lambda: not job.isActive, LONG_S)
    photographer.take_section("training", "error")


if __name__ == "__main__":
    main()

"""Seconds from *Next case* until the draft of a case is open in the annotation loop.

    python Testing/Benchmarks/draft_times.py --hippocampus JOB --ct JOB
    Slicer --testing --additional-module-paths GenSegSlicer --python-script <this file> [options]

JOB is the folder of a job of `cohorts.py`, whose model is used. Hippocampi are as they are in the
Decathlon, CTs are enlarged to 512 x 512 x 300 voxels of the same field of view. The first draft
starts the process that predicts, with its imports and the model; further ones, after *Skip*, find
it warm. Writes results/draft_times.json. Goals on two cores when warm: 5 s for a hippocampus, 40 s
for a CT.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing/Slicer")]
sys.path.append(str(ROOT / "GenSegSlicer"))

from application_fixtures import start_application  # noqa: E402 - found through the path above

HOST, _ = start_application()

import SimpleITK  # noqa: E402
import slicer  # noqa: E402
from cohorts_data import COHORTS, read_cohort  # noqa: E402
from measuring import write_result  # noqa: E402
from panel_driver import PanelDriver  # noqa: E402

CT_SIZE = (512, 512, 300)
DRAFTS = 3


def enlarged(image: Path, folder: Path) -> Path:
    """Write an image with `CT_SIZE` voxels of the same field of view; return the file."""
    source = SimpleITK.ReadImage(str(image))
    spacing = [
        length * size / new
        for length, size, new in zip(source.GetSpacing(), source.GetSize(), CT_SIZE)
    ]
    grid = (SimpleITK.Transform(), SimpleITK.sitkLinear, source.GetOrigin(), spacing)
    large = SimpleITK.Resample(source, CT_SIZE, *grid, source.GetDirection())
    path = folder / image.name
    SimpleITK.WriteImage(SimpleITK.Cast(large, SimpleITK.sitkInt16), str(path), useCompression=True)
    return path


def draft_times(model: Path, images: Sequence[Path], folder: Path) -> list[float]:
    """Open the drafts of images one after the other; return the seconds of each.

    Args:
        model: model folder.
        images: as many as drafts.
        folder: output folder of the panel.
    """
    slicer.mrmlScene.Clear(0)
    panel = PanelDriver(HOST)
    panel.parameters.outputFolder = str(folder)
    panel.parameters.modelFolder = str(model)
    panel.parameters.annotateWhen = "button"
    for path in images:
        slicer.util.loadVolume(str(path), {"name": path.name.split(".")[0]})
    panel.ui.annotateSection.collapsed = False
    HOST.process_events()
    loop: Any = panel.widget.panel.annotate.loop
    seconds = []
    for button in (panel.ui.nextCaseButton, *[panel.ui.skipButton] * (len(images) - 1)):
        start = time.perf_counter()
        panel.press(button)
        HOST.wait_until(lambda: not loop.isWaiting, 600)
        seconds.append(round(time.perf_counter() - start, 2))
        if loop.current is None or loop.current.draft is None:
            raise SystemExit(f"there is no draft: {panel.ui.annotateMessage.text}")
    HOST.close_module("GenSegSlicer")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hippocampus", type=Path, required=True, help="job of cohorts.py")
    parser.add_argument("--ct", type=Path, required=True, help="job of cohorts.py")
    args = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, job, cohort in (
            ("hippocampus", args.hippocampus, "hippocampus"),
            ("ct", args.ct, "abdomen_ct_btcv"),
        ):
            images = [case.images[0] for case in read_cohort(COHORTS[cohort])[:DRAFTS]]
            if what == "ct":
                images = [enlarged(image, folder) for image in images]
            first, *warm = draft_times(job / "run/model", images, folder / f"{what}-runs")
            found |= {f"{what}_first_draft_s": first, f"{what}_warm_drafts_s": warm}
    print(write_result("draft_times", found))


if __name__ == "__main__":
    main()

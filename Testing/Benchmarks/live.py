"""Frame rate and latency of the panel's live segmentation, and how long it blocks Slicer.

    python Testing/Benchmarks/live.py [--model DIR] [--size 256] [--rate 30] [--seconds 10]
    Slicer --testing --additional-module-paths GenSegSlicer --python-script <this file> [options]

A color volume changes at a steady rate, in the desktop host or in Slicer, while the resident
process segments it. Without `--model`, the model is the network of preset `generic-2d-color` with
random weights, which is as fast as a trained one. Latency is from the change of the volume to the
update of its label map; the host does not draw. The processor time of a frame says what other
programs on the same cores do not change. Writes results/live.json. Goals at 256 x 256 on two
CPU cores: 15 frames/s, a latency below 120 ms, and no event-loop iteration above 20 ms.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing/Slicer")]
sys.path.append(str(ROOT / "GenSegSlicer"))

from application_fixtures import start_application  # noqa: E402 - found through the path above

HOST, _ = start_application()

import numpy as np  # noqa: E402
import psutil  # noqa: E402
import slicer  # noqa: E402
from GenSegSlicerLib.LiveSegmentation import LiveSegmentation  # noqa: E402
from measuring import write_result  # noqa: E402
from small_trainings import unpreempted_time_s  # noqa: E402

_WARM_UP_S = 3.0


def untrained_model(folder: Path, size: int) -> Path:
    """Save the default network of color images with random weights."""
    from GenSegLib.models.folder import ModelMetadata
    from GenSegLib.models.weights import save_model
    from GenSegLib.networks import build_segmenter, segmenter_args, segmenter_target
    from GenSegLib.presets import load_preset

    preset = load_preset("generic-2d-color")
    preset = replace(preset, labels={1: "Lesion"}, patch_size=(size, size))
    name = preset.segmenter
    args = segmenter_args(name, preset.channels, 2, 2, preset.patch_size)
    metadata = ModelMetadata(
        name="untrained",
        preset=preset,
        labels=preset.labels,
        network=name,
        network_target=segmenter_target(name),
        network_args=args,
        cases=0,
    )
    save_model(folder, metadata, dict(build_segmenter(name, args).state_dict()))
    return folder


class Stream:
    """A color volume that gets the next of a few random images when it is due."""

    def __init__(self, size: int, rate: float) -> None:
        generator = np.random.default_rng(0)
        self._images = generator.integers(0, 255, (8, 1, size, size, 3)).astype(np.uint8)
        self._period, self._next, self.count = 1 / rate, time.perf_counter(), 0
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "stream")
        slicer.util.updateVolumeFromArray(self.node, self._images[0])

    def show_if_due(self) -> None:
        """Show the next image when its time has come."""
        if time.perf_counter() < self._next:
            return
        self._next += self._period
        self.count += 1
        slicer.util.arrayFromVolume(self.node)[...] = self._images[self.count % len(self._images)]
        slicer.util.arrayFromVolumeModified(self.node)


class Recorder:
    """Records the latency of each result."""

    def __init__(self, live: LiveSegmentation) -> None:
        self.latencies: list[float] = []
        self._live, self._last = live, 0.0
        live.observers.add(self._note)

    def _note(self, live: LiveSegmentation) -> None:
        shown = live.lastShown
        if shown is not None and shown[0] != self._last:
            self._last = shown[0]
            self.latencies.append(shown[1])


def follow(model: Path, stream: Stream, seconds: float) -> dict[str, Any]:
    """Follow the stream and return the figures after a warm-up."""
    live = LiveSegmentation(model, stream.node)
    live.start()
    HOST.wait_until(lambda: live.state == "running", 120)
    recorder, turns = Recorder(live), []
    server = next(each for each in psutil.Process().children(True) if "serve" in each.cmdline())
    before = 0.0
    for duration in (_WARM_UP_S, seconds):
        recorder.latencies.clear()
        turns.clear()
        before = sum(server.cpu_times()[:2])
        end = time.perf_counter() + duration
        while time.perf_counter() < end:
            start = unpreempted_time_s()
            stream.show_if_due()
            HOST.process_events()
            turns.append(unpreempted_time_s() - start)
            time.sleep(0.001)
    processor_s = sum(server.cpu_times()[:2]) - before
    live.stop()
    HOST.wait_until(lambda: not server.is_running(), 30)
    latencies = np.array(recorder.latencies)
    return {
        "frames_per_s": round(len(latencies) / seconds, 1),
        "processor_ms_per_frame": round(1000 * processor_s / max(len(latencies), 1), 1),
        "latency_ms": round(1000 * float(np.median(latencies)), 1),
        "latency_95_percent_below_ms": round(1000 * float(np.quantile(latencies, 0.95)), 1),
        "longest_turn_ms": round(1000 * max(turns), 1),
        "turns_99_percent_below_ms": round(1000 * float(np.quantile(turns, 0.99)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or untrained_model(Path(folder) / "model", args.size)
        found = follow(model, Stream(args.size, args.rate), args.seconds)
    found |= {"size": args.size, "rate": args.rate, "model": str(args.model or "untrained")}
    print(write_result("live", found))


if __name__ == "__main__":
    main()

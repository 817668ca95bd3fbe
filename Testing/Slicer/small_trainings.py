"""Training runs of seconds on phantoms, and a recorder of their jobs."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from panel_scenes import phantom_folder, tiny_preset

from GenSegLib.config import TrainConfig
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder

TINY = {
    "threads": 1,
    "warmup_steps": 2,
    "joint_steps": 4,
    "final_steps": 4,
    "validation_interval": 2,
}
ENDLESS = 1_000_000


def small_run(folder: Path, **settings: Any) -> RunFolder:
    """Create the run folder of a training of seconds on phantoms."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = read_cases(phantom_folder(folder, cases=2, test=0)).with_validation(0.5, 0)
    preset = load_preset(tiny_preset(folder))
    config = TrainConfig.for_preset(preset, **{**TINY, **settings})
    return RunFolder.create(folder / "run", config, preset, cases)


class JobRecorder:
    """Records the states and phases of a job, and the durations of event loop iterations."""

    def __init__(self, host: Any, job: Any) -> None:
        self.host, self.job = host, job
        self.states = [job.state]
        self.phases: list[str] = []
        self.fractions: list[float] = []
        self.turns_s: list[float] = []
        job.observers.add(self._note)

    def until(self, condition: Callable[[], object], timeout_s: float = 300.0) -> None:
        """Process events until the condition holds."""

        def process_events() -> bool:
            start = unpreempted_time_s()
            self.host.process_events()
            self.turns_s.append(unpreempted_time_s() - start)
            return bool(condition())

        self.host.wait_until(process_events, timeout_s)

    def wait_until_ended(self, timeout_s: float = 300.0) -> None:
        """Process events until the job has ended."""
        self.until(lambda: not self.job.isActive, timeout_s)

    def wait_until_phase(self, phase: str) -> None:
        """Process events until the training is in a phase."""
        self.until(lambda: self.job.phase == phase or not self.job.isActive)
        assert self.job.isActive, f"{self.job.state}: {self.job.message}\n{self.job.details}"

    def _note(self, job: Any) -> None:
        self.fractions.append(job.fraction)
        if job.state != self.states[-1]:
            self.states.append(job.state)
        if job.phase and job.phase not in self.phases[-1:]:
            self.phases.append(job.phase)


class GarbageCollections:
    """Seconds of Python's full garbage collections, which may fall into any turn.

    They visit all objects of the interpreter: 150,000 of `slicer`, `vtk` and `numpy`, 95,000 of the
    desktop host, and 9,000 of the module and its panel.
    """

    def __init__(self) -> None:
        self.total_s = self.longest_s = self._started_at = 0.0
        gc.callbacks.append(self._on_phase)

    def _on_phase(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:
            return
        if phase == "start":
            self._started_at = _running_time_s()
            return
        duration = _running_time_s() - self._started_at
        self.total_s += duration
        self.longest_s = max(self.longest_s, duration)


def unpreempted_time_s() -> float:
    """A clock without full garbage collections and the time that this thread waits for a CPU."""
    return _running_time_s() - garbage_collections.total_s


def _running_time_s() -> float:
    now = time.perf_counter()
    try:
        _, waited_ns, _ = Path("/proc/thread-self/schedstat").read_text().split()
    except OSError:
        return now
    return now - int(waited_ns) / 1e9


garbage_collections = GarbageCollections()

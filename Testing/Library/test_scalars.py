"""TensorBoard scalars, where tensorboard is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from GenSegLib.events import EventLog
from GenSegLib.training.scalars import tensorboard_sinks


def test_metrics_become_scalars_under_their_names(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventLog(None, tensorboard_sinks(tmp_path))
    events.metrics("joint", 5, gamma=0.75, segmenter_loss=float("nan"))
    events.progress("joint", 5, 10)
    events.state("finished")
    found = EventAccumulator(str(tmp_path))
    found.Reload()
    assert found.Tags()["scalars"] == ["gamma"]
    assert [(s.step, s.value) for s in found.Scalars("gamma")] == [(5, 0.75)]

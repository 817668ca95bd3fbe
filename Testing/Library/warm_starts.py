"""A finished training, whose model others start from."""

from __future__ import annotations

import pytest
from small_runs import small_run

from GenSegLib.events import EventLog
from GenSegLib.runs import RunFolder
from GenSegLib.training.train import train

LABELS = {1: "Anterior", 2: "Posterior"}
TINY = {"warmup_steps": 2, "joint_steps": 4, "final_steps": 4, "generator": "none"}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished training."""
    run = small_run(tmp_path_factory.mktemp("first") / "first", **TINY)
    train(run, EventLog(None))
    return run

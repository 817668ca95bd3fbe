"""The model folder that a finished training writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_runs import phantom_cases, small_run

from GenSegLib.data.image_io import read_label
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.training.session import load_session
from GenSegLib.training.trained_model import write_model


def test_the_model_records_the_volumes_of_the_labeled_structures(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", phantom_cases(3))
    session = load_session(run)
    write_model(run, session.learner, session.names, None)
    labels = [read_label(case.label) for case in run.cases.cases]
    volumes_ml = ModelMetadata.load(run.model).volumes
    for value, (smallest, largest) in volumes_ml.items():
        volumes = [(one.array == value).sum() * np.prod(one.spacing) / 1000 for one in labels]
        assert (smallest, largest) == pytest.approx((min(volumes), max(volumes)), rel=0.01)
    assert sorted(volumes_ml) == [1, 2]

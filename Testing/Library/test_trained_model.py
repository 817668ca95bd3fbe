"""What a finished training tells its model of the cases that it learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_runs import phantom_cases, small_run

from GenSegLib.images.image_io import read_label
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.runs import RunFolder
from GenSegLib.training.session import load_session
from GenSegLib.training.trained_model import write_model


def written(folder: Path, cases: int, **changes: object) -> tuple[ModelMetadata, list[str]]:
    """The metadata of the model of a run that has not trained yet, and what was told."""
    run, told = small_run(folder, phantom_cases(cases), **changes), []
    session = load_session(run)
    write_model(run, session.learner, session.names, None, told.append)
    return ModelMetadata.load(run.model), told


def test_a_model_knows_the_plane_at_which_its_cases_part_two_labels(tmp_path: Path) -> None:
    metadata, told = written(tmp_path / "run", 5)
    (cut,) = metadata.cuts
    assert (cut.labels, cut.axis) == ((2, 1), "A")
    assert len(told) == 1
    assert "part Posterior and Anterior at a plane" in told[0]


def test_a_model_knows_how_large_the_labels_of_its_cases_are(tmp_path: Path) -> None:
    metadata, _ = written(tmp_path / "run", 3)
    labels = [read_label(case.label) for case in RunFolder.open(tmp_path / "run").cases.cases]
    for value, (least, most) in metadata.volumes.items():
        volumes = [(one.array == value).sum() * np.prod(one.spacing) / 1000 for one in labels]
        assert (least, most) == pytest.approx((min(volumes), max(volumes)), rel=0.01)
    assert sorted(metadata.volumes) == [1, 2]


@pytest.mark.parametrize(("cases", "changes"), [(4, {}), (5, {"cuts": False})])
def test_a_model_of_few_cases_or_told_not_to_knows_no_plane(
    tmp_path: Path, cases: int, changes: dict[str, object]
) -> None:
    metadata, told = written(tmp_path / "run", cases, **changes)
    assert metadata.cuts == ()
    assert told == []

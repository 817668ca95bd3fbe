"""What the benchmark of the annotation loop counts as effort."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from annotation import Loop, added_path_length, contour, score, sum_effort, training_command
from sparse import ANNOTATED, CASES
from tasks import VOLUMES

from GenSegLib.commands.train import add_arguments

SQUARE = np.zeros((3, 10, 10), int)
SQUARE[:, 2:8, 2:8] = 1


def draft(number: int, dice: float, changed: int) -> dict[str, str]:
    return {
        "dice": str(dice),
        "changed_voxels": str(changed),
        "voxels": "100",
        "added_path": str(changed // 2),
        "path": "50",
    }


def test_contours_lie_in_the_slices() -> None:
    edges = contour(SQUARE == 1, 0)
    assert edges[1].sum() == 20  # a square of 6 x 6
    assert edges[0].sum() == edges[1].sum()  # the first slice is no contour as a whole


def test_a_perfect_draft_costs_nothing_and_an_empty_one_the_whole_contour() -> None:
    reference = SQUARE == 1
    assert added_path_length(reference, reference, 0) == 0
    assert added_path_length(np.zeros_like(reference), reference, 0) == 60


def test_a_draft_is_scored_class_by_class() -> None:
    shifted = np.roll(SQUARE, 1, axis=2)
    rows = score({"Anterior": 1, "Posterior": 2}, shifted, SQUARE, (1.0, 1.0, 1.0))
    assert [row["label"] for row in rows] == ["Anterior"]  # neither has the other class
    assert rows[0]["changed_voxels"] == 2 * 3 * 6
    assert float(str(rows[0]["dice"])) == pytest.approx(5 / 6, abs=1e-4)


def test_effort_counts_drawn_cases_and_corrections() -> None:
    scores = {2: (0.5, 150), 3: (0.84, 40), 4: (0.9, 20), 5: (0.9, 20)}
    drafts = {k: [draft(k, *values)] for k, values in scores.items()}
    voxels, path = (sum_effort(drafts, 0.85, kind) for kind in ("voxels", "path"))
    assert voxels.until_target == pytest.approx(2 + 1 + 0.4 + 0.2 + 0.2)  # a useless draft costs 1
    assert voxels.total == pytest.approx(2 + 1 + 0.4 + 0.2 + 0.2)
    assert voxels.worst == 1.5
    assert path.total == pytest.approx(2 + 1 + 0.4 + 0.2 + 0.2)
    assert np.isnan(sum_effort(drafts, 0.95, "voxels").until_target)


@pytest.mark.parametrize(("labeled", "source"), [(2, "--encoder"), (3, "--from")])
def test_a_round_trains_from_the_model_of_the_last(labeled: int, source: str) -> None:
    loop = Loop(VOLUMES["cardiac"], "loop", "random", 2, 0)
    found = training_command(loop, Path("loop"), Path("cases.json"), Path("run"), labeled)
    verb, *arguments = map(str, found)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.parse_args(arguments)
    assert verb == "train"
    assert {"--encoder", "--from"}.intersection(arguments) == {source}  # train refuses both


@pytest.mark.parametrize(("arm", "cases"), list(CASES.items()))
def test_sparse_arms_annotate_as_many_voxels_as_complete_cases(arm: str, cases: int) -> None:
    label = np.zeros((36, 48, 36), int)
    label[12:24, 12:36, 12:24] = 1
    generator = np.random.default_rng(0)
    counts = [ANNOTATED[arm](label, generator).sum() for _ in range(cases)]
    assert sum(counts) == pytest.approx(10 * label.size, rel=0.1)

"""What is said of scans of another scanner comes from the tables alone, and has the right sign."""

from __future__ import annotations

import pytest
from low_data_parts.jobs import Job
from low_data_parts.shift_summary import ALL_CHANGES, shift_summary
from low_data_parts.tables import Row

GENSEG, AUGMENTED = "genseg dynunet N=10", "augmented dynunet N=10"


def scores() -> list[Row]:
    """Six cases; genseg is 0.02 ahead under noise and 0.04 under a coil field, in both scores."""
    gains = {"none": 0.0, "noise": 0.02, "coil": 0.04}
    rows = []
    for arm in ("augmented", "genseg"):
        for case in range(6):
            for shift, gain in gains.items():
                ahead = gain if arm == "genseg" else 0.0
                found = {"dice": str(0.7 + 0.01 * case + ahead), "ece": str(0.1 - ahead)}
                job = Job("dynunet", arm, 10, 0)
                rows.append(job.columns() | {"shift": shift, "case": f"case_{case}"} | found)
    return rows


def bins() -> list[Row]:
    """Two bins an arm: 100 voxels of mean probability 0.9, of which 60 or 90 are right."""
    rows = []
    for arm, right in (("augmented", 60), ("genseg", 90)):
        job = Job("dynunet", arm, 10, 0).columns()
        counts = {"voxels": "100", "probability": "90.0", "right": str(right)}
        rows += [
            job | {"shift": shift, "bin": "13"} | counts for shift in ("none", "noise", "coil")
        ]
    return rows


def test_the_unchanged_scans_are_no_change() -> None:
    dice = shift_summary(scores(), bins())["dice"]
    assert dice[GENSEG][ALL_CHANGES] == pytest.approx(0.725 + 0.03)
    assert dice[GENSEG]["none"] == dice[AUGMENTED]["none"] == pytest.approx(0.725)


@pytest.mark.parametrize("name", ["dice", "ece"])
def test_a_gain_is_more_dice_or_less_calibration_error(name: str) -> None:
    tests = shift_summary(scores(), bins())[f"{name}_genseg_against"]
    found = tests[AUGMENTED]["coil"]
    assert found["mean_gain"] == pytest.approx(0.04)
    assert found["better_in"] == 6


def test_the_calibration_error_is_that_of_all_voxels_of_a_seed() -> None:
    found = shift_summary(scores(), bins())["ece"]
    assert found[AUGMENTED]["none"] == pytest.approx(0.3)
    assert found[GENSEG][ALL_CHANGES] == 0

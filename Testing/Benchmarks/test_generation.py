"""The benchmark of generation: arms, classes across cohorts, and what is scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from cohorts_data import ABDOMEN, CohortCase, Split
from generation import ARMS, own_cases, shifted_cases
from jobs import Job
from tasks import SHIFTS

from GenSegLib.commands.train import add_arguments


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_consists_of_arguments_of_the_command_line(arm: str) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(["cases", "--out", "run", *ARMS[arm]]).generator


def test_organs_of_ct_are_found_in_mr_by_their_names() -> None:
    values = SHIFTS["ct-to-mr"].values_in("abdomen_mr_t2_chaos")
    assert values == {name: ((value,), (value,)) for name, value in ABDOMEN.items()}


def test_the_scans_to_be_segmented_are_the_unlabeled_ones() -> None:
    own, other = (CohortCase(name, name, (Path(f"{name}.nii.gz"),), None) for name in "ab")
    tests = {"cardiac_bssfp_mscmr": (other,), "cardiac_lge_mscmr": (other,)}
    names = [case.name for case in shifted_cases(SHIFTS["cardiac"], tests)]
    assert names == ["cardiac_bssfp_mscmr_b", "cardiac_lge_mscmr_b"]
    assert own_cases(Split((), (), (own,))) == (own,)


def test_jobs_differ_by_their_minutes_and_tests() -> None:
    keys = [Job(SHIFTS["cardiac"], "genseg", minutes, 0).key for minutes in (1, 15)]
    assert keys[0] != keys[1]


def test_dice_is_that_of_classes_that_occur(tmp_path: Path) -> None:
    for name, array in (("a", [[1, 1, 0, 0]]), ("label", [[1, 0, 0, 0]])):
        image = SimpleITK.GetImageFromArray(np.array([array], np.uint8))
        SimpleITK.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    case = CohortCase("a", "a", (), tmp_path / "label.nii.gz")
    found = SHIFTS["ct-to-mr"].scores("abdomen_mr_t2_chaos", case, tmp_path)
    assert found == {"Spleen": pytest.approx(2 / 3)}

"""The low-data protocol of DESIGN.md: which cases are labeled, and which are for the report alone.

The case names are sorted and permuted with `numpy.random.RandomState(seed)`. The last 48 are the
test cases, the first N the labeled ones; the others may be shown without their labels. So the
splits need no file and are the same on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from GenSegLib.cases import permuted

TEST_CASES = 48


@dataclass(frozen=True)
class Split:
    """Names of the cases of one training: no case is in two of the three."""

    labeled: tuple[str, ...]
    unlabeled: tuple[str, ...]
    test: tuple[str, ...]


def case_names(data: Path) -> list[str]:
    """Give the cases of a folder in the Decathlon's layout, in order."""
    return sorted(
        path.name.removesuffix(".nii.gz") for path in (data / "imagesTr").glob("*.nii.gz")
    )


def split_cases(
    names: Sequence[str], labeled: int, seed: int, test_cases: int = TEST_CASES
) -> Split:
    """Split the cases as the protocol says.

    Raises:
        ValueError: there are too few cases for so many labeled ones.
    """
    if labeled + test_cases > len(names):
        raise ValueError(f"{labeled} labeled and {test_cases} test cases of {len(names)}")
    drawn = [sorted(names)[place] for place in permuted(len(names), seed)]
    first_test = len(drawn) - test_cases
    return Split(
        labeled=tuple(drawn[:labeled]),
        unlabeled=tuple(drawn[labeled:first_test]),
        test=tuple(drawn[first_test:]),
    )


def test_images(data: Path, seed: int, test_cases: int = TEST_CASES) -> list[Path]:
    """Give the images of the test cases."""
    names = case_names(data)
    test = split_cases(names, 0, seed, test_cases).test
    return [data / "imagesTr" / f"{name}.nii.gz" for name in test]


def write_cases(file: Path, data: Path, split: Split, *, with_unlabeled: bool) -> None:
    """Write the list of cases that a training is given; test cases are not in it.

    Unlabeled cases come without the path of their label, so that no training can read it.
    """
    known = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    labels = {value: name for value, name in known["labels"].items() if int(value) > 0}

    def entry(name: str, role: str) -> dict[str, str | None]:
        label = str(data / "labelsTr" / f"{name}.nii.gz") if role == "train" else None
        image = str(data / "imagesTr" / f"{name}.nii.gz")
        return {"name": name, "image": image, "label": label, "role": role}

    cases = [entry(name, "train") for name in sorted(split.labeled)]
    if with_unlabeled:
        cases += [entry(name, "unlabeled") for name in sorted(split.unlabeled)]
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"modality": "MR", "labels": labels, "cases": cases}, indent=1)
    file.write_text(text, encoding="utf-8")

"""Phantoms of 2-D images: photos of skin lesions and ultrasound of the breast."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from GenSegLib.datasets.image_io import Volume, read_image, read_label
from GenSegLib.phantoms import ANATOMIES, make_cases, skin, ultrasound


@pytest.fixture(scope="module", params=[skin, ultrasound], ids=["skin", "ultrasound"])
def cases(request: pytest.FixtureRequest) -> list[tuple[Volume, Volume]]:
    return [request.param.generate(np.random.default_rng(seed)) for seed in range(8)]


def test_lesions_are_connected_and_of_different_sizes(cases: list[tuple[Volume, Volume]]) -> None:
    shares = []
    for _, label in cases:
        parts, count = ndimage.label(label.array[0])
        largest = np.bincount(parts.ravel())[1:].max()
        assert count >= 1
        assert ndimage.binary_fill_holes(label.array[0, ..., 0]).sum() == (parts > 0).sum()
        assert largest > 0.9 * (parts > 0).sum()
        shares.append((parts > 0).mean())
    assert min(shares) > 0.005 and max(shares) < 0.5
    assert max(shares) > 2 * min(shares)


def test_lesions_are_darker_but_no_threshold_finds_them(
    cases: list[tuple[Volume, Volume]],
) -> None:
    dices = []
    for image, label in cases:
        gray, inside = image.array.mean(axis=0), label.array[0] > 0
        assert gray[inside].mean() < gray[~inside].mean()
        found = gray <= np.quantile(gray[inside], 0.9)
        dices.append(2 * (found & inside).sum() / (found.sum() + inside.sum()))
    assert np.mean(dices) < 0.85


@pytest.mark.parametrize(("anatomy", "channels"), [("skin", 3), ("ultrasound", 1)])
def test_phantoms_of_pictures_are_png_files(tmp_path: Path, anatomy: str, channels: int) -> None:
    first = make_cases(tmp_path / "a", anatomy, 2, seed=1, test=1)
    again = make_cases(tmp_path / "b", anatomy, 1, seed=1)
    image = read_image(first.cases[0].image)
    assert (len(image.array), image.unit) == (channels, "px")
    np.testing.assert_array_equal(image.array, read_image(again.cases[0].image).array)
    label = read_label(first.cases[0].label, image)  # type: ignore[arg-type]
    assert set(np.unique(label.array)) == {0, 1}
    assert first.labels == ANATOMIES[anatomy].LABELS
    assert (tmp_path / "a" / "labelsTs" / f"{anatomy}_test_001.png").is_file()
    assert json.loads((tmp_path / "a" / "dataset.json").read_text())["tensorImageSize"] == "2D"

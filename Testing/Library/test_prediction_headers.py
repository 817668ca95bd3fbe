"""Predictions lie on their images in every program, and odd spacings are questioned first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from grids import ball, make_affine
from tiny_models import PRESET, save_bright_model

from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.datasets.image_io import Volume, read_image, read_label
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog
from GenSegLib.images.nifti import read_header
from GenSegLib.images.nifti_header import Forms
from GenSegLib.prediction.predict import predict_files
from Testing.nifti_files import forms, write_with_forms

BRIGHT = replace(PRESET, spacing=None, labels={7: "Bright"}, colors={}, patch_size=(40, 40, 40))
QFORM = make_affine("LPS", (0.8, 0.8, 2), (15, -10, 20), (12, -34, 56))
SFORM = make_affine("LPS", (0.8, 0.8, 2), (15, -10, 40), (22, -39, 59))
BALL = ball(QFORM, (30, 26, 22), share=0.25) > 0


@pytest.fixture
def bright_model(tmp_path: Path) -> Path:
    save_bright_model(tmp_path / "model", BRIGHT)
    return tmp_path / "model"


def write_ball(path: Path, form: Forms) -> Path:
    noise = np.random.default_rng(0).normal(0, 1, BALL.shape)
    return write_with_forms(path, (100 + 200 * BALL + noise).astype(np.float32), form)


def in_micrometers(form: Forms) -> Forms:
    """The same forms with lengths in micrometers."""
    return Forms(
        *(form.qform_code, form.sform_code),
        (form.pixdim[0], *(1e3 * size for size in form.pixdim[1:])),
        (*form.quaternion[:3], *(1e3 * place for place in form.quaternion[3:])),
        tuple(1e3 * value for value in form.rows),
        units=3,
    )


@pytest.mark.parametrize(
    "form",
    [
        forms(SFORM, QFORM, (2, 1)),
        forms(QFORM, QFORM, (4, 2)),
        in_micrometers(forms(QFORM, QFORM, (1, 1))),
    ],
    ids=["sform and qform disagree", "codes", "micrometers"],
)
def test_a_prediction_has_its_images_forms_codes_and_units(
    tmp_path: Path, bright_model: Path, form: Forms
) -> None:
    image = write_ball(tmp_path / "images" / "scan.nii.gz", form)
    out = tmp_path / "out"
    out.mkdir()
    predict_files(bright_model, [image], out, probabilities=True)
    written = (out / "scan.nii.gz", out / "probabilities" / "scan_7.nii.gz")
    for path in written:
        assert read_header(path).forms == read_header(image).forms
    np.testing.assert_array_equal(read_label(written[0]).array[0] == 7, BALL)
    np.testing.assert_allclose(read_image(written[0]).spacing, (0.8, 0.8, 2), rtol=1e-5)


def test_what_is_unclear_in_the_header_is_a_warning(tmp_path: Path, bright_model: Path) -> None:
    image = write_ball(tmp_path / "scan.nii.gz", forms(SFORM, QFORM, (2, 1)))
    out = tmp_path / "out"
    out.mkdir()
    predict_files(bright_model, [image], out, events=EventLog(tmp_path / "events.jsonl"))
    assert "the qform is used" in (tmp_path / "events.jsonl").read_text(encoding="utf-8")


def test_a_spacing_of_60_mm_is_questioned_before_it_is_resampled(
    tmp_path: Path, bright_model: Path
) -> None:
    affine = np.diag([60.0, 60.0, 90.0, 1.0])
    image = write_ball(tmp_path / "scan.nii.gz", forms(affine, affine, (1, 1)))
    with pytest.raises(GenSegError, match=r"scan\.nii\.gz: implausible spacing 60 x 60 x 90 mm"):
        predict_files(bright_model, [image], tmp_path / "out")


def test_an_image_that_grows_beyond_reason_is_refused_before_it_is_resampled() -> None:
    image = Volume(np.zeros((1, 40, 36, 24), np.float32), np.diag([40.0, 40.0, 45.0, 1.0]))
    preset = replace(BRIGHT, spacing=(2.0, 2.0, 3.0))
    with pytest.raises(GenSegError, match=r"34560 voxels would be resampled to 2\.1e\+08 voxels"):
        Preprocessor(preset).apply(image)

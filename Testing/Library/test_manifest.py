"""Model folders over the years, and those that come by mail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import save_tiny_model

from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import Volume
from GenSegLib.models import manifest
from GenSegLib.models.folder import METADATA, WEIGHTS, ModelMetadata, seal
from GenSegLib.models.weights import load_segmenter
from GenSegLib.prediction.predict import Predictor

MODELS = Path(__file__).parents[1] / "Models"


def bright_block() -> tuple[Volume, np.ndarray]:
    image = np.zeros((1, 16, 16, 16), np.float32)
    image[0, 4:12, 4:12, 4:12] = 100
    return Volume(image, np.eye(4)), image > 0


def edit(folder: Path, **entries: Any) -> None:
    """Change entries of a model's metadata as somebody would who can also renew the checksums."""
    path = folder / METADATA
    values = json.loads(path.read_text(encoding="utf-8"))
    values["genseg"] |= entries
    path.write_text(json.dumps(values))
    seal(folder)


@pytest.mark.parametrize("folder", sorted(MODELS.iterdir()), ids=lambda path: path.name)
def test_a_model_of_an_older_format_still_segments_as_it_did(folder: Path) -> None:
    image, truth = bright_block()
    prediction = Predictor(folder, "cpu").predict(image)
    np.testing.assert_array_equal(prediction.label.array > 0, truth)


def test_an_older_format_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = save_tiny_model(tmp_path)
    path = tmp_path / METADATA
    values = json.loads(path.read_text(encoding="utf-8"))
    values["genseg"]["labeled"] = values["genseg"].pop("cases")
    path.write_text(json.dumps(values))
    seal(tmp_path)

    def rename(values: dict[str, Any]) -> dict[str, Any]:
        return {"cases" if key == "labeled" else key: value for key, value in values.items()}

    monkeypatch.setattr(manifest, "MIGRATIONS", (*manifest.MIGRATIONS, rename))
    assert ModelMetadata.load(tmp_path) == metadata


@pytest.mark.parametrize("version", [0, -1, True, "1", None])
def test_a_version_that_never_was_is_refused(tmp_path: Path, version: object) -> None:
    save_tiny_model(tmp_path)
    edit(tmp_path, format_version=version)
    with pytest.raises(GenSegError, match="does not tell its format's version"):
        ModelMetadata.load(tmp_path)


def test_weights_that_the_manifest_does_not_list_are_refused(tmp_path: Path) -> None:
    save_tiny_model(tmp_path)
    path = tmp_path / manifest.MANIFEST
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["sha256"][WEIGHTS]
    path.write_text(json.dumps(values))
    with pytest.raises(GenSegError, match=r"model\.pt was changed or damaged"):
        load_segmenter(tmp_path)


def test_a_foreign_bundle_is_refused_with_the_reason(tmp_path: Path) -> None:
    save_tiny_model(tmp_path)
    (tmp_path / manifest.MANIFEST).unlink()
    trap = {"network": f"$__import__('pathlib').Path({str(tmp_path / 'trace')!r}).touch()"}
    (tmp_path / "configs" / "inference.json").write_text(json.dumps(trap))
    with pytest.raises(GenSegError, match="MONAI bundle of another program: its configuration can"):
        load_segmenter(tmp_path)
    assert not (tmp_path / "trace").exists()


def test_expressions_in_a_configuration_are_never_evaluated(tmp_path: Path) -> None:
    shutil.copytree(MODELS / "format-1", tmp_path / "model")
    trap = {"network": f"$__import__('pathlib').Path({str(tmp_path / 'trace')!r}).touch()"}
    (tmp_path / "model" / "configs" / "inference.json").write_text(json.dumps(trap))
    seal(tmp_path / "model")
    load_segmenter(tmp_path / "model")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("channels", [[4, 1 << 40], [1 << 20, 1 << 20], [3000, 3000], [4, 2.5]])
def test_a_network_larger_than_the_weights_is_refused_before_it_is_built(
    tmp_path: Path, channels: list[object]
) -> None:
    metadata = save_tiny_model(tmp_path)
    edit(tmp_path, network_args={**metadata.network_args, "channels": channels})
    with pytest.raises(GenSegError, match=r"larger network than the weights|cannot be built"):
        load_segmenter(tmp_path)

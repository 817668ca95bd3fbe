"""The line that says what generated images and unlabeled images do for the user."""

from __future__ import annotations

from GenSegLib.config import TrainConfig
from GenSegLib.generation_summary import describe_generation
from GenSegLib.presets import load_preset


def line(unlabeled: int = 0, **changes: object) -> str:
    config = TrainConfig(**changes)  # type: ignore[arg-type]
    return describe_generation(config, unlabeled)


def test_the_line_names_the_scanners_that_a_model_is_for() -> None:
    similar = line(generator="regions", target_scanner=0.5)
    assert similar.startswith("Training for images of similar scanners or cameras, too: regions")
    others = line(generator="regions", target_scanner=1.0)
    assert "for images of any scanner or camera: regions get other contrasts" in others


def test_without_generation_the_line_names_the_option() -> None:
    text = line(generator="none")
    assert "for images like the labeled ones" in text
    assert "choose another target scanner" in text


def test_the_line_counts_unlabeled_images_that_are_used() -> None:
    text = line(5, generator="none", self_training=True)
    assert "also learning from 5 unlabeled images under the model's own labels" in text
    assert "imitating the contrasts of 1 unlabeled image" in line(1, generator="regions")
    assert "comparing generated images with 5 unlabeled images" in line(5)
    assert "unlabeled" not in line(5, generator="none")


def test_on_other_scanners_unlabeled_images_give_contrasts_only() -> None:
    preset = load_preset("generic-mri")
    config = TrainConfig.for_preset(preset, target_scanner=0.5, self_training=True)
    text = describe_generation(config, 5)
    assert text.endswith("imitating the contrasts of 5 unlabeled images")
    assert "labels" not in text
    config = TrainConfig.for_preset(preset, generator="none", self_training=True)
    assert "under the model's own labels" in describe_generation(config, 5)


def test_generated_pairs_are_new_shapes() -> None:
    assert "new shapes between the labeled cases" in line()


def test_of_one_case_and_without_blending_there_are_no_shapes_between_cases() -> None:
    config = TrainConfig()
    one = describe_generation(config, 0, labeled=1)
    assert one.endswith("with generated pairs: deformed shapes of the labeled case")
    assert "between the labeled cases" in describe_generation(config, 0, labeled=2)
    assert line(blended_fraction=0.0).endswith("deformed shapes of the labeled cases")


def test_transplanted_lesions_are_counted() -> None:
    text = line(generator="transplants")
    assert "50% of the training images get lesions of other ones" in text
    assert "choose another target scanner" in text

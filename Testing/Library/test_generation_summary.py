"""The line that says what generated images and unlabeled scans do for the user."""

from __future__ import annotations

from GenSegLib.config import TrainConfig
from GenSegLib.generation import describe_generation


def line(unlabeled: int = 0, **changes: object) -> str:
    config = TrainConfig(**changes)  # type: ignore[arg-type]
    return describe_generation(config, unlabeled)


def test_the_line_names_the_scanners_that_a_model_is_for() -> None:
    similar = line(generator="regions", target_scanner=0.5)
    assert similar.startswith("Training for scans of similar scanners, too: tissues get other")
    assert "any scanners" in line(generator="regions", target_scanner=1.0)


def test_without_generation_the_line_names_the_option() -> None:
    text = line(generator="none")
    assert "for scans like the labeled ones" in text
    assert "choose another target scanner" in text


def test_the_line_counts_unlabeled_scans_that_are_used() -> None:
    assert "5 unlabeled scans are learned from" in line(5, generator="none", self_training=True)
    assert "the contrasts of 5 unlabeled scans" in line(5, generator="regions")
    assert "images are compared with 5 unlabeled scans" in line(5)
    assert "unlabeled" not in line(5, generator="none")


def test_generated_pairs_are_new_shapes() -> None:
    assert "new shapes between the labeled cases" in line()

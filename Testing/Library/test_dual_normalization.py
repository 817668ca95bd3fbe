"""Segmenters that normalize recolored images with parameters of their own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import genseg
from small_runs import phantom_cases, small_preset, small_run
from tiny_models import tiny_metadata
from torch import nn

from GenSegLib import commands
from GenSegLib.cases import CaseSet
from GenSegLib.cli import build_parser
from GenSegLib.config import TrainConfig
from GenSegLib.events import EventLog
from GenSegLib.images.volume import Volume
from GenSegLib.models.initial_model import TRANSFER, WarmStart, store_initial_model
from GenSegLib.models.weights import load_segmenter, save_model
from GenSegLib.networks import build_segmenter, segmenter_args, segmenter_target
from GenSegLib.networks.dual_normalization import (
    AGREEMENT,
    REAL,
    DualDynUNet,
    choose_normalization,
    dual_part,
    early_features,
    mark_recolored,
)
from GenSegLib.prediction.case_features import FeatureExtractor
from GenSegLib.prediction.predictor import Predictor
from GenSegLib.presets import Preset, load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.serving import fast_network
from GenSegLib.training.session import load_session
from GenSegLib.training.train import train
from GenSegLib.training.typical_features import set_typical_features, typical_features
from GenSegLib.training.warm_start import start_from_model

SHAPE = (16, 32)
NARROW = {"filters": [4, 8, 8, 8]}
SHORT = {"warmup_steps": 0, "joint_steps": 2, "final_steps": 2, "search_horizon": 0}
SETTINGS = {"segmenter": "dynunet", "generator": "regions", "target_scanner": 0.5}


@pytest.fixture
def network() -> DualDynUNet:
    torch.manual_seed(0)
    built = build_segmenter("dual-dynunet", narrow_args(2, SHAPE))
    assert isinstance(built, DualDynUNet)
    return built


def recolored_set(network: DualDynUNet, *names: str) -> list[torch.Tensor]:
    """Parameters of the set for recolored images, by the ends of their names."""
    return [weight[1] for name, weight in network.named_parameters() if name.endswith(names)]


def scan(seed: int, contrast: float = 1.0) -> torch.Tensor:
    """An image with a bright rectangle in noise, of another size in each."""
    generator = torch.Generator().manual_seed(seed)
    image = 0.3 * torch.randn(1, 1, *SHAPE, generator=generator)
    image[..., 4:12, 6 : 20 + seed % 4] += contrast
    return image


def know_scans(network: DualDynUNet, count: int) -> None:
    scans = (scan(seed) for seed in range(count))
    network.eval().set_typical([early_features(network, network, [each]) for each in scans])


def dual_run(folder: Path, cases: CaseSet | None = None, **changes: Any) -> RunFolder:
    cases = cases or phantom_cases(3)
    return small_run(folder, cases, **SHORT, **{**SETTINGS, "dual_normalization": True, **changes})


def narrow_args(dims: int, shape: Sequence[int], **changes: Any) -> dict[str, Any]:
    return {**segmenter_args("dual-dynunet", 1, 3, dims, shape), **NARROW, **changes}


def save_dual_model(
    folder: Path, preset: Preset, arguments: dict[str, Any], state: dict[str, torch.Tensor]
) -> None:
    """Save a model of two classes."""
    preset = replace(preset, labels={1: "Anterior", 2: "Posterior"})
    network = {"network": "dual-dynunet", "network_args": arguments}
    metadata = tiny_metadata(preset, **network, network_target=segmenter_target("dual-dynunet"))
    save_model(folder, metadata, state)


@torch.no_grad()
def test_marked_samples_alone_use_the_parameters_of_recolored_images(network: DualDynUNet) -> None:
    images = torch.randn(3, 1, *SHAPE)
    marked = mark_recolored(images, torch.tensor([False, True, False]))
    before, unmarked = network.train()(marked)[0], network(images)[0]
    torch.testing.assert_close(before, unmarked)  # both sets begin alike
    for weight in recolored_set(network, "norm1.weight", "norm2.weight"):
        weight *= torch.rand_like(weight) + 0.5
    after = network(marked)[0]
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
    assert not torch.allclose(after[1], before[1])
    torch.testing.assert_close(network(images)[0], unmarked)  # real ones


@torch.no_grad()
def test_the_set_for_real_images_predicts_if_both_agree_else_that_for_recolored_ones(
    network: DualDynUNet,
) -> None:
    images = torch.randn(2, 1, *SHAPE)
    network.eval()

    def probabilities() -> list[torch.Tensor]:
        marks = (torch.full((2,), is_recolored) for is_recolored in (False, True))
        return [network(mark_recolored(images, each)).softmax(1) for each in marks]

    for weight in recolored_set(network, "norm1.bias"):
        weight += 0.02
    real, recolored = probabilities()
    assert not torch.allclose(real, recolored)
    torch.testing.assert_close(network(images).softmax(1), real)
    network.output_block.conv.conv.weight *= 100  # certain, and of opposite features
    for weight in recolored_set(network, "norm2.weight"):
        weight *= -1
    _, recolored = probabilities()
    torch.testing.assert_close(network(images).softmax(1), recolored, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("contrast", "is_like"), [(1.0, True), (-2.0, False)])
@torch.no_grad()
def test_images_like_the_labeled_ones_get_the_set_for_real_images(
    network: DualDynUNet, contrast: float, is_like: bool
) -> None:
    know_scans(network, 8)
    network.output_block.conv.conv.weight *= 100
    for weight in recolored_set(network, "norm2.weight"):
        weight *= -1  # the sets do not agree
    image = scan(99, contrast)
    choose_normalization(nn.Sequential(network), lambda: [image])
    expected = network(mark_recolored(image, torch.tensor([not is_like]))).softmax(1)
    torch.testing.assert_close(network(image).softmax(1), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_two_labeled_images_do_not_tell_which_ones_are_like_them(network: DualDynUNet) -> None:
    know_scans(network, 8)
    know_scans(network, 2)
    before = network(scan(99))
    choose_normalization(network, lambda: [scan(99)])
    torch.testing.assert_close(network(scan(99)), before)


@torch.no_grad()
def test_copies_of_one_labeled_image_are_like_it(network: DualDynUNet) -> None:
    network.eval().set_typical([early_features(network, network, [scan(1)])] * 3)
    assert network.is_typical(early_features(network, network, [scan(1)]))
    assert not network.is_typical(early_features(network, network, [scan(1, -2.0)]))


def test_weights_of_earlier_versions_know_no_typical_features(network: DualDynUNet) -> None:
    state = network.state_dict()
    del state["typical"]
    know_scans(network, 8)
    network.load_state_dict(state)
    assert not network.typical.any()


def test_all_samples_that_are_recolored_are_marked(tmp_path: Path) -> None:
    sampler = load_session(dual_run(tmp_path / "run", batch_size=8)).learner.sampler
    images, labels = sampler.real(include_validation=False)
    assert images.shape[1] == 2 and labels.shape[1] == 1
    marks = images[:, 1].flatten(1)
    assert set(marks.unique().tolist()) == {0, 1}
    assert torch.equal(marks, marks[:, :1].expand_as(marks))
    assert sampler.validation()[0].shape[1] == 1
    assert sampler.recoloring is not None
    sampler.recoloring.distribution = sampler.recoloring.other_scanner  # all are recolored
    assert sampler.real(include_validation=False)[0][:, 1].min() == 1


def test_a_model_in_training_knows_typical_features_only_while_it_labels(tmp_path: Path) -> None:
    learner = load_session(dual_run(tmp_path / "run")).learner
    network = learner.averaged_segmenter
    assert isinstance(network, DualDynUNet)
    with typical_features(learner):
        assert network.typical[1].all()
        choose_normalization(network, lambda: [learner.cases[0].image[None, :, :16, :24, :16]])
        assert network.agreement != AGREEMENT
    assert not network.typical.any()
    choose_normalization(network, list)
    assert network.agreement == AGREEMENT


def test_a_trained_model_predicts(tmp_path: Path) -> None:
    run = dual_run(tmp_path / "run")
    train(run, EventLog(None))
    model, metadata = load_segmenter(run.model)
    assert metadata.network == "dual-dynunet"
    assert isinstance(model, DualDynUNet)
    assert model.typical[1].all()  # of the labeled cases
    image = phantom_cases(3).cases[0].image
    assert genseg("predict", run.model, image, "--out", tmp_path / "out") == 0


def test_a_training_that_starts_from_such_a_model_has_its_network(tmp_path: Path) -> None:
    arguments = narrow_args(3, (16, 24, 16))
    weights = build_segmenter("dual-dynunet", arguments).state_dict()
    save_dual_model(tmp_path / "model", small_preset(), arguments, dict(weights))
    path = small_run(tmp_path / "run").path
    args = build_parser().parse_args(["train", str(path), "--from", str(tmp_path / "model")])
    args.started = time.monotonic()
    run = commands.train._find_run(args)
    assert (run.config.network, run.config.segmenter) == ("dual-dynunet", "dynunet")


def test_a_training_that_starts_from_a_model_knows_nothing_of_its_images(tmp_path: Path) -> None:
    run = dual_run(tmp_path / "run")
    session = load_session(run)
    learner = session.learner
    networks = [learner.problem.segmenter, learner.averaged_segmenter]
    duals = [dual for network in networks if (dual := dual_part(network)) is not None]
    state = {**networks[0].state_dict(), "typical": torch.ones_like(duals[0].typical)}
    save_dual_model(tmp_path / "model", run.preset, learner.arguments, state)
    store_initial_model(run.path, tmp_path / "model", WarmStart("model", outcome=TRANSFER))
    start_from_model(run, session, EventLog(None))
    assert [dual.knows_typical for dual in duals] == [False, False]


def test_features_of_too_few_labeled_images_are_not_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = load_session(dual_run(tmp_path / "run", phantom_cases(2))).learner
    name = "GenSegLib.training.typical_features.early_features"
    monkeypatch.setattr(name, lambda *_: pytest.fail("computed"))
    set_typical_features(learner)


@pytest.fixture(params=["batch", ["group", {"num_groups": 2}]])
def without_instance_norm(request: pytest.FixtureRequest) -> DualDynUNet:
    built = build_segmenter("dual-dynunet", narrow_args(2, SHAPE, norm_name=request.param))
    assert isinstance(built, DualDynUNet)
    return built.eval()


@torch.no_grad()
def test_a_network_without_instance_normalization_has_nothing_to_choose(
    without_instance_norm: DualDynUNet,
) -> None:
    assert dual_part(without_instance_norm) is None
    choose_normalization(without_instance_norm, lambda: pytest.fail("computed"))
    assert without_instance_norm.agreement is None


def test_a_network_with_both_sets_learns_from_pairs_of_a_generator(tmp_path: Path) -> None:
    learner = load_session(dual_run(tmp_path / "run", generator="searchable")).learner
    assert dual_part(learner.averaged_segmenter) is not None
    losses = learner.joint_step(0)
    assert losses["segmenter_loss"] > 0


# ---- models of 2-D images


@pytest.fixture
def known(tmp_path: Path, network: DualDynUNet) -> Path:
    """A model of 2-D images that knows the features of labeled ones."""
    know_scans(network, 8)
    preset = replace(load_preset("generic-2d"), patch_size=(32, 32), spacing=(1.0, 1.0))
    save_dual_model(
        tmp_path / "known", preset, narrow_args(2, (32, 32)), dict(network.state_dict())
    )
    return tmp_path / "known"


def picture() -> Volume:
    return Volume(scan(1).repeat(1, 1, 2, 2).numpy()[0, ..., None], torch.eye(4).numpy())


def test_an_image_is_compared_in_the_same_windows_whatever_those_of_its_segmentation(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[torch.Tensor] = []
    monkeypatch.setattr(DualDynUNet, "is_typical", lambda _, features: found.append(features))
    for whole in (False, True):
        Predictor(known, "cpu", exact=True, whole_slices=whole).predict(picture())
    torch.testing.assert_close(*found)


def test_onnx_runtime_does_not_replace_a_model_that_compares_images(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_network, "_onnx_network", lambda _: pytest.fail("exported"))
    model, metadata = load_segmenter(known)
    assert fast_network.fastest_network(known, model, metadata.preset) is model


def test_features_that_select_images_need_one_pass(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract, passes = FeatureExtractor(known, "cpu"), []
    segment = DualDynUNet._segment

    def counted(self: DualDynUNet, images: torch.Tensor, chosen: Sequence[int]) -> Any:
        passes.extend(chosen)
        return segment(self, images, chosen)

    monkeypatch.setattr(DualDynUNet, "_segment", counted)
    extract(picture())
    assert set(passes) == {REAL}


def test_models_for_other_scanners_have_it_unless_their_network_cannot() -> None:
    preset = load_preset("generic-mri")
    chosen = TrainConfig.for_preset(preset, target_scanner=0.5)
    assert (chosen.network, chosen.segmenter) == ("dual-dynunet", "dynunet")
    assert TrainConfig.for_preset(preset, target_scanner=0.5, segmenter="unet").network == "unet"
    assert TrainConfig.for_preset(preset).network == "dynunet"
    without = TrainConfig.for_preset(preset, target_scanner=0.5, dual_normalization=False)
    assert without.network == "dynunet"


def test_runs_from_before_resume_with_their_network() -> None:
    values = TrainConfig(segmenter="dynunet", generator="regions", target_scanner=0.5).to_json()
    del values["dual_normalization"]
    assert TrainConfig.from_json(values).network == "dynunet"

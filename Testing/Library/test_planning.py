"""Planning of a training from made-up cases and a made-up machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import make_affine
from tiny_models import save_threshold_model

from GenSegLib.cases import Case, CaseSet
from GenSegLib.cli import main
from GenSegLib.commands import training_plan
from GenSegLib.commands.training_cases import PreparedCases
from GenSegLib.config import SEGMENTERS, TrainConfig
from GenSegLib.data.case_fingerprint import CaseFingerprint, Structure, fingerprint_case
from GenSegLib.data.image_io import Volume, read_label, write_image, write_label
from GenSegLib.data.layouts import read_cases
from GenSegLib.networks import build_segmenter
from GenSegLib.networks.segmenters import check_patch_size
from GenSegLib.planning import timing
from GenSegLib.planning.candidates import CPU, Candidate, list_candidates
from GenSegLib.planning.fingerprint import Fingerprint, summarize_cases
from GenSegLib.planning.plan import Limits, Plan, format_table, make_plan
from GenSegLib.prediction.predict import predict_files
from GenSegLib.presets import EFFORTS, load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.training.builders import network_arguments, require_compatible_patch_size

MR, CT = load_preset("generic-mri"), load_preset("generic-ct")
GB = 2**30
TWENTY_MINUTES = 1200.0
COST_OF_128 = 8 * 128 * 128 * 16**1.3  # slices of 128 x 128, batches of 8, width 16


def made_up(
    shape: Sequence[int],
    spacing: Sequence[float],
    structures: dict[int, tuple[float, float]] | None = None,
    lowest: float = 0.0,
) -> CaseFingerprint:
    """A case whose body fills the image.

    Args:
        structures: volume in ml and thickness in mm by label value; an organ of 100 ml by default.
    """
    found = {}
    for value, (volume, thickness) in (structures or {1: (100.0, 30.0)}).items():
        faces = 1000 * volume / thickness
        found[value] = Structure(volume, (thickness,) * 3, (faces,) * 3, (5, 5, 5))
    x, y, z = (round(n * s, 4) for n, s in zip(shape, spacing))
    foreground = np.linspace(lowest, lowest + 200, 50, dtype=np.float32)[None]
    a, b, c = shape
    dx, dy, dz = spacing
    return CaseFingerprint((a, b, c), (dx, dy, dz), 1, (x, y, z), found, foreground, lowest)


def same_cases(*arguments: Any, **options: Any) -> Fingerprint:
    return summarize_cases([made_up(*arguments, **options)] * 6)


CINE = same_cases((216, 256, 10), (1.5, 1.5, 10.0), {1: (130, 12), 2: (110, 7), 3: (120, 20)})
ATRIUM = same_cases((190, 143, 88), (0.625, 0.625, 0.625), {1: (60, 14)})
CT_CHEST = same_cases((512, 512, 300), (0.8, 0.8, 1.0), {1: (1500, 40)}, lowest=-1000.0)
HIPPOCAMPUS = same_cases((37, 50, 37), (1.0, 1.0, 1.0), {1: (1.5, 8), 2: (1.5, 8)})


def machine(seconds_of_128: float) -> Callable[[Candidate], float]:
    """A machine on which a step on slices of 128 x 128 takes this long."""
    return lambda candidate: seconds_of_128 * candidate.cost / COST_OF_128


def plan_for(fingerprint: Fingerprint, seconds: float = 0.2, **limits: Any) -> Plan:
    settings: dict[str, Any] = {"budget_s": TWENTY_MINUTES, "memory": 8 * GB} | limits
    preset = CT if fingerprint.is_ct else MR
    return make_plan(fingerprint, preset, Limits(**settings), machine(seconds))


# the fingerprint


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SAR", "ASR", "IRP"])
def test_a_fingerprint_follows_the_patients_axes(axes: str) -> None:
    """A slab of 30 x 12 x 4 mm across right-left, posterior-anterior and inferior-superior."""
    spacing, slab, world = (1.0, 2.0, 4.0), (30, 6, 1), "RLAPSI"
    order = [world.index(code) // 2 for code in axes]
    label = np.zeros((40, 20, 8), np.int16)
    label[tuple(slice(1, 1 + size) for size in slab)] = 1
    image = np.where(label > 0, 300.0, 100.0).astype(np.float32)
    affine = make_affine(axes, tuple(spacing[axis] for axis in order))
    volumes = [Volume(array.transpose(order)[None], affine) for array in (image, label)]
    found = fingerprint_case(*volumes)
    assert (found.shape, found.spacing) == ((40, 20, 8), spacing)
    assert found.structures[1].extent_mm == (30, 12, 4)
    assert found.structures[1].volume_ml == pytest.approx(30 * 12 * 4 / 1000)
    assert found.structures[1].thickness_mm(across=2) == pytest.approx(2 * 30 * 12 / (2 * 42))
    assert (found.foreground == 300).all()


def test_slices_follow_the_thick_axis() -> None:
    assert CINE.slice_axis == 2
    assert same_cases((20, 256, 256), (4.0, 1.0, 1.0)).slice_axis == 0
    assert ATRIUM.slice_axis == 2, "axial if there is no thick axis"


def test_one_whole_body_among_crops_does_not_decide() -> None:
    crop, body = made_up((96, 96, 60), (1, 1, 1)), made_up((500, 500, 1500), (1, 1, 1))
    assert summarize_cases([crop] * 5 + [body]).field_mm == (96, 96, 60)


# the plan


def test_thick_slices_are_segmented_one_by_one() -> None:
    """Cine MR: the spacing shows a myocardium of 7 mm; no more is gained by native 1.5 mm."""
    preset = plan_for(CINE).preset
    assert (preset.spatial_dims, preset.orientation, preset.context_slices) == (2, "RAS", 0)
    assert 1.5 <= preset.spacing[0] <= 2.4
    assert all(edge in (128, 160) for edge in preset.patch_size)


def test_a_patch_covers_the_field_of_view_if_that_shows_the_structures() -> None:
    preset = plan_for(ATRIUM).preset
    covered = [n * s for n, s in zip(preset.patch_size, preset.spacing)]
    assert covered[0] >= 190 * 0.625
    assert covered[1] >= 143 * 0.625
    assert preset.spacing[0] <= 1.6 * 0.625


def test_close_slices_are_seen_with_their_neighbors() -> None:
    assert plan_for(ATRIUM).preset.context_slices == 1


def test_a_large_organ_is_segmented_at_a_coarser_spacing_than_a_thin_one() -> None:
    shape, spacing = (512, 512, 150), (0.8, 0.8, 3.0)
    large = plan_for(same_cases(shape, spacing, {1: (1500, 40)})).preset
    thin = plan_for(same_cases(shape, spacing, {1: (1500, 40), 2: (4, 3.5)})).preset
    assert 2.4 <= large.spacing[0] <= 3.2
    assert thin.spacing[0] <= 1.3


def test_small_volumes_are_segmented_in_three_dimensions() -> None:
    preset = plan_for(HIPPOCAMPUS, seconds=0.1, budget_s=3600).preset
    assert (preset.spatial_dims, preset.spacing) == (3, (1.0, 1.0, 1.0))
    assert preset.patch_size == (40, 48, 40)


def test_a_gpu_gets_volumes_and_larger_networks() -> None:
    on_cpu, on_gpu = plan_for(CT_CHEST), plan_for(CT_CHEST, 0.001, has_gpu=True, memory=24 * GB)
    assert on_cpu.preset.spatial_dims == 2
    assert on_gpu.preset.spatial_dims == 3
    assert np.prod(on_gpu.preset.patch_size) >= 80**3
    assert on_gpu.preset.network["filters"][0] >= 32
    assert on_gpu.changes["generator"] == TrainConfig.generator


def test_an_organ_beyond_the_patch_is_localized_first() -> None:
    preset = plan_for(CT_CHEST, generator="searchable").preset
    assert preset.coarse_spacing is not None
    covered = [n * s for n, s in zip(preset.patch_size, preset.coarse_spacing)]
    assert np.prod(covered) >= 0.9 * np.prod(CT_CHEST.field_mm)


def test_the_plan_is_the_largest_that_completes_its_training() -> None:
    plans = [plan_for(CINE, seconds) for seconds in (0.02, 0.12, 0.3)]
    widths = [plan.preset.network["filters"][0] for plan in plans]
    assert widths[0] > widths[-1] == 16
    assert all(plan.steps >= 2700 for plan in plans)
    assert all(plan.changes["time_budget_s"] == TWENTY_MINUTES for plan in plans)


def test_without_time_for_a_complete_training_the_cheapest_network_trains_and_it_says_so() -> None:
    plan = plan_for(CINE, budget_s=300)
    assert plan.preset.network["filters"][0] == 16
    assert 300 <= plan.steps < 3000
    assert any("longer --time-budget" in note for note in plan.notes)


def test_the_network_halves_the_patch_to_about_eight_pixels() -> None:
    network = plan_for(CINE, 0.3).preset.network
    assert network["filters"] == [16, 32, 64, 128, 256]
    assert network["strides"] == [[1, 1], *[[2, 2]] * 4]


def test_planned_slices_are_trained_without_generator_and_with_validation() -> None:
    plan = plan_for(CINE)
    changes = plan.changes
    assert changes["generator"] == "none"
    assert changes["warmup_steps"] == 0
    assert changes["joint_steps"] > changes["final_steps"] > 0
    assert 4 <= 0.6 * plan.steps / changes["validation_interval"] <= 10


def test_a_machine_that_is_seven_times_as_fast_as_measured_uses_the_whole_time() -> None:
    plan = plan_for(CINE)
    steps = plan.changes["joint_steps"] + plan.changes["final_steps"]
    assert steps * plan.seconds_per_step / 7 > plan.budget_s


def test_slices_are_turned_by_any_angle_except_in_ct() -> None:
    chest = plan_for(CT_CHEST).preset
    assert plan_for(CINE).preset.augmentation.turned == 0.2
    assert chest.spatial_dims == 2
    assert chest.augmentation.turned == 0


def test_the_averaged_weights_remember_a_twentieth_of_the_training() -> None:
    short = make_plan(CINE, MR, Limits(100.0, 8 * GB), machine(0.25))
    long = make_plan(CINE, MR, Limits(3600.0, 8 * GB), machine(0.25))

    fitting = short.budget_s / short.seconds_per_step
    assert short.changes["ema_decay"] == pytest.approx(1 - 20 / fitting, abs=1e-4)
    assert long.changes["ema_decay"] == TrainConfig.ema_decay


def test_the_window_of_ct_is_that_of_the_foreground() -> None:
    bone = same_cases((300, 300, 100), (1, 1, 3), {1: (100, 20)}, lowest=-1000.0)
    intensity = plan_for(bone).preset.intensity
    assert intensity.low == -1020 or intensity.low == -1024
    assert intensity.high == -750
    assert plan_for(CINE).preset.intensity == MR.intensity


def test_connected_classes_keep_their_largest_component_and_others_all() -> None:
    case = made_up((96, 96, 12), (2.0, 2.0, 8.0), {1: (130, 12), 2: (20, 7)})
    several = replace(case.structures[2], largest_component=0.6)
    other = replace(case, structures={**case.structures, 2: several})

    found = list_candidates(summarize_cases([case, case, other]), MR, CPU)

    assert {each.preset.largest_component for each in found} == {True}
    assert {each.preset.with_single_component((1, 2)) for each in found} == {(1,)}


def test_classes_that_are_one_structure_in_every_case_keep_its_largest_component() -> None:
    case = made_up((96, 96, 12), (2.0, 2.0, 8.0), {1: (130, 12), 2: (20, 7)})
    apart = replace(case, foreground_component=0.9)

    for last, is_one in ((case, True), (apart, False)):
        found = list_candidates(summarize_cases([case, case, last]), MR, CPU)
        assert {each.preset.single_foreground for each in found} == {is_one}


def test_the_largest_component_of_a_structure_is_measured() -> None:
    values = np.zeros((1, 12, 12, 12), np.int16)
    values[0, 1:5, 1:5, 1:5], values[0, 8:10, 8:10, 8:10] = 1, 1
    image = Volume(values.astype(np.float32), np.eye(4))

    values[0, 5, 1:5, 1:5] = 2
    found = fingerprint_case(image, Volume(values, np.eye(4)))

    assert found.structures[1].largest_component == pytest.approx(64 / 72)
    assert found.foreground_component == pytest.approx(80 / 88)


def test_rare_classes_weigh_more_where_there_are_many() -> None:
    organs = dict.fromkeys(range(1, 14), (100.0, 20.0))

    many = list_candidates(same_cases((146, 146, 147), (3.0, 3.0, 3.0), organs), MR, CPU)
    few = list_candidates(CINE, MR, CPU)

    assert {each.preset.class_weighting for each in many} == {0.5}
    assert {each.preset.class_weighting for each in few} == {0.0}


def test_a_table_explains_the_plan() -> None:
    plan = plan_for(CINE)
    text = format_table(plan)
    assert text.count("chosen: the largest that completes 3,000 steps") == 1
    assert "too slow" in text
    assert plan.summary in text
    assert "in 20 minutes; change with --time-budget" in plan.summary
    json.dumps(plan.to_json(), allow_nan=False)


# bad input


@pytest.mark.parametrize(
    ("fingerprint", "limits"),
    [
        pytest.param(same_cases((256, 256, 1), (1.0, 1.0, 1.0)), {}, id="one slice"),
        pytest.param(same_cases((1, 400, 300), (1.0, 0.1, 0.1)), {}, id="one sagittal slice"),
        pytest.param(same_cases((512, 512, 1000), (0.7, 0.7, 0.5)), {}, id="1,000 slices"),
        pytest.param(CT_CHEST, {"memory": 1 * GB}, id="2 GB of memory"),
        pytest.param(CT_CHEST, {"memory": 50_000_000}, id="no memory"),
        pytest.param(CINE, {"budget_s": 60}, id="one minute"),
        pytest.param(CINE, {"budget_s": 0.5}, id="no time"),
        pytest.param(
            same_cases((512, 512, 600), (0.7, 0.7, 0.6), {1: (0.0015, 1.0)}), {}, id="five voxels"
        ),
        pytest.param(
            same_cases((256, 256, 80), (1, 1, 3), {1: (2000, 50), 2: (0.2, 5)}), {}, id="1 : 10,000"
        ),
        pytest.param(same_cases((8, 9, 10), (1, 1, 1)), {}, id="tiny"),
        pytest.param(same_cases((30, 2000, 3), (1, 1, 1)), {}, id="a strip"),
        pytest.param(CT_CHEST, {"has_gpu": True}, id="a GPU"),
        pytest.param(CINE, {"has_gpu": True, "generator": "searchable"}, id="a generator"),
    ],
)
def test_every_plan_can_be_trained(fingerprint: Fingerprint, limits: dict[str, Any]) -> None:
    plan = plan_for(fingerprint, **limits)
    preset = plan.preset
    network = build_segmenter("dynunet", network_arguments("dynunet", preset, 3))
    check_patch_size(network, preset.input_channels, 3, preset.patch_size)
    TrainConfig.for_preset(preset, **plan.changes)


@pytest.mark.parametrize("fingerprint", [CINE, ATRIUM, CT_CHEST, HIPPOCAMPUS])
def test_every_candidate_can_be_trained(fingerprint: Fingerprint) -> None:
    for candidate in list_candidates(fingerprint, MR, CPU):
        preset = candidate.preset
        network = build_segmenter("dynunet", network_arguments("dynunet", preset, 3))
        check_patch_size(network, preset.input_channels, 3, preset.patch_size)


@pytest.mark.parametrize("segmenter", SEGMENTERS)
@pytest.mark.parametrize("limits", [{}, {"generator": "searchable"}], ids=["slices", "volumes"])
def test_every_segmenter_is_planned(segmenter: str, limits: dict[str, Any]) -> None:
    preset = replace(MR, segmenter=segmenter)
    settings = Limits(TWENTY_MINUTES, 8 * GB, **limits)
    planned = make_plan(CINE, preset, settings, machine(0.2)).preset
    require_compatible_patch_size(segmenter, planned)


def test_a_plan_fits_into_memory() -> None:
    chosen = {size: plan_for(CT_CHEST, 0.001, memory=size).preset for size in (GB // 2, 8 * GB)}
    small, large = (
        np.prod(each.patch_size) * each.network["filters"][0] for each in chosen.values()
    )
    assert small < large


def test_structures_of_a_few_voxels_are_mentioned() -> None:
    tiny = same_cases((512, 512, 600), (0.7, 0.7, 0.6), {1: (100, 20), 2: (0.0015, 1.0)})
    assert any(note.startswith("label 2 has about") for note in plan_for(tiny).notes)


# settings of the user


@pytest.fixture
def fast_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which every step takes 0.1 s."""
    monkeypatch.setattr(timing, "measure_step", lambda *_: 0.1)


def prepared(preset: Any = MR) -> PreparedCases:
    case = Case("a", Path("a.nii"), Path("b.nii"))
    return PreparedCases(CaseSet((case,), {1: "Part"}, "MR"), preset, CINE)


@pytest.mark.usefixtures("fast_machine")
def test_settings_of_the_user_take_precedence() -> None:
    changes = {"time_budget_s": 60.0, "segmenter": "unet", "batch_size": 3}
    config, preset, plan = training_plan.plan_training(prepared(), None, changes)
    assert plan is not None
    assert plan.budget_s == config.time_budget_s == 60
    assert (config.segmenter, preset.segmenter, config.batch_size) == ("unet", "unet", 3)
    assert preset.network == {}


@pytest.mark.usefixtures("fast_machine")
def test_steps_of_the_user_are_taken_without_a_time_budget() -> None:
    config, _, _ = training_plan.plan_training(prepared(), None, {"final_steps": 7})
    assert (config.warmup_steps, config.joint_steps, config.final_steps) == (0, 0, 7)
    assert config.time_budget_s is None


@pytest.mark.usefixtures("fast_machine")
@pytest.mark.parametrize(("effort", "minutes"), [("quick", 5), (None, 20), ("thorough", 60)])
def test_the_effort_is_a_time(effort: str | None, minutes: int) -> None:
    config, _, _ = training_plan.plan_training(prepared(), effort, {"device": "cpu"})
    assert config.time_budget_s == 60 * minutes


@pytest.mark.usefixtures("fast_machine")
def test_the_steps_of_a_fixed_preset_follow_the_time() -> None:
    fixed = load_preset("hippocampus-mri")
    config, preset, plan = training_plan.plan_training(prepared(fixed), None, {"device": "cpu"})
    assert (preset, plan) == (fixed, None)
    assert config.time_budget_s == TWENTY_MINUTES
    assert config.final_steps / config.joint_steps == pytest.approx(6, rel=0.01)
    short, _, _ = training_plan.plan_training(prepared(fixed), None, {"time_budget_s": 30.0})
    assert short.generator == "none", "too few steps for a generator to learn"


def test_seconds_of_a_step_are_measured_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    preset = replace(MR, spacing=(1.0,) * 3, patch_size=(16, 16, 16))
    seconds = timing.measure_step(preset, TrainConfig(device="cpu"), 2, 1)
    assert seconds > 0
    assert timing.measure_step(preset, TrainConfig(device="cpu"), 2, 1) == seconds
    timing.cache_file().write_text("{damaged")
    assert timing.measure_step(preset, TrainConfig(device="cpu"), 2, 1) > 0


# in practice


@pytest.mark.parametrize(
    ("axes", "thick"), [("RAS", 2), ("SPL", 0), ("AIR", 1), ("LSP", 2), ("SAR", 2)]
)
def test_slices_across_any_axis_return_to_their_place(
    tmp_path: Path, axes: str, thick: int
) -> None:
    """A model that segments slices across the thick axis: what is bright, wherever it is."""
    spacing = [1.0, 1.0, 1.0]
    spacing[thick] = 5.0
    affine = make_affine(axes, tuple(spacing))
    shape = [40, 36, 32]
    shape[thick] = 6
    label = np.zeros(shape, np.int16)
    label[tuple(slice(1, size // 2) for size in shape)] = 1
    image = Volume((200.0 * label - 100).astype(np.float32)[None], affine)
    fingerprint = summarize_cases([fingerprint_case(image, Volume(label[None], affine))])
    preset = plan_for(fingerprint).preset
    assert preset.spatial_dims == 2
    assert (
        preset.orientation[-1] in {"RAS": "S", "SPL": "S", "AIR": "S", "LSP": "A", "SAR": "R"}[axes]
    )
    save_threshold_model(
        tmp_path / "model", replace(preset, labels={1: "Bright"}, modality="CT", network={})
    )
    write_image(tmp_path / "image.nii.gz", image)
    (file,) = predict_files(tmp_path / "model", [tmp_path / "image.nii.gz"], tmp_path / "out")
    np.testing.assert_array_equal(read_label(file).array[0], label)


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three cases of thick slices with a bright box; measured seconds are cached beside them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    random, affine = np.random.default_rng(0), make_affine("RAS", (1.0, 1.0, 6.0))
    for name in ("a", "b", "c"):
        label = np.zeros((1, 40, 40, 4), np.int16)
        x, y = random.integers(4, 12, 2)
        label[0, x : x + 20, y : y + 20, 1:3] = 1
        image = (label + 1 + random.normal(0, 0.1, label.shape)).astype(np.float32)
        write_image(tmp_path / "images" / f"{name}.nii.gz", Volume(image, affine))
        write_label(tmp_path / "labels" / f"{name}.nii.gz", Volume(label, affine), {1: "Part"})
    return tmp_path


def test_a_training_without_preset_is_planned_and_keeps_its_time(
    boxes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = boxes / "run"
    assert main(["train", str(boxes), "--out", str(run), "--time-budget", "8s"]) == 0
    printed = capsys.readouterr().err
    assert "the images look like MR" in printed
    assert "Plan: 2-D slices of 48 x 48 at 1 mm" in printed
    folder = RunFolder.open(run)
    assert folder.plan is not None
    assert folder.plan["summary"] in printed
    assert folder.preset.spatial_dims == 2
    assert main(["predict", str(run), str(boxes / "images"), "--out", str(boxes / "p")]) == 0


def test_a_plan_is_shown_without_training(boxes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(boxes), "--time-budget", "5m"]) == 0
    assert "Plan: 2-D slices of 48 x 48 at 1 mm" in capsys.readouterr().out
    assert main(["plan", str(boxes), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["budget_s"] == TWENTY_MINUTES
    assert sum(row["chosen"] for row in plan["rows"]) == 1
    assert main(["plan", str(boxes), "--preset", "hippocampus-mri"]) == 0
    assert "its author has fixed spacing and patch size" in capsys.readouterr().out


def test_a_run_of_the_panel_is_planned_when_its_training_begins(boxes: Path) -> None:
    """The panel creates runs without PyTorch, so that it cannot measure the machine."""
    cases = replace(read_cases(boxes).with_validation(0.3, 0), labels={1: "Part"})
    steps = {"warmup_steps": 0, "joint_steps": 1, "final_steps": 1}
    config = TrainConfig.for_preset(MR, "quick", batch_size=3, **steps)
    run = RunFolder.create(boxes / "run", config, MR, cases)
    assert main(["train", str(run.path)]) == 0
    trained = RunFolder.open(run.path)
    assert trained.plan is not None
    assert trained.preset.spacing is not None
    assert trained.config == replace(config, generator="none", time_budget_s=None)


@pytest.mark.parametrize("effort", EFFORTS)
def test_effort_and_changes_of_a_panels_run_are_found(effort: str) -> None:
    changes = {"seed": 3, "time_budget_s": 90.0, "generator": "none"}
    config = TrainConfig.for_preset(MR, effort, **changes)
    assert training_plan.settings_of(config, MR) == (effort, changes)
    assert training_plan.settings_of(replace(config, joint_steps=7), MR)[0] is None


def test_the_check_of_the_cases_counts_as_time() -> None:
    whole, rest = plan_for(CINE), plan_for(CINE, spent_s=TWENTY_MINUTES / 2)
    assert rest.steps * rest.seconds_per_step < 0.6 * whole.steps * whole.seconds_per_step
    assert plan_for(CINE, spent_s=2 * TWENTY_MINUTES).steps > 0

"""Planning of a training from made-up cases and a made-up machine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from grids import make_affine
from made_up_plans import (
    ATRIUM,
    CINE,
    CT_CHEST,
    GB,
    HIPPOCAMPUS,
    MR,
    TWENTY_MINUTES,
    machine,
    made_up,
    plan_for,
    same_cases,
)

from GenSegLib.config import SEGMENTERS, TrainConfig
from GenSegLib.data.case_fingerprint import fingerprint_case
from GenSegLib.datasets.image_io import Volume
from GenSegLib.networks import build_segmenter
from GenSegLib.networks.segmenters import check_patch_size
from GenSegLib.planning.candidates import CPU, list_candidates
from GenSegLib.planning.fingerprint import Fingerprint, summarize_cases
from GenSegLib.planning.plan import Limits, format_table, make_plan, plan_settings
from GenSegLib.presets import load_preset
from GenSegLib.training.builders import network_arguments, require_compatible_patch_size

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


def test_a_clip_is_planned_as_its_frames() -> None:
    frames = Volume(np.ones((1, 64, 48, 20), np.float32), np.diag([-1.0, -1, 1, 1]), is_stack=True)
    fingerprint = summarize_cases([fingerprint_case(frames, None)])
    assert fingerprint.shape == (64, 48, 1)
    presets = [each.preset for each in list_candidates(fingerprint, load_preset("generic-2d"), CPU)]
    assert {preset.spatial_dims for preset in presets} == {2}


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
    assert any("3,000 steps do not fit into the time budget" in note for note in plan.notes)


def test_the_network_halves_the_patch_to_about_eight_pixels() -> None:
    network = plan_for(CINE, 0.3).preset.network
    assert network["filters"] == [16, 32, 64, 128, 256]
    assert network["strides"] == [[1, 1], *[[2, 2]] * 4]


def test_planned_slices_are_trained_without_generator_and_with_validation() -> None:
    plan = plan_for(CINE)
    changes = plan.changes
    assert changes["generator"] == "none"
    assert changes["warmup_steps"] == 0
    assert 4 <= 0.3 * plan.steps / changes["validation_interval"] <= 10


def test_validation_cases_are_learned_from_in_most_of_a_training_without_generator() -> None:
    changes = plan_for(CINE).changes
    assert 0 < changes["joint_steps"] < changes["final_steps"] / 2


def test_images_with_lesions_get_those_of_others() -> None:
    photos = same_cases((384, 330, 1), (1.0, 1.0, 1.0), {1: (5, 40)})
    generators = {
        name: make_plan(photos, load_preset(name), Limits(600.0, 8 * GB), machine(0.25)).changes[
            "generator"
        ]
        for name in ("chest-xray-lungs", "generic-2d-color", "polyp")
    }
    assert generators == {
        "chest-xray-lungs": "none",
        "generic-2d-color": "none",
        "polyp": "transplants",
    }


def test_a_machine_that_is_seven_times_as_fast_as_measured_uses_the_whole_time() -> None:
    plan = plan_for(CINE)
    steps = plan.changes["joint_steps"] + plan.changes["final_steps"]
    assert steps * plan.seconds_per_step / 7 > plan.budget_s


def test_slices_are_turned_by_any_angle_except_in_ct() -> None:
    chest = plan_for(CT_CHEST).preset
    assert plan_for(CINE).preset.augmentation.turned == 0.2
    assert chest.spatial_dims == 2
    assert chest.augmentation.turned == 0


def test_the_dice_loss_is_that_of_each_image_but_of_a_batch_of_slices() -> None:
    photos = same_cases((384, 330, 1), (1.0, 1.0, 1.0), {1: (5, 40)})
    assert not plan_for(photos).preset.batch_dice
    assert plan_for(CINE).preset.batch_dice


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


def test_time_ends_a_training_whose_schedule_has_more_steps_than_are_expected() -> None:
    preset = replace(MR, spacing=(1.0, 1.0, 1.0))
    settings = plan_settings(preset, 2, Limits(TWENTY_MINUTES, 8 * GB), seconds=0.5)
    assert settings["expected_steps"] == int(0.85 * TWENTY_MINUTES / 0.5)
    assert settings["joint_steps"] + settings["final_steps"] > 4 * settings["expected_steps"]
    plan = plan_for(CINE)
    assert plan.changes["expected_steps"] == plan.steps


def test_a_table_explains_the_plan() -> None:
    plan = plan_for(CINE)
    text = format_table(plan)
    assert text.count("chosen: the largest that completes 3,000 steps") == 1
    assert "too slow" in text
    assert f"{plan.summary}; change it with --time-budget" in text
    assert plan.summary.endswith("in 20 min")  # the panel shows it, too
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


def test_a_plan_that_no_memory_suffices_for_says_so() -> None:
    plan = plan_for(CT_CHEST, memory=50_000_000)
    (chosen,) = (row for row in plan.rows if row.chosen)
    assert chosen.reason.startswith("chosen: the smallest; needs about ")
    assert any("of memory, but 0.1 GB are free" in note for note in plan.notes)
    assert not any("memory" in note for note in plan_for(CT_CHEST).notes)


def test_a_plan_fits_into_memory() -> None:
    chosen = {size: plan_for(CT_CHEST, 0.001, memory=size).preset for size in (GB // 2, 8 * GB)}
    small, large = (
        np.prod(each.patch_size) * each.network["filters"][0] for each in chosen.values()
    )
    assert small < large


def test_structures_of_a_few_voxels_are_mentioned() -> None:
    tiny = same_cases((512, 512, 600), (0.7, 0.7, 0.6), {1: (100, 20), 2: (0.0015, 1.0)})
    plan = make_plan(tiny, MR, Limits(TWENTY_MINUTES, 8 * GB), machine(0.2), {2: "Cyst"})
    assert any(note.startswith("Cyst has about") for note in plan.notes)


def test_the_check_of_the_cases_counts_as_time() -> None:
    whole, rest = plan_for(CINE), plan_for(CINE, spent_s=TWENTY_MINUTES / 2)
    assert rest.steps * rest.seconds_per_step < 0.6 * whole.steps * whole.seconds_per_step
    assert plan_for(CINE, spent_s=2 * TWENTY_MINUTES).steps > 0

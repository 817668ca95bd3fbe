"""The report: one self-contained page with what the run folder holds."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it
from grids import make_affine
from PIL import Image
from sample_run import make_run, write_evaluation

from GenSegLib.config import TrainConfig
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_label
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog
from GenSegLib.presets import load_preset
from GenSegLib.reports import write_report
from GenSegLib.reports.charts import fraction_chart, line_chart
from GenSegLib.reports.curves import (
    Curve,
    History,
    Phase,
    cells,
    moving_average,
    read_history,
)
from GenSegLib.reports.sections import upper_section
from GenSegLib.reports.slices import (
    Contours,
    display_window,
    largest_section,
    planes_of,
    tile,
    to_ras,
)
from GenSegLib.runs import RunFolder

VOID = {"meta", "input", "br", "col"}


class Page(HTMLParser):
    """Collects tags and text, and checks that every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.headings: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == [], "all tags are closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [str(v) for k, v in attrs if k in ("src", "href", "action", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [str(v) for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data + " "
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def scored(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return write_evaluation(tmp_path_factory.mktemp("scored"), run)


@pytest.fixture(scope="module")
def report(run: RunFolder, scored: tuple[Path, Path, Path]) -> str:
    path = write_report(run, *scored)
    assert path == run.path / "report.html"
    return path.read_text(encoding="utf-8")


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", Page(page).text)


def read_page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


# ---- the page


def test_a_report_has_all_sections_in_order(report):
    assert [h for h in Page(report).headings if h[0].isupper()][:7] == [
        "Evaluation",
        "Best and worst predictions",
        "Real and generated pairs",
        "First generated pair during training",
        "Training",
        "Upper level",
        "Operations of the generator\u2019s cells (\u03b1)",
    ]


def test_the_weight_of_pairs_and_the_gamma_of_images_have_their_own_titles():
    history = History({name: Curve(name, (1,), (1.0,)) for name in ("gamma", "upper/gamma")}, ())
    body = upper_section(history).body
    assert body.count("<figcaption>Weight \u03b3 of the generated pairs") == 1
    assert "<figcaption>gamma<" in body


def test_a_report_of_recolored_regions_shows_what_was_steered(run: RunFolder, tmp_path: Path):
    shutil.copytree(run.path, tmp_path / "run")
    other = RunFolder.open(tmp_path / "run")
    settings = other.path / "config.json"
    changed = json.loads(settings.read_text())
    changed["train"]["generator"] = "regions"
    settings.write_text(json.dumps(changed))
    events = EventLog(other.events_file)
    for step, inversion in ((100_000, 0.3), (100_005, 0.4)):
        signal = {"upper/inversion": inversion, "signal_to_noise/inversion": -2.5}
        events.metrics("joint", step, **signal)
    events.log("unlabeled cases were left out: scan 7", "warning")
    text = text_of(write_report(RunFolder.open(other.path)).read_text(encoding="utf-8"))
    assert "real images whose regions have other contrasts" in text
    assert "augmented masks" not in text
    assert "inversion 0.300 0.400 -2.500" in text
    assert "unlabeled cases were left out: scan 7" in text


def test_a_report_is_self_contained(report):
    page = Page(report)
    assert page.addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert not re.search(r"@import|url\((?!#)|<script|<link|<iframe", report)


def test_charts_share_no_ids_but_those_of_equal_content(report):
    assert not re.search(r' id="[A-Za-z0-9.]+_\d+"', report)
    for target in re.findall(r'(?:href="|url\()#([^")]+)', report):
        assert f'id="{target}"' in report


@pytest.mark.parametrize(
    "figures",
    [
        *("Test Dice 0.865", "Labeled cases 5 3 training, 2 validation", "finished"),
        *("hippocampus-mri", "Anterior 0.870 \u00b1 0.0283", "Posterior 0.860 \u00b1 0.0283"),
        *("Best 0.885 hippocampus_test_001", "Worst 0.845 hippocampus_test_002"),
    ],
)
def test_a_report_has_the_key_figures_of_run_and_evaluation(report, figures):
    assert figures in text_of(report)


def test_images_of_another_data_set_are_not_shown(run, scored, tmp_path):
    table, predictions, references = scored
    shutil.copytree(references, tmp_path / "other" / "labelsTs")
    path = write_report(run, table, predictions, tmp_path / "other" / "labelsTs")
    text = re.sub(r"\s+", " ", read_page(path).text)
    assert "Best 1.000 hippocampus_001" in text


def test_without_an_evaluation_the_validation_cases_are_shown(run):
    text = re.sub(r"\s+", " ", read_page(write_report(run)).text)
    assert "Best 1.000 hippocampus_001" in text
    assert re.search(r"Worst 0\.\d+ hippocampus_003", text)
    assert "Evaluation" not in text


def test_case_names_are_escaped(run, scored, tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text(
        scored[0].read_text(encoding="utf-8").replace("hippocampus_test_001", "<script>alert(1)")
    )
    path = write_report(run, table)
    assert "<script" not in path.read_text(encoding="utf-8")
    assert "<script>alert(1)" in read_page(path).text


def test_a_run_without_events_gives_a_report_too(run, tmp_path):
    preset = load_preset("hippocampus-mri")
    fresh = RunFolder.create(tmp_path / "fresh", TrainConfig(), preset, run.cases)
    page = read_page(write_report(fresh))
    assert page.headings == ["Settings", "Software"]
    assert "queued" in page.text


def test_a_file_that_is_not_a_table_of_scores_is_an_error(run, tmp_path):
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(GenSegError, match=r"notes\.csv is not a table of scores"):
        write_report(run, tmp_path / "notes.csv")
    with pytest.raises(GenSegError, match=r"missing\.csv cannot be read"):
        write_report(run, tmp_path / "missing.csv")


def test_predictions_of_another_image_are_an_error(run, scored, tmp_path):
    for path in scored[1].iterdir():
        label = read_label(path)
        label.affine[:3, 3] += 500
        write_label(tmp_path / path.name, label)
    with pytest.raises(GenSegError, match="lie outside the image"):
        write_report(run, scored[0], tmp_path, scored[2])


# ---- curves


def metrics(phase: str, step: int, **values: float) -> dict[str, object]:
    return {"kind": "metrics", "time": 0.0, "phase": phase, "step": step, **values}


def test_a_phase_that_counts_from_zero_is_appended_to_the_previous_one():
    history = read_history([metrics("warm-up", k, loss=1) for k in (0, 10)]
                           + [metrics("joint", k, loss=2) for k in (0, 5, 10)])  # fmt: skip
    assert history.curves["loss"].steps == (0, 10, 15, 20)
    assert [(p.first, p.last) for p in history.phases] == [(0, 10), (10, 20)]
    history = read_history([metrics("warm-up", 10, loss=1), metrics("joint", 20, loss=2)])
    assert history.curves["loss"].steps == (10, 20), "these count across phases"


def test_after_a_resume_later_values_replace_earlier_ones():
    steps = (1, 2, 3, 2, 3, 4)
    history = read_history([metrics("joint", s, loss=k) for k, s in enumerate(steps)])
    assert history.curves["loss"].steps == (1, 2, 3, 4)
    assert history.curves["loss"].values == (0, 3, 4, 5)


def test_events_without_numbers_are_ignored_and_cells_are_named_up_to_the_last_slash():
    events = [metrics("joint", 1, loss=None, name="x"), {"kind": "log", "text": "hi"}]
    assert read_history(events).curves == {}
    history = read_history([metrics("joint", 1, **{"alpha/encoder/1/conv4": 0.25})])
    assert [(cell, curve.name) for cell, curves in cells(history).items() for curve in curves] == [
        ("encoder/1", "conv4")
    ]


def test_a_moving_average_shrinks_at_the_ends():
    assert moving_average([1.0, 2.0, 3.0, 4.0, 5.0], 3) == pytest.approx([1.5, 2, 3, 4, 4.5])


def test_a_constant_curve_and_a_single_point_can_be_drawn():
    flat = Curve("flat", (0.0, 1.0), (0.3, 0.3))
    point = Curve("point", (5.0,), (0.0,))
    for curve in (flat, point):
        assert "nan" not in line_chart("title", [curve])


def test_fractions_that_sum_to_one_are_stacked_and_others_are_lines():
    first, rest = Curve("a", (0.0, 1.0), (0.3, 0.6)), Curve("b", (0.0, 1.0), (0.7, 0.4))
    assert "fill: #1f6fb2" in fraction_chart("cell", [first, rest])
    lines = fraction_chart("cell", [first, first])
    assert "stroke: #1f6fb2; stroke-width: 1.6" in lines


def test_text_in_charts_is_escaped_and_not_parsed_as_math():
    chart = line_chart("a < b", [Curve("<$x^2$>", (0.0, 1.0), (0.0, 1.0))], [Phase("$p", 0, 1)])
    assert "a &lt; b" in chart
    assert "&lt;$x^2$&gt;" in chart
    assert ">$p</text>" in chart


# ---- slices


def test_images_are_shown_in_ras_whatever_their_orientation():
    array = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 4)
    straight, spacing = to_ras(Volume(array, np.diag([1.0, 2.0, 3.0, 1.0])))
    affine = np.array([[0, -1.0, 0, 1], [0, 0, -2.0, 4], [3.0, 0, 0, 0], [0, 0, 0, 1.0]])
    turned = np.transpose(array, (0, 3, 1, 2))[:, :, ::-1, ::-1]
    shown, turned_spacing = to_ras(Volume(turned, affine))
    np.testing.assert_array_equal(shown, straight)
    assert turned_spacing == spacing == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(("orientation", "degrees"), [("RAS", 25), ("SAR", 12), ("LIP", 25)])
def test_oblique_thick_slices_are_shown_in_the_nearest_plane(orientation, degrees):
    spacing = (0.5, 0.5, 5.0)
    volume = Volume(np.zeros((1, 20, 30, 8)), make_affine(orientation, spacing, (degrees, 0, 0)))
    shown, found = to_ras(volume)
    axis = [code in "SI" for code in orientation].index(True)
    assert found[2] == pytest.approx(spacing[axis])
    assert shown.shape[3] == (20, 30, 8)[axis]


@pytest.mark.parametrize(
    ("plane", "bright", "shape"),
    [("axial", np.s_[5, 4, :], (5, 6)), ("sagittal", np.s_[:, 4, 3], (4, 5))],
    ids=["right and front", "front and head"],
)
def test_right_or_front_is_on_the_left_and_front_or_head_on_top(tmp_path, plane, bright, shape):
    image = np.zeros((6, 5, 4), np.float32)
    image[bright] = 1
    pixels = pixels_of(tile_of(image, plane), tmp_path)
    assert pixels.shape == shape
    assert pixels[0, 0] == pixels.sum() == 255


def tile_of(image: np.ndarray, plane: str) -> str:
    contours = Contours(np.zeros(image.shape, np.int16))
    return tile(image[np.newaxis], (contours,), plane, (1.0, 1.0, 1.0), (0.0, 1.0), {})


def pixels_of(svg: str, folder: Path) -> np.ndarray:
    data = re.search(r"base64,([^\"]+)", svg)
    assert data is not None
    (folder / "tile.png").write_bytes(base64.b64decode(data[1]))
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "tile.png")))[..., 0].astype(int)


def test_a_photo_is_shown_once_upright_and_in_color(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, 0], pixels[3, 5] = (255, 0, 0), (0, 255, 0)
    Image.fromarray(pixels).resize((12, 8), Image.Resampling.NEAREST).save(tmp_path / "a.png")
    photo = read_image(tmp_path / "a.png")
    assert planes_of(photo) == ("axial",)
    assert display_window(photo.array) == (0, 255)
    array, spacing = to_ras(photo)
    label = np.zeros(photo.shape, np.int16)
    svg = tile(array, (Contours(label),), "axial", spacing, (0, 255), {})
    data = base64.b64decode(re.search(r"base64,([^\"]+)", svg)[1])  # type: ignore[index]
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert shown.shape == (8, 12, 3)
    assert 'style="aspect-ratio: 12 / 8"' in svg  # without black bars
    assert shown[0, 0].tolist() == [255, 0, 0]
    assert shown[-1, -1].tolist() == [0, 255, 0]


def test_a_coronal_slice_is_shown_in_its_plane():
    affine = make_affine("RSA", (0.5, 0.5, 5.0))
    volume = Volume(np.zeros((1, 20, 30, 1)), affine)
    assert planes_of(volume) == ("coronal",)
    assert planes_of(Volume(np.zeros((1, 20, 30, 8)), affine)) == ("axial", "coronal", "sagittal")


def test_contours_follow_the_edges_of_the_label():
    label = np.zeros((8, 8, 3), np.int16)
    label[2:5, 3:6, 1] = 1
    image, red = label.astype(np.float32)[np.newaxis], {1: (255, 0, 0)}
    svg = tile(image, (Contours(label),), "axial", (1, 1, 1), (0, 1), red)
    numbers = [
        [float(n) for n in point.split(",")]
        for point in re.search(r' d="M([^Z]+)Z"', svg)[1].split()  # type: ignore[index]
    ]
    low, high = np.min(numbers, axis=0), np.max(numbers, axis=0)
    np.testing.assert_allclose(low, (3, 2))  # columns 3 to 6 from the right, rows 2 to 5
    np.testing.assert_allclose(high, (6, 5))
    assert 'stroke="#ff0000"' in svg


def test_the_slice_shown_has_the_most_labeled_voxels():
    label = np.zeros((4, 4, 9), np.int16)
    label[1, 1, 2] = label[1:3, 1:3, 7] = 2
    assert largest_section(label, 2) == 7
    assert largest_section(np.zeros((4, 4, 9)), 2) == 4


def test_raw_ct_has_a_fixed_window_and_other_images_their_own_range():
    hounsfield = np.array([-1000.0, 50, 900]).reshape(3, 1, 1)
    assert display_window(hounsfield, (-160, 240)) == (-160, 240)
    low, high = display_window(np.linspace(0, 1, 1000).reshape(10, 10, 10), (-160, 240))
    assert 0 <= low < 0.01
    assert 0.99 < high <= 1
    assert display_window(np.zeros((2, 2, 2))) == (0, 1)

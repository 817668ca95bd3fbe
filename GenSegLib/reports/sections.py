"""The sections of the report."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import metadata
from typing import Any

from .. import __version__
from ..cases import Role
from ..config import TrainConfig
from ..runs import RunFolder
from .charts import fraction_chart, line_chart, number, strip_chart
from .curves import Curve, History, cells
from .page import Section
from .scores import ScoreTable, case_table, summary_table

_NETWORK_NOTE = (
    "Variables optimized on the validation loss: the weight γ of the generated pairs and the "
    "weights of the candidate operations in the generator's cells. Larger values increase that "
    "loss where the signal to noise is positive."
)
_REGIONS_NOTE = (
    "Distributions of the contrasts that regions get, steered by the loss on validation cases. "
    "Larger values increase that loss where the signal to noise is positive."
)
_PACKAGES = ("torch", "monai", "numpy", "SimpleITK")


def curves_section(history: History) -> Section:
    """Return the losses of the three levels and the Dice on the validation cases."""
    adversarial = ("generator", "discriminator", "adversarial")
    losses = history.select(lambda name: name.endswith("loss"))
    generator = [curve for curve in losses if curve.name.startswith(adversarial)]
    segmenter = [curve for curve in losses if curve not in generator]
    dice = history.select(lambda name: name.startswith("validation_dice"))
    charts = (
        ("Dice on the validation cases", dice, (0.0, 1.0)),
        ("Loss of the segmenter", segmenter, None),
        ("Loss of the generator and the discriminator", generator, None),
    )
    body = _grid(
        [line_chart(title, found, history.phases, span) for title, found, span in charts if found]
    )
    note = "Noisy curves are smoothed; faint lines show the raw values."
    return Section("Training", note, body)


def upper_section(history: History, generator: str = TrainConfig.generator) -> Section:
    """Return the upper-level variables, γ among them, and the architecture of the generator.

    Args:
        history: of the run.
        generator: see `TrainConfig`.
    """
    variables = history.select(lambda name: name == "gamma" or name.startswith("upper/"))
    charts = _grid([_variable_chart(curve, history) for curve in variables])
    body = _changes_table(variables, history) + charts
    shares = [fraction_chart(cell, curves) for cell, curves in cells(history).items()]
    if shares:
        body += "<h3>Operations of the generator&rsquo;s cells (&alpha;)</h3>" + _grid(shares, 3)
    return Section("Upper level", _REGIONS_NOTE if generator == "regions" else _NETWORK_NOTE, body)


def _changes_table(variables: Sequence[Curve], history: History) -> str:
    """Return a table of first and last values, and of signals to noise if they are known."""
    rows = [
        (_variable_name(curve), curve.values[0], curve.last, signal.last)
        for curve in variables
        if (signal := history.curves.get(f"signal_to_noise/{_signal_name(curve)}"))
    ]
    if not rows:
        return ""
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{number(x)}</td>' for x in values)}</tr>"
        for name, *values in rows
    )
    head = "".join(f"<th>{name}</th>" for name in ("Variable", "Start", "End", "Signal to noise"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _signal_name(curve: Curve) -> str:
    return "weight" if curve.name == "gamma" else curve.name.removeprefix("upper/")


def _variable_name(curve: Curve) -> str:
    is_weight = curve.name == "gamma"  # "upper/gamma" is the strength of an intensity transform
    name = curve.name.removeprefix("upper/").replace("_", " ")
    return "Weight γ of the generated pairs" if is_weight else name


def _variable_chart(curve: Curve, history: History) -> str:
    return line_chart(_variable_name(curve), [curve], history.phases, size=(520, 190))


def warnings_section(events: Iterable[Mapping[str, Any]]) -> Section:
    """Return the warnings of the training, such as unlabeled cases that were left out."""
    found = (event["text"] for event in events if event.get("level") == "warning")
    items = "".join(f"<li>{escape(str(text))}</li>" for text in dict.fromkeys(found))
    return Section("Warnings", "", f"<ul>{items}</ul>" if items else "")


def evaluation_section(evaluation: ScoreTable | None) -> Section:
    """Return mean scores, a chart with one dot per case, and a table of all cases."""
    if evaluation is None:
        return Section("Evaluation", "", "")
    charts = [_strips(evaluation, metric) for metric in ("dice", "surface_dice")]
    count = len({score.case for score in evaluation.scores})
    return Section(
        "Evaluation",
        f"Mean ± standard deviation over {count} cases.",
        f"{summary_table(evaluation)}<br>{_grid(charts)}"
        f"<details><summary>All cases</summary>{case_table(evaluation)}</details>",
    )


def _strips(evaluation: ScoreTable, metric: str) -> str:
    groups = {label: evaluation.values(label, metric) for label in evaluation.labels}
    groups = {label: values for label, values in groups.items() if values}
    title = f"{evaluation.columns[metric].title}, one dot per case"
    return strip_chart(title, groups) if groups else ""


def settings_section(run: RunFolder) -> Section:
    """Return the settings, the cases and the software versions."""
    preset = {
        "preset": run.preset.name,
        "labels": ", ".join(run.labels.values()),
        f"spacing ({run.preset.unit})": run.preset.spacing or "of the images",
        "patch size (voxels)": run.preset.patch_size,
        "intensity": run.preset.intensity.kind,
    }
    settings = dataclasses.asdict(run.config)
    versions = {"GenSeg": __version__, "Python": platform.python_version()}
    versions |= {name: _version(name) for name in _PACKAGES}
    versions["system"] = f"{platform.system()} {platform.machine()}"
    body = (
        f"{_definitions(preset | settings)}<h3>Software</h3>{_definitions(versions)}"
        f"<details><summary>Cases</summary>{_cases_table(run)}</details>"
    )
    return Section("Settings", "", body)


def _cases_table(run: RunFolder) -> str:
    rows = "".join(
        f"<tr><th>{escape(case.name)}</th><td>{case.role.value}</td></tr>"
        for case in run.cases.cases
    )
    return f"<table><thead><tr><th>Case</th><th>Role</th></tr></thead><tbody>{rows}</tbody></table>"


def role_counts(run: RunFolder) -> str:
    """Describe how many cases have which role."""
    counts = {role: len(run.cases.of_role(role)) for role in Role}
    words = [f"{counts[Role.TRAIN]} training", f"{counts[Role.VALIDATE]} validation"]
    if counts[Role.UNLABELED]:
        words.append(f"{counts[Role.UNLABELED]} unlabeled")
    return ", ".join(words)


def _definitions(values: Mapping[str, Any]) -> str:
    items = (
        f"<div><dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(_plain(value))}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="settings">{"".join(items)}</dl>'


def _plain(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return " × ".join(f"{item:g}" for item in value)
    return number(value) if isinstance(value, float) and abs(value) < 1 else str(value)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _grid(charts: Sequence[str], columns: int = 2) -> str:
    return f'<div class="grid{columns}">{"".join(charts)}</div>' if any(charts) else ""

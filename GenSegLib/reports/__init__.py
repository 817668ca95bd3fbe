"""The report of a run: one HTML file with charts, images, scores and settings."""

from __future__ import annotations

import datetime
from pathlib import Path

from ..events import read_events
from ..files import write_text
from ..progress import format_duration
from ..runs import RunFolder
from .curves import History, read_history
from .page import Card, Section, page
from .previews import LabelStyle, best_and_worst, pairs, progression
from .scores import ScoreTable, read_scores
from .sections import (
    curves_section,
    evaluation_section,
    role_counts,
    settings_section,
    upper_section,
    warnings_section,
)

_GENERATED = {
    "regions": "real images whose regions have other contrasts",
    "transplants": "real images with lesions of other ones",
    "none": "",
}
"""What is generated, by the generators without a network."""


def write_report(
    run: RunFolder,
    evaluation: Path | None = None,
    predictions: Path | None = None,
    references: Path | None = None,
) -> Path:
    """Write `report.html` into a run folder, during or after the training.

    Args:
        run: the run.
        evaluation: CSV of `genseg evaluate`, for the table of scores.
        predictions: folder of the evaluated predictions.
        references: folder of their references. Images are searched for in the folder next to it;
            without images, the predictions of the validation cases are shown.

    Returns:
        The path of the report.

    Raises:
        GenSegError: the CSV or a preview cannot be read, or the report cannot be written.
    """
    events = read_events(run.events_file)
    history = read_history(events)
    scores = None if evaluation is None else read_scores(evaluation)
    times = [event["time"] for event in events if "time" in event]
    sections = [
        evaluation_section(scores),
        _predictions_section(run, scores, predictions, references),
        _pairs_section(run),
        curves_section(history),
        upper_section(history, run.config.generator),
        warnings_section(events),
        settings_section(run),
    ]
    title = f"{run.preset.title or run.preset.name}: training report"
    state = str(run.read_status().get("state", ""))
    cards = _cards(run, history, scores, max(times) - min(times) if times else 0.0)
    write_text(run.report, page(title, _subtitle(run, times), state, cards, sections))
    return run.report


def _subtitle(run: RunFolder, times: list[float]) -> str:
    name = run.path.absolute().name
    if not times:
        return f"Run {name}"
    started = datetime.datetime.fromtimestamp(min(times))
    return f"Run {name}, started {started:%Y-%m-%d %H:%M}"


def _cards(
    run: RunFolder, history: History, scores: ScoreTable | None, seconds: float
) -> list[Card]:
    cards = []
    if scores is not None and (means := scores.case_means()):
        mean = sum(means.values()) / len(means)
        cards.append(Card("Test Dice", f"{mean:.3f}", f"mean over {len(means)} cases"))
    if dice := history.curves.get("validation_dice"):
        cards.append(Card("Validation Dice", f"{dice.last:.3f}", f"at step {dice.steps[-1]:g}"))
    cards.append(Card("Labeled cases", str(len(run.cases.labeled)), role_counts(run)))
    gamma = history.curves.get("gamma") or history.curves.get("upper/gamma")
    if gamma is not None and run.config.has_generator:
        cards.append(Card("Weight γ", f"{gamma.last:.2f}", "final weight of the generated pairs"))
    if history.phases:
        steps = f"{history.phases[-1].last:,.0f}"
        cards.append(Card("Time", format_duration(seconds), f"{steps} steps"))
    return cards


def _pairs_section(run: RunFolder) -> Section:
    style = LabelStyle.of_run(run)
    body = pairs(run, style)
    if body:
        body += style.legend()
        steps = progression(run, style)
        body += f"<h3>First generated pair during training</h3>{steps}" if steps else ""
    generated = _GENERATED.get(run.config.generator, "images generated from augmented masks")
    others = f", and {generated}" if generated else ""
    title = "Real and generated pairs" if generated else "Real pairs"
    note = f"The segmenter's training data: real cases{others}."
    return Section(title, note, body, contours=True)


def _predictions_section(
    run: RunFolder, scores: ScoreTable | None, predictions: Path | None, references: Path | None
) -> Section:
    style = LabelStyle.of_run(run)
    body = best_and_worst(run, style, scores, predictions, references)
    note = "Solid contours: prediction. Dashed white contours: reference."
    return Section("Best and worst predictions", note, body + style.legend() if body else "", True)

"""Generated pairs of a trained run as files, to look at or to train elsewhere."""

from __future__ import annotations

from pathlib import Path

from ..errors import GenSegError
from ..events import EventLog
from ..files import atomic_folder
from ..runs import RunFolder
from .generated import draw_pairs
from .previews import write_pair
from .session import load_trained


def synthesize(
    run: RunFolder, out: Path, count: int, seed: int, events: EventLog | None = None
) -> list[Path]:
    """Write ``count`` generated pairs as ``out/images`` and ``out/labels``; return the images.

    `events` is told of damaged checkpoints and of what is kept of large cases.

    Raises:
        GenSegError: the run has no generator or no checkpoint, or its cases are gone.
    """
    if not run.config.has_generator:
        raise GenSegError(f"{run.path} was trained without a generator; it has no pairs to give")
    session = load_trained(run, events)
    learner = session.learner
    names = [f"generated_{place:04d}.nii.gz" for place in range(count)]
    with atomic_folder(out) as folder:
        (folder / "images").mkdir()
        (folder / "labels").mkdir()
        pairs = draw_pairs(learner, ["blending"] * count, seed)
        for name, pair in zip(names, pairs):
            spacing = learner.subjects[0].spacing
            write_pair(
                folder / "images" / name,
                folder / "labels" / name,
                pair.image,
                session.original_values(pair.label),
                spacing,
                session.names,
            )
    return [out / "images" / name for name in names]

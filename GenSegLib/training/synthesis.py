"""Generated pairs of a trained run as files, to look at or to train elsewhere."""

from __future__ import annotations

from pathlib import Path

from ..errors import GenSegError
from ..files import atomic_folder
from ..runs import RunFolder
from .checkpoints import load_checkpoint
from .generated import draw_pairs
from .learner import Learner
from .previews import write_pair
from .session import load_session


def synthesize(run: RunFolder, out: Path, count: int, seed: int) -> list[Path]:
    """Write ``count`` generated pairs as ``out/images`` and ``out/labels``; return the images.

    Raises:
        GenSegError: the run has no generator or no checkpoint, or its cases are gone.
    """
    if not run.config.has_generator:
        raise GenSegError(f"{run.path} was trained without a generator; it has no pairs to give")
    state, _ = load_checkpoint(run.checkpoints)
    if state is None:
        raise GenSegError(f"{run.path} has no checkpoint yet; train it first")
    session = load_session(run)
    learner: Learner = session.learner
    learner.restore(state["learner"])
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

"""`genseg train` with every generated pair on a real mask of a further case: see better_masks.py.

    python Testing/Benchmarks/real_masks_training.py CASES_JSON OPTION... -- MASK_JSON

The images of the further cases are used for their registration alone; what the networks see is an
image of a labeled case, moved onto the further case's mask.
"""

from __future__ import annotations

import sys
from copy import copy
from pathlib import Path

import torch

import GenSegLib.training.phases as phases
from GenSegLib import cli
from GenSegLib.augmentation.morphs import Morphs, Pairs
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.data.layouts import read_cases
from GenSegLib.data.subjects import load_subjects
from GenSegLib.runs import RunFolder
from GenSegLib.training.session import Session, load_session

PARTNERS = 2


class MovedMorphs(Morphs):
    """Pairs of further cases' masks with images of labeled cases (the first `own` ones)."""

    own = 0

    def _partners(self, count: int, rng: Randomness) -> list[tuple[int, int]]:
        further = range(self.own, count)
        return [(k, place) for k in further for place in rng.integers(self.own, PARTNERS)]

    def of_images(self, pictured: int) -> MovedMorphs:
        """Return the pairs with images of the first labeled cases alone."""
        view = copy(self)
        kept = [index for index, pair in enumerate(self.partners) if pair[1] < pictured]
        view.partners, view.knots = [self.partners[k] for k in kept], self.knots[kept]
        return view


def show_masks(session: Session, run: RunFolder, file: Path) -> None:
    """Let a training draw its generated pairs on masks of the cases that a file lists."""
    learner = session.learner
    values, device = list(session.names), learner.device
    further = load_subjects(read_cases(file).cases, run.preset, values, device)
    rng = Randomness(torch.Generator().manual_seed(run.config.seed), device)
    kind = type("MovedMorphs", (MovedMorphs,), {"own": len(learner.subjects)})
    subjects = [*learner.subjects, *further]
    every = kind(subjects, learner.classes, run.preset.patch_size, rng)

    def blends(*, held_back: bool) -> Pairs:
        pictured = len(learner.subjects) if held_back else learner.training
        count = learner.config.generated_batch_size
        return every.of_images(pictured).real_pairs(learner.rng, count, learner.sampling.spatial)

    learner.sampling.blends = blends  # type: ignore[method-assign]


def main() -> None:
    split = sys.argv.index("--")
    arguments, (file,) = sys.argv[1:split], sys.argv[split + 1 :]

    def loaded(run: RunFolder, *others: object) -> Session:
        session = load_session(run, *others)  # type: ignore[arg-type]
        show_masks(session, run, Path(file))
        return session

    phases.load_session = loaded
    raise SystemExit(cli.main(["train", *arguments]))


if __name__ == "__main__":
    main()

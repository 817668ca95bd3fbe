"""Which trainings the benchmark consists of, in full and in the form that a CPU bears."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .arms import ABLATIONS, ARMS, CONTROLS, GENERATORS, NNUNET_ARMS, NNUNET_NETWORK
from .jobs import Job, jobs_of

LABELED = (5, 10, 20, 40, 160)
SEEDS = (0, 1, 2)
NETWORK = "dynunet"
OTHER_NETWORKS = ("unet", "segresnet", "attention-unet", "deeplab", "unetr", "swin-unetr")
REDUCED = (
    "reduced: ten labeled cases instead of 5 to 160, seed 0 alone, one network, one generator, no "
    "ablations, and nnU-Net without its default schedule; each training is as long as in full"
)
_ALL_BUT_TEST = 160


def full_plan() -> list[Job]:
    """Give every training; what decides the goals comes first."""
    ten = ((10,), SEEDS)
    return [
        *chosen_plan([NETWORK], [*ARMS, *NNUNET_ARMS], LABELED, SEEDS),
        *chosen_plan(OTHER_NETWORKS, ["augmented", "genseg"], *ten),
        *chosen_plan([NETWORK, *OTHER_NETWORKS], [*CONTROLS], *ten),
        *chosen_plan([NETWORK], [*GENERATORS, *ABLATIONS], *ten),
    ]


def reduced_plan() -> list[Job]:
    """Give the trainings of `REDUCED`."""
    return chosen_plan([NETWORK], [*ARMS, "nnunet"], (10,), (0,))


def chosen_plan(
    networks: Iterable[str], arms: Sequence[str], labeled: Iterable[int], seeds: Iterable[int]
) -> list[Job]:
    """Give each combination that there is.

    nnU-Net has one network, its own, and its time comes from `genseg` before it. With 160 labeled
    cases none is left for the arms that learn from unlabeled ones.
    """
    found = []
    for job in jobs_of(networks, arms, labeled, seeds):
        if job.arm in NNUNET_ARMS:
            job = Job(NNUNET_NETWORK, job.arm, job.labeled, job.seed)
        elif ARMS.get(job.arm, ARMS["genseg"]).unlabeled and job.labeled >= _ALL_BUT_TEST:
            continue
        if job not in found:
            found.append(job)
    return found

"""Plans for made-up cases on a made-up machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from GenSegLib.data.case_fingerprint import CaseFingerprint, Structure
from GenSegLib.planning.candidates import Candidate
from GenSegLib.planning.fingerprint import Fingerprint, summarize_cases
from GenSegLib.planning.plan import Limits, Plan, make_plan
from GenSegLib.presets import load_preset

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
        found[value] = Structure(volume, (thickness,) * 3, (faces,) * 3)
    x, y, z = (round(n * s, 4) for n, s in zip(shape, spacing))
    foreground = np.linspace(lowest, lowest + 200, 50, dtype=np.float32)[None]
    a, b, c = shape
    dx, dy, dz = spacing
    in_hu = lowest < 0
    return CaseFingerprint((a, b, c), (dx, dy, dz), 1, (x, y, z), found, foreground, in_hu)


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

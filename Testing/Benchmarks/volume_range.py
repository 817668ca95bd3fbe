"""How often a sound segmentation is called odd for its volumes: false alarms among real cases.

    python Testing/Benchmarks/volume_range.py [--splits 200]

A prediction is called odd where a label takes far more or far less room than in all the labeled
cases (`GenSegLib/data/volume_ranges.py`). Here the reference segmentations of the hippocampus
data themselves are judged by what N labeled ones of them had, over random splits: whatever is
called odd is a false alarm. Writes results/volume_range.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from measuring import ROOT, write_findings
from numpy.typing import NDArray

from GenSegLib.data.volume_ranges import sound_range, volumes_in
from GenSegLib.images.image_io import read_label

LABELS = ROOT.parent / "shared/data/hippocampus/labelsTr"
LABELED = (3, 5, 10, 20)
Volumes = NDArray[np.float64]
RANGES: dict[str, Callable[[float, float], tuple[float, float]]] = {
    "as built": sound_range,
    **{
        f"{factor} times": lambda least, most, factor=factor: (least / factor, most * factor)
        for factor in (1.0, 1.25, 1.5, 2.0)
    },
}


def volumes() -> Volumes:
    """Return the volume in ml of each label (column) of each case (row)."""
    labels = [read_label(path) for path in sorted(LABELS.glob("[!.]*.nii.gz"))]
    return np.array([[*volumes_in(one.array[0], (1, 2), one.spacing).values()] for one in labels])


def false_alarms(known: Volumes, others: Volumes, name: str) -> float:
    """Return the share of the others of which a volume is called odd."""
    ends = zip(known.min(axis=0).tolist(), known.max(axis=0).tolist())
    low, high = np.array([RANGES[name](least, most) for least, most in ends]).T
    return float(((others < low) | (others > high)).any(axis=1).mean())


def mean_false_alarms(
    found: Volumes, orders: list[NDArray[np.int64]], count: int, name: str
) -> float:
    """Return the mean over splits, each an order of the cases whose first `count` are labeled."""
    shares = [false_alarms(found[order[:count]], found[order[count:]], name) for order in orders]
    return round(float(np.mean(shares)), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=200)
    splits = parser.parse_args().splits
    found = volumes()
    orders = [np.random.RandomState(seed).permutation(len(found)) for seed in range(splits)]
    shares = {
        str(count): {name: mean_false_alarms(found, orders, count, name) for name in RANGES}
        for count in LABELED
    }
    what = "share of sound cases that are called odd, by labeled cases and range"
    print(write_findings("volume_range", {"what": what, "splits": splits, "shares": shares}))


if __name__ == "__main__":
    main()

"""How real generated volumes look, and how much they differ from each other.

    python Testing/Benchmarks/image_quality.py RUN --judge MODEL [--count 60]

FID compares the features of generated volumes with those of real ones that the run never saw: the
protocol's cases that are neither labeled nor test cases. For scale, the same is told of as many
other real ones (the least that so few volumes allow), of the labeled cases, of these moved onto
another subject by registration, and of blends whose images no generator finished. Features are
those of a segmenter of another training (`--judge`): networks trained on photographs know slices,
not volumes of 35 x 50 x 35 voxels, and are not at hand offline; a segmenter's encoder knows this
anatomy in three dimensions. It was trained to overlook what augmentation changes, so that contrast
and noise weigh little here. The features are the means over octants of the deepest features of each
volume.

Diversity is the multi-scale SSIM of pairs of volumes (Wang et al., 2003): the lower, the more they
differ. Real cases give the scale.

Both are MONAI's. Writes results/image_quality.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from measuring import ROOT, write_findings
from monai.metrics import FIDMetric, MultiScaleSSIMMetric
from protocol import case_names, split_cases
from torch import Tensor, nn

from GenSegLib.augmentation.morphs import Morphs, MorphSettings
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.augmentation.spatial import SpatialStrength
from GenSegLib.data.layouts import read_cases
from GenSegLib.data.subjects import load_subjects
from GenSegLib.models.weights import load_segmenter
from GenSegLib.runs import RunFolder
from GenSegLib.training.generated import draw_pairs
from GenSegLib.training.session import Session, load_trained

PAIRS = 200
DATA_RANGE = 8.0  # of standardized volumes: four deviations on either side
SSIM_WEIGHTS = (0.2, 0.4, 0.4)


class Judge:
    """Gives the features of volumes: means over octants of a segmenter's deepest layer.

    Args:
        model: model folder of a `dynunet`.
    """

    def __init__(self, model: Path) -> None:
        self.network, _ = load_segmenter(model)
        self._found: Tensor | None = None
        bottleneck = self.network.get_submodule("bottleneck")
        bottleneck.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._found = output

    @torch.no_grad()
    def features(self, volumes: Tensor) -> Tensor:
        """Return features (8 x volume, channel) of volumes (volume, 1, *shape)."""
        found = []
        for volume in volumes.split(4):
            self.network(volume)
            assert self._found is not None
            octants = F.adaptive_avg_pool3d(self._found.float(), 2)
            found.append(octants.flatten(2).movedim(1, 2).flatten(0, 1))
        return torch.cat(found)


class Volumes:
    """Draws patches of real and of new images, all at places drawn in the same way.

    Where a patch lies in its image decides more of its features than what it shows.

    Args:
        run: with a generator.
        session: of this run.
    """

    def __init__(self, run: RunFolder, session: Session) -> None:
        self._run, self._learner, self._names = run, session.learner, session.names
        self._morphs = session.learner.sampling.all_morphs

    def real(self, data: Path, names: Sequence[str], count: int) -> Tensor:
        """Return patches of real cases that the run has not seen."""
        chosen = [case for case in read_cases(data).cases if case.name in names]
        subjects = load_subjects(chosen, self._run.preset, [*self._names], self._learner.device)
        own = MorphSettings(partners=1)  # which are not looked at
        classes, size = self._learner.classes, self._learner.patch_size
        # half: the room within which patches are placed
        morphs = Morphs(subjects, classes, size, self._rng(), own, half=self._morphs.half)
        return standardized(morphs.real_pairs(self._rng(), count).images)

    def labeled(self, count: int) -> tuple[Tensor, Tensor]:
        """Return labeled cases, and others moved onto them by registration."""
        pairs = self._morphs.real_pairs(self._rng(), count)
        return standardized(pairs.images), standardized(pairs.source)

    def warped(self, count: int) -> Tensor:
        """Return real images moved onto blended masks, which no generator finished."""
        still = SpatialStrength(probability=0.0, elastic=0.0)
        return standardized(self._morphs.blends(self._rng(), count, still).source)

    def generated(self, count: int) -> Tensor:
        """Return generated images of blended masks."""
        pairs = draw_pairs(self._learner, ["blending"] * count, self._run.config.seed)
        return standardized(torch.stack([pair.image for pair in pairs]))

    def _rng(self) -> Randomness:
        generator = torch.Generator().manual_seed(self._run.config.seed)
        return Randomness(generator, self._learner.device)


def standardized(volumes: Tensor) -> Tensor:
    """Return volumes with mean 0 and deviation 1 each, as prepared images have."""
    axes = tuple(range(1, volumes.ndim))
    deviation = volumes.std(dim=axes, keepdim=True)
    return (volumes - volumes.mean(dim=axes, keepdim=True)) / deviation


def similarity(volumes: Tensor, seed: int) -> float:
    """Return the mean multi-scale SSIM of random pairs of different volumes."""
    pairs = [*combinations(range(len(volumes)), 2)]
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:PAIRS]
    first, second = (volumes[[pairs[k][side] for k in chosen]] for side in (0, 1))
    metric = MultiScaleSSIMMetric(
        spatial_dims=3, data_range=DATA_RANGE, kernel_size=5, weights=SSIM_WEIGHTS
    )
    return round(float(metric(first, second).mean()), 4)


def compared(judge: Judge, sets: dict[str, Tensor], seed: int) -> dict[str, dict[str, float]]:
    """Return the FID of each set to the first one, and how alike its volumes are."""
    features = {name: judge.features(volumes) for name, volumes in sets.items()}
    reference = next(iter(features.values()))
    return {
        name: {
            "volumes": len(volumes),
            "fid": round(float(FIDMetric()(features[name], reference)), 3),
            "ms_ssim": similarity(volumes, seed),
        }
        for name, volumes in sets.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("--judge", metavar="MODEL", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--count", type=int, default=60, help="volumes of each kind")
    args = parser.parse_args()
    run = RunFolder.open(args.run)
    session, seed = load_trained(run), run.config.seed
    labeled = session.learner.sampling.names
    unseen = split_cases(case_names(args.data), len(labeled), seed).unlabeled
    half, volumes = len(unseen) // 2, Volumes(run, session)
    real, moved = volumes.labeled(args.count)
    sets = {
        "real, unseen (reference)": volumes.real(args.data, unseen[:half], args.count),
        "real, unseen (others)": volumes.real(args.data, unseen[half:], args.count),
        "real, labeled": real,
        "real, labeled, moved onto another": moved,
        "blended, no generator": volumes.warped(args.count),
        "generated": volumes.generated(args.count),
    }
    found = compared(Judge(args.judge), sets, seed)
    origin = {"run": args.run.name, "judge": f"{args.judge.parent.name}/{args.judge.name}"}
    print(write_findings("image_quality", {**origin, "sets": found}))


if __name__ == "__main__":
    main()

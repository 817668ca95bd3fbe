"""How many operations each kind of training step asks PyTorch for, and which code asks for most.

    python Testing/Benchmarks/step_operations.py [--data DIR]

On a card an operation is at least one launch, which takes microseconds however small its work:
steps on small patches are made of little else. So the count says on any machine what a card has to
do. Views, which launch nothing, do not count; the CPU's own normalization
(`networks/instance_norm.py`) counts and is a launch or two a layer on a card. Writes
results/step_operations.json.
"""

from __future__ import annotations

import argparse
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from feedback_cost import make_learner
from measuring import ROOT, write_findings
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from GenSegLib.training.learner import Learner

MOST = 12
VIEWS = {
    *("_reshape_alias", "_unsafe_view", "alias", "as_strided", "detach", "expand", "permute"),
    *("select", "slice", "split", "split_with_sizes", "squeeze", "t", "transpose", "unbind"),
    *("unsqueeze", "view"),
}


class Count(TorchDispatchMode):
    """Counts the operations of a block by the three functions of ours that led to them."""

    def __init__(self) -> None:
        super().__init__()
        self.places: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if is_launched(function):
            self.places[_place()] += 1
        return function(*args, **(kwargs or {}))


def is_launched(function: OpOverload) -> bool:
    """Tell whether an operation computes, and is no view of what there is."""
    return function._schema.name.split("::")[1] not in VIEWS


def _place() -> str:
    frames = [frame for frame in traceback.extract_stack() if "/GenSegLib/" in frame.filename]
    return " < ".join(f"{Path(at.filename).stem}.{at.name}" for at in reversed(frames[-3:]))


def counted(step: Callable[[], object]) -> dict[str, object]:
    """Return how many operations a step asks for, and where most of them come from."""
    with Count() as count:
        step()
    return {"operations": count.places.total(), "most": dict(count.places.most_common(MOST))}


def steps_of(learner: Learner) -> dict[str, Callable[[], object]]:
    """Return every kind of step; the upper level moves in the last of some joint steps."""
    return {
        "warm-up": learner.warm_up_step,
        "joint": lambda: learner.joint_step(0),
        "joint with feedback": lambda: learner.joint_step(learner.config.upper_every - 1),
        "final": learner.final_step,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    args = parser.parse_args()
    learner = make_learner(args.data, device="cpu")
    steps = steps_of(learner)
    for step in steps.values():  # the first step of each makes what later ones find
        step()
    print(write_findings("step_operations", {name: counted(step) for name, step in steps.items()}))


if __name__ == "__main__":
    main()

"""`genseg train --deterministic`: the same result to the bit, or one line that it cannot be had.

On cards it cannot be had of the diffusion bridge, of `segresnet` and `deeplab`: MONAI's pooling and
its trilinear enlarging have gradients without an order there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import STEPS, few_channels, final_learner, tiny_cases, tiny_run
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from GenSegLib.cli import main
from GenSegLib.computing.devices import deterministic, where_in_order
from GenSegLib.config import GENERATORS
from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session
from Testing.training_states import differing

# of what trainings might ask for, by PyTorch's `use_deterministic_algorithms`; on cards alone
UNORDERED_ON_CARDS = {
    *("avg_pool3d_backward", "_adaptive_avg_pool3d_backward", "reflection_pad3d_backward"),
    *("upsample_linear1d_backward", "upsample_bilinear2d_backward"),
    *("upsample_trilinear3d_backward", "upsample_bicubic2d_backward"),
    *("grid_sampler_2d_backward", "grid_sampler_3d_backward", "nll_loss2d_forward"),
    *("nll_loss2d_backward", "put_", "histc", "cumsum"),
}
SETTINGS = {**STEPS, "validate_every": 6, "threads": 1, "segmenter": "unet"}


def train(data: Path, run: Path) -> RunFolder:
    settings = [part for item in SETTINGS.items() for part in ("--set", "{}={}".format(*item))]
    arguments = [str(data), "--preset", "hippocampus-mri", "--out", str(run), *settings]
    with few_channels():
        assert main(["train", *arguments, "--deterministic"]) == 0
    return RunFolder.open(run)


def test_two_trainings_of_one_seed_are_the_same_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_cases(tmp_path / "cases")
    step, asked = Learner.joint_step, []

    def watched(learner: Learner, *arguments: Any) -> dict[str, float]:
        asked.append(torch.are_deterministic_algorithms_enabled())
        return step(learner, *arguments)

    monkeypatch.setattr(Learner, "joint_step", watched)
    first, second = (train(tmp_path / "cases", tmp_path / name) for name in ("a", "b"))
    assert differing(final_learner(first), final_learner(second)) == []
    assert first.config.deterministic
    assert set(asked) == {True}
    assert not torch.are_deterministic_algorithms_enabled(), "it lasts as long as the training"


class Asked(TorchDispatchMode):
    """Remembers which operations are asked for in a block."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, operation: OpOverload, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.names.add(operation._schema.name.partition("::")[2])
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("generator", sorted({*GENERATORS} - {"none", "diffusion"}))
def test_no_phase_asks_for_what_cards_compute_without_an_order(
    tmp_path: Path, generator: str
) -> None:
    run = tiny_run(tmp_path / "run", tiny_cases(tmp_path / "cases"), generator=generator)
    learner = load_session(run).learner
    with Asked() as asked:
        learner.warm_up_step()
        for step in range(learner.config.upper_every):
            learner.joint_step(step)
        learner.final_step()
    assert "convolution_backward" in asked.names, "the gradients were watched, too"
    assert asked.names & UNORDERED_ON_CARDS == set()


def test_shapes_are_registered_on_the_processor_where_order_is_asked_for() -> None:
    card = torch.device("cuda")
    assert where_in_order(card) == card
    with deterministic(True):
        assert where_in_order(card) == torch.device("cpu")


def test_what_a_device_cannot_compute_in_order_is_one_line_that_says_what_to_do() -> None:
    told = r"no deterministic way .* without --deterministic"
    with pytest.raises(GenSegError, match=told), deterministic(True):
        torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))


def test_nothing_is_held_to_order_where_nobody_asks() -> None:
    with deterministic(False):
        torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))

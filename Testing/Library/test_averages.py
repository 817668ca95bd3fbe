"""Moving averages of weights, and where they go on."""

from __future__ import annotations

import torch

from GenSegLib.training.averages import Average


def test_an_average_goes_on_where_it_was() -> None:
    weights = [torch.zeros(2)]
    average = Average(weights, 0.9)
    average.update([torch.ones(2)])
    other = Average(weights, 0.9)
    other.restore(average.state())
    for each in (average, other):
        each.update([torch.full((2,), 3.0)])
    assert torch.equal(average.tensors[0], other.tensors[0])


def test_an_average_stays_on_its_device_when_it_goes_on_from_main_memory() -> None:
    average = Average([torch.zeros(2, device="meta")], 0.9)
    average.restore({"tensors": [torch.ones(2)], "steps": 3})
    assert average.tensors[0].device.type == "meta"


def test_an_average_does_not_change_what_it_was_restored_from() -> None:
    kept = torch.ones(2)
    average = Average([torch.zeros(2)], 0.9)
    average.restore({"tensors": [kept], "steps": 3})
    average.update([torch.zeros(2)])
    assert torch.equal(kept, torch.ones(2))

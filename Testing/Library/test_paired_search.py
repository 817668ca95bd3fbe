"""Search over scalars by comparisons of opposite steps."""

from __future__ import annotations

import torch

from GenSegLib.multilevel import PairedSearch

OPTIMUM = (1.0, -1.0)


def searched(noise: float, comparisons: int = 40, unused: int = 2) -> PairedSearch:
    """A search on a noisy valley; the last scalars have no effect."""
    generator = torch.Generator().manual_seed(1)
    search = PairedSearch([0.0] * (len(OPTIMUM) + unused), seed=0)

    def loss(values: list[float]) -> float:
        valley = sum((value - best) ** 2 for value, best in zip(values, OPTIMUM))
        return valley + noise * float(torch.randn((), generator=generator))

    for _ in range(comparisons):
        plus, minus = search.propose()
        search.report(loss(plus), loss(minus))
    return search


def test_scalars_with_an_effect_reach_their_optimum_and_others_stay() -> None:
    for noise in (0.0, 0.5):
        values = searched(noise).values
        assert abs(values[0] - OPTIMUM[0]) < 0.9 and abs(values[1] - OPTIMUM[1]) < 0.9
        assert max(map(abs, values[2:])) < 0.7


def test_noise_alone_moves_little_and_its_signal_to_noise_says_so() -> None:
    search = searched(noise=100.0, comparisons=20)
    assert max(map(abs, search.values)) < 1.0
    early = PairedSearch([0.0], 0)
    assert early.signal_to_noise() == [0.0]


def on_noise(seed: int) -> PairedSearch:
    generator = torch.Generator().manual_seed(seed)
    search = PairedSearch([0.0] * 15, seed)
    for first, second in torch.randn(24, 2, generator=generator).tolist():
        search.propose()
        search.report(first, second)
    return search


def test_noise_alone_moves_nothing_in_most_searches() -> None:
    searches = [on_noise(seed) for seed in range(60)]
    assert sum(any(search.values) for search in searches) <= 6


def test_nothing_moves_before_every_direction_was_compared() -> None:
    search = searched(0.0, comparisons=7)
    assert not any(search.values) and not any(search.signal_to_noise())
    assert any(searched(0.0, comparisons=8).signal_to_noise())


def test_a_scalar_returns_to_its_start_when_its_signal_vanishes() -> None:
    search = searched(0.0, comparisons=20)
    assert search.values[0] > 0.3
    for _ in range(60):
        search.propose()
        search.report(*(5 * torch.randn(2, generator=search._generator)).tolist())
    assert search.values[0] < 0.1


def test_the_signal_to_noise_is_positive_where_larger_values_are_worse() -> None:
    ratios = searched(0.3, comparisons=8).signal_to_noise()
    assert ratios[0] < 0 < ratios[1]


def test_a_search_continues_from_its_state() -> None:
    first = searched(0.5, comparisons=6)
    other = PairedSearch([0.0] * 4, seed=7)
    other.load_state_dict(first.state_dict())
    assert other.propose() == first.propose()
    other.report(0.3, 0.1)
    first.report(0.3, 0.1)
    assert other.values == first.values

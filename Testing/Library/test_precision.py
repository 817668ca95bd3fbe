"""Which number format forward passes are computed in."""

from __future__ import annotations

import pytest
import torch

from GenSegLib.computing.devices import choose_precision

CPU = torch.device("cpu")


def format_of_products(precision: str) -> torch.dtype:
    with choose_precision(CPU, precision)():
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon Processor"}, torch.float32),
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC"}, torch.bfloat16),
        ({"cpu_name": "AMD EPYC"}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_a_processor_computes_in_bfloat16_where_that_is_faster(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, object], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert format_of_products("auto") == expected


@pytest.mark.parametrize(
    ("precision", "expected"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_a_format_that_is_named_is_taken(precision: str, expected: torch.dtype) -> None:
    assert format_of_products(precision) == expected

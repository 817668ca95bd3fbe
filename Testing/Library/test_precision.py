"""The data type of forward passes."""

from __future__ import annotations

import pytest
import torch

from GenSegLib.computing.devices import choose_precision

CPU = torch.device("cpu")


def dtype_of_product(precision: str) -> torch.dtype:
    with choose_precision(CPU, precision)():
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon Processor"}, torch.float32),
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC"}, torch.bfloat16),
        ({"cpu_name": "AMD EPYC"}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_selects_bfloat16_on_cpus_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, object], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert dtype_of_product("auto") == expected


@pytest.mark.parametrize(
    ("precision", "expected"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_a_specified_precision_is_used(precision: str, expected: torch.dtype) -> None:
    assert dtype_of_product(precision) == expected

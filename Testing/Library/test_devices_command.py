"""`genseg devices`, which the panel reads."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from GenSegLib.cli import main
from GenSegLib.computing.devices import choose_device, list_devices

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch on a machine with two CUDA GPUs."""
    gpus = [
        SimpleNamespace(name="NVIDIA H200", total_memory=150_000_000_000),
        SimpleNamespace(name="Quadro P1000", total_memory=4 * 2**30),
    ]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "get_device_properties", gpus.__getitem__)


def devices_as_json(capture: Capture) -> list[dict[str, object]]:
    assert main(["devices", "--json"]) == 0
    return json.loads(capture.readouterr().out)


def test_each_listed_device_can_be_chosen_and_auto_takes_the_first(capsys: Capture) -> None:
    names = [str(device["name"]) for device in devices_as_json(capsys)]
    assert [str(choose_device(name)) for name in names] == names
    assert names[0].split(":")[0] == choose_device("auto").type
    assert "cpu" in names


def test_an_apple_gpu_is_used_only_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    assert choose_device("mps").type == "mps"


@pytest.mark.usefixtures("two_gpus")
def test_gpus_are_listed_by_number_with_their_memory(capsys: Capture) -> None:
    assert devices_as_json(capsys)[:2] == [
        {"name": "cuda:0", "title": "NVIDIA H200", "memory_gb": 139.7},
        {"name": "cuda:1", "title": "Quadro P1000", "memory_gb": 4.0},
    ]
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["cuda:0   NVIDIA H200, 139.7 GB", "cuda:1   Quadro P1000, 4 GB"]
    assert lines[-1].startswith("cpu      CPU, ")


def test_the_cpu_has_main_memory() -> None:
    (cpu,) = (device for device in list_devices() if device.name == "cpu")
    assert cpu.memory_gb is None or cpu.memory_gb > 0.5

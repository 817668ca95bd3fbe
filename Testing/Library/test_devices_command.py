"""`genseg devices`: what the panel asks the training's Python."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from GenSegLib.cli import main
from GenSegLib.computing.devices import choose_device, list_devices

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's answers on a machine with two CUDA cards."""
    cards = [
        SimpleNamespace(name="NVIDIA H200", total_memory=150_000_000_000),
        SimpleNamespace(name="Quadro P1000", total_memory=4 * 2**30),
    ]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
    monkeypatch.setattr(torch.cuda, "get_device_properties", cards.__getitem__)


def devices_as_json(capture: Capture) -> list[dict[str, object]]:
    assert main(["devices", "--json"]) == 0
    lines = capture.readouterr().out.splitlines()
    assert len(lines) == 1
    return json.loads(lines[0])


def test_programs_get_one_json_list(capsys: Capture) -> None:
    devices = devices_as_json(capsys)
    assert all(set(device) == {"name", "title", "memory_gb"} for device in devices)
    (cpu,) = (device for device in devices if device["name"] == "cpu")
    assert str(cpu["title"]).startswith("CPU, ")
    assert cpu["memory_gb"] is None or float(str(cpu["memory_gb"])) > 0.5


def test_each_device_can_be_chosen_by_its_name() -> None:
    names = [device.name for device in list_devices()]
    assert [str(choose_device(name)) for name in names] == names
    assert "cpu" in names


def test_the_device_that_auto_takes_is_listed_first() -> None:
    assert list_devices()[0].name.split(":")[0] == choose_device("auto").type


def test_an_apple_card_is_taken_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    assert choose_device("mps").type == "mps"


@pytest.mark.usefixtures("two_cards")
def test_cards_are_listed_by_number_with_their_memory(capsys: Capture) -> None:
    devices = devices_as_json(capsys)
    assert devices[:2] == [
        {"name": "cuda:0", "title": "NVIDIA H200", "memory_gb": 139.7},
        {"name": "cuda:1", "title": "Quadro P1000", "memory_gb": 4.0},
    ]


@pytest.mark.usefixtures("two_cards")
def test_people_get_a_line_a_device(capsys: Capture) -> None:
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["cuda:0   NVIDIA H200, 139.7 GB", "cuda:1   Quadro P1000, 4 GB"]
    assert lines[-1].startswith("cpu      CPU, ")


def test_a_system_that_does_not_tell_its_memory_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.delattr("os.sysconf")
    assert devices_as_json(capsys)[-1]["memory_gb"] is None

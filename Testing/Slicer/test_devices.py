"""Devices for a training, as reported by the Python that would train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from GenSegSlicerLib import Devices, LibraryProcess


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Devices, "_cache", [])
    monkeypatch.setattr(Devices, "_callbacks", [])


def test_simultaneous_queries_start_one_process_and_the_result_is_cached(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []

    class CountedProcess(LibraryProcess.LibraryProcess):
        def start(self, arguments: Any) -> None:
            started.append(arguments)
            super().start(arguments)

    monkeypatch.setattr(Devices, "LibraryProcess", CountedProcess)
    results: list[list[dict[str, Any]]] = []
    for _ in range(3):
        Devices.queryDevices(results.append)
    host.wait_until(lambda: len(results) == 3, 60)
    assert results[0][-1]["name"] == "cpu"
    assert "threads" in results[0][-1]["title"]
    Devices.queryDevices(results.append)
    assert results == [results[0]] * 4
    assert len(started) == 1


def test_a_failed_query_returns_no_devices_and_is_not_cached(
    host: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(LibraryProcess, "pythonExecutable", lambda: str(tmp_path / "none"))
    results: list[list[dict[str, Any]]] = []
    Devices.queryDevices(results.append)
    host.wait_until(lambda: results, 60)
    assert results == [[]]
    assert Devices._cache == []

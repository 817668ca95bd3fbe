"""Devices that a training can use, as reported by the Python that would train."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.LibraryProcess import LibraryProcess

Devices = list[dict[str, Any]]
Callback = Callable[[Devices], None]
_cache: Devices = []
_callbacks: list[Callback] = []


def queryDevices(callback: Callback) -> None:
    """Find the available devices without importing PyTorch into Slicer; the result is cached.

    Args:
        callback: called with the devices, fastest first: `name` (such as "cuda:0"), `title` and
            `memory_gb`. The list is empty if the query failed.
    """
    if _cache:
        callback(list(_cache))
        return
    _callbacks.append(callback)
    if len(_callbacks) > 1:  # a query is already running
        return
    process = LibraryProcess()
    process.onFinished = lambda code, message: _invokeCallbacks(_parse(process.output))
    try:
        process.start(["devices", "--json"])
    except GenSegError:
        _invokeCallbacks([])


def _invokeCallbacks(devices: Devices) -> None:
    callbacks = list(_callbacks)
    _callbacks.clear()
    for callback in callbacks:
        callback(list(devices))


def _parse(output: str) -> Devices:
    for line in reversed(output.splitlines()):
        try:
            entries = json.loads(line)
        except ValueError:
            continue
        if isinstance(entries, list):
            _cache[:] = [each for each in entries if isinstance(each, dict) and "name" in each]
            return list(_cache)
    return []

"""What a training can run on, as the Python says that would train."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.LibraryProcess import LibraryProcess

Devices = list[dict[str, Any]]
Answer = Callable[[Devices], None]
_known: Devices = []
_waiting: list[Answer] = []


def askDevices(onAnswer: Answer) -> None:
    """Find the devices without importing PyTorch into Slicer; asked once, then remembered.

    Args:
        onAnswer: called with the devices, the fastest first: `name` (as in "cuda:0"), `title`
            and `memory_gb`. The list is empty where the question could not be answered.
    """
    if _known:
        onAnswer(list(_known))
        return
    _waiting.append(onAnswer)
    if len(_waiting) > 1:  # the same question has been asked and is not answered yet
        return
    process = LibraryProcess()
    process.onFinished = lambda code, message: _answer(_read(process.output))
    try:
        process.start(["devices", "--json"])
    except GenSegError:
        _answer([])


def _answer(devices: Devices) -> None:
    answers = list(_waiting)
    _waiting.clear()
    for onAnswer in answers:
        onAnswer(list(devices))


def _read(output: str) -> Devices:
    for line in reversed(output.splitlines()):
        try:
            listed = json.loads(line)
        except ValueError:
            continue
        if isinstance(listed, list):
            _known[:] = [each for each in listed if isinstance(each, dict) and "name" in each]
            return list(_known)
    return []

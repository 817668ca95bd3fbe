"""The desktop host for the tests of the Slicer module: installed once, a clean scene for each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest


def _start() -> tuple[Any, list[BaseException]]:
    """Give the 3D Slicer that runs this, or else the desktop host, and where it notes errors."""
    if "PythonQt" in sys.modules:
        from InSlicer.running_slicer import RunningSlicer

        application = RunningSlicer()
        return application, application.slot_errors
    import Host

    return Host.install(), Host.signals.slot_errors


_host, _slot_errors = _start()


@pytest.fixture
def host() -> Any:
    """The application: `host.wait_until(condition, timeout_s)`, `host.process_events()`."""
    return _host


@pytest.fixture
def scene(host: Any) -> Iterator[Any]:
    """The application's scene, empty but for the singletons; closed after the test."""
    import slicer

    slicer.mrmlScene.Clear(0)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)
    host.process_events()


@pytest.fixture(autouse=True)
def _no_error_in_a_slot() -> Iterator[None]:
    """PythonQt prints what goes wrong in a slot and goes on; a test shall fail of it."""
    _slot_errors.clear()
    yield
    assert not _slot_errors

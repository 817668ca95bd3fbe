"""Fixtures for tests of the Slicer module: the application, the desktop host or a real Slicer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

IN_SLICER = "PythonQt" in sys.modules


def start_application() -> tuple[Any, list[BaseException]]:
    """Return the driver of the real Slicer or the host, and its list of slot errors."""
    if IN_SLICER:
        from InSlicer.running_slicer import RunningSlicer

        application = RunningSlicer()
        return application, application.slot_errors
    import Host

    return Host.install(), Host.signals.slot_errors


_host, _slot_errors = start_application()


@pytest.fixture(scope="session")
def host() -> Any:
    """The application's driver: `wait_until(condition, timeout_s)`, `process_events()`."""
    return _host


def reset_application() -> None:
    """Close the scene and show the four views that Slicer starts with."""
    import slicer

    slicer.mrmlScene.Clear(0)
    four = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    if slicer.app.layoutManager():
        slicer.app.layoutManager().setLayout(four)


@pytest.fixture
def scene(host: Any) -> Iterator[Any]:
    """The application's scene, closed before and after the test."""
    import slicer

    reset_application()
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)
    host.process_events()


@pytest.fixture(autouse=True)
def no_error_in_a_slot() -> Iterator[None]:
    """Fail on errors in slots, which PythonQt only prints."""
    _slot_errors.clear()
    yield
    assert not _slot_errors

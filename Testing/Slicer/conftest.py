"""The desktop host for the tests of the Slicer module: installed once, a clean scene for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import Host
import pytest

_host = Host.install()


@pytest.fixture
def host() -> Any:
    """The desktop host: `host.wait_until(condition, timeout_s)`, `host.process_events()`."""
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
    from Host import signals

    signals.slot_errors.clear()
    yield
    assert not signals.slot_errors

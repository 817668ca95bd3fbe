"""The desktop host for the tests of the Slicer module: installed once, a clean scene for each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

IN_SLICER = "PythonQt" in sys.modules

# pyproject.toml names the platforms and the versions of Python that have a package of slicer-core.
CAN_RUN = IN_SLICER or find_spec("slicer_core") is not None

collect_ignore_glob = ["test_host_*.py"] if IN_SLICER else [] if CAN_RUN else ["test_*.py"]


def pytest_report_header() -> list[str]:
    """Say so where the tests of the Slicer module are left out."""
    return [] if CAN_RUN else ["Testing/Slicer is left out: there is no slicer-core here"]


def _start() -> tuple[Any, list[BaseException]]:
    """Give the 3D Slicer that runs this, or else the desktop host, and where it notes errors."""
    if IN_SLICER:
        from InSlicer.running_slicer import RunningSlicer

        application = RunningSlicer()
        return application, application.slot_errors
    import Host

    return Host.install(), Host.signals.slot_errors


_host, _slot_errors = _start() if CAN_RUN else (None, [])


@pytest.fixture(scope="session")
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


@pytest.fixture(autouse=True)
def _own_modules() -> Iterator[None]:
    """A module that a test reloads is another one; the other tests go on with theirs."""
    ours = {name: sys.modules[name] for name in sys.modules if name.startswith("GenSegSlicerLib")}
    yield
    sys.modules.update(ours)


def _forget_runs() -> None:
    import qt

    qt.QSettings().remove("GenSegSlicer")


@pytest.fixture(autouse=True, scope="module")
def _settings_of_the_file(host: Any) -> None:
    """No run is remembered from the tests of another file."""
    _forget_runs()


@pytest.fixture
def fresh_settings(host: Any) -> Iterator[None]:
    """No run is remembered from another test."""
    _forget_runs()
    yield
    _forget_runs()

"""Fixtures for the tests of the Slicer module, in the desktop host or in a real Slicer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

# pyproject.toml lists the platforms and Python versions with a package of slicer-core.
CAN_RUN = "PythonQt" in sys.modules or find_spec("slicer_core") is not None

if CAN_RUN:
    from application_fixtures import host, no_error_in_a_slot, scene

    __all__ = ["host", "no_error_in_a_slot", "scene"]
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> list[str]:
    """Report that the tests of the Slicer module are skipped."""
    return [] if CAN_RUN else ["Testing/Slicer is skipped: slicer-core is not installed"]


@pytest.fixture(autouse=True)
def _restore_modules() -> Iterator[None]:
    """Restore the modules of the panel that a test reloads."""
    ours = {name: sys.modules[name] for name in sys.modules if name.startswith("GenSegSlicerLib")}
    yield
    sys.modules.update(ours)


def _clear_settings() -> None:
    import qt

    qt.QSettings().remove("GenSegSlicer")


@pytest.fixture(autouse=True, scope="module")
def _fresh_settings_per_file(host: Any) -> None:
    """Clear the remembered runs before each file."""
    _clear_settings()


@pytest.fixture
def fresh_settings(host: Any) -> Iterator[None]:
    """Clear the remembered runs before and after a test."""
    _clear_settings()
    yield
    _clear_settings()

"""Fixtures for the tests of the desktop host itself, which a real Slicer does not run."""

from __future__ import annotations

import sys
from importlib.util import find_spec

if find_spec("slicer_core") is not None and "PythonQt" not in sys.modules:
    from application_fixtures import host, no_error_in_a_slot, scene

    __all__ = ["host", "no_error_in_a_slot", "scene"]
else:
    collect_ignore_glob = ["test_*.py"]

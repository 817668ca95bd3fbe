"""The module's own test of the application, run in the desktop host."""

from __future__ import annotations

import unittest
from typing import Any

import pytest
from GenSegSlicerLib import Dependencies, SelfTest


def run_by_unittest(scene: Any) -> unittest.TestResult:
    """Run it as CTest does, through slicer.testing.runUnitTest."""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(SelfTest.GenSegSlicerTest)
    result = unittest.TestResult()
    suite.run(result)
    return result


def test_a_model_is_trained_on_phantoms_and_applied_in_the_application(scene: Any) -> None:
    result = run_by_unittest(scene)
    assert [trace for _, trace in result.errors + result.failures] == []
    assert result.skipped == []
    assert result.testsRun == 1


def test_it_says_what_is_missing_where_pytorch_is_not_installed(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dependencies, "missing", lambda: ["torch", "monai"])
    result = run_by_unittest(scene)
    assert [reason for _, reason in result.skipped] == ["not installed in Slicer yet: torch, monai"]


def test_reload_and_test_says_why_it_is_skipped(
    scene: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Dependencies, "missing", lambda: ["torch", "monai"])
    caplog.set_level("INFO")
    SelfTest.GenSegSlicerTest().runTest()
    assert "Skipped: not installed in Slicer yet: torch, monai" in caplog.messages


def test_reload_and_test_runs_the_test_and_shows_what_fails(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(test: SelfTest.GenSegSlicerTest) -> None:
        raise AssertionError("not alike")

    monkeypatch.setattr(SelfTest.GenSegSlicerTest, "test_trainAndApply", fail)
    with pytest.raises(AssertionError, match="not alike"):
        SelfTest.GenSegSlicerTest().runTest()

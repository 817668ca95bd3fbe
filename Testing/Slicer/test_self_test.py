"""The module's self-test, run in the desktop host."""

from __future__ import annotations

import unittest
from typing import Any

import pytest
from GenSegSlicerLib import Dependencies, SelfTest


def run_by_unittest(scene: Any) -> unittest.TestResult:
    """Run it as `slicer.testing.runUnitTest` does for CTest."""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(SelfTest.GenSegSlicerTest)
    result = unittest.TestResult()
    suite.run(result)
    return result


def test_a_model_is_trained_on_phantoms_and_applied(scene: Any) -> None:
    result = run_by_unittest(scene)
    assert [trace for _, trace in result.errors + result.failures] == []
    assert result.skipped == []
    assert result.testsRun == 1


def test_it_is_skipped_with_a_reason_without_pytorch(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dependencies, "missingPackages", lambda: ["torch", "monai"])
    result = run_by_unittest(scene)
    assert [reason for _, reason in result.skipped] == ["not installed in Slicer: torch, monai"]


def test_reload_and_test_logs_why_it_is_skipped(
    scene: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Dependencies, "missingPackages", lambda: ["torch", "monai"])
    caplog.set_level("INFO")
    SelfTest.GenSegSlicerTest().runTest()
    assert "Skipped: not installed in Slicer: torch, monai" in caplog.messages


def test_reload_and_test_raises_on_failure(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(test: SelfTest.GenSegSlicerTest) -> None:
        raise AssertionError("different")

    monkeypatch.setattr(SelfTest.GenSegSlicerTest, "test_trainAndApply", fail)
    with pytest.raises(AssertionError, match="different"):
        SelfTest.GenSegSlicerTest().runTest()

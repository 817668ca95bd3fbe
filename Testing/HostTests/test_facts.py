"""The host's widgets have the properties, signals and slots recorded in a running Slicer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from Host.facts import OMITTED, QT5_ONLY, observations, recorded_classes


def _class(name: str) -> Any:
    module, _, kind = name.partition(".")
    return getattr(sys.modules[module], kind, None)


_PROVIDED = sorted(name for name in recorded_classes() if _class(name) is not None)

# Initial values that depend on the style, the version of Qt, or the layout
_VARYING = {"html", "width", "height", "mouseTracking", "focusPolicy", "clearButtonEnabled"}


def _omitted(name: str) -> frozenset[str]:
    return QT5_ONLY | OMITTED.get(name, frozenset())


def test_the_host_provides_the_widgets_of_the_panel() -> None:
    ui_file = Path(__file__).parents[2] / "GenSegSlicer/Resources/UI/GenSegSlicer.ui"
    used = {widget.get("class") for widget in ElementTree.parse(ui_file).iter("widget")}
    assert used - {"QFrame"} <= {name.partition(".")[2] for name in _PROVIDED}


@pytest.mark.parametrize("name", _PROVIDED)
def test_a_class_matches_the_recording(name: str) -> None:
    widget, facts = _class(name)(), recorded_classes()[name]
    for each in facts.properties.keys() - _omitted(name):
        value, initial = getattr(widget, each), facts.properties[each]
        is_comparable = isinstance(initial, (bool, int, float)) or isinstance(value, str)
        if is_comparable and each not in _VARYING:
            assert value == initial, f"{each}: {value!r}, recorded {initial!r}"
    signals = facts.signals - _omitted(name)
    assert [each for each in signals if not widget.connect(each, lambda: None)] == []
    slots = {each.partition("(")[0] for each in facts.slots} - _omitted(name)
    assert [each for each in slots if not callable(getattr(widget, each, None))] == []


@pytest.mark.parametrize("name", sorted(OMITTED))
def test_omissions_are_really_omitted(name: str) -> None:
    widget = _class(name)()
    for each in OMITTED[name]:
        exists = widget.connect(each, lambda: None) if "(" in each else hasattr(widget, each)
        assert not exists, each


@pytest.mark.parametrize("situation", sorted(observations()))
def test_what_was_observed_in_slicer_has_a_source_and_a_test(situation: str) -> None:
    fact = observations()[situation]
    assert fact["observed"]
    assert fact["source"]
    if "test" in fact:
        file, _, name = fact["test"].partition("::")
        source = (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert f"def {name}(" in source

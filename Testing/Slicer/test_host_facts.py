"""The host's widgets have what a running Slicer was recorded to have."""

from __future__ import annotations

from typing import Any

import ctk
import pytest
import qt
import slicer
from Host.facts import ABSENT, LEFT_OUT, QT5_ONLY, recorded

_MODULES = {"qt": qt, "ctk": ctk, "slicer": slicer}
_OFFERED = sorted(set(recorded()) - ABSENT)

# First values that depend on the style, the version of Qt, or how a widget is laid out
_UNLIKE = {"html", "width", "height", "mouseTracking", "focusPolicy", "clearButtonEnabled"}


def _class(name: str) -> Any:
    module, _, kind = name.partition(".")
    return getattr(_MODULES[module], kind)


def _left_out(name: str) -> frozenset[str]:
    return QT5_ONLY | LEFT_OUT.get(name, frozenset())


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_a_class_that_is_said_to_be_absent_is_absent(name: str) -> None:
    module, _, kind = name.partition(".")
    assert not hasattr(_MODULES[module], kind)


@pytest.mark.parametrize("name", _OFFERED)
def test_a_class_has_the_recorded_properties_with_their_first_values(name: str) -> None:
    widget = _class(name)()
    for each, first in recorded()[name].properties.items():
        if each in _left_out(name):
            continue
        value = getattr(widget, each)
        if isinstance(first, (bool, int, float)) and each not in _UNLIKE:
            assert value == first, f"{each}: {value!r}, recorded {first!r}"
        if isinstance(value, str) and each not in _UNLIKE:
            assert value == first, f"{each}: {value!r}, recorded {first!r}"


@pytest.mark.parametrize("name", _OFFERED)
def test_a_class_has_the_recorded_signals(name: str) -> None:
    widget = _class(name)()
    wanted = recorded()[name].signals - _left_out(name)
    assert {each for each in wanted if not widget.connect(each, lambda: None)} == set()


@pytest.mark.parametrize("name", _OFFERED)
def test_a_class_has_the_recorded_slots(name: str) -> None:
    widget = _class(name)()
    wanted = {each.partition("(")[0] for each in recorded()[name].slots} - _left_out(name)
    assert {each for each in wanted if not callable(getattr(widget, each, None))} == set()


@pytest.mark.parametrize("name", _OFFERED)
def test_nothing_is_said_to_be_left_out_that_is_there(name: str) -> None:
    widget = _class(name)()
    for each in LEFT_OUT.get(name, ()):
        there = widget.connect(each, lambda: None) if "(" in each else hasattr(widget, each)
        assert not there, each

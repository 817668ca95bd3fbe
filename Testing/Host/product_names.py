"""Finds names of widgets' properties, signals and slots in the product that Slicer has not."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .facts import ABSENT, LEFT_OUT, QT5_ONLY, Facts, recorded

# Objects that are no widgets were not recorded: the application, the managers of modules and layout
_SIGNALS_OF_OTHERS = frozenset(
    {
        "aboutToQuit()",
        "layoutChanged(int)",
        "moduleAboutToBeUnloaded(QString)",
        "startupCompleted()",
    }
)

# Signals that have the same name and other arguments: which one a name alone means is chance
_OVERLOADED = frozenset(
    {"activated", "currentIndexChanged", "currentNodeChanged", "highlighted", "valueChanged"}
)

# What Qt's loader of `.ui` files understands beside properties
_OF_THE_LOADER = frozenset({"buddy"})


class Panel:
    """A `.ui` file: its widgets' classes, properties and connections."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tree = ElementTree.parse(path)
        self.classes = {e.get("name"): e.get("class") for e in self._tree.iter("widget")}

    def faults(self) -> Iterator[str]:
        """What the file names that Slicer has not, one line each."""
        for widget in self._tree.iter("widget"):
            yield from self._property_faults(widget)
        for connection in self._tree.iter("connection"):
            yield from self._connection_faults(connection)

    def _property_faults(self, widget: ElementTree.Element) -> Iterator[str]:
        facts = facts_by_class(widget.get("class"))
        if facts is None:
            return
        for each in widget.findall("property"):
            known = each.get("stdset") == "0" or each.get("name") in _OF_THE_LOADER
            if not known and each.get("name") not in facts.properties:
                yield f"{self.path.name}: {widget.get('name')} has no property {each.get('name')}"

    def _connection_faults(self, connection: ElementTree.Element) -> Iterator[str]:
        ends = {"signal": ("sender", "signals"), "slot": ("receiver", "slots")}
        for end, (widget, kind) in ends.items():
            facts = facts_by_class(self.classes.get(connection.findtext(widget)))
            signature = connection.findtext(end)
            if facts is not None and signature not in getattr(facts, kind):
                name = connection.findtext(widget)
                yield f"{self.path.name}: {name} has no {end} {signature}"


def facts_by_class(name: str | None) -> Facts | None:
    """The recording of a class named as in a `.ui` file; None where it was not recorded."""
    found = (recorded().get(f"{module}.{name}") for module in ("qt", "ctk", "slicer"))
    return next((each for each in found if each is not None), None)


def python_faults(path: Path, classes: dict[str, str]) -> Iterator[str]:
    """What a Python file of the product names that Slicer has not, one line each.

    Args:
        path: the file.
        classes: the panel's widgets, name -> class; they are used as `ui.NAME`.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        line = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call):
            yield from (f"{line}: {fault}" for fault in _call_faults(node, classes))
        if isinstance(node, ast.Attribute):
            yield from (f"{line}: {fault}" for fault in _attribute_faults(node, classes))
        if isinstance(node, ast.Assign):
            yield from (f"{line}: {fault}" for fault in _assignment_faults(node, classes))


def _call_faults(call: ast.Call, classes: dict[str, str]) -> Iterator[str]:
    """A signal that does not exist or is not clear, a property that is called, a keyword."""
    if not isinstance(call.func, ast.Attribute):
        return
    yield from _keyword_faults(call, call.func, classes)
    facts = _facts_of_widget(call.func.value, classes)
    first = call.args[0] if call.args else None
    if call.func.attr in ("connect", "disconnect") and isinstance(first, ast.Constant):
        signature = str(first.value)
        known = facts.signals if facts is not None else _all_signals()
        if signature not in known or signature in QT5_ONLY:
            yield f"no signal {signature}"
    elif call.func.attr == "connect" and isinstance(call.func.value, ast.Attribute):
        if call.func.value.attr in _OVERLOADED:
            yield f"{call.func.value.attr} has several signatures: connect one by its signature"
    elif facts is not None and call.func.attr in set(facts.properties) - _names(facts.slots):
        yield f"{call.func.attr} is a property and no method"


def _keyword_faults(
    call: ast.Call, method: ast.Attribute, classes: dict[str, str]
) -> Iterator[str]:
    """PythonQt drops what is handed to Qt by keyword, without a word."""
    name = ast.unparse(method)
    is_qt = name.startswith(("qt.", "ctk.", "slicer.q"))
    if call.keywords and (is_qt or _facts_of_widget(method.value, classes) is not None):
        yield f"{name} takes no arguments by keyword"


def _attribute_faults(attribute: ast.Attribute, classes: dict[str, str]) -> Iterator[str]:
    """A class of widgets that the host cannot show, or a name that it leaves out."""
    name = ast.unparse(attribute)
    if name in ABSENT or (name.startswith("qt.") and not _is_in_qt(name)):
        yield f"the desktop host has no {name}"
    widget = _widget_name(attribute.value)
    kind = classes.get(widget or "")
    left_out = frozenset().union(*(LEFT_OUT.get(f"{m}.{kind}", ()) for m in ("ctk", "slicer")))
    if kind is not None and attribute.attr in left_out | QT5_ONLY:
        yield f"{kind}.{attribute.attr} is left out of the desktop host"


def _assignment_faults(assignment: ast.Assign, classes: dict[str, str]) -> Iterator[str]:
    """A value given to a widget for something that is no property of it."""
    for target in assignment.targets:
        if isinstance(target, ast.Attribute):
            facts = _facts_of_widget(target.value, classes)
            if facts is not None and target.attr not in facts.properties:
                yield f"{ast.unparse(target)} is set, but there is no such property"


def _facts_of_widget(node: ast.expr, classes: dict[str, str]) -> Facts | None:
    return facts_by_class(classes.get(_widget_name(node) or ""))


def _widget_name(node: ast.expr) -> str | None:
    """NAME of `ui.NAME`, `self.ui.NAME` or `self._ui.NAME`."""
    if not isinstance(node, ast.Attribute):
        return None
    holder = ast.unparse(node.value).rpartition(".")[2]
    return node.attr if holder in ("ui", "_ui") else None


def _is_in_qt(name: str) -> bool:
    """Whether Qt 6 has a class, a static method or an enumerator, such as `qt.Qt.AlignLeft`."""
    found: Any = sys.modules["qt"]
    for part in name.partition("(")[0].split(".")[1:]:
        found = getattr(found, part, None)
    return found is not None


def _names(signatures: frozenset[str]) -> set[str]:
    return {each.partition("(")[0] for each in signatures}


def _all_signals() -> frozenset[str]:
    return _SIGNALS_OF_OTHERS.union(*(each.signals for each in recorded().values()))

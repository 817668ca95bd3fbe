"""Find names of properties, signals and slots in a module's files that Slicer does not have."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .facts import OMITTED, QT5_ONLY, Facts, facts_by_name, recorded_classes

# Signals of objects that are not widgets and were not recorded
_APPLICATION_SIGNALS = frozenset(
    (
        *("aboutToQuit()", "layoutChanged(int)", "startupCompleted()"),
        "moduleAboutToBeUnloaded(QString)",
    )
)

# Signals with several signatures: which one PythonQt connects by name is undefined
_OVERLOADED = frozenset(
    {"activated", "currentIndexChanged", "currentNodeChanged", "highlighted", "valueChanged"}
)


class UiFile:
    """A `.ui` file; `classes` maps the names of its widgets to their classes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tree = ElementTree.parse(path)
        self.classes = {e.get("name"): e.get("class") for e in self._tree.iter("widget")}

    def errors(self) -> Iterator[str]:
        """Yield one line for each property and connection that Slicer does not have."""
        for widget in self._tree.iter("widget"):
            yield from self._property_errors(widget)
        for connection in self._tree.iter("connection"):
            yield from self._connection_errors(connection)

    def _property_errors(self, widget: ElementTree.Element) -> Iterator[str]:
        facts = facts_by_name(widget.get("class"))
        for each in widget.findall("property") if facts is not None else ():
            is_for_the_loader = each.get("stdset") == "0" or each.get("name") == "buddy"
            if not is_for_the_loader and each.get("name") not in facts.properties:
                yield f"{self.path.name}: {widget.get('name')} has no property {each.get('name')}"

    def _connection_errors(self, connection: ElementTree.Element) -> Iterator[str]:
        for end, widget, kind in (("signal", "sender", "signals"), ("slot", "receiver", "slots")):
            name, signature = connection.findtext(widget), connection.findtext(end)
            facts = facts_by_name(self.classes.get(name))
            if facts is not None and signature not in getattr(facts, kind):
                yield f"{self.path.name}: {name} has no {end} {signature}"


def python_errors(path: Path, classes: dict[str, str]) -> Iterator[str]:
    """Yield one line for each use in a Python file of a name that Slicer does not have.

    Args:
        path: Python file.
        classes: name -> class of the panel's widgets, which are used as `ui.NAME`.
    """
    checks = {
        ast.Call: _call_errors,
        ast.Attribute: _attribute_errors,
        ast.Assign: _assignment_errors,
    }
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for error in checks[type(node)](node, classes) if type(node) in checks else ():
            yield f"{path.name}:{node.lineno}: {error}"


def _call_errors(call: ast.Call, classes: dict[str, str]) -> Iterator[str]:
    """Check a method call: unknown or ambiguous signal, property called, keyword argument."""
    if not isinstance(call.func, ast.Attribute):
        return
    name, facts = ast.unparse(call.func), _facts_of_widget(call.func.value, classes)
    if call.keywords and (name.startswith(("qt.", "ctk.", "slicer.q")) or facts is not None):
        yield f"{name} takes no keyword arguments"  # PythonQt silently drops them
    first = call.args[0] if call.args else None
    slots = {each.partition("(")[0] for each in facts.slots} if facts is not None else set()
    if call.func.attr in ("connect", "disconnect") and isinstance(first, ast.Constant):
        signature = str(first.value)
        known = facts.signals if facts is not None else _all_signals()
        if signature not in known or signature in QT5_ONLY:
            yield f"no signal {signature}"
    elif call.func.attr == "connect" and isinstance(call.func.value, ast.Attribute):
        if call.func.value.attr in _OVERLOADED:
            yield f"{call.func.value.attr} has several signatures: connect one by its signature"
    elif facts is not None and call.func.attr in set(facts.properties) - slots:
        yield f"{call.func.attr} is a property, not a method"


def _attribute_errors(attribute: ast.Attribute, classes: dict[str, str]) -> Iterator[str]:
    """Check an attribute: a class that the host does not have, or an omitted member."""
    name = ast.unparse(attribute)
    if name.startswith(("qt.", "ctk.", "slicer.qMRML")) and not _exists(name):
        yield f"the desktop host has no {name}"
    kind = classes.get(_widget_name(attribute.value) or "")
    omitted = QT5_ONLY.union(*(OMITTED.get(f"{module}.{kind}", ()) for module in ("ctk", "slicer")))
    if kind is not None and attribute.attr in omitted:
        yield f"the desktop host omits {kind}.{attribute.attr}"


def _assignment_errors(assignment: ast.Assign, classes: dict[str, str]) -> Iterator[str]:
    """Check an assignment to an attribute of a widget that is not a property."""
    for target in assignment.targets:
        if isinstance(target, ast.Attribute):
            facts = _facts_of_widget(target.value, classes)
            if facts is not None and target.attr not in facts.properties:
                yield f"{ast.unparse(target)} is set, but is not a property"


def _facts_of_widget(node: ast.expr, classes: dict[str, str]) -> Facts | None:
    return facts_by_name(classes.get(_widget_name(node) or ""))


def _widget_name(node: ast.expr) -> str | None:
    """NAME of `ui.NAME`, `self.ui.NAME` or `self._ui.NAME`."""
    if not isinstance(node, ast.Attribute):
        return None
    holder = ast.unparse(node.value).rpartition(".")[2]
    return node.attr if holder in ("ui", "_ui") else None


def _exists(name: str) -> bool:
    """Whether the host has a class, static method or enumerator, such as `qt.Qt.AlignLeft`."""
    module, *parts = name.partition("(")[0].split(".")
    found: Any = sys.modules[module]
    for part in parts:
        found = getattr(found, part, None)
    return found is not None


def _all_signals() -> frozenset[str]:
    return _APPLICATION_SIGNALS.union(*(each.signals for each in recorded_classes().values()))

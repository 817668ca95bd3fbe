"""Serialization of values in a parameter node, under the same names as in Slicer."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

import slicer

from .annotations import IsInstance, NotNone, Validator, splitAnnotations
from .containers import ObservedDict, ObservedList


class Serializer:
    """Write values of one type to a parameter node and read them.

    Args:
        default: initial value if the class sets none.
        validators: called before each write.
        from_text: convert a parameter's text to a value.
    """

    def __init__(
        self,
        default: Any,
        validators: list[Validator],
        from_text: Callable[[str], Any] = str,
    ) -> None:
        self.default = default
        self.validators = validators
        self._from_text = from_text

    def validate(self, value: Any) -> None:
        for each in self.validators:
            each.validate(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        return self._from_text(node.GetParameter(name))

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class NodeSerializer(Serializer):
    """A node reference; an empty parameter marks that it is set."""

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class TupleSerializer(Serializer):
    """Several values: `name.0`, `name.1`."""

    def __init__(self, parts: list[Serializer]) -> None:
        super().__init__(tuple(each.default for each in parts), [])
        self._parts = parts

    def write(self, node: Any, name: str, value: Any) -> None:
        values = tuple(value)
        if len(values) != len(self._parts):
            raise ValueError(f"{name} takes {len(self._parts)} values, got {len(values)}")
        self.validate(value)
        with slicer.util.NodeModify(node):
            for index, (part, each) in enumerate(zip(self._parts, values)):
                part.write(node, f"{name}.{index}", each)

    def read(self, node: Any, name: str) -> Any:
        return tuple(part.read(node, f"{name}.{i}") for i, part in enumerate(self._parts))

    def is_in(self, node: Any, name: str) -> bool:
        return self._parts[0].is_in(node, f"{name}.0")

    def remove(self, node: Any, name: str) -> None:
        with slicer.util.NodeModify(node):
            for index, part in enumerate(self._parts):
                part.remove(node, f"{name}.{index}")


class ListSerializer(Serializer):
    """A list: `name.len`, then `name.0`, `name.1`."""

    def __init__(self, item: Serializer) -> None:
        super().__init__([], [])
        self._item = item

    def write(self, node: Any, name: str, value: Any) -> None:
        values = list(value)
        self.validate(values)
        previous = self._values(node, name) if self.is_in(node, name) else None
        with slicer.util.NodeModify(node):
            try:
                self._write_items(node, name, values)
            except Exception:
                self.remove(node, name)
                if previous is not None:
                    self._write_items(node, name, previous)
                raise

    def _write_items(self, node: Any, name: str, values: list[Any]) -> None:
        for index, each in enumerate(values):
            self._item.write(node, f"{name}.{index}", each)
        for index in range(len(values), self._length(node, name)):
            self._item.remove(node, f"{name}.{index}")
        node.SetParameter(f"{name}.len", str(len(values)))

    def _length(self, node: Any, name: str) -> int:
        return int(node.GetParameter(f"{name}.len") or 0)

    def _values(self, node: Any, name: str) -> list[Any]:
        return [
            self._item.read(node, f"{name}.{index}") for index in range(self._length(node, name))
        ]

    def read(self, node: Any, name: str) -> Any:
        return ObservedList(self._values(node, name), lambda new: self.write(node, name, new))

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def remove(self, node: Any, name: str) -> None:
        with slicer.util.NodeModify(node):
            for index in range(self._length(node, name)):
                self._item.remove(node, f"{name}.{index}")
            node.UnsetParameter(f"{name}.len")


class DictSerializer(ListSerializer):
    """A dictionary: a list of key-value pairs."""

    def __init__(self, key: Serializer, value: Serializer) -> None:
        super().__init__(TupleSerializer([key, value]))
        self.default = {}

    def write(self, node: Any, name: str, value: Any) -> None:
        super().write(node, name, value.items())

    def read(self, node: Any, name: str) -> Any:
        values = dict(self._values(node, name))
        return ObservedDict(values, lambda new: self.write(node, name, new))


def serializer_of(datatype: Any) -> Serializer:
    """Create the serializer of an annotated type.

    Raises:
        TypeError: if the host has none for the type.
    """
    bare, annotations = splitAnnotations(datatype)
    serializer = _serializer_of_bare(bare)
    validators = [each for each in annotations if isinstance(each, Validator)]
    serializer.validators = serializer.validators + validators
    return serializer


def _serializer_of_bare(bare: Any) -> Serializer:
    containers = {list: ListSerializer, dict: DictSerializer}
    origin = typing.get_origin(bare)
    if origin in containers:
        return containers[origin](*(serializer_of(each) for each in typing.get_args(bare)))
    if bare is bool:
        return Serializer(False, [NotNone(), IsInstance(bool)], lambda text: text == "True")
    if bare is float:
        return Serializer(0, [NotNone(), IsInstance((int, float))], float)
    if bare in (int, str):
        return Serializer(bare(), [NotNone(), IsInstance(bare)], bare)
    if isinstance(bare, type) and issubclass(bare, slicer.vtkMRMLNode):
        return NodeSerializer(None, [IsInstance(bare)])
    raise TypeError(f"The desktop host serializes no {bare}")

"""How values of each type lie in a parameter node. The names in the node are Slicer's."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any

import slicer

from .annotations import IsInstance, NotNone, Validator, splitAnnotations
from .containers import ObservedDict, ObservedList


class Storage:
    """Writes values of one type to a parameter node and reads them back.

    Args:
        default: value where the class says none.
        validators: asked before each write.
        to_text: the parameter's text for a value.
        from_text: the value for the parameter's text.
    """

    def __init__(
        self,
        default: Any,
        validators: list[Validator],
        to_text: Callable[[Any], str] = str,
        from_text: Callable[[str], Any] = str,
    ) -> None:
        self.default = default
        self.validators = validators
        self._to_text = to_text
        self._from_text = from_text

    def validate(self, value: Any) -> None:
        for each in self.validators:
            each.validate(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, self._to_text(value))

    def read(self, node: Any, name: str) -> Any:
        return self._from_text(node.GetParameter(name))

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class NodeStorage(Storage):
    """A node is a reference; an empty parameter says that there is one."""

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class TupleStorage(Storage):
    """Values side by side: `name.0`, `name.1`."""

    def __init__(self, parts: list[Storage]) -> None:
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


class ListStorage(Storage):
    """A list: `name.len`, then `name.0`, `name.1`. What is read writes itself when changed."""

    def __init__(self, item: Storage) -> None:
        super().__init__([], [])
        self._item = item

    def write(self, node: Any, name: str, value: Any) -> None:
        values = list(value)
        self.validate(values)
        before = self.read_plain(node, name) if self.is_in(node, name) else None
        with slicer.util.NodeModify(node):
            try:
                self._write_items(node, name, values)
            except Exception:
                self.remove(node, name)
                if before is not None:
                    self._write_items(node, name, before)
                raise

    def _write_items(self, node: Any, name: str, values: list[Any]) -> None:
        for index, each in enumerate(values):
            self._item.write(node, f"{name}.{index}", each)
        for index in range(len(values), self._length(node, name)):
            self._item.remove(node, f"{name}.{index}")
        node.SetParameter(f"{name}.len", str(len(values)))

    def _length(self, node: Any, name: str) -> int:
        return int(node.GetParameter(f"{name}.len") or 0)

    def read_plain(self, node: Any, name: str) -> list[Any]:
        count = self._length(node, name)
        return [self._item.read(node, f"{name}.{index}") for index in range(count)]

    def read(self, node: Any, name: str) -> Any:
        return ObservedList(self.read_plain(node, name), lambda new: self.write(node, name, new))

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def remove(self, node: Any, name: str) -> None:
        with slicer.util.NodeModify(node):
            for index in range(self._length(node, name)):
                self._item.remove(node, f"{name}.{index}")
            node.UnsetParameter(f"{name}.len")


class DictStorage(ListStorage):
    """A dictionary: a list of pairs, in order."""

    def __init__(self, key: Storage, value: Storage) -> None:
        super().__init__(TupleStorage([key, value]))
        self.default = {}

    def write(self, node: Any, name: str, value: Any) -> None:
        super().write(node, name, value.items())

    def read(self, node: Any, name: str) -> Any:
        values = dict(self.read_plain(node, name))
        return ObservedDict(values, lambda new: self.write(node, name, new))


class UnionStorage(Storage):
    """One of several types: `name.INDEX` of the type that the value has."""

    def __init__(self, kinds: list[Any]) -> None:
        self._kinds = kinds
        self._parts = [storage_of(each) for each in kinds]
        optional = len(kinds) == 2 and kinds[1] is type(None)
        super().__init__(None if optional else self._parts[0].default, [])

    def write(self, node: Any, name: str, value: Any) -> None:
        index = self._index(value)
        self.validate(value)
        self._parts[index].validate(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            self._parts[index].write(node, f"{name}.{index}", value)

    def _index(self, value: Any) -> int:
        for index, kind in enumerate(self._kinds):
            if isinstance(value, typing.get_origin(kind) or kind):
                return index
        raise TypeError(f"Value must be one of {self._kinds}, is {value!r}")

    def read(self, node: Any, name: str) -> Any:
        for index, part in enumerate(self._parts):
            if part.is_in(node, f"{name}.{index}"):
                return part.read(node, f"{name}.{index}")
        raise KeyError(name)

    def is_in(self, node: Any, name: str) -> bool:
        return any(part.is_in(node, f"{name}.{i}") for i, part in enumerate(self._parts))

    def remove(self, node: Any, name: str) -> None:
        for index, part in enumerate(self._parts):
            part.remove(node, f"{name}.{index}")


def storage_of(datatype: Any) -> Storage:
    """The storage of a type with its annotations.

    Raises:
        TypeError: the host stores no such type.
    """
    bare, notes = splitAnnotations(datatype)
    storage = _storage_of_bare(bare)
    storage.validators = storage.validators + [e for e in notes if isinstance(e, Validator)]
    return storage


def _storage_of_bare(bare: Any) -> Storage:
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is list:
        return ListStorage(storage_of(arguments[0]))
    if origin is tuple:
        return TupleStorage([storage_of(each) for each in arguments])
    if origin is dict:
        return DictStorage(*(storage_of(each) for each in arguments))
    if origin is typing.Union or isinstance(bare, getattr(types, "UnionType", ())):
        return UnionStorage(list(arguments))
    if isinstance(bare, type):
        return _storage_of_class(bare)
    raise TypeError(f"The desktop host stores no {bare}")


def _storage_of_class(kind: type) -> Storage:
    checks: list[Validator] = [NotNone(), IsInstance(kind)]
    if kind is bool:
        return Storage(False, checks, str, lambda text: text == "True")
    if kind is int:
        return Storage(0, checks, str, int)
    if kind is float:
        return Storage(0, [NotNone(), IsInstance((int, float))], str, float)
    if kind is str:
        return Storage("", checks)
    if kind is type(None):
        return Storage(None, [], lambda _: "True", lambda _: None)
    if issubclass(kind, pathlib.PurePath):
        return Storage(kind(), checks, str, kind)
    if issubclass(kind, enum.Enum):
        return Storage(next(iter(kind)), checks, lambda each: each.name, lambda name: kind[name])
    if issubclass(kind, slicer.vtkMRMLNode):
        return NodeStorage(None, [IsInstance(kind)])
    raise TypeError(f"The desktop host stores no {kind}")

"""The class decorator: a parameter node whose parameters are typed attributes."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

import slicer
import vtk
from PySide6.QtWidgets import QWidget

from .annotations import Default, findFirstAnnotation, splitAnnotations
from .connectors import Connector, connect
from .serializers import Serializer, serializer_of

__all__ = [
    "SlicerParameterNamePropertyName",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]

SlicerParameterNamePropertyName = "SlicerParameterName"


class _Parameter:
    """A typed attribute of the class."""

    def __init__(self, name: str, datatype: Any, default: Default, serializer: Serializer) -> None:
        self.name = name
        self.datatype = datatype
        self.default = default
        self._serializer = serializer

    def __get__(self, wrapped: Any, kind: type | None = None) -> Any:
        if wrapped is None:
            return self
        return self._serializer.read(wrapped.parameterNode, self.name)

    def __set__(self, wrapped: Any, value: Any) -> None:
        with slicer.util.NodeModify(wrapped.parameterNode):
            self._serializer.write(wrapped.parameterNode, self.name, value)

    def write_default_if_missing(self, node: Any) -> None:
        if not self._serializer.is_in(node, self.name):
            self._serializer.write(node, self.name, self.default.value)


class _Wrapper:
    """Members that the decorator adds to a class."""

    allParameters: typing.ClassVar[dict[str, _Parameter]]
    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None:
        if prefix:
            raise ValueError("The desktop host supports no prefix of parameters")
        self.parameterNode = parameterNode
        self._guis: dict[int, tuple[dict[str, Connector], int]] = {}
        self._is_updating = False
        for each in self.allParameters.values():
            each.write_default_if_missing(parameterNode)

    def default(self, name: str) -> Default:
        return self._parameter(name).default

    @classmethod
    def dataType(cls, name: str) -> Any:
        return cls._parameter(name).datatype

    @classmethod
    def _parameter(cls, name: str) -> _Parameter:
        if name not in cls.allParameters:
            raise ValueError(f"{cls.__name__} has no parameter {name}")
        return cls.allParameters[name]

    def getValue(self, name: str) -> Any:
        return getattr(self, self._parameter(name).name)

    def setValue(self, name: str, value: Any) -> None:
        setattr(self, self._parameter(name).name, value)

    def connectGui(self, gui: Any) -> int:
        """Connect widgets by their dynamic property SlicerParameterName.

        Args:
            gui: a widget, or the object of `slicer.util.childWidgetVariables`.
        """
        is_widget = getattr(gui, "isWidgetType", lambda: False)()
        widgets = gui.findChildren(QWidget) if is_widget else vars(gui).values()
        by_name = {each.property(SlicerParameterNamePropertyName): each for each in widgets}
        by_name.pop(None, None)
        return self.connectParametersToGui(by_name)

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Connect widgets by parameter name. Returns the tag for `disconnectGui`."""
        connectors = {
            name: connect(widget, self.dataType(name)) for name, widget in mapping.items()
        }
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.on_changed(self._widget_callback(name, connector))
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update_guis)
        tag = max(self._guis, default=-1) + 1
        self._guis[tag] = connectors, observer
        return tag

    def disconnectGui(self, tag: int) -> None:
        if tag in self._guis:
            connectors, observer = self._guis.pop(tag)
            self.RemoveObserver(observer)
            for each in connectors.values():
                each.on_changed(None)

    def _widget_callback(self, name: str, connector: Connector) -> Callable[[], None]:
        def update_parameter() -> None:
            if not self._is_updating:
                with slicer.util.NodeModify(self.parameterNode):
                    self.setValue(name, connector.read())

        return update_parameter

    def _update_guis(self, *_: Any) -> None:
        if self._is_updating:
            return
        self._is_updating = True
        try:
            with slicer.util.NodeModify(self.parameterNode):
                for connectors, _observer in list(self._guis.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._is_updating = False

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> None:
        self.parameterNode.EndModify(wasModified)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    def AddObserver(self, event: Any, callback: Callable, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)


def parameterNodeWrapper(classtype: type | None = None) -> Any:
    """Class decorator: the class's annotated names become parameters of a node.

    Raises:
        ValueError: if a name is reserved.
        TypeError: if the host serializes no parameter of a type.
    """
    if classtype is None:
        return parameterNodeWrapper
    parameters = {}
    for name, datatype in typing.get_type_hints(classtype, include_extras=True).items():
        if hasattr(_Wrapper, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        parameters[name] = _make_parameter(classtype, name, datatype)
    for name, parameter in parameters.items():
        setattr(classtype, name, parameter)
    for name, each in vars(_Wrapper).items():
        if not name.startswith("__") or name == "__init__":
            setattr(classtype, name, each)
    classtype.allParameters = parameters
    return classtype


def _make_parameter(classtype: type, name: str, datatype: Any) -> _Parameter:
    serializer = serializer_of(datatype)
    if hasattr(classtype, name):
        default = Default(getattr(classtype, name))
    else:
        _, annotations = splitAnnotations(datatype)
        default = findFirstAnnotation(annotations, Default) or Default(serializer.default)
    return _Parameter(name, datatype, default, serializer)


def isParameterNodeWrapper(classOrObj: Any) -> bool:
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget: QWidget, parameter: str) -> QWidget | None:
    """The child that is connected to a parameter by its dynamic property."""
    children = widget.findChildren(QWidget)
    found = (e for e in children if e.property(SlicerParameterNamePropertyName) == parameter)
    return next(found, None)

"""Lists and dictionaries that write themselves to the parameter node on changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from typing import Any


class ObservedList(MutableSequence):
    """A list parameter. It can be changed in place, but not concatenated."""

    def __init__(self, values: list[Any], save: Callable[[list[Any]], None]) -> None:
        self._list = values
        self._save = save

    def __getitem__(self, index: Any) -> Any:
        return self._list[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._change(lambda values: values.__setitem__(index, value))

    def __delitem__(self, index: Any) -> None:
        self._change(lambda values: values.__delitem__(index))

    def insert(self, index: int, value: Any) -> None:
        self._change(lambda values: values.insert(index, value))

    def sort(self, **order: Any) -> None:
        self._change(lambda values: values.sort(**order))

    def _change(self, change: Callable[[list[Any]], object]) -> None:
        values = list(self._list)
        change(values)
        self._save(values)
        self._list = values

    def __len__(self) -> int:
        return len(self._list)

    def __eq__(self, other: object) -> bool:
        return self._list == (other._list if isinstance(other, ObservedList) else other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"ObservedList({self._list})"


class ObservedDict(MutableMapping):
    """A dictionary parameter. As in Slicer, its `get` takes no default."""

    def __init__(self, values: dict[Any, Any], save: Callable[[dict[Any, Any]], None]) -> None:
        self._dict = values
        self._save = save

    def __getitem__(self, key: Any) -> Any:
        return self._dict[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._change({**self._dict, key: value})

    def __delitem__(self, key: Any) -> None:
        self._change({each: value for each, value in self._dict.items() if each != key})

    def _change(self, values: dict[Any, Any]) -> None:
        self._save(values)
        self._dict = values

    def get(self, key: Any) -> Any:
        return self._dict.get(key)

    def pop(self, key: Any) -> Any:
        value = self._dict[key]
        del self[key]
        return value

    def __iter__(self) -> Iterator[Any]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def __eq__(self, other: object) -> bool:
        return self._dict == (other._dict if isinstance(other, ObservedDict) else other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"ObservedDict({self._dict})"

"""Random changes of inputs, as by corruption or an attacker."""

from __future__ import annotations

import copy
import re
import struct
from collections.abc import Callable
from random import Random
from typing import Any

HOSTILE_NUMBERS = (0, -1, 1, 2, 255, 256, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**40, 2**63)
HOSTILE_VALUES: tuple[Any, ...] = (
    *(None, True, False, "", " ", "x" * 5000, "../../escape", "/etc/passwd", "a/b", "\x00", "海馬"),
    *("$__import__('os').system('true')", "1e999", "NaN", [], {}, [[]], {"": {}}, [None], 0.5),
    *(*HOSTILE_NUMBERS, 1e308, -1e308, float("nan"), float("inf")),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def mutate_bytes(data: bytes, random: Random, head: int = 400) -> bytes:
    """Change a few places of a file, most of them in its first `head` bytes."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        if not changed:
            break
        changed = random.choice(_BYTE_CHANGES)(changed, random, min(head, len(changed)))
    return bytes(changed)


def _flip(data: bytearray, random: Random, head: int) -> bytearray:
    data[random.randrange(head)] = random.randrange(256)
    return data


def _overwrite(data: bytearray, random: Random, head: int) -> bytearray:
    kind = random.choice("bhiqfd")
    value = random.choice(HOSTILE_NUMBERS)
    bits = 8 * struct.calcsize(kind)
    packed = (
        struct.pack(f"<{kind}", float(value))
        if kind in "fd"
        else (value % 2**bits).to_bytes(bits // 8, "little")
    )
    place = random.randrange(head)
    data[place : place + len(packed)] = packed
    return data


def _truncate(data: bytearray, random: Random, head: int) -> bytearray:
    return data[: random.randrange(len(data))]


def _repeat(data: bytearray, random: Random, head: int) -> bytearray:
    place, length = random.randrange(head), random.randint(1, 40)
    data[place:place] = data[place : place + length] * random.randint(1, 50)
    return data


def _remove(data: bytearray, random: Random, head: int) -> bytearray:
    place = random.randrange(head)
    del data[place : place + random.randint(1, 20)]
    return data


def _renumber(data: bytearray, random: Random, head: int) -> bytearray:
    """Replace a number written in digits."""
    found = list(_NUMBER.finditer(bytes(data[:head])))
    if found:
        place = random.choice(found)
        data[place.start() : place.end()] = str(random.choice(HOSTILE_NUMBERS)).encode()
    return data


_BYTE_CHANGES: tuple[Callable[[bytearray, Random, int], bytearray], ...] = (
    *(_flip, _flip, _overwrite, _truncate, _repeat, _remove, _renumber),
)


def mutate_values(values: Any, random: Random) -> Any:
    """Change, remove or add a few entries of JSON values, at any depth."""
    root = {"root": copy.deepcopy(values)}
    for _ in range(random.randint(1, 3)):
        parent, key = random.choice(list(_places(root)))
        change = random.choice(("replace", "replace", "remove", "add"))
        if change == "remove" and parent is not root:
            del parent[key]
        elif change == "add" and isinstance(parent[key], dict):
            parent[key][str(random.choice(HOSTILE_VALUES))[:50]] = random.choice(HOSTILE_VALUES)
        else:
            parent[key] = copy.deepcopy(random.choice(HOSTILE_VALUES))
    return root["root"]


def _places(parent: Any) -> list[tuple[Any, Any]]:
    if isinstance(parent, dict):
        keys: list[Any] = list(parent)
    else:
        keys = list(range(len(parent))) if isinstance(parent, list) else []
    found = [(parent, key) for key in keys]
    return found + [place for key in keys for place in _places(parent[key])]

"""Takes out of a run's texts what names a person, a place or a machine.

Light: the standard library alone.
"""

from __future__ import annotations

import getpass
import re
import socket
from pathlib import Path
from typing import Any

from ..cases import CaseSet
from ..data.layouts import image_stem

_PART = r"""[\\/][^\s\\/:;,'"<>()]+"""
_PATH = re.compile(rf"(?<![\w.])(?:~(?:{_PART})+|(?:[A-Za-z]:|\.{{1,2}})?(?:{_PART}){{2,}})[\\/]?")


class Scrubber:
    """Replaces case names by numbers, and paths, user and host by words.

    Args:
        cases: whose names, and the names of whose files and folders, are replaced.
        run: the run folder.
    """

    def __init__(self, cases: CaseSet, run: Path) -> None:
        words: dict[str, str] = {}
        for number, case in enumerate(cases.cases, 1):
            for path in filter(None, (case.image, case.label)):
                words |= dict.fromkeys((str(path), path.as_posix()), f"file of case-{number}")
                words |= dict.fromkeys((path.name, image_stem(path)), f"case-{number}")
            words[case.name] = f"case-{number}"
        for folder in {case.image.parent for case in cases.cases} | {run.absolute()}:
            words |= {folder.name: "folder", str(folder): "~", folder.as_posix(): "~"}
        words |= {str(Path.home()): "~", socket.gethostname(): "host", _user(): "user"}
        longest = sorted(filter(None, words), key=len, reverse=True)
        self._words = words
        known = "|".join(map(re.escape, longest))
        self._known = re.compile(rf"(?<![^\W_])(?:{known})(?![^\W_])")

    def text(self, text: str) -> str:
        """Give a text without what names anybody."""
        return _PATH.sub("(path)", self._known.sub(lambda found: self._words[found[0]], text))

    def values(self, values: Any) -> Any:
        """Give JSON values with all their texts scrubbed, the keys of objects too."""
        if isinstance(values, str):
            return self.text(values)
        if isinstance(values, list):
            return [self.values(value) for value in values]
        if isinstance(values, dict):
            return {self.text(str(key)): self.values(value) for key, value in values.items()}
        return values


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a system that knows no users
        return ""

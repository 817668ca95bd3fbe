"""An anonymized archive of a run for bug reports: versions, settings and events, but no images.

Light: the standard library only.
"""

from __future__ import annotations

import getpass
import io
import json
import os
import platform
import re
import socket
import zipfile
from pathlib import Path
from typing import Any

from .cases import CaseSet
from .errors import GenSegError
from .events import KINDS, read_events, to_line
from .files import read_json, write_bytes
from .images.file_names import image_stem
from .models.folder import library_versions
from .runs import RunFolder

_FREE_TEXT = ("log", "error")  # omitted if the case names in them are unknown
_VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PYTORCH_CUDA_ALLOC_CONF", "LANG", "LC_ALL"),
)
_PART = r"""[\\/][^\s\\/:;,'"<>()]+"""
_PATH = re.compile(rf"(?<![\w.])(?:~(?:{_PART})+|(?:[A-Za-z]:|\.{{1,2}})?(?:{_PART}){{2,}})[\\/]?")


def write_bug_report(run: RunFolder, path: Path) -> list[str]:
    """Write versions, settings, case roles, events and file sizes of a run into a ZIP archive.

    A damaged file of the run is reported in the archive instead of raised.

    Returns:
        The names of the archive's entries.

    Raises:
        GenSegError: the archive cannot be written.
    """
    cases = _read_cases(run)
    kinds = [kind for kind in KINDS if cases.cases or kind not in _FREE_TEXT]
    anonymizer = Anonymizer(cases, run.path)
    roles = [{"name": f"case-{k}", "role": c.role.value} for k, c in enumerate(cases.cases, 1)]
    entries: dict[str, Any] = {
        "environment.json": _environment(),
        "config.json": _read_or_error(run.path / "config.json"),
        "cases.json": {"labels": cases.labels, "modality": cases.modality, "cases": roles},
        "status.json": _read_or_error(run.path / "status.json"),
        "files.json": _file_sizes(run.path),
    }
    texts = {name: json.dumps(anonymizer.apply(each), indent=1) for name, each in entries.items()}
    events = (event for event in read_events(run.events_file) if event["kind"] in kinds)
    texts["events.jsonl"] = "".join(f"{to_line(anonymizer.apply(event))}\n" for event in events)
    write_bytes(path, _zip(texts))
    return list(texts)


class Anonymizer:
    """Replace case names by numbers, and paths, user and host names by placeholders.

    Args:
        cases: cases whose names, files and folders are replaced.
        run: the run folder.
    """

    def __init__(self, cases: CaseSet, run: Path) -> None:
        words: dict[str, str] = {}
        for number, case in enumerate(cases.cases, 1):
            for path in (*case.images, *case.labels):
                words |= dict.fromkeys((str(path), path.as_posix()), f"file of case-{number}")
                words |= dict.fromkeys((path.name, image_stem(path)), f"case-{number}")
            words[case.name] = f"case-{number}"
        for folder in {case.image.parent for case in cases.cases} | {run.absolute()}:
            words |= {folder.name: "folder", str(folder): "~", folder.as_posix(): "~"}
        words |= {str(Path.home()): "~", socket.gethostname(): "host", _user(): "user"}
        longest_first = sorted(filter(None, words), key=len, reverse=True)
        known = "|".join(map(re.escape, longest_first))
        self._words = words
        self._known = re.compile(rf"(?<![^\W_])(?:{known})(?![^\W_])")

    def apply(self, values: Any) -> Any:
        """Return JSON values with all strings anonymized, including the keys of objects."""
        if isinstance(values, str):
            text = self._known.sub(lambda found: self._words[found[0]], values)
            return _PATH.sub("(path)", text)
        if isinstance(values, list):
            return [self.apply(value) for value in values]
        if isinstance(values, dict):
            return {self.apply(str(key)): self.apply(value) for key, value in values.items()}
        return values


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no user database
        return ""


def _environment() -> dict[str, Any]:
    return {
        "versions": library_versions(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def _read_cases(run: RunFolder) -> CaseSet:
    try:
        return run.cases
    except GenSegError:
        return CaseSet(())


def _read_or_error(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except GenSegError as error:
        return {"error": str(error)}


def _file_sizes(folder: Path) -> dict[str, int]:
    """Return the size of each file in bytes, of volumes by folder since they are named by case."""
    sizes: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        name = inner.parent.as_posix() if inner.parts[0] in ("previews", "inputs") else str(inner)
        if path.is_file():
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sizes


def _zip(texts: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return stream.getvalue()

"""What a bug report needs of a run, in one archive without images and without names.

Light: the standard library alone.
"""

from __future__ import annotations

import io
import json
import os
import platform
import zipfile
from pathlib import Path
from typing import Any

from ..cases import CaseSet
from ..errors import GenSegError
from ..events import KINDS, read_events, to_line
from ..files import read_json, write_bytes
from ..models.folder import library_versions
from ..runs import RunFolder
from .scrubbing import Scrubber

_IN_WORDS = ("log", "error")  # left out where the names that may be in them are not known
_SETTINGS = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PYTORCH_CUDA_ALLOC_CONF", "LANG", "LC_ALL")


def write_bug_report(run: RunFolder, path: Path) -> list[str]:
    """Write versions, settings, roles of the cases, events and sizes of files into a ZIP archive.

    Returns:
        The names of the entries.

    Raises:
        GenSegError: the archive cannot be written. A damaged file of the run is told in its place
            in the archive instead, since it may be what the report is about.
    """
    cases = _cases(run)
    kinds = [kind for kind in KINDS if cases.cases or kind not in _IN_WORDS]
    scrubber = Scrubber(cases, run.path)
    roles = [{"name": f"case-{k}", "role": c.role.value} for k, c in enumerate(cases.cases, 1)]
    entries: dict[str, Any] = {
        "environment.json": environment(),
        "config.json": _or_fault(run.path / "config.json"),
        "cases.json": {"labels": cases.labels, "modality": cases.modality, "cases": roles},
        "status.json": _or_fault(run.path / "status.json"),
        "files.json": _files(run.path),
    }
    texts = {name: json.dumps(scrubber.values(value), indent=1) for name, value in entries.items()}
    events = read_events(run.events_file)
    texts["events.jsonl"] = "".join(
        f"{to_line(scrubber.values(event))}\n" for event in events if event["kind"] in kinds
    )
    write_bytes(path, _zipped(texts))
    return list(texts)


def environment() -> dict[str, Any]:
    """Give what a run depends on besides its own files."""
    return {
        "versions": library_versions(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def _cases(run: RunFolder) -> CaseSet:
    try:
        return run.cases
    except GenSegError:
        return CaseSet(())


def _or_fault(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except GenSegError as fault:
        return {"fault": str(fault)}


def _files(folder: Path) -> dict[str, int]:
    """Give the bytes of each file, those of volumes by folder: their names are those of cases."""
    sizes: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        name = place.parent.as_posix() if place.parts[0] in ("previews", "inputs") else str(place)
        if path.is_file():
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sizes


def _zipped(texts: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return stream.getvalue()

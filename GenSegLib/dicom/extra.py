"""highdicom and pydicom, an extra (`dicom`) for DICOM objects of several frames.

A series of one slice a file is read without them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ..errors import GenSegError

DAMAGED = "truncated or damaged; copy or export it again"


def require_packages(what: str = "DICOM SEG") -> None:
    """Make sure that the packages for `what` are there; raises GenSegError where they are not."""
    missing = [name for name in ("highdicom", "pydicom") if find_spec(name) is None]
    if missing:
        raise GenSegError(
            f"{what} needs more packages; install them with: pip install {' '.join(missing)}"
        )


@contextmanager
def silent() -> Iterator[None]:
    """Keep remarks on a header, which may quote the patient, out of the terminal."""
    loggers = [logging.getLogger(name) for name in ("highdicom", "pydicom")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before):
            logger.setLevel(level)


@contextmanager
def understood(path: Path, fault: str) -> Iterator[None]:
    """Say the fault of a file in one line: damaged objects fail in many ways deep inside."""
    try:
        with silent():
            yield
    except GenSegError:
        raise
    except Exception as found:
        raise GenSegError(f"{path}: {fault}") from found

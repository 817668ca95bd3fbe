"""Use of highdicom and pydicom, the optional packages for multi-frame DICOM objects.

A series with one slice per file is read without them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ..errors import GenSegError

DAMAGED = "truncated or damaged; copy or export the file again"


def require_packages(purpose: str = "DICOM SEG") -> None:
    """Raise GenSegError if highdicom or pydicom, needed for `purpose`, is not installed."""
    missing = [name for name in ("highdicom", "pydicom") if find_spec(name) is None]
    if missing:
        raise GenSegError(
            f"{purpose} requires additional packages; install them with: pip install "
            f"{' '.join(missing)}"
        )


@contextmanager
def suppress_warnings() -> Iterator[None]:
    """Suppress warnings about headers, which may quote the patient's name."""
    loggers = [logging.getLogger(name) for name in ("highdicom", "pydicom")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


@contextmanager
def report_errors_as(path: Path, message: str) -> Iterator[None]:
    """Turn any exception into a GenSegError with this message; damaged files raise many kinds."""
    try:
        with suppress_warnings():
            yield
    except GenSegError:
        raise
    except Exception as error:
        raise GenSegError(f"{path}: {message}") from error

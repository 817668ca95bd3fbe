"""highdicom and pydicom, an extra (`dicom`) that DICOM SEG needs and nothing else does."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from .errors import GenSegError


def require_packages() -> None:
    """Make sure that the packages are there; raises GenSegError where they are not."""
    missing = [name for name in ("highdicom", "pydicom") if find_spec(name) is None]
    if missing:
        raise GenSegError(
            f"DICOM SEG needs more packages; install them with: pip install {' '.join(missing)}"
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

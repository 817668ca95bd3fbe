"""Keeps what C++ libraries print out of the terminal."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_stderr_lock = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep file descriptor 2 to ourselves: ITK, MetaIO, GDCM and HDF5 print there from C++.

    What they print is in the exception as well, or is found by the checks here. A line that
    another thread prints meanwhile is lost.
    """
    with _stderr_lock:
        try:
            kept = os.dup(2)
        except OSError:  # a process without a standard error, such as pythonw's
            kept = None
        if kept is not None:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            if kept is not None:
                os.dup2(kept, 2)
                os.close(kept)

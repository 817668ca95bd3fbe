"""Keeps what C++ libraries print out of the terminal, and commas out of what they write."""

from __future__ import annotations

import locale
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
    another thread prints meanwhile is lost. Where the program around us has numbers with a comma,
    these libraries would write and read them so in the headers of images.
    """
    with _stderr_lock, _points_in_numbers():
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


@contextmanager
def _points_in_numbers() -> Iterator[None]:
    chosen = locale.setlocale(locale.LC_NUMERIC)
    locale.setlocale(locale.LC_NUMERIC, "C")
    try:
        yield
    finally:
        locale.setlocale(locale.LC_NUMERIC, chosen)

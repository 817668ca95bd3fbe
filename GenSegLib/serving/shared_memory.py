"""Memory that two processes share: a file that both map.

`multiprocessing.shared_memory` would start a further process of `sys.executable`, which is no
Python inside applications that embed it, and its tracker removes memory that the other process
still uses (https://github.com/python/cpython/issues/82300). On Linux the file is in `/dev/shm`
and never reaches a disk.

Light: the standard library and numpy only.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import GenSegError

ALIGNMENT = 4096  # bytes
_MEMORY_FOLDER = Path("/dev/shm")  # nosec B108 - Linux keeps it in main memory
_PREFIX = "genseg-"


class SharedMemory:
    """A mapped file.

    Args:
        path: an existing file, see `create`.

    Raises:
        GenSegError: the file cannot be mapped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), 0)
        except (OSError, ValueError) as error:
            raise GenSegError(f"{path}: no shared memory ({error}); restart the client") from None

    @classmethod
    def create(cls, size: int) -> SharedMemory:
        """Create a file of at least `size` bytes that only this user can read.

        Raises:
            GenSegError: there is not enough memory for it.
        """
        is_writable = _MEMORY_FOLDER.is_dir() and os.access(_MEMORY_FOLDER, os.W_OK)
        try:
            handle, name = tempfile.mkstemp(
                prefix=_PREFIX, dir=_MEMORY_FOLDER if is_writable else None
            )
            with os.fdopen(handle, "wb") as file:
                _reserve(file.fileno(), max(size, ALIGNMENT))
        except OSError as error:
            raise GenSegError(
                f"not enough memory for an image of {size / 2**20:.0f} MB ({error.strerror}); free "
                "memory"
            ) from None
        return cls(Path(name))

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self._map)

    def array(self, shape: Sequence[int], dtype: DTypeLike, offset: int = 0) -> NDArray[np.generic]:
        """Return an array within the memory, valid until `close`.

        Raises:
            GenSegError: it would extend beyond the end.
        """
        kind = np.dtype(dtype)
        count = int(np.prod(shape))
        if offset < 0 or offset + count * kind.itemsize > self.size:
            raise GenSegError(f"{self.path}: smaller than an array of shape {tuple(shape)}")
        return np.frombuffer(self._map, kind, count, offset).reshape(shape)

    def remove(self) -> None:
        """Remove the file's name; both processes keep their memory where the system allows it."""
        with suppress(OSError):  # Windows keeps files that are mapped
            self.path.unlink()

    def close(self) -> None:
        """Release the memory and remove the file."""
        with suppress(BufferError):  # an array is still in use, and keeps it
            self._map.close()
        self.remove()


def _reserve(handle: int, size: int) -> None:
    """Give a file its size.

    On Linux all at once, since writing to a file on a full disk would end the process.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        os.truncate(handle, size)

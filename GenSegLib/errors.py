"""Errors that a user can fix."""

from __future__ import annotations

import errno
import sys

_PATH_ERRORS = {
    errno.EACCES: "permission denied; ask its owner or choose another path",
    errno.EPERM: "permission denied; ask its owner or choose another path",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "its symbolic links form a cycle; choose another path",
}


class GenSegError(Exception):
    """An error that the user can fix; anything else that is raised is a bug.

    The message is one line: what is wrong, in which case or file, and what to do. The command line
    prints it and exits with 2; the panel displays it.
    """


class DriveUnavailable(GenSegError):  # noqa: N818 - it may come back, and training runs wait for it
    """A drive does not respond, such as a network drive that is disconnected for a minute."""


def as_user_error(error: Exception) -> GenSegError | None:
    """Return the error that a user can fix behind an exception; None for a bug.

    A package that is not installed and a path that the system does not let us use are such errors.
    """
    if isinstance(error, GenSegError):
        return error
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        if package in ("", __package__):
            return None
        return GenSegError(
            f"the Python package {package} is not installed for {sys.executable}; install it "
            "(in 3D Slicer: with Install... at the top of the GenSeg panel) and try again"
        )
    if isinstance(error, OSError) and error.filename and error.errno in _PATH_ERRORS:
        return GenSegError(f"{error.filename}: {_PATH_ERRORS[error.errno]}")
    return None

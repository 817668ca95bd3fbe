"""Errors that a user can fix."""

from __future__ import annotations


class GenSegError(Exception):
    """An error that the user can fix; anything else that is raised is a bug.

    The message is one line: what is wrong, in which case or file, and what to do. The command line
    prints it and exits with 2; the panel displays it.
    """


class DriveUnavailable(GenSegError):  # noqa: N818 - it may come back, and trainings wait for it
    """A drive does not respond, such as a network drive that is disconnected for a minute."""

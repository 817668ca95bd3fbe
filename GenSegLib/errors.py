"""The one kind of error that a user can cause and mend."""

from __future__ import annotations


class GenSegError(Exception):
    """A fault that the user can mend.

    Its text is one line: what is wrong, in which case or file, and what to do. The command line
    prints it and exits with 2; the panel shows it. Anything else that is raised is a bug.
    """


class DriveAway(GenSegError):  # noqa: N818 - it may well come back
    """A drive does not answer: on a network this may last a minute."""

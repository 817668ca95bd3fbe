"""Print the Debian packages that the tests need and that are not installed.

The desktop host shows Qt's widgets without a screen and renders VTK's views in software; tests of
drive failures mount FUSE file systems.
"""

import ctypes
import sys

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libEGL_mesa.so.0": "libegl-mesa0",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfuse.so.2": "libfuse2",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
# needed for drawing: Mesa's drivers, and a font
COMPANIONS = ("libgl1-mesa-dri", "fonts-dejavu-core")


def is_missing(library: str) -> bool:
    """Return whether the system cannot load a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return True
    return False


if __name__ == "__main__" and sys.platform == "linux":
    missing = [package for library, package in PACKAGES.items() if is_missing(library)]
    print(*(missing and [*missing, *COMPANIONS]))

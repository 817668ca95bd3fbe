"""What has to be said before PySide is imported for the first time; imported for that alone."""

import ctypes
import os
import sys

# PythonQt's enumerations are integers, so PySide's are asked to be the same.
sys.pyside6_option_python_enum = 0x3
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if sys.platform == "linux":
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
if sys.version_info < (3, 12):
    # PySide 6.12 takes a reference from None at each call that returns nothing, and now and then
    # from True or False; from Python 3.12 on they cannot die of that, and an earlier Python ends
    # after some hundred thousand calls.
    for constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40

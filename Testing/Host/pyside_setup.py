"""Process-wide settings that must precede the first import of PySide6; imported for that alone."""

import ctypes
import os
import sys

# PythonQt's enumerations are integers; make PySide's integers too.
sys.pyside6_option_python_enum = 0x3
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if sys.platform == "linux":
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
if sys.version_info < (3, 12):
    # PySide 6.12 drops one reference to None per call that returns nothing, and sometimes to True
    # or False. From Python 3.12 on these are immortal; before, the interpreter aborts after some
    # hundred thousand calls.
    for constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40

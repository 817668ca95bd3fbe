"""What has to be said before PySide is imported for the first time; imported for that alone."""

import os
import sys

# PythonQt's enumerations are integers, so PySide's are asked to be the same.
sys.pyside6_option_python_enum = 0x3
if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

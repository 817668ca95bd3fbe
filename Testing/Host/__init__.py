"""A desktop host: the thin remainder that the 3D Slicer application adds to its packages.

`slicer-core` brings Slicer's own nodes, storage and logic, PySide6 brings Qt. This package puts
`qt`, `ctk`, `slicer.app` and their kin in place, with PythonQt's manner, so that a scripted module
and its panel run without the application. It is for tests and screenshots; nothing of it is
installed, and none of Slicer's code is copied.

Its widgets are held to `slicer-facts.json`, which was recorded in a running Slicer; `facts.py`
lists what is left out. Beside that: no terminology files, no segment items in the subject
hierarchy, no interaction in slice and 3D views (they render), no parameter packs and no generated
panels in `parameterNodeWrapper`, no command line modules, no extensions manager, no DICOM database;
packages are never installed.
"""

from . import before_qt
from .installation import Host, install

__all__ = ["Host", "before_qt", "install"]

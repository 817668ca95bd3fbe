"""A desktop host for a scripted module: what the 3D Slicer application adds to `slicer-core`.

`slicer-core` provides Slicer's MRML nodes, storage and logic classes; PySide6 provides Qt. This
package provides `qt`, `ctk`, `slicer.app` and the rest of the application's Python interface with
PythonQt's conventions, so that tests can run a module and its panel without the application. It
is not installed, contains no code of Slicer, and renders nothing: views are nodes and logic.

The widgets are compared with `slicer-facts.json`, recorded in a running Slicer 5.13; `facts.py`
lists the omissions. Also missing: terminology files, segment items in the subject hierarchy, 3D,
plot and table views, parameter packs, generated panels, CLI modules, the extensions manager,
the DICOM database, and the effects of the Segment Editor. Packages are never installed.
"""

from . import pyside_setup
from .installation import Host, install

__all__ = ["Host", "install", "pyside_setup"]

"""Hides developer packages from the programs that tests start, as users do not have them.

MONAI imports those that it finds, which takes a second.
"""

import sys

sys.modules.update(dict.fromkeys(("ignite", "skimage", "nibabel", "onnx", "onnxruntime", "fire")))

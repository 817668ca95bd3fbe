"""Hides developer packages from the programs that tests start, as users do not have them.

MONAI imports those that it finds, which takes a second.
"""

import sys

DEVELOPERS = ("ignite", "skimage", "nibabel", "onnx", "onnxruntime", "fire", "jsonschema")
sys.modules.update(dict.fromkeys(DEVELOPERS))

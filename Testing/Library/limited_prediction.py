"""Predicts with a limit on the process's address space; run by a test.

    python limited_prediction.py MODEL IMAGE OUT EXTRA_BYTES

The limit is set after a first prediction, so that it counts the memory of a prediction alone.
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

import torch

from GenSegLib.prediction.predict import predict_files


def address_space() -> int:
    found = re.search(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) << 10


def main() -> None:
    torch.set_num_threads(1)
    model, image, out, extra = sys.argv[1:5]
    predict_files(Path(model), [Path(image).with_name("small.nii")], Path(out) / "first")
    limit = address_space() + int(extra)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    predict_files(Path(model), [Path(image)], Path(out) / "limited", device="cpu")


if __name__ == "__main__":
    main()

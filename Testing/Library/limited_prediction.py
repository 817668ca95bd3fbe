"""Predicts in a process that may take no more memory than it is told; run by a test.

    python limited_prediction.py MODEL IMAGE OUT EXTRA_BYTES [--dense]

The limit is set once everything is imported and the model loaded, so that it counts what the
prediction itself takes. With `--dense` the probabilities are held on the whole image.
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
    predict_files(Path(model), [Path(image).with_name("small.nii.gz")], Path(out) / "first")
    limit = address_space() + int(extra)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    dense = "--dense" in sys.argv
    predict_files(Path(model), [Path(image)], Path(out), device="cpu", probabilities=dense)


if __name__ == "__main__":
    main()

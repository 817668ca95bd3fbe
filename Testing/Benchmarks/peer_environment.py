"""Environments of their own for the programs that GenSeg is compared with, and for GenSeg itself.

Each peer is installed into `runs/peers/NAME`, apart from GenSeg's environment, with the versions of
constraints.txt where they share a package (PyTorch above all), so that both run on the same one.
GenSeg by itself (`-e ROOT`) is what users install: without the packages of its developers.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from measuring import ROOT

NNUNET = ("nnunetv2==2.8.1",)
_DONE = "installed.txt"


def peer_python(
    name: str, packages: Sequence[str], *, options: Sequence[str] = (), folder: Path | None = None
) -> Path:
    """Give the Python of a peer's environment, which is made where it is not there yet.

    Args:
        name: of the environment.
        packages: as pip takes them, with exact versions.
        options: further options of `pip install`, such as `--no-deps`.
        folder: where environments are kept.

    Raises:
        subprocess.CalledProcessError: the packages cannot be installed.
    """
    environment = (folder or ROOT / "runs/peers") / name
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    asked = "\n".join((*packages, *options))
    done = environment / _DONE
    if done.is_file() and done.read_text(encoding="utf-8") == asked:
        return python
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    print(f"installing {' '.join(packages)} into {environment} (some minutes)", flush=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, *constraints, *options, *packages], check=True)
    done.write_text(asked, encoding="utf-8")
    return python

"""Memory that a step frees is used again by the next one; denormal numbers are zero."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import resource, sys, threading, torch
from GenSegLib.computing.cpu_settings import fast_steps

def steps(count):
    for _ in range(count):
        torch.zeros(8 << 20)  # 32 MB

def in_thread(count):
    thread = threading.Thread(target=steps, args=[count])
    thread.start(), thread.join()

def product():
    print(float(torch.tensor([1e-39]) * 1.0))

with fast_steps(torch.device(sys.argv[1])):
    for run in (steps, in_thread):
        run(20)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        run(20)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    product()
product()
"""


def results(device: str) -> list[float]:
    command = [sys.executable, "-c", SCRIPT, device]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [float(line) for line in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is a function of Linux's C library")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    *default, denormal, _ = results("meta")
    *faults, flushed, restored = results("cpu")
    assert all(few < 0.2 * many for few, many in zip(faults, default)), (faults, default)
    assert flushed == 0.0 < denormal == restored

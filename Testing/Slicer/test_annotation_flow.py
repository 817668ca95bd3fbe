"""How the user goes through the annotation loop: which case comes next, and what Skip keeps."""

from __future__ import annotations

from typing import Any

from annotation_loops import GRID, draw, voxels_of
from bright_model import bright_block

pytest_plugins = ["annotation_loops"]


def test_a_corrected_case_that_was_skipped_comes_again_after_the_others(
    new_loop: Any, wait: Any
) -> None:
    for name in "abc":
        bright_block(name, GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    opened = []
    for _ in range(4):
        opened.append(loop.current.case.title)
        draw(loop, ~voxels_of(loop).astype(bool))
        loop.skip()
        wait(loop)
    assert opened == ["a", "b", "c", "a"]

"""Which scans without a segmentation a training learns from.

Light: numpy alone.
"""

from __future__ import annotations

import dataclasses

from ..cases import Case, CaseSet, Role, permuted
from ..errors import GenSegError

TEST_CASES = 48
"""Cases at the end of the low-data protocol's order that no training may see, labeled or not."""


def draw_cases(
    cases: CaseSet, labeled: int | None, seed: int, *, unlabeled: bool, limit: int | None = None
) -> CaseSet:
    """Draw what a training learns from: labeled cases and, where asked for, unlabeled ones.

    Unlabeled are the scans without a segmentation, in an order that the seed gives. Where only
    some of the segmented cases are taken (`labeled`), the others follow, as if nobody had
    segmented them: their labels are left out of the set, so that nothing can read them. The last
    `TEST_CASES` of the protocol's order (see `CaseSet.in_protocol_order`) stay out of it, and those
    next to them come first: so any number of labeled cases is joined by the same scans.

    Args:
        cases: all that is there.
        labeled: how many of the labeled cases to take; None takes all.
        seed: of the order.
        unlabeled: whether there are to be unlabeled cases; without, those there stay, unused.
        limit: how many of them at most; None takes all.

    Raises:
        GenSegError: there are fewer cases than asked for.
    """
    drawn = cases if labeled is None else cases.low_data(labeled, seed)
    if not unlabeled:
        return drawn
    found = _own(cases, seed)
    if labeled is not None:
        found += _hidden(cases, labeled, seed)
    wanted = max(1, len(found)) if limit is None else limit
    if not 1 <= wanted <= len(found):
        raise GenSegError(_too_few(len(found), limit, labeled))
    return dataclasses.replace(drawn, cases=(*drawn.labeled, *found[:wanted]))


def _own(cases: CaseSet, seed: int) -> list[Case]:
    there = sorted(cases.of_role(Role.UNLABELED), key=lambda case: case.name)
    return [dataclasses.replace(there[k], label=None) for k in permuted(len(there), seed)]


def _hidden(cases: CaseSet, labeled: int, seed: int) -> list[Case]:
    """Give the segmented cases between those that are taken and the test cases, the last first."""
    rest = cases.in_protocol_order(seed)[labeled:-TEST_CASES][::-1]
    return [dataclasses.replace(case, label=None, role=Role.UNLABELED) for case in rest]


def _too_few(there: int, limit: int | None, labeled: int | None) -> str:
    asked = "scans" if limit is None else f"{limit} scans"
    found = f"{there} are there" if there else "none is there"
    text = f"{asked} without a segmentation are asked for and {found}"
    if labeled is not None:
        text += f" (the last {TEST_CASES} segmented cases of the seed's order are kept for testing)"
    advice = "add images without a label, or leave out --unlabeled"
    return f"{text}; {f'ask for 1 to {there}' if there else advice}"

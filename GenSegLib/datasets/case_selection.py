"""Select the labeled and unlabeled cases of a training.

Light: numpy alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from ..cases import Case, CaseSet, Role, permutation
from ..errors import GenSegError


def select_cases(cases: CaseSet, labeled: int | None, seed: int, *, unlabeled: bool) -> CaseSet:
    """Select labeled cases and, if requested, unlabeled ones.

    With `labeled`, the remaining labeled cases become unlabeled: their labels are left out of the
    result, so that nothing can read them. They follow the cases without a label, in reversed
    order, so that different numbers of labeled cases come with the same unlabeled ones. Further
    cases of the selected persons are left out.

    Args:
        cases: all available cases.
        labeled: number of labeled cases; None selects all.
        seed: of the random order.
        unlabeled: whether unlabeled cases are needed; if not, existing ones stay but are unused.

    Raises:
        GenSegError: there are fewer labeled cases than requested, or no unlabeled ones.
    """
    selected = cases if labeled is None else cases.subset(labeled, seed)
    if not unlabeled:
        return selected
    found = sorted(cases.of_role(Role.UNLABELED), key=lambda case: case.name)
    found = [found[k] for k in permutation(len(found), seed)]
    if labeled is not None:
        persons = {case.person_or_name for case in selected.labeled}
        remaining = cases.shuffled_labeled(seed)[labeled:][::-1]
        found += [case for case in remaining if case.person_or_name not in persons]
    if not found:
        raise GenSegError(
            "there are no unlabeled images; add images without a label or omit --unlabeled"
        )
    hidden = (dataclasses.replace(case, label=None, role=Role.UNLABELED) for case in found)
    return dataclasses.replace(selected, cases=(*selected.labeled, *hidden))


def cases_with_only_examples(cases: CaseSet, values: Mapping[str, Collection[int]]) -> set[str]:
    """Return the names of the cases with a label value that one person alone has.

    If they were validation cases, the training could not learn that class.

    Args:
        cases: with their persons.
        values: label values in each case's label, by name.
    """
    carriers: dict[int, list[Case]] = {}
    for case in cases.labeled:
        for value in values.get(case.name, ()):
            carriers.setdefault(value, []).append(case)
    return {
        case.name
        for found in carriers.values()
        if len({case.person_or_name for case in found}) == 1
        for case in found
    }


def with_duplicates_as_one_person(cases: CaseSet, duplicates: Mapping[str, str]) -> CaseSet:
    """Give cases with the same image the same person, so that they stay on one side of a split.

    Args:
        cases: with their persons.
        duplicates: name of an earlier case with the same image, by name.
    """
    by_name = {case.name: case for case in cases.cases}
    for later, earlier in duplicates.items():
        same = {by_name[later].person_or_name, by_name[earlier].person_or_name}
        person = by_name[earlier].person_or_name
        for name, case in by_name.items():
            if case.person_or_name in same:
                by_name[name] = dataclasses.replace(case, person=person)
    return dataclasses.replace(cases, cases=tuple(by_name.values()))

"""Labels of which only a set of possible classes is known.

In a case that nobody searched for tumors, a voxel without a segment is background or tumor; an
ignored voxel may be anything. The labels of a training have a value for each such set beside its
classes, so that they pass through resampling, augmentation and blending as classes do, and losses
and scores know what each voxel says (partial labels; Shi et al., Med Image Anal 2021,
doi:10.1016/j.media.2021.101979).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..case_annotation import Annotation, ClassState
from ..label_maps import IGNORE, ignored_file_value
from ..nesting import Includes, region_values, values_around

Classes = Sequence[int]


@dataclass(frozen=True)
class LabelSets:
    """What the values of training labels mean.

    Attributes:
        names: of the label values for which the classes 1, 2, ... stand.
        includes: names of the classes within a class.
        sets: the possible classes of the values after the classes; first all classes, which is
            the value of ignored voxels.
    """

    names: Mapping[int, str]
    includes: Includes
    sets: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls, annotations: Iterable[Annotation], names: Mapping[int, str], includes: Includes
    ) -> LabelSets:
        """Return the sets that the labels of cases with these annotations need."""
        everything = tuple(range(1 + len(names)))
        empty = cls(dict(names), includes, (everything,))
        found = {s for each in annotations for s in empty.possible(each) if len(s) > 1}
        return cls(dict(names), includes, (everything, *sorted(found - {everything})))

    @property
    def classes(self) -> int:
        """Number of classes, background included; also the value of ignored voxels."""
        return 1 + len(self.names)

    @property
    def values(self) -> int:
        """Number of label values: classes and sets."""
        return self.classes + len(self.sets)

    @cached_property
    def regions(self) -> tuple[tuple[int, ...], ...]:
        """The classes in the region of each class: its own and all within it."""
        index = {value: k for k, value in enumerate(self.names, 1)}
        found = region_values(self.includes, self.names)
        return ((0,), *(tuple(index[v] for v in found[value]) for value in self.names))

    @cached_property
    def members(self) -> torch.Tensor:
        """Whether a voxel of a value may have a class (value, class)."""
        members = torch.zeros(self.values, self.classes, dtype=torch.bool)
        members[: self.classes] = torch.eye(self.classes, dtype=torch.bool)
        for value, possible in enumerate(self.sets, self.classes):
            members[value, list(possible)] = True
        return members

    @property
    def first_class(self) -> list[int]:
        """The class of each value; of a set, that around the classes nobody annotated."""
        return [*range(self.classes), *(possible[0] for possible in self.sets)]

    def region_values(self, k: int) -> tuple[list[int], list[int]]:
        """Return the label values surely in the region of class `k`, and the uncertain ones.

        The value of ignored voxels is always uncertain.
        """
        region = set(self.regions[k])
        inside = [c for c in range(self.classes) if c in region]
        uncertain = []
        for value, possible in enumerate(self.sets, self.classes):
            if region.issuperset(possible) and value != self.classes:
                inside.append(value)
            elif region.intersection(possible):
                uncertain.append(value)
        return inside, uncertain

    def possible(self, annotation: Annotation) -> list[tuple[int, ...]]:
        """Return the classes that a voxel may have whose label is 0, 1, ..., sorted.

        A class that nobody annotated may be anywhere in the class around it, or in the background.
        The outer class comes first. Voxels labeled as such a class are not trusted.
        """
        index = {value: k for k, value in enumerate(self.names, 1)}
        names = set(annotation.names_with(ClassState.NOT_ANNOTATED, self.names.values()))
        hidden = {value: name for value, name in self.names.items() if name in names}
        known = {value: name for value, name in self.names.items() if name not in names}
        around = values_around(self.includes, known, hidden)
        place_of = {index[value]: index.get(outer, 0) for value, outer in around.items()}
        found: list[list[int]] = [[k] for k in range(self.classes)]
        for k, outer in place_of.items():
            found[outer].append(k)
        return [tuple(found[place_of.get(k, k)]) for k in range(self.classes)]

    def encode(self, label: NDArray[Any], annotation: Annotation) -> NDArray[Any]:
        """Convert label values, and `IGNORE`, to the values of training labels.

        Args:
            label: (*shape) of label values.
            annotation: of the case.
        """
        value_of = {possible: k for k, possible in enumerate(self.sets, self.classes)}
        value_of |= {(k,): k for k in range(self.classes)}
        new = [value_of[possible] for possible in self.possible(annotation)]
        result = np.full(label.shape, new[0], np.uint8 if self.values <= 256 else np.int16)
        for value, k in zip(self.names, new[1:]):
            result[label == value] = k
        result[label == IGNORE] = self.classes
        return result

    def decode(self, label: torch.Tensor, *, only_certain: bool = False) -> torch.Tensor:
        """Convert values of training labels to label values, and to `ignored_file_value`.

        Args:
            label: (*shape).
            only_certain: voxels of which only a set of classes is known count as ignored; else they
                become the class around those that nobody annotated.
        """
        values = [0, *self.names]
        table = [values[k] for k in self.first_class]
        ignored = ignored_file_value(self.names)
        table[self.classes] = ignored
        if only_certain:
            table[self.classes :] = [ignored] * len(self.sets)
        return torch.tensor(table, device=label.device)[label.long()]

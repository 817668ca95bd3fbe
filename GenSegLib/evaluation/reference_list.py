"""What a list of cases beside reference segmentations says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..case_annotation import COMPLETE, Annotation
from ..datasets.case_lists import read_case_list, read_label_list
from ..images.file_names import image_stem
from ..nesting import Includes

_LISTS = ("cases.json", "dataset.json")


@dataclass(frozen=True)
class ReferenceList:
    """Classes and annotation of reference segmentations.

    Attributes:
        labels: class name by value; empty if unknown.
        includes: names of the classes within a class.
        terminology: entries of the labels, see `read_label`.
        annotations: by the name of the reference's file without suffix.
        others: annotation of all other references.
    """

    labels: Mapping[int, str] = field(default_factory=dict)
    includes: Includes = field(default_factory=dict)
    terminology: Mapping[int, str] = field(default_factory=dict)
    annotations: Mapping[str, Annotation] = field(default_factory=dict)
    others: Annotation = COMPLETE

    @classmethod
    def beside(cls, references: Path) -> ReferenceList:
        """Read the list of cases in a folder of references, or in the folder that contains it.

        The result is empty without one.

        Raises:
            GenSegError: a list of our own is invalid; those of other programs say nothing of what
                was annotated.
        """
        paths = (folder / name for folder in (references, references.parent) for name in _LISTS)
        path = next((each for each in paths if each.is_file()), None)
        if path is None:
            return cls()
        found = read_label_list(path)
        cases = read_case_list(path).cases if path.name == _LISTS[0] else ()
        annotations = {
            image_stem(case.label): case.annotation for case in cases if case.label is not None
        }
        others = Annotation(values=found.values)
        return cls(found.labels, found.includes, {}, annotations, others)

    def annotation(self, reference: Path) -> Annotation:
        """Return the annotation of a reference."""
        return self.annotations.get(image_stem(reference), self.others)

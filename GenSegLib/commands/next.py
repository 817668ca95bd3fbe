"""`genseg next`: which image to annotate next."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..annotation.strategies import STRATEGIES
from ..cases import Role
from ..datasets.case_lists import read_case_list
from ..datasets.clips import frames_of
from ..datasets.image_folders import list_images
from ..datasets.layouts import read_cases
from ..errors import GenSegError
from ..images.file_names import image_stem
from ..runs import RunFolder
from .options import add_device, add_events, add_seed, find_model, open_event_log

if TYPE_CHECKING:
    from ..prediction.case_ranking import Ranking

NAME = "next"
SUMMARY = "select the images to annotate next"
EXAMPLE = """\
  genseg next runs/first new-scans
  genseg next runs/first new-scans --strategy unsure --count 5
  genseg next model new-scans --strategy different --labeled my-cases --json"""

_LIST = ".json"
_DEFAULT = "order"  # as in the panel, whose scenes store the strategy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder or model folder")
    parser.add_argument(
        "images",
        metavar="IMAGES",
        type=Path,
        nargs="+",
        help="image files, folders of images, or lists of unlabeled cases (cases.json)",
    )
    parser.add_argument(
        "--strategy",
        choices=tuple(STRATEGIES),
        default=_DEFAULT,
        help="; ".join(f"{each.name}: {each.hint}" for each in STRATEGIES.values())
        + f" (default: {_DEFAULT})",
    )
    parser.add_argument(
        "--labeled",
        metavar="CASES",
        type=Path,
        help="labeled cases, which are left out; `different` selects images unlike them (default: "
        "those of the run folder MODEL)",
    )
    parser.add_argument("--count", metavar="NUMBER", type=int, default=1, help="default: 1")
    add_seed(parser)
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Print the images in the order in which to annotate them."""
    from ..models.folder import ModelMetadata
    from ..prediction.case_ranking import rank_cases

    model = find_model(args.model)
    channels = ModelMetadata.load(model).preset.channels
    labeled = _labeled(args)
    images = _candidates(args, channels, labeled)
    with open_event_log(args) as events:
        ranking = rank_cases(
            args.strategy,
            model,
            images,
            labeled,
            args.count,
            args.seed,
            args.device,
            lambda done, total: events.progress("predict", done, total),
        )
        for line in ranking.skipped:
            events.log(f"{line}; skipped", "warning")
    print(_to_json(args.strategy, ranking) if args.json else _describe(args.strategy, ranking))


def _labeled(args: argparse.Namespace) -> list[tuple[Path, ...]]:
    """Return the files of the labeled images."""
    if args.labeled is not None:
        cases = read_cases(args.labeled)
    elif RunFolder.is_run(args.model):
        cases = RunFolder.open(args.model).cases
    elif args.strategy == "different":
        raise GenSegError(
            f"{args.model} is a model without its cases; specify them with --labeled CASES"
        )
    else:
        return []
    return [case.images for case in cases.labeled]


def _candidates(
    args: argparse.Namespace, channels: int, labeled: Sequence[Sequence[Path]]
) -> dict[str, list[Path]]:
    """Return the files of the images and frames that are not labeled, by their names."""
    from ..datasets.channels import group_files  # imports SimpleITK

    if args.count < 1:
        raise GenSegError("--count must be 1 or more")
    known = {path.resolve() for paths in labeled for path in paths}
    lists = [path for path in args.images if path.suffix == _LIST and path.is_file()]
    files = [
        file
        for path in args.images
        if path not in lists
        for image in list_images(path)
        for file in frames_of(image)
    ]
    groups = {name: files for path in lists for name, files in _listed(path).items()}
    groups |= group_files(list(dict.fromkeys(files)), channels)
    free = {name: paths for name, paths in groups.items() if paths[0].resolve() not in known}
    if not free:
        raise GenSegError(f"all {len(groups)} images are already labeled; specify others")
    return free


def _listed(path: Path) -> dict[str, list[Path]]:
    """Return the files of the unlabeled cases in a list, named as `channels.group_files` does."""
    cases = read_case_list(path).of_role(Role.UNLABELED)
    return {
        str(case.image.parent / case.name if case.others else case.image): list(case.images)
        for case in cases
    }


def _describe(strategy: str, ranking: Ranking) -> str:
    what = {"different": "distance", "unsure": "mean entropy"}.get(strategy, "")
    lines = []
    for case in ranking.cases:
        score = "" if case.score is None else f"  ({what} {case.score:.3f})"
        lines.append(" ".join(map(str, case.images)) + score)
    return "\n".join([*lines, f"{strategy}: {STRATEGIES[strategy].hint}"])


def _to_json(strategy: str, ranking: Ranking) -> str:
    cases = [
        {
            "name": image_stem(Path(case.name)) if len(case.images) == 1 else Path(case.name).name,
            "images": [str(path.absolute()) for path in case.images],
            "score": case.score,
        }
        for case in ranking.cases
    ]
    hint = STRATEGIES[strategy].hint
    values = {"strategy": strategy, "hint": hint, "cases": cases, "skipped": list(ranking.skipped)}
    return json.dumps(values, indent=2)

"""What the panel says of the training pairs: what is missing, what is wrong, what they are for."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _

from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs


def faultOf(pairs: Sequence[TrainingPair], hasClasses: bool) -> str:
    """Tell in one line why pairs cannot be learned from; "" where they can."""
    used = usedPairs(pairs)
    bad = _badPairs(pairs)
    if len(used) < 2:
        return _("add at least two pairs of a volume and its segmentation")
    if not any(pair.role == "train" for pair in used):
        return _("set the role of at least one pair to Train")
    if bad:
        return bad[0].status
    if not hasClasses:
        return _("choose a class of the model for at least one segment")
    if any(pair.status == "" for pair in used):
        return _("the pairs are being checked")
    return ""


def tellAbout(pairs: Sequence[TrainingPair], message: InlineMessage) -> None:
    """Say how many pairs do what, which one is at fault, or which are to be looked at."""
    bad, odd = _badPairs(pairs), [pair.remark for pair in usedPairs(pairs) if pair.remark]
    if bad:
        more = _(" (and {count} more)").format(count=len(bad) - 1) if len(bad) > 1 else ""
        message.error(bad[0].status + more)
    elif odd:
        message.warning("\n".join([_roles(pairs), *odd]))
    else:
        message.hint(_roles(pairs))


def _roles(pairs: Sequence[TrainingPair]) -> str:
    train, validate = (sum(p.role == role for p in pairs) for role in ("train", "validate"))
    if not pairs:
        return _("No pairs yet: load volumes with segmentations, then add them.")
    if validate:
        text = _("{train} pairs to learn from, {validate} held back.")
        return text.format(train=train, validate=validate)
    if train == 1:
        return _("One pair to learn from; a training needs two or more.")
    return _("{train} pairs; about a third of them is held back by itself.").format(train=train)


def _badPairs(pairs: Sequence[TrainingPair]) -> list[TrainingPair]:
    return [pair for pair in usedPairs(pairs) if pair.status not in ("", "ok")]

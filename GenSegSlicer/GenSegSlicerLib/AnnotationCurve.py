"""Plot of the drafts of the annotation loop: their Dice and the time to correct them."""

from __future__ import annotations

from collections.abc import Iterable

from slicer.i18n import tr as _

from GenSegLib.annotation.forecast import Forecast, forecast
from GenSegLib.annotation.records import AnnotationRecord, learning_curve
from GenSegSlicerLib.Charts import Curve, CurveChart

_SECONDS = 600.0  # of one unit of the axis, so that minutes fit beside the Dice


class AnnotationCurve(CurveChart):
    """Dice of each draft against its correction and minutes spent, by case number."""

    def __init__(self) -> None:
        curves = {
            "dice": Curve(_("Dice of the draft"), (0.18, 0.56, 0.33), isMarked=True),
            "minutes": Curve(_("Minutes / 10"), (0.62, 0.62, 0.62), isMarked=True),
            "forecast": Curve(_("Forecast"), (0.12, 0.40, 0.75)),
        }
        super().__init__(_("GenSeg drafts"), (_("Case"), _("Dice, minutes / 10")), curves)

    def add(self, record: AnnotationRecord) -> None:
        """Add an accepted case, shown by the next `update`."""
        self.addValue("minutes", record.number, record.seconds / _SECONDS)
        if record.dice is not None:
            self.addValue("dice", record.number, record.dice)

    def showForecast(self, records: Iterable[AnnotationRecord]) -> None:
        """Show the fitted curve; the draft of case n + 1 is of a model of n cases."""
        for cases, dice in forecastOf(records).curve:
            self.addValue("forecast", cases + 1, dice)
        self.update()


def forecastOf(records: Iterable[AnnotationRecord]) -> Forecast:
    """Return the forecast of the number of further cases."""
    return forecast(learning_curve(records))

"""The plan of a training: one line, and a table of the candidates it was chosen from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.TableWidgets import showRows


class PlanView:
    """Shows the plan of the selected run; training runs with a fixed preset have none.

    Args:
        ui: widgets of the panel.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._message = InlineMessage(ui.planLabel)
        self._shown: Path | None = None
        ui.planDetailsSection.setVisible(False)

    def show(self, run: Path | None) -> None:
        """Show the plan of a run, which its process writes when it has checked the cases."""
        if run is not None and run == self._shown:
            return
        plan = _planOf(run)
        self._shown = run if plan is not None else None
        self._ui.planDetailsSection.setVisible(plan is not None)
        if plan is None:
            self._message.clear()
            return
        self._message.hint("\n".join([plan["summary"], *plan["notes"]]))
        titles = [_("Candidate"), _("Seconds per step"), _("Steps"), _("Decision")]
        rows = [  # plans of older runs have the reason under another name
            [row["candidate"], f"{row['seconds']:.3g}", f"{row['steps']:,}", row.get("reason", "")]
            for row in plan["rows"]
        ]
        showRows(self._ui.planTable, titles, rows)


def _planOf(run: Path | None) -> dict[str, Any] | None:
    try:
        return RunFolder(run).plan if run is not None else None
    except GenSegError:  # an interrupted write; the training itself reports it
        return None

"""Work in small steps, one a turn of Slicer's event loop, so that Slicer stays responsive."""

from __future__ import annotations

from collections.abc import Callable, Generator

import qt
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError

Steps = Generator[float, None, None]


class Turns:
    """Runs a generator to its end, or until Slicer is closed.

    Args:
        steps: does a little, yields the share that is done, and so on.
        onStep: called with that share.
        onEnd: called at the end, with "" or the one line of what went wrong.
    """

    def __init__(
        self, steps: Steps, onStep: Callable[[float], None], onEnd: Callable[[str], None]
    ) -> None:
        self._steps = steps
        self._onStep = onStep
        self._onEnd = onEnd
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._turn)
        slicer.app.connect("aboutToQuit()", self.cancel)
        self._timer.start()

    def cancel(self) -> None:
        """Leave the work as it is; the generator tidies up, and `onEnd` is not called."""
        self._rest()
        self._steps.close()

    def _turn(self) -> None:
        try:
            share = next(self._steps)
        except StopIteration:
            self._end("")
        except GenSegError as fault:
            self._end(str(fault))
        except Exception as fault:
            text = _("this is a bug in GenSeg, please report it ({fault})")
            self._end(text.format(fault=repr(fault)))
            raise
        else:
            self._onStep(share)

    def _end(self, fault: str) -> None:
        self._rest()
        self._onEnd(fault)

    def _rest(self) -> None:
        self._timer.stop()
        slicer.app.disconnect("aboutToQuit()", self.cancel)

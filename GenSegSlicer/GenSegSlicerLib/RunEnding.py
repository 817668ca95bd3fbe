"""How a run stands once no process trains it any more."""

from __future__ import annotations

import shutil
from contextlib import suppress

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder, State
from GenSegSlicerLib.ProcessText import describeEnd

_FULL_BELOW_BYTES = 1 << 20
_OPEN = (State.QUEUED.value, State.RUNNING.value, State.STOPPING.value)


def settle(
    run: RunFolder, exitCode: int | None = None, told: str = "", killed: bool = False
) -> tuple[str, str]:
    """Give state and one-line message of a run that nobody trains.

    A process that was killed could not write how it ended; then that is written here, so that the
    panel, the command line and another Slicer all know.

    Args:
        run: the run.
        exitCode: of the process, None where it is not known.
        told: what the process said about its end.
        killed: whether the user ended it at once.
    """
    saved = _savedStatus(run)
    if saved["state"] == State.QUEUED.value and exitCode is None and not killed:
        return State.STOPPED.value, _("This training has not begun; Resume starts it")
    state, message = _judge(run, saved, exitCode, told, killed)
    if saved["state"] in _OPEN:
        with suppress(GenSegError):  # on a full disk it stays as it is
            run.write_status(State(state), int(saved.get("step", 0)), message=message)
    return state, message


def _judge(
    run: RunFolder, saved: dict, exitCode: int | None, told: str, killed: bool
) -> tuple[str, str]:
    state, step = saved["state"], saved.get("step", 0)
    if state == State.FINISHED.value:
        if exitCode:
            return state, _("The model is ready, but its report is not: {told}").format(told=told)
        return state, _("The training is finished")
    if killed:
        return State.STOPPED.value, _("Ended at once; {resume}").format(resume=_howToResume(run))
    if not exitCode and state == State.STOPPED.value:
        return state, _("Stopped after step {step}; Resume goes on from there").format(step=step)
    if told or (state == State.FAILED.value and not exitCode):
        return State.FAILED.value, told or saved.get("message") or _("The training failed")
    return State.FAILED.value, _unexplained(run, exitCode)


def _unexplained(run: RunFolder, exitCode: int | None) -> str:
    if _isDiskFull(run):
        text = _("{path} cannot be written: the disk is full; make room, then resume")
        return text.format(path=run.path)
    if exitCode:
        reason = describeEnd(exitCode)
    else:
        reason = _("its process ended without a word: killed, or without memory or power")
    text = _("The training broke off: {reason}; {resume}")
    return text.format(reason=reason, resume=_howToResume(run))


def _howToResume(run: RunFolder) -> str:
    if any(run.checkpoints.glob("*")):
        return _("Resume goes on from the last checkpoint")
    return _("Resume starts it anew")


def _savedStatus(run: RunFolder) -> dict:
    try:
        return run.read_status()
    except GenSegError:
        return {"state": State.QUEUED.value, "step": 0}


def _isDiskFull(run: RunFolder) -> bool:
    try:
        return shutil.disk_usage(run.path).free < _FULL_BELOW_BYTES
    except OSError:
        return False

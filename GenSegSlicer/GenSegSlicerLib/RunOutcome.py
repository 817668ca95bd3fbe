"""State and message of a run that no process is training any longer."""

from __future__ import annotations

import shutil
from contextlib import suppress

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder, State
from GenSegSlicerLib.Processes import describeExit

_MIN_FREE_BYTES = 1 << 20
_UNFINISHED = (State.QUEUED.value, State.RUNNING.value, State.STOPPING.value)


def recordOutcome(
    run: RunFolder, exitCode: int | None = None, error: str = "", killed: bool = False
) -> tuple[str, str]:
    """Return state and one-line message of a run that is not being trained.

    A process that was killed could not write its final state, so it is written here for the panel,
    the command line and other instances of Slicer.

    Args:
        run: the run.
        exitCode: exit code of the process, None if unknown.
        error: error that the process reported.
        killed: whether the user ended it.
    """
    if not RunFolder.is_run(run.path):
        text = _(
            "{path} was not found: the run was deleted or moved, or its drive is not connected"
        )
        return State.FAILED.value, text.format(path=run.path)
    status = _readStatus(run)
    if status["state"] == State.QUEUED.value and exitCode is None and not killed:
        return State.STOPPED.value, _("This training has not started; use Resume to start it")
    state, message = _outcome(run, status, exitCode, error, killed)
    if status["state"] in _UNFINISHED:
        with suppress(GenSegError):  # the disk may be full
            run.write_status(State(state), int(status.get("step", 0)), message=message)
    return state, message


def _outcome(
    run: RunFolder, status: dict, exitCode: int | None, error: str, killed: bool
) -> tuple[str, str]:
    state, step = status["state"], status.get("step", 0)
    if state == State.FINISHED.value:
        if exitCode:
            text = _("The model is ready, but the report could not be written: {error}")
            return state, text.format(error=error)
        return state, _("Training finished")
    if killed:
        return State.STOPPED.value, _("Training ended; {hint}").format(hint=_resumeHint(run))
    if not exitCode and state == State.STOPPED.value:
        text = _("Stopped after step {step}; use Resume to continue from there")
        return state, text.format(step=step)
    if error or (state == State.FAILED.value and not exitCode):
        return State.FAILED.value, error or status.get("message") or _("Training failed")
    return State.FAILED.value, _failureMessage(run, exitCode)


def _failureMessage(run: RunFolder, exitCode: int | None) -> str:
    if _isDiskFull(run):
        text = _("{path} cannot be written: the disk is full; free disk space and use Resume")
        return text.format(path=run.path)
    if exitCode:
        reason = describeExit(exitCode)
    else:
        reason = _("its process ended without an error message; it may have been killed")
    text = _("Training was interrupted: {reason}; {hint}")
    return text.format(reason=reason, hint=_resumeHint(run))


def _resumeHint(run: RunFolder) -> str:
    if any(path.name[0] != "." for path in run.checkpoints.glob("*")):  # none is half-written
        return _("use Resume to continue from the last checkpoint")
    return _("use Resume to start it again")


def _readStatus(run: RunFolder) -> dict:
    try:
        return run.read_status()
    except GenSegError:
        return {"state": State.QUEUED.value, "step": 0}


def _isDiskFull(run: RunFolder) -> bool:
    try:
        return shutil.disk_usage(run.path).free < _MIN_FREE_BYTES
    except OSError:
        return False

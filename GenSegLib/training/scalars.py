"""Metrics as TensorBoard scalars, if tensorboard is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..events import Event, Sink

_NOT_SCALARS = {"time", "kind", "phase", "step"}


def tensorboard_sinks(folder: Path) -> list[Sink]:
    """Return a sink that writes scalars into ``folder``; none without tensorboard."""
    if find_spec("tensorboard") is None:
        return []
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def write(event: Event) -> None:
        if event["kind"] == "metrics":
            for name in event.keys() - _NOT_SCALARS:
                if event[name] is not None:
                    writer.add_scalar(name, event[name], event["step"])
        elif event["kind"] in ("state", "error"):
            writer.flush()

    return [write]

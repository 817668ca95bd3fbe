"""Keeps the metadata of a stranger's model from asking for more memory than its weights fill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ..errors import GenSegError

_SLACK = 1 << 20


@contextmanager
def weights_within(size: int, source: str) -> Iterator[None]:
    """Refuse to build a network whose parameters take more bytes than a file of weights has.

    PyTorch announces each parameter before its memory is touched.

    Raises:
        GenSegError: the network is larger, or no memory could hold it; `source` says what asked.
    """
    filled = 0

    def count(_: nn.Module, __: str, parameter: nn.Parameter | None) -> None:
        nonlocal filled
        filled += 0 if parameter is None else parameter.numel() * parameter.element_size()
        if filled > size + _SLACK:
            raise GenSegError(_refusal(source))

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    except (RuntimeError, MemoryError, OverflowError) as fault:
        raise GenSegError(_refusal(source)) from fault
    finally:
        hook.remove()


def _refusal(source: str) -> str:
    return f"{source} asks for a larger network than the weights are of; get the model anew"

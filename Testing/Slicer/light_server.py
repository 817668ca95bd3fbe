"""A server of `genseg serve`'s protocol that starts at once: it labels bright gray pixels."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LIGHT_SERVER = f"""
import sys
if sys.argv[1] != "serve":
    sys.exit("only genseg serve is replaced")
sys.path[0] = {str(ROOT)!r}
del sys.modules["GenSegLib"]
from pathlib import Path
from GenSegLib.events import EventLog
from GenSegLib.progress import JsonLines
from GenSegLib.serving.protocol import FrameMessage, parse_request
from GenSegLib.serving.shared_memory import SharedMemory

events, memory = EventLog(None, [JsonLines(sys.stdout)]), None
events.ready(protocol=1, labels={{"1": "Bright"}}, channels=1, spatial_dims=2)
for line in sys.stdin.buffer:
    request = FrameMessage.parse(parse_request(line))
    if memory is None or str(memory.path) != request.memory:
        memory = SharedMemory(Path(request.memory))
    label = (memory.array(request.shape, request.dtype)[..., 0] > 100).astype("uint8")
    memory.array(label.shape, "uint8", request.result_offset)[...] = label
    events.result(
        request.frame, offset=request.result_offset, shape=label.shape, dtype="uint8", seconds=0.01
    )
"""

"""`genseg serve`: a resident process that segments images in shared memory."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models import save_bright_model, save_tiny_model
from torch import nn

from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog
from GenSegLib.images.volume import LPS_TO_RAS, Volume
from GenSegLib.prediction.predictor import Predictor
from GenSegLib.presets import Preset, load_preset
from GenSegLib.serving import fast_network
from GenSegLib.serving.client import FrameClient, ServeProcess
from GenSegLib.serving.protocol import load_line, to_line
from GenSegLib.serving.server import serve

GRAY = replace(load_preset("generic-2d"), labels={1: "Bright"}, patch_size=(32, 32))
COLOR = replace(load_preset("generic-2d-color"), labels={1: "Bright"}, patch_size=(32, 32))


def frame(width: int = 48, height: int = 32, channels: int = 1, bright: int = 10) -> Volume:
    """An image with a bright square, in the memory order of a video frame."""
    voxels = np.full((1, height, width, channels), 20, np.uint8)
    voxels[0, 4 : 4 + bright, 6 : 6 + bright] = 220
    return Volume(voxels.transpose(3, 2, 1, 0), LPS_TO_RAS.copy(), unit="px")


def colored() -> Volume:
    """A frame whose channels differ, so that it is not a gray image stored in color."""
    image = frame(channels=3)
    image.array[0] = 0
    return image


def square(bright: int = 10) -> np.ndarray:
    return frame(bright=bright).array[0] > 100


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "bright"
    save_bright_model(folder, GRAY)
    return folder


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[ServeProcess]:
    with ServeProcess(model) as process:
        yield process


class Conversation:
    """A server in this process: what it answers to lines that have all been sent already."""

    def __init__(self, model: Path, *lines: bytes) -> None:
        self.events: list[dict] = []
        serve(model, io.BytesIO(b"".join(lines)), EventLog(None, [self.events.append]))

    def of(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["kind"] == kind]


def sent(image: Volume) -> tuple[FrameClient, bytes]:
    lines: list[bytes] = []
    client = FrameClient(lines.append)
    client.send(image)
    return client, lines[0]


def test_a_frame_is_segmented_in_the_resident_process(server: ServeProcess) -> None:
    label = server.segment(frame())
    assert np.array_equal(label[..., 0], square()[..., 0])
    assert server.client.model["labels"] == {"1": "Bright"}


def test_frames_may_change_their_size_at_any_time(server: ServeProcess) -> None:
    for width, height in ((48, 32), (160, 120), (33, 47)):
        assert server.segment(frame(width, height)).shape == (width, height, 1)


def test_a_frame_of_wrong_channels_is_refused_in_one_line_and_the_next_one_is_segmented(
    server: ServeProcess,
) -> None:
    with pytest.raises(GenSegError, match=r"3 channels .*but the model expects 1"):
        server.segment(colored())
    assert server.segment(frame()).any()


def test_results_agree_with_predict(model: Path) -> None:
    image = frame(32, 32)
    client, line = sent(image)
    (result,) = Conversation(model, line).of("result")
    found = client.handle(result)
    assert found is not None
    assert found.label is not None
    expected = Predictor(model).predict(image).label.array[0]
    assert np.array_equal(found.label, expected)


def test_the_frames_of_a_clip_are_segmented_one_by_one(tmp_path: Path) -> None:
    save_bright_model(tmp_path / "px", replace(GRAY, unit="px", spacing=(1.0, 1.0)))
    frames = [frame(bright=bright).array for bright in (8, 12)]
    client, line = sent(replace(frame(), array=np.concatenate(frames, axis=3), is_stack=True))
    (result,) = Conversation(tmp_path / "px", line).of("result")
    found = client.handle(result)
    assert found is not None
    assert np.array_equal(found.label, np.concatenate(frames, axis=3)[0] > 100)


def test_of_frames_that_have_piled_up_the_newest_one_is_segmented(model: Path) -> None:
    clients = [sent(frame(bright=bright)) for bright in (8, 10, 12)]
    lines = [
        line.replace(b'"frame": 1', b'"frame": %d' % number)
        for number, (_, line) in enumerate(clients)
    ]
    conversation = Conversation(model, *lines)
    assert [event["frame"] for event in conversation.of("refused")] == [0, 1]
    assert [event["frame"] for event in conversation.of("result")] == [2]


def test_another_model_is_loaded_without_a_restart(model: Path, tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "color", COLOR)
    _, line = sent(frame(channels=3))
    conversation = Conversation(model, load_line(tmp_path / "color"), line)
    assert [event["channels"] for event in conversation.of("ready")] == [1, 3]
    assert len(conversation.of("result")) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[1, 2]\n",
        to_line({"kind": "segment", "frame": 3}),
        to_line({"kind": "segment", "frame": 3, "memory": "/missing", "shape": [1, 8, 8, 1]}),
        to_line({"kind": "unknown"}),
    ],
)
def test_invalid_lines_do_not_end_the_server(model: Path, line: bytes) -> None:
    _, valid = sent(frame())
    conversation = Conversation(model, line, load_line(model), valid)
    assert len(conversation.of("result")) == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_server_is_reported_in_one_line(model: Path) -> None:
    process = ServeProcess(model)
    os.kill(process.process.pid, signal.SIGKILL)
    process.process.wait(30)
    with pytest.raises(GenSegError, match="has ended; start it again"):
        process.segment(frame())
    process.close()


def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_code_of_user_errors(
    model: Path, tmp_path: Path
) -> None:
    process = ServeProcess(model)
    process.client.load(tmp_path)
    assert process.process.wait(30) == 2
    process.close()


def test_no_shared_memory_remains_after_the_first_result(server: ServeProcess) -> None:
    server.segment(frame())
    memory = server.client._memory
    assert memory is not None
    assert os.name == "nt" or not memory.path.exists()


def test_a_missing_model_is_reported_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="missing"):
        ServeProcess(tmp_path / "missing")


def test_onnx_runtime_is_used_where_it_is_faster_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(fast_network, "_MIN_SPEEDUP", 0.0)
    used: list[str] = []

    def runtime(folder: Path, network: nn.Module, preset: Preset) -> nn.Module:
        chosen = fast_network.fastest_network(folder, network, preset)
        used.append(type(chosen).__name__)
        return chosen

    save_tiny_model(tmp_path / "tiny", GRAY)
    image = frame(64, 48)
    options = {"whole_slices": True, "exact": True}
    fast = Predictor(tmp_path / "tiny", runtime=runtime, **options).predict(image)
    usual = Predictor(tmp_path / "tiny", **options).predict(image)
    assert used == ["_OnnxNetwork"]
    assert (fast.label.array == usual.label.array).mean() > 0.99


def test_the_server_ends_with_its_client(server: ServeProcess) -> None:
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(30) == 0

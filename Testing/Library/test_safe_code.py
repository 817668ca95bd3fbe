"""What the code of GenSeg itself never does, whatever file it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from Testing.imports import ROOT, imports_of

FILES = sorted(
    file for room in ("GenSegLib", "GenSegSlicer") for file in (ROOT / room).rglob("*.py")
)
NEVER_CALLED = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "yaml.load", "tempfile.mktemp", "marshal.loads", "shelve.open"),
}
NEVER_IMPORTED = ("pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "telnetlib", "ftplib")


def called(node: ast.expr) -> str:
    """The dotted name of what a call calls; only its end where the rest is computed."""
    if isinstance(node, ast.Attribute):
        return f"{called(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls_in(file: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield called(node.func), node


def is_true(call: ast.Call, name: str) -> bool:
    values = [word.value for word in call.keywords if word.arg == name]
    return any(isinstance(value, ast.Constant) and value.value is True for value in values)


def violations(file: Path) -> list[str]:
    found = [
        name
        for name, call in calls_in(file)
        if name in NEVER_CALLED
        or (name == "torch.load" and not is_true(call, "weights_only"))
        or (name.endswith(("numpy.load", "np.load")) and is_true(call, "allow_pickle"))
        or any(word.arg == "shell" for word in call.keywords)
        or name.endswith("ConfigParser.parse")
    ]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in NEVER_IMPORTED:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    found += [name for name in imports_of(file) if name in NEVER_IMPORTED and not found]
    return found


def test_no_file_unpickles_evaluates_or_runs_a_shell() -> None:
    found = {str(file.relative_to(ROOT)): violations(file) for file in FILES}
    assert len(FILES) > 100
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "eval('1')",
        "import torch\ntorch.load('a')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import pickle",
        "from pickle import loads",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
    ],
)
def test_the_search_would_find_it(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("Testing.imports.ROOT", tmp_path)
    (tmp_path / "a.py").write_text(line)
    assert violations(tmp_path / "a.py")


def test_only_the_download_reaches_for_the_network() -> None:
    network = ("urllib.request", "http.client", "http.server", "ssl", "requests", "urllib3")
    assert {file.name for file in FILES for name in imports_of(file) if name in network} == {
        "transfers.py"
    }
    of_socket = {name for file in FILES for name, _ in calls_in(file) if name.startswith("socket.")}
    assert of_socket == {"socket.gethostname"}

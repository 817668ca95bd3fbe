"""The command line: commands, errors, exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import error_of, genseg

from GenSegLib.commands import COMMANDS, presets
from GenSegLib.commands.training_job import _errors_logged
from GenSegLib.config import TrainConfig
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]
HIPPOCAMPUS = ("--preset", "hippocampus-mri")


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three labeled hippocampus phantoms and a test case."""
    folder = tmp_path_factory.mktemp("cli") / "phantoms"
    assert genseg("phantom", folder, "--cases", 3, "--test", 1) == 0
    return folder


def test_the_help_appears_without_loading_heavy_packages() -> None:
    code = (
        "import sys; from GenSegLib.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'monai', 'SimpleITK', 'scipy', 'matplotlib'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "genseg demo" in done.stdout


def test_python_dash_m_is_the_same_command() -> None:
    command = [sys.executable, "-m", "GenSegLib", "presets"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "hippocampus-mri" in done.stdout


@pytest.mark.parametrize("name", [command.NAME for command in COMMANDS])
def test_each_command_has_a_help_with_examples(name: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        genseg(name, "--help")
    assert end.value.code == 0
    assert f"examples:\n  genseg {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["predict"],
        ["train", "x", "--seed", "one"],
        ["predict", "model", "image", "--out", "out", "--event", "jsonl"],  # no abbreviations
    ],
)
def test_wrong_arguments_refer_to_the_help(arguments: list[str], capsys: Capture) -> None:
    assert "--help" in error_of(capsys, *arguments)


def test_a_bug_shows_its_traceback_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(presets, "list_presets", lambda: 1 / 0)
    assert genseg("presets") == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "this is a bug in GenSeg; please report it" in error.splitlines()[-1]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.delitem(sys.modules, "GenSegLib.computing.devices", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert error_of(capsys, "devices").startswith("the Python package torch is not installed for ")


def test_a_missing_package_is_named_in_the_events_of_a_run(tmp_path: Path) -> None:
    run = SimpleNamespace(events_file=tmp_path / "events.jsonl", is_running=lambda: False)
    with pytest.raises(ModuleNotFoundError), _errors_logged(run):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    assert "the Python package torch is not installed for " in run.events_file.read_text()


def test_an_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupt() -> tuple[str, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(presets, "list_presets", interrupt)
    assert genseg("presets") == 130
    assert capsys.readouterr().err == "genseg: interrupted\n"


@pytest.mark.parametrize("command", ["check", "support", "train"])
def test_a_path_that_is_too_long_is_reported(command: str, tmp_path: Path, capsys: Capture) -> None:
    options = (*HIPPOCAMPUS, "--out", tmp_path / "run") if command == "train" else ()
    error = error_of(capsys, command, tmp_path / ("a" * 300), *options)
    assert "the name is too long" in error


def test_programs_get_only_json_lines_on_standard_output(tmp_path: Path, capsys: Capture) -> None:
    code = genseg("train", tmp_path, "--preset", "liver-ct", "--out", "x", "--events", "jsonl")
    shown = capsys.readouterr()
    event = json.loads(shown.out)
    assert code == 2
    assert event["kind"] == "error"
    assert shown.err == f"genseg: error: {event['text']}\n"


def test_a_shown_preset_can_be_edited_and_used(tmp_path: Path, capsys: Capture) -> None:
    assert genseg("presets", "liver-ct") == 0
    mine = json.loads(capsys.readouterr().out) | {"name": "mine", "labels": {"1": "Spleen"}}
    (tmp_path / "mine.json").write_text(json.dumps(mine))
    assert genseg("presets", tmp_path / "mine.json") == 0
    assert "Spleen" in capsys.readouterr().out


def test_check_prints_a_table_and_exits_with_2_if_a_case_has_an_error(
    phantoms: Path, write_tiny_cases: Callable[..., Path], capsys: Capture
) -> None:
    assert genseg("check", phantoms, *HIPPOCAMPUS) == 0
    assert capsys.readouterr().out.count("hippocampus_00") == 3
    cases = write_tiny_cases(2)
    (cases / "images" / "case_1.nii.gz").write_bytes(b"no image")
    assert genseg("check", cases / "images", "--labels", cases / "labels") == 2
    shown = capsys.readouterr()
    assert "case_0" in shown.out
    assert "case_1" in shown.err


def test_check_reports_persons(write_tiny_cases: Callable[..., Path], capsys: Capture) -> None:
    root = write_tiny_cases(3)
    (root / "groups.csv").write_text("case,person\ncase_0,anna\ncase_1,anna\ncase_2,carl\n")
    assert genseg("check", root) == 0
    output = capsys.readouterr().out
    assert "warning: 3 cases show 2 persons according to groups.csv (case_0 and case_1" in output


def test_phantoms_do_not_replace_other_files(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert "already exists" in error_of(capsys, "phantom", phantoms)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("mine")
    error = error_of(capsys, "phantom", tmp_path / "photos", "--overwrite")
    assert "was not written by genseg" in error
    assert (tmp_path / "photos" / "a.jpg").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--preset", "kidney-us"], "'kidney-us'"),
        (["--preset", "liver-ct"], "the cases are MR, but preset liver-ct is for CT"),
        ([*HIPPOCAMPUS, "--labeled", "9"], "9 labeled cases"),
        ([*HIPPOCAMPUS, "--device", "cuda:99"], "device cuda:99"),
        ([*HIPPOCAMPUS, "--device", "gpu"], "device must be auto, cpu"),
        ([*HIPPOCAMPUS, "--set", "epochs=3"], "there is no setting 'epochs'"),
        ([*HIPPOCAMPUS, "--set", "batch_size=0"], "batch_size must be 1 or more"),
        ([*HIPPOCAMPUS, "--time-budget", "soon"], "durations are written 90s"),
    ],
)
def test_a_rejected_training_leaves_nothing(
    phantoms: Path, tmp_path: Path, capsys: Capture, arguments: list[str], error: str
) -> None:
    assert error in error_of(capsys, "train", phantoms, "--out", tmp_path / "run", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_training_with_a_damaged_case_leaves_nothing(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    cases = shutil.copytree(phantoms, tmp_path / "cases")
    image = cases / "imagesTr" / "hippocampus_002.nii.gz"
    image.write_bytes(image.read_bytes()[:5000])
    error = error_of(capsys, "train", cases, *HIPPOCAMPUS, "--out", tmp_path / "run")
    assert "hippocampus_002" in error
    assert not (tmp_path / "run").exists()


def test_an_output_of_the_user_is_rejected_before_the_cases_are_read(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    for more in ([], ["--overwrite"]):
        arguments = ["missing", "--preset", "liver-ct", "--out", str(tmp_path / "run"), *more]
        assert str(tmp_path / "run") in error_of(capsys, "train", *arguments)
    assert (tmp_path / "run" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_run_of_a_program_keeps_its_settings(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    cases = read_cases(phantoms).with_validation(0.3, 0)
    preset = load_preset("hippocampus-mri")
    run = RunFolder.create(tmp_path / "run", TrainConfig(), preset, cases)
    for option in ("--seed 3", "--unlabeled", "--time-budget 9s", "--set joint_steps=3"):
        error = error_of(capsys, "train", run.path, *option.split())
        omitted = option.partition("=")[0].removesuffix(" 3").removesuffix(" 9s")
        assert f"is a run folder with its own settings; omit {omitted}" in error


def test_resuming_another_folder_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    assert "is not a run folder" in error_of(capsys, "resume", tmp_path)


def test_predicting_without_a_model_leaves_nothing(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    error_of(capsys, "predict", tmp_path, phantoms / "imagesTs", "--out", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_perfect_prediction_has_a_dice_of_1(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    labels = phantoms / "labelsTr"
    scores = tmp_path / "scores.csv"
    evaluate = ("evaluate", "--predictions", labels, "--references", labels)
    assert genseg(*evaluate, "--out", scores) == 0
    assert "Anterior" in capsys.readouterr().out
    assert scores.read_text(encoding="utf-8").count("\n") == 1 + 3 * 2
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))["mean"]["dice"] == 1.0
    assert "already exists" in error_of(capsys, *evaluate, "--out", scores)
    assert "must end with .csv" in error_of(capsys, *evaluate, "--out", tmp_path / "scores")
    assert genseg(*evaluate, "--out", scores, "--overwrite") == 0


def test_scores_do_not_replace_another_json_file(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    labels = phantoms / "labelsTr"
    (tmp_path / "study.json").write_text('{"patients": 3}', encoding="utf-8")
    evaluate = ("evaluate", "--predictions", labels, "--references", labels)
    error = error_of(capsys, *evaluate, "--out", tmp_path / "study.csv", "--overwrite")
    assert "study.json does not contain scores" in error
    assert (tmp_path / "study.json").read_text(encoding="utf-8") == '{"patients": 3}'


def test_at_least_one_pair_is_synthesized(tmp_path: Path, capsys: Capture) -> None:
    error = error_of(capsys, "synthesize", "run", "--count", "0", "--out", tmp_path / "out")
    assert "--count 0 must be 1 or more" in error

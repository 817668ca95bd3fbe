"""The command line as a user meets it: verbs, faults, exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from GenSegLib.cli import main
from GenSegLib.commands import COMMANDS, presets
from GenSegLib.config import TrainConfig
from GenSegLib.data.layouts import read_cases
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]


def genseg(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def fault_of(capture: Capture, *arguments: object) -> str:
    """The one line that a user's fault is told in."""
    assert genseg(*arguments) == 2
    lines = capture.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("genseg: error: ")
    return lines[0].removeprefix("genseg: error: ")


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three segmented hippocampus phantoms and one unseen."""
    folder = tmp_path_factory.mktemp("cli") / "phantoms"
    assert genseg("phantom", folder, "--cases", 3, "--test", 1) == 0
    return folder


def write_run(phantoms: Path, folder: Path) -> RunFolder:
    """A run as the panel writes it."""
    cases = read_cases(phantoms).with_validation(0.3, 0)
    return RunFolder.create(folder / "run", TrainConfig(), load_preset("hippocampus-mri"), cases)


def test_help_is_answered_without_loading_anything_heavy() -> None:
    code = (
        "import sys; from GenSegLib.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'monai', 'SimpleITK', 'scipy', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "genseg demo" in done.stdout


def test_python_dash_m_is_the_same_command() -> None:
    command = [sys.executable, "-m", "GenSegLib", "presets"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "hippocampus-mri" in done.stdout


@pytest.mark.parametrize("verb", [command.VERB for command in COMMANDS])
def test_each_verb_explains_itself_with_an_example(verb: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        genseg(verb, "--help")
    assert end.value.code == 0
    assert f"example:\n  genseg {verb}" in capsys.readouterr().out


def test_the_verbs_are_those_of_the_manual() -> None:
    assert [command.VERB for command in COMMANDS] == [
        *("demo", "check", "train", "resume", "predict"),
        *("evaluate", "export", "synthesize", "phantom", "download"),
        *("presets", "devices", "support"),
    ]


@pytest.mark.parametrize("arguments", [[], ["fly"], ["predict"], ["train", "x", "--seed", "one"]])
def test_wrong_arguments_are_told_in_one_line_that_names_the_help(
    arguments: list[str], capsys: Capture
) -> None:
    assert "--help" in fault_of(capsys, *arguments)


def test_a_bug_shows_its_traceback_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(presets, "list_presets", lambda: 1 / 0)
    assert genseg("presets") == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "this is a bug in GenSeg, please report it" in error.splitlines()[-1]


def test_a_package_that_is_missing_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.delitem(sys.modules, "GenSegLib.computing.devices", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert fault_of(capsys, "devices").startswith("the Python package torch is not installed for ")


def test_an_interruption_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupt() -> tuple[str, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(presets, "list_presets", interrupt)
    assert genseg("presets") == 130
    assert capsys.readouterr().err == "genseg: interrupted\n"


def test_a_shown_preset_can_be_changed_and_used(tmp_path: Path, capsys: Capture) -> None:
    assert genseg("presets", "liver-ct") == 0
    mine = json.loads(capsys.readouterr().out) | {"name": "mine", "labels": {"1": "Spleen"}}
    (tmp_path / "mine.json").write_text(json.dumps(mine))
    assert genseg("presets", tmp_path / "mine.json") == 0
    assert "Spleen" in capsys.readouterr().out


def test_check_prints_a_table_of_sound_cases(phantoms: Path, capsys: Capture) -> None:
    assert genseg("check", phantoms, "--preset", "hippocampus-mri") == 0
    table = capsys.readouterr().out
    assert table.count("hippocampus_00") == 3
    assert "3 of 3 cases are sound" in table


def test_check_shows_the_table_and_ends_with_2_where_a_case_is_broken(
    write_tiny_cases: Callable[..., Path], capsys: Capture
) -> None:
    cases = write_tiny_cases(2)
    (cases / "images" / "case_1.nii.gz").write_bytes(b"no image")
    assert genseg("check", cases / "images", "--labels", cases / "labels") == 2
    shown = capsys.readouterr()
    assert "case_0" in shown.out
    assert "case_1" in shown.err


def test_phantoms_are_refused_in_the_place_of_others(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert "exists already" in fault_of(capsys, "phantom", phantoms)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("mine")
    told = fault_of(capsys, "phantom", tmp_path / "photos", "--overwrite")
    assert "was not made by genseg" in told
    assert (tmp_path / "photos" / "a.jpg").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ([], "say what is in the images: --preset generic-ct, "),
        (["--preset", "kidney-us"], "no preset 'kidney-us'; choose generic-ct"),
        (["--preset", "liver-ct"], "the cases are MR and preset liver-ct is for CT"),
        (["--preset", "generic-ct"], "the cases are MR and preset generic-ct is for CT"),
        (["--preset", "hippocampus-mri", "--labeled", "9"], "9 labeled cases are asked for"),
        (["--preset", "hippocampus-mri", "--device", "cuda:99"], "the device cuda:99"),
        (["--preset", "hippocampus-mri", "--device", "gpu"], "device must be auto, cpu"),
        (["--preset", "hippocampus-mri", "--set", "epochs=3"], "there is no setting 'epochs'"),
        (["--preset", "hippocampus-mri", "--set", "batch_size=0"], "batch_size must be 1 or more"),
        (["--preset", "hippocampus-mri", "--time-budget", "soon"], "a duration is written 90s"),
        (["--preset", "hippocampus-mri", "--resume"], "is no run folder"),
    ],
)
def test_a_training_that_cannot_be_is_refused_and_leaves_nothing(
    phantoms: Path, tmp_path: Path, capsys: Capture, arguments: list[str], fault: str
) -> None:
    assert fault in fault_of(capsys, "train", phantoms, "--out", tmp_path / "run", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_training_with_a_broken_case_is_refused_and_leaves_nothing(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    cases = shutil.copytree(phantoms, tmp_path / "cases")
    image = cases / "imagesTr" / "hippocampus_002.nii.gz"
    image.write_bytes(image.read_bytes()[:5000])
    arguments = ("train", cases, "--preset", "hippocampus-mri", "--out", tmp_path / "run")
    told = fault_of(capsys, *arguments)
    assert "1 of 3 cases have faults, the first is case hippocampus_002" in told
    assert not (tmp_path / "run").exists()


def test_an_output_that_exists_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    for more in ([], ["--overwrite"]):
        arguments = ["missing", "--preset", "liver-ct", "--out", str(tmp_path / "run"), *more]
        assert str(tmp_path / "run") in fault_of(capsys, "train", *arguments)
    assert (tmp_path / "run" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_programs_get_json_lines_alone_on_standard_output(tmp_path: Path, capsys: Capture) -> None:
    code = genseg("train", tmp_path, "--preset", "liver-ct", "--out", "x", "--events", "jsonl")
    shown = capsys.readouterr()
    event = json.loads(shown.out)
    assert code == 2
    assert event["kind"] == "error"
    assert shown.err == f"genseg: error: {event['text']}\n"


def test_resuming_what_is_no_run_says_so(tmp_path: Path, capsys: Capture) -> None:
    assert "is no run folder" in fault_of(capsys, "resume", tmp_path)


def test_predicting_with_what_is_no_model_leaves_nothing(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "predictions"
    told = fault_of(capsys, "predict", tmp_path, phantoms / "imagesTs", "--out", out)
    assert "is no model folder" in told
    assert list(tmp_path.iterdir()) == []


def test_a_perfect_prediction_scores_1_and_is_written_down(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    labels = phantoms / "labelsTr"
    scores = tmp_path / "scores.csv"
    evaluate = ("evaluate", "--predictions", labels, "--references", labels, "--out", scores)
    assert genseg(*evaluate) == 0
    assert "Anterior" in capsys.readouterr().out
    assert scores.read_text(encoding="utf-8").count("\n") == 1 + 3 * 2
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))["mean"]["dice"] == 1.0
    assert "exists already" in fault_of(capsys, *evaluate)
    assert genseg(*evaluate, "--overwrite") == 0


def test_a_file_beside_the_table_that_holds_no_scores_is_left_alone(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    labels = phantoms / "labelsTr"
    (tmp_path / "study.json").write_text('{"patients": 3}', encoding="utf-8")
    evaluate = ("evaluate", "--predictions", labels, "--references", labels)
    told = fault_of(capsys, *evaluate, "--out", tmp_path / "study.csv", "--overwrite")
    assert "study.json holds no scores and is left alone" in told
    assert (tmp_path / "study.json").read_text(encoding="utf-8") == '{"patients": 3}'


def test_a_table_of_scores_ends_with_csv(phantoms: Path, capsys: Capture) -> None:
    labels = phantoms / "labelsTr"
    told = fault_of(
        capsys, "evaluate", "--predictions", labels, "--references", labels, "--out", "scores"
    )
    assert "must end with .csv" in told


def test_a_download_without_network_says_so(tmp_path: Path, capsys: Capture) -> None:
    nowhere = "http://127.0.0.1:9/Task04_Hippocampus.tar"
    out = tmp_path / "decathlon"
    assert genseg("download", "hippocampus", out, "--source", nowhere) == 2
    assert capsys.readouterr().err.startswith("genseg: error: ")
    assert not out.exists()


def test_a_run_that_was_written_by_a_program_keeps_its_own_settings(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = write_run(phantoms, tmp_path)
    told = fault_of(capsys, "train", run.path, "--seed", 3)
    assert "says itself how to train; leave out seed" in told


@pytest.mark.parametrize("verb", ["check", "support", "train"])
def test_a_path_that_no_system_takes_is_said_in_one_line(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["--preset", "hippocampus-mri", "--out", str(tmp_path / "run")]
    path = str(tmp_path / ("a" * 300))
    assert main([verb, path, *(train if verb == "train" else [])]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "the name is too long" in told


def test_no_pairs_are_no_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synthesize", "run", "--count", "0", "--out", str(tmp_path / "out")]) == 2
    assert "--count 0 must be 1 or more" in capsys.readouterr().err


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "model", "image", "--out", "out", "--event", "jsonl"]) == 2
    assert "--event" in capsys.readouterr().err

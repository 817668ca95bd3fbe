"""Users reject generated pairs, and the training applies it between its rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_runs import small_run

from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog, read_events
from GenSegLib.feedback import FEEDBACK, KINDS, Feedback, PreviewPair, read_preview_pairs
from GenSegLib.runs import RunFolder
from GenSegLib.training.session import load_session
from GenSegLib.training.train import train

pytestmark = pytest.mark.usefixtures("few_channels")


def pair(*cases: str, kind: str = "noise") -> PreviewPair:
    return PreviewPair("generated_0", Path("i.nii.gz"), Path("l.nii.gz"), cases, kind)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = small_run(tmp_path_factory.mktemp("trained") / "run")
    train(run, EventLog(run.events_file))
    return run


def test_saved_feedback_is_loaded_again(tmp_path: Path) -> None:
    assert Feedback.load(tmp_path) == Feedback(), "empty at first"
    feedback = Feedback()
    feedback.reject(pair("b", "a"))
    feedback.reject_kind("gamma")
    feedback.save(tmp_path)
    assert Feedback.load(tmp_path) == feedback
    assert feedback.rejects(pair("a", "b"))


def test_each_rejection_of_a_kind_halves_its_strength_and_can_be_withdrawn() -> None:
    feedback = Feedback()
    assert feedback.strength("noise") == 1
    feedback.reject_kind("noise")
    feedback.reject_kind("noise")
    feedback.reject(pair("a", "b"))
    assert feedback.strength("noise") == 0.25
    feedback.withdraw_kind("noise")
    feedback.withdraw(pair("a", "b"))
    assert feedback == Feedback()


@pytest.mark.parametrize("text", ["{", "{}", '{"rejected_pairs": 3, "rejected_kinds": {}}'])
def test_corrupted_feedback_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / FEEDBACK).write_text(text, encoding="utf-8")
    with pytest.raises(GenSegError, match=FEEDBACK):
        Feedback.load(tmp_path)


def test_previews_list_the_origin_of_each_generated_pair(trained: RunFolder) -> None:
    names = {case.name for case in trained.cases.labeled}
    found = read_preview_pairs(max(trained.previews.iterdir()))
    mr = {"blending", "deformation", "contrast", "gamma", "noise", "bias_field"}
    assert {p.kind for p in found} == mr <= set(KINDS)
    assert all(set(p.cases) <= names and p.image.is_file() and p.label.is_file() for p in found)


def test_a_rejected_pair_of_cases_is_no_longer_blended(trained: RunFolder) -> None:
    learner = load_session(trained).learner
    names = learner.sampler.names
    learner.apply_feedback(Feedback(pairs={frozenset(names[:2])}))
    pairs = [learner.sampler.blended(include_validation=True).between[0] for _ in range(40)]
    assert {frozenset(two) for two in pairs}.isdisjoint({frozenset((0, 1))})
    learner.apply_feedback(Feedback())
    pairs = [learner.sampler.blended(include_validation=True).between[0] for _ in range(40)]
    assert frozenset((0, 1)) in {frozenset(two) for two in pairs}


def test_a_rejected_kind_is_half_as_strong_in_the_training(trained: RunFolder) -> None:
    learner = load_session(trained).learner
    before = learner.problem.variables.values()
    learner.apply_feedback(Feedback(kinds={"noise": 1, "deformation": 1, "blending": 1}))
    after = learner.problem.variables.values()
    assert after["noise"] == pytest.approx(before["noise"] / 2)
    assert after["contrast"] == before["contrast"]
    assert learner.sampler.spatial.elastic == pytest.approx(learner.policy.spatial.elastic / 2)
    assert learner.sampler.blended_fraction == pytest.approx(learner.config.blended_fraction / 2)


def test_feedback_is_applied_between_rounds_unless_it_is_corrupted(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", warmup_steps=1, joint_steps=6, final_steps=1)
    names = [case.name for case in run.cases.labeled]
    Feedback(pairs={frozenset(names[:2]), frozenset(("of", "another run"))}).save(run.path)

    def corrupt(event: dict[str, Any]) -> None:
        if "pairs of cases excluded" in event.get("text", ""):
            (run.path / FEEDBACK).write_text("{", encoding="utf-8")

    train(run, EventLog(run.events_file, [corrupt]))
    texts = [event["text"] for event in read_events(run.events_file) if event["kind"] == "log"]
    assert sum("pairs of cases excluded" in text for text in texts) == 1
    assert (run.path / FEEDBACK).read_text(encoding="utf-8") == "{"
    assert run.read_status()["state"] == "finished"

"""nnU-Net v2 as its users run it: plan, train all five folds, find postprocessing, predict.

Planner, augmentation, network, optimizer and loss are nnU-Net's own; the schedule is its default or
one that fits a time budget (`fit_schedule`). It runs in an environment of its own, which is created
on first use. Finished commands are recorded with their cost, so an interrupted job resumes.

    folder = Path("runs/nnunet/atrium-0")
    write_nnunet_dataset(folder / "raw", cohort, split, labels, DATASET)  # cohorts_data
    predictions, (seconds, peak_gb) = train_and_predict(folder, "cpu", budget_s=900)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from measuring import NNUNET, Cost, peer_python, timed

DATASET = "Dataset001_Benchmark"
FOLDS = 5
_TRAINER_FILE = Path(__file__).with_name("nnunet_trainer.py")
_TRAINER = "nnUNetTrainerBenchmark"
_DEFAULT_ITERATIONS = 250
_FEWEST_EPOCHS = 10


@dataclass(frozen=True)
class Schedule:
    """Epochs of each fold, and iterations of each epoch."""

    epochs: int
    iterations: int


DEFAULT = Schedule(1000, _DEFAULT_ITERATIONS)
_TRIAL = Schedule(2, 10)


def schedule_within(fold_s: float, iteration_s: float) -> Schedule:
    """Return the schedule that fits one fold into a time.

    The learning rate decays per epoch, so there are at least ten epochs; if ten of 250 iterations
    do not fit, epochs get shorter.

    Args:
        fold_s: Seconds for one fold.
        iteration_s: Seconds of one iteration, its share of the validation included.
    """
    iterations = int(fold_s / iteration_s)
    epochs = iterations // _DEFAULT_ITERATIONS
    if epochs >= _FEWEST_EPOCHS:
        return Schedule(min(epochs, DEFAULT.epochs), _DEFAULT_ITERATIONS)
    return Schedule(_FEWEST_EPOCHS, max(1, iterations // _FEWEST_EPOCHS))


def train_and_predict(
    folder: Path, device: str, *, budget_s: float | None = None, configuration: str = "3d_fullres"
) -> tuple[Path, Cost]:
    """Train all folds on `folder/raw/DATASET` and segment its test images.

    Args:
        folder: Raw and preprocessed data, results and predictions.
        device: "cpu", "cuda" or "mps".
        budget_s: Seconds for planning and training together; None for nnU-Net's default schedule.
        configuration: nnU-Net's, "3d_fullres" or "2d".

    Returns:
        Folder of the predicted labels; seconds and peak memory (GB) of planning and training.
    """
    schedule = (
        DEFAULT if budget_s is None else fit_schedule(folder, device, budget_s, configuration)
    )
    nnunet = Nnunet(folder, device, schedule, configuration)
    nnunet.plan()
    for fold in range(FOLDS):
        nnunet.train(fold)
    nnunet.find_postprocessing()
    return nnunet.predict(), nnunet.cost


def fit_schedule(folder: Path, device: str, budget_s: float, configuration: str) -> Schedule:
    """Choose the schedule that fits a budget by a short trial that does not count; choose once."""
    file = folder / "schedule.json"
    if file.is_file():
        return Schedule(**json.loads(file.read_text(encoding="utf-8")))
    trial = Nnunet(folder / "trial", device, _TRIAL, configuration)
    shutil.copytree(folder / "raw", trial.folder / "raw", dirs_exist_ok=True)
    trial.plan()
    planning_s, _ = trial.cost
    trial.train(0)
    first_s, second_s = trial.epoch_seconds(0)
    overhead_s = trial.cost[0] - planning_s - first_s - second_s
    fold_s = (budget_s - planning_s) / FOLDS - overhead_s
    schedule = schedule_within(fold_s, second_s / _TRIAL.iterations)
    file.write_text(json.dumps(asdict(schedule)), encoding="utf-8")
    return schedule


class Nnunet:
    """nnU-Net's commands on one data set.

    Args:
        folder: Raw and preprocessed data, and results.
        device: "cpu", "cuda" or "mps".
        schedule: Of every fold.
        configuration: nnU-Net's, "3d_fullres" or "2d".
    """

    def __init__(self, folder: Path, device: str, schedule: Schedule, configuration: str) -> None:
        self.folder, self.device = folder, device
        self.schedule, self.configuration = schedule, configuration
        python = peer_python("nnunet", NNUNET)
        self._commands = python.parent
        _install_trainer(python)

    @property
    def cost(self) -> Cost:
        """Seconds of all commands of the training so far, and the peak memory in GB of one."""
        costs = self._finished().values()
        return sum(seconds for seconds, _ in costs), max(memory for _, memory in costs)

    def plan(self) -> None:
        """Plan and preprocess."""
        self._once(
            "plan",
            *("nnUNetv2_plan_and_preprocess", "-d", "1", "-c", self.configuration),
            *("--verify_dataset_integrity", "-np", _processes()),
        )

    def train(self, fold: int) -> None:
        """Train one fold, resuming it if it was interrupted, and predict its validation cases."""
        resume = ("--c",) if self._fold(fold).is_dir() else ()
        self._once(
            f"fold {fold}",
            *("nnUNetv2_train", "1", self.configuration, fold, "-tr", _TRAINER),
            *("-device", self.device, *resume),
        )

    def epoch_seconds(self, fold: int) -> list[float]:
        """Return the seconds of the epochs of a fold."""
        return json.loads((self._fold(fold) / "epochs.json").read_text(encoding="utf-8"))

    def find_postprocessing(self) -> None:
        """Choose the postprocessing by the folds' validation."""
        self._once(
            "postprocessing",
            *("nnUNetv2_find_best_configuration", "1", "-c", self.configuration),
            *("-tr", _TRAINER, "--disable_ensembling", "-np", _processes()),
        )

    def predict(self) -> Path:
        """Segment the test images by the ensemble of all folds; return the folder of the labels."""
        raw, processed = self.folder / "predictions-raw", self.folder / "predictions"
        for folder in (raw, processed):
            shutil.rmtree(folder, ignore_errors=True)
        images = self.folder / "raw" / DATASET / "imagesTs"
        self._run(
            *("nnUNetv2_predict", "-i", images, "-o", raw, "-d", "1", "-c", self.configuration),
            *("-tr", _TRAINER, "-f", *range(FOLDS), "-device", self.device),
        )
        found = self._results() / "crossval_results_folds_0_1_2_3_4"
        self._run(
            *("nnUNetv2_apply_postprocessing", "-i", raw, "-o", processed),
            *("-pp_pkl_file", found / "postprocessing.pkl"),
            *("-plans_json", found / "plans.json", "-np", _processes()),
        )
        return processed

    def _once(self, name: str, *command: object) -> None:
        if name not in self._finished():
            costs = {**self._finished(), name: self._run(*command)}
            self._cost_file.write_text(json.dumps(costs, indent=1), encoding="utf-8")

    def _run(self, program: str, *arguments: object) -> Cost:
        folders = {f"nnUNet_{n}": str(self.folder / n) for n in ("raw", "preprocessed", "results")}
        environment = {
            **folders,
            "nnUNet_n_proc_DA": _processes(),
            "nnUNet_def_n_proc": _processes(),
            "GENSEG_NNUNET_EPOCHS": str(self.schedule.epochs),
            "GENSEG_NNUNET_ITERATIONS": str(self.schedule.iterations),
        }
        return timed([self._commands / program, *arguments], environment)

    def _results(self) -> Path:
        name = f"{_TRAINER}__nnUNetPlans__{self.configuration}"
        return self.folder / "results" / DATASET / name

    def _fold(self, fold: int) -> Path:
        return self._results() / f"fold_{fold}"

    @property
    def _cost_file(self) -> Path:
        return self.folder / "costs.json"

    def _finished(self) -> dict[str, Cost]:
        if not self._cost_file.is_file():
            return {}
        return json.loads(self._cost_file.read_text(encoding="utf-8"))


def _install_trainer(python: Path) -> None:
    """Copy the trainer next to nnU-Net's own, where it is found without importing all networks.

    One of those networks needs a torchvision that does not exist for PyTorch's CPU build.
    """
    code = "import nnunetv2; print(nnunetv2.__path__[0])"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout
    trainers = Path(found.strip()) / "training/nnUNetTrainer"
    shutil.copyfile(_TRAINER_FILE, trainers / f"{_TRAINER}.py")


def _processes() -> str:
    """Return the number of worker processes: nnU-Net's twelve, or fewer on a small machine."""
    return str(max(1, min(12, (os.cpu_count() or 2) - 1)))

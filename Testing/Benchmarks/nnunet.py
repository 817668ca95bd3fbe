"""nnU-Net v2 within a time budget: plan, train one model on all labeled cases, predict.

Planner, augmentation, network, optimizer and loss are nnU-Net's own; the schedule is one that fits
the budget (`fit_schedule`). Its users train five folds, whose ensemble segments; one model that has
the time of all five is better where that is minutes. It runs in an environment of its own, which is
created on first use. Finished commands are recorded with their cost, so an interrupted job resumes.

    folder = Path("runs/nnunet/atrium-0")
    write_nnunet_dataset(folder / "raw", cohort, split, labels, DATASET)  # cohorts_data
    predictions, (seconds, peak_gb) = train_and_predict(folder, "cpu", 900)
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
_FOLD = "all"
_TRAINER_FILE = Path(__file__).with_name("nnunet_trainer.py")
_TRAINER = "nnUNetTrainerBenchmark"
_DEFAULT_ITERATIONS = 250
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 1000


@dataclass(frozen=True)
class Schedule:
    """Epochs, and iterations of each."""

    epochs: int
    iterations: int


_TRIAL = Schedule(2, 3)


def schedule_within(training_s: float, iteration_s: float) -> Schedule:
    """Return the schedule that fits into a time.

    The learning rate decays per epoch, so there are at least ten epochs; if ten of 250 iterations
    do not fit, epochs get shorter.

    Args:
        training_s: Seconds of all iterations.
        iteration_s: Seconds of one iteration, its share of the validation included.
    """
    iterations = int(training_s / iteration_s)
    epochs = iterations // _DEFAULT_ITERATIONS
    if epochs >= _FEWEST_EPOCHS:
        return Schedule(min(epochs, _MOST_EPOCHS), _DEFAULT_ITERATIONS)
    return Schedule(_FEWEST_EPOCHS, max(1, iterations // _FEWEST_EPOCHS))


def train_and_predict(
    folder: Path, device: str, budget_s: float, configuration: str = "3d_fullres"
) -> tuple[Path, Cost]:
    """Train on `folder/raw/DATASET` and segment its test images.

    Args:
        folder: Raw and preprocessed data, results and predictions.
        device: "cpu", "cuda" or "mps".
        budget_s: Seconds for planning and training together.
        configuration: nnU-Net's, "3d_fullres" or "2d".

    Returns:
        Folder of the predicted labels; seconds and peak memory (GB) of planning and training.
    """
    schedule = fit_schedule(folder, device, budget_s, configuration)
    nnunet = Nnunet(folder, device, schedule, configuration)
    nnunet.plan()
    nnunet.train()
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
    trial.train()
    first_s, second_s = trial.epoch_seconds()
    overhead_s = trial.cost[0] - planning_s - first_s - second_s
    training_s = budget_s - planning_s - overhead_s
    schedule = schedule_within(training_s, second_s / _TRIAL.iterations)
    file.write_text(json.dumps(asdict(schedule)), encoding="utf-8")
    return schedule


class Nnunet:
    """nnU-Net's commands on one data set.

    Args:
        folder: Raw and preprocessed data, and results.
        device: "cpu", "cuda" or "mps".
        schedule: Of the training.
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

    def train(self) -> None:
        """Train on all cases, resuming if it was interrupted."""
        resume = ("--c",) if self._results().is_dir() else ()
        self._once(
            "train",
            *("nnUNetv2_train", "1", self.configuration, _FOLD, "-tr", _TRAINER),
            *("-device", self.device, *resume),
        )

    def epoch_seconds(self) -> list[float]:
        """Return the seconds of the epochs."""
        return json.loads((self._results() / "epochs.json").read_text(encoding="utf-8"))

    def predict(self) -> Path:
        """Segment the test images; return the folder of the labels."""
        predictions = self.folder / "predictions"
        shutil.rmtree(predictions, ignore_errors=True)
        images = self.folder / "raw" / DATASET / "imagesTs"
        self._run(
            *("nnUNetv2_predict", "-i", images, "-o", predictions, "-d", "1"),
            *("-c", self.configuration, "-tr", _TRAINER, "-f", _FOLD, "-device", self.device),
        )
        return predictions

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
        return self.folder / "results" / DATASET / name / f"fold_{_FOLD}"

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

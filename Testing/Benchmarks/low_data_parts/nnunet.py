"""nnU-Net v2's commands, in an environment of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from measuring import timed
from peer_environment import NNUNET, peer_python

from GenSegLib.computing.devices import choose_device

from .nnunet_data import DATASET
from .nnunet_schedule import FOLDS, NnunetSchedule

TRAINER_FILE = Path(__file__).parent / "nnunet_trainer.py"
_TRAINER = "nnUNetTrainerLowData"
_CONFIGURATION = "3d_fullres"
_PLANS = "nnUNetPlans"
_NUMBER = "1"


class Nnunet:
    """nnU-Net's commands on one dataset; what each took is kept, so that none runs twice.

    Args:
        folder: for its raw and preprocessed data and its results.
        device: "auto", "cpu", "cuda" or "mps".
        schedule: of all folds.
        python: that of its environment; None makes one.
    """

    def __init__(
        self, folder: Path, device: str, schedule: NnunetSchedule, python: Path | None = None
    ) -> None:
        self.folder, self.schedule = folder, schedule
        self.device = _device(device)
        python = python or peer_python("nnunet", NNUNET)
        self._commands = python.parent
        _install_trainer(python)

    @property
    def seconds(self) -> float:
        """What all commands of the training took so far."""
        return sum(seconds for seconds, _ in self._done().values())

    @property
    def peak_gb(self) -> float:
        """The most memory that one of their processes took."""
        return max(memory for _, memory in self._done().values())

    def plan(self) -> None:
        """Plan and preprocess."""
        self._once(
            "plan",
            *("nnUNetv2_plan_and_preprocess", "-d", _NUMBER, "-c", _CONFIGURATION),
            *("--verify_dataset_integrity", "-np", _processes()),
        )

    def train(self, fold: int) -> None:
        """Train one fold and predict its validation cases; go on where it was interrupted."""
        resume = ("--c",) if self._fold(fold).is_dir() else ()
        self._once(
            f"fold {fold}",
            *("nnUNetv2_train", _NUMBER, _CONFIGURATION, fold, "-tr", _TRAINER),
            *("-device", self.device, *resume),
        )

    def epoch_seconds(self, fold: int) -> list[float]:
        """Give the seconds of the epochs of a fold."""
        return json.loads((self._fold(fold) / "epochs.json").read_text(encoding="utf-8"))

    def find_postprocessing(self) -> None:
        """Let the folds' validation decide which parts of a segmentation are kept."""
        self._once(
            "postprocessing",
            *("nnUNetv2_find_best_configuration", _NUMBER, "-c", _CONFIGURATION),
            *("-tr", _TRAINER, "--disable_ensembling", "-np", _processes()),
        )

    def predict(self) -> Path:
        """Segment the test cases by all folds together; return the folder of the labels."""
        raw, clean = self.folder / "predictions-raw", self.folder / "predictions"
        for folder in (raw, clean):
            shutil.rmtree(folder, ignore_errors=True)
        images = self.folder / "raw" / DATASET / "imagesTs"
        self._run(
            *("nnUNetv2_predict", "-i", images, "-o", raw, "-d", _NUMBER, "-c", _CONFIGURATION),
            *("-tr", _TRAINER, "-f", *range(FOLDS), "-device", self.device),
        )
        found = self._results() / "crossval_results_folds_0_1_2_3_4"
        self._run(
            *("nnUNetv2_apply_postprocessing", "-i", raw, "-o", clean),
            *("-pp_pkl_file", found / "postprocessing.pkl"),
            *("-plans_json", found / "plans.json", "-np", _processes()),
        )
        return clean

    def _once(self, name: str, *command: object) -> None:
        if name not in self._done():
            cost = self._run(*command)
            text = json.dumps({**self._done(), name: cost}, indent=1)
            self._costs.write_text(text, encoding="utf-8")

    def _run(self, program: str, *arguments: object) -> tuple[float, float]:
        return timed([self._commands / program, *arguments], self._environment())

    def _environment(self) -> dict[str, str]:
        kept = {"raw": "raw", "preprocessed": "preprocessed", "results": "results"}
        return {
            **{f"nnUNet_{name}": str(self.folder / place) for name, place in kept.items()},
            "nnUNet_n_proc_DA": _processes(),
            "nnUNet_def_n_proc": _processes(),
            "GENSEG_NNUNET_EPOCHS": str(self.schedule.epochs),
            "GENSEG_NNUNET_ITERATIONS": str(self.schedule.iterations),
        }

    def _results(self) -> Path:
        name = f"{_TRAINER}__{_PLANS}__{_CONFIGURATION}"
        return self.folder / "results" / DATASET / name

    def _fold(self, fold: int) -> Path:
        return self._results() / f"fold_{fold}"

    @property
    def _costs(self) -> Path:
        return self.folder / "costs.json"

    def _done(self) -> dict[str, tuple[float, float]]:
        if not self._costs.is_file():
            return {}
        return json.loads(self._costs.read_text(encoding="utf-8"))


def _install_trainer(python: Path) -> None:
    """Put the trainer beside nnU-Net's own, where it is looked for before anything else.

    nnU-Net would find it elsewhere, too, but imports every network that it knows on the way there,
    and one of them needs a torchvision that fits PyTorch, which there is none of for its CPU build.
    """
    ask = "import nnunetv2; print(nnunetv2.__path__[0])"
    found = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout
    shutil.copyfile(
        TRAINER_FILE, Path(found.strip()) / "training/nnUNetTrainer" / TRAINER_FILE.name
    )


def _device(name: str) -> str:
    """Give nnU-Net's name of a device."""
    return choose_device(name).type


def _processes() -> str:
    """Give the number of helping processes: nnU-Net's twelve, or what the machine has."""
    return str(max(1, min(12, (os.cpu_count() or 2) - 1)))

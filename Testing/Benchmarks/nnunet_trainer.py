"""nnU-Net's own trainer with a schedule from the environment; runs in nnU-Net's environment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class nnUNetTrainerBenchmark(nnUNetTrainer):  # noqa: N801 - nnU-Net's naming
    """Differs from its base class in the number of epochs and iterations, and does not validate."""

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008 - as the base class has it
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs = int(os.environ["GENSEG_NNUNET_EPOCHS"])
        self.num_iterations_per_epoch = int(os.environ["GENSEG_NNUNET_ITERATIONS"])
        self.num_val_iterations_per_epoch = max(1, self.num_iterations_per_epoch // 5)

    def on_epoch_end(self) -> None:
        """Write the seconds of each epoch beside the checkpoints."""
        super().on_epoch_end()
        began, ended = (
            self.logger.get_value(f"epoch_{edge}_timestamps", step=-1) for edge in ("start", "end")
        )
        file = Path(self.output_folder) / "epochs.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
        file.write_text(json.dumps([*known, ended - began]), encoding="utf-8")

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """Leave out the segmentation of all training cases, since no postprocessing is chosen."""

"""nnU-Net's own trainer, step by step as it is told to, in nnU-Net's own environment.

Reads a line `step` and takes a training step; prints the seconds that it took. The first line that
it prints is the number of its network's weights. Started by speed.py.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import torch
from clocks import seconds_of
from nnunetv2.paths import nnUNet_preprocessed
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

_ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}


def architecture(filters: list[int], strides: list[int]) -> dict:
    """Say in nnU-Net's words what GenSeg's dynunet is."""
    stages = len(filters)
    network = {
        "n_stages": stages,
        "features_per_stage": filters,
        "kernel_sizes": [[3, 3, 3]] * stages,
        "strides": [[stride] * 3 for stride in strides],
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return {**_ARCHITECTURE, "arch_kwargs": network}


def make_trainer(asked: dict) -> nnUNetTrainer:
    configuration = {
        "data_identifier": "speed",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": asked["batch"],
        "patch_size": asked["patch"],
        "spacing": [1.0, 1.0, 1.0],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "batch_dice": True,
        "architecture": architecture(asked["filters"], asked["strides"]),
    }
    plans = {
        "dataset_name": "Dataset001_Speed",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "label_manager": "LabelManager",
        "experiment_planner_used": "ExperimentPlanner",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "continue_training": False,
        "configurations": {"3d_fullres": configuration},
    }
    labels = {"background": 0, **{f"class {k}": k for k in range(1, asked["classes"])}}
    dataset = {"channel_names": {"0": "MRI"}, "labels": labels, "numTraining": 1}
    data = Path(nnUNet_preprocessed) / plans["dataset_name"] / "speed"
    data.mkdir(parents=True)
    (data / "case.npz").touch()  # the trainer asks of what kind its files are, and reads none here
    trainer = nnUNetTrainer(plans, "3d_fullres", 0, dataset, torch.device(asked["device"]))
    trainer.initialize()
    return trainer


def make_batch(trainer: nnUNetTrainer, asked: dict) -> dict:
    patch = asked["patch"]
    target = []
    for scales in trainer._get_deep_supervision_scales():
        size = [round(length * scale) for length, scale in zip(patch, scales)]
        target.append(torch.randint(asked["classes"], (asked["batch"], 1, *size)).float())
    return {"data": torch.randn(asked["batch"], 1, *patch), "target": target}


def main() -> None:
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    with redirect_stdout(sys.stderr):
        trainer = make_trainer(asked)
        trainer.network.train()
        batch = make_batch(trainer, asked)
    weights = sum(p.numel() for p in trainer.network.parameters())
    print(weights, flush=True)
    for _ in sys.stdin:
        with redirect_stdout(sys.stderr):
            seconds = seconds_of(lambda: trainer.train_step(batch), trainer.device)
        print(seconds, flush=True)


if __name__ == "__main__":
    main()

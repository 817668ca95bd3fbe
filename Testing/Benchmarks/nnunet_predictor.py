"""Segments one CT with nnU-Net's own predictor and a network of GenSeg's; prints what it took.

    PEER_PYTHON nnunet_predictor.py MODEL IMAGE OUT   (OUT without its suffix; writes OUT.nii.gz)

It runs in nnU-Net's environment, for peer_prediction.py. Spacing, patch and HU window are those of
the model; overlap, Gaussian weights, resampling and writing are nnU-Net's. Mirroring is off, as it
is in `genseg predict`: with nnU-Net's default it would take eight times as long.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

LABELS = {"background": 0, "Liver": 1}


def plans_of(spacing: list[float], patch: list[int], low: float, high: float) -> dict[str, Any]:
    """Give the plans that nnU-Net would make for such a model.

    Its normalization clips, subtracts a mean and divides by a deviation: with these values it maps
    the window to 0 to 1, as the model was taught.
    """
    resampling = {"force_separate_z": None, "order_z": 0}
    configuration = {
        "data_identifier": "genseg",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": patch,
        "spacing": spacing,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "architecture": {},
    }
    for name, is_label, order in (
        ("data", False, 3),
        ("seg", True, 1),
        ("probabilities", False, 1),
    ):
        configuration[f"resampling_fn_{name}"] = "resample_data_or_seg_to_shape"
        kwargs = {**resampling, "is_seg": is_label, "order": order}
        configuration[f"resampling_fn_{name}_kwargs"] = kwargs
    window = {"mean": low, "std": high - low}
    return {
        "dataset_name": "genseg",
        "plans_name": "genseg",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [2, 1, 0],  # from z, y, x to the x, y, z that the model was taught
        "transpose_backward": [2, 1, 0],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {**window, "percentile_00_5": low, "percentile_99_5": high}
        },
        "configurations": {"3d_fullres": configuration},
    }


def segment(model: Path, image: Path, out: Path) -> None:
    """Read the image, segment it, and write its label on the image's own grid."""
    import torch
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    from GenSegLib.models.weights import load_segmenter

    network, metadata = load_segmenter(model)
    preset = metadata.preset
    window = preset.intensity
    plans = PlansManager(
        plans_of(list(preset.spacing), list(preset.patch_size), window.low, window.high)
    )
    described = {"channel_names": {"0": "CT"}, "labels": LABELS, "file_ending": ".nii.gz"}
    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        network.eval(),
        plans,
        plans.get_configuration("3d_fullres"),
        [network.state_dict()],
        described,
        "none",
        None,
    )
    array, properties = SimpleITKIO().read_images([str(image)])
    predictor.predict_single_npy_array(array, properties, None, str(out))


def main() -> None:
    start = time.monotonic()
    segment(*(Path(argument) for argument in sys.argv[1:4]))
    from GenSegLib.computing.memory import peak_resident

    found = {"seconds": time.monotonic() - start, "processor_s": time.process_time()}
    print(json.dumps({**found, "peak_bytes": peak_resident()}))


if __name__ == "__main__":
    main()

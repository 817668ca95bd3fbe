"""What an evaluation measures: by its name in tables, the words for people and how to write it."""

from __future__ import annotations

MEASURES = {
    "dice": ("Dice", "{:.3f}"),
    "hd95_mm": ("HD95 (mm)", "{:.2f}"),
    "surface_dice": ("Surface Dice (1 mm)", "{:.3f}"),
    "volume_error_ml": ("Volume error (ml)", "{:+.3f}"),
}

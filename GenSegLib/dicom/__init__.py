"""DICOM series, multi-frame images and segmentations."""

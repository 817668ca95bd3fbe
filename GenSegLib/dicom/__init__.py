"""DICOM: series and files of several frames as volumes, DICOM SEG as labels and back."""

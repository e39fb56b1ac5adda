"""DICOM: receiving, reading, results, sending."""

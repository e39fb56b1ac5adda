"""Small data sets for tests of reading; every attribute can be replaced or, with None, left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from models.package import InputContract

CONTRACT = InputContract(
    modalities=("CR", "DX"),
    views=("PA", "AP"),
    body_parts=("CHEST", "THORAX", "LUNG", "RIB"),
    minimum_rows=2,
    minimum_columns=2,
)
ANY = InputContract(
    modalities=("CR", "DX", "MG", "MR", "CT", "OT", "PT", "NM", "US"), minimum_rows=1, minimum_columns=1
)


def film(pixels: NDArray[np.integer] | None = None, **attributes: object) -> Dataset:
    """Return a CR image of 12 bits."""
    array = np.arange(12, dtype=np.uint16).reshape(3, 4) * 300 if pixels is None else pixels
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = "2.25.77"
    dataset.Modality = "CR"
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = "PA"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = array.shape
    dataset.BitsAllocated = array.dtype.itemsize * 8
    dataset.BitsStored = 12 if array.dtype.itemsize == 2 else 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(array.dtype.kind == "i")
    dataset.add_new("PixelData", "OW", array.astype(array.dtype.newbyteorder("<")).tobytes())
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    """Write ``dataset`` as a DICOM file, however wrong its attributes are."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2")
    dataset.save_as(path, enforce_file_format=True)
    return path


def code(value: str, scheme: str = "SCT") -> Dataset:
    """Return a code item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "meaning"
    return item

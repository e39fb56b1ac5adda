"""Headers and files of small mammograms with one property out of the ordinary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_io.mammogram_phantoms import MammogramOptions, mammogram_film, plain_breast
from dicom_io.reading import UnsuitableImage, check_header
from models.package import InputContract
from models.package_tables import MammographyContract

ROWS, COLUMNS = 320, 280
MAMMOGRAPHY = MammographyContract(validated_views=("MLO",))
CONTRACT = InputContract(modalities=("MG",), body_parts=("BREAST",), mammography=MAMMOGRAPHY)


def contract(**mammography: Any) -> InputContract:
    """Return the contract with other rules of mammography."""
    rules = MammographyContract(**{"validated_views": (), **mammography})
    return CONTRACT.model_copy(update={"mammography": rules})


def code(value: str, scheme: str = "SCT", **sequences: list[Dataset]) -> Dataset:
    """Return a code item, with sequences inside it."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "meaning"
    for keyword, inner in sequences.items():
        setattr(item, keyword, Sequence(inner))
    return item


def item(**attributes: Any) -> Dataset:
    """Return an item of a sequence."""
    return changed(Dataset(), **attributes)


def changed(dataset: Dataset, **attributes: Any) -> Dataset:
    """Set attributes by keyword; None removes one, a list of items is a sequence."""
    for keyword, value in attributes.items():
        if value is None:
            dataset.pop(keyword, None)
        elif isinstance(value, list) and (not value or isinstance(value[0], Dataset)):
            setattr(dataset, keyword, Sequence(value))
        else:
            setattr(dataset, keyword, value)
    return dataset


def mammogram(pixels: NDArray[np.uint16] | None = None, **attributes: Any) -> Dataset:
    """Return a mammogram; what is no field of MammogramOptions is an attribute by keyword."""
    fields = {name: attributes.pop(name) for name in list(attributes) if name in MammogramOptions.__slots__}
    how = MammogramOptions(**fields)
    shown = plain_breast(ROWS, COLUMNS, how.chest_wall) if pixels is None else pixels
    return changed(mammogram_film(shown, 1, options=how), **attributes)


def view(value: str, scheme: str = "SCT", modifiers: list[Dataset] | None = None) -> list[Dataset]:
    """Return a View Code Sequence."""
    return [code(value, scheme, ViewModifierCodeSequence=modifiers or [])]


def saved(path: Path, dataset: Dataset) -> Path:
    """Write ``dataset`` and return ``path``."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def refusal(dataset: Dataset, rules: InputContract = CONTRACT) -> UnsuitableImage:
    """Return why the header is refused."""
    with pytest.raises(UnsuitableImage) as caught:
        check_header(dataset, rules)
    return caught.value

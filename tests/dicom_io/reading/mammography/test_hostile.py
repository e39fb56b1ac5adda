from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.tag import Tag

from dicom_io.reading import (
    UnsuitableImage,
    check_header,
    mammogram_statements,
    read_header,
    read_mammogram,
)
from tests.dicom_io.reading.mammography.cases import CONTRACT, MAMMOGRAPHY, item, mammogram, saved

ATTRIBUTES = (
    "AnatomicRegionSequence",
    "BreastImplantPresent",
    "BurnedInAnnotation",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "EstimatedRadiographicMagnificationFactor",
    "ImageLaterality",
    "ImageType",
    "ImagerPixelSpacing",
    "Laterality",
    "NumberOfFrames",
    "PartialView",
    "PartialViewCodeSequence",
    "PatientOrientation",
    "PatientSex",
    "PerFrameFunctionalGroupsSequence",
    "PixelPaddingRangeLimit",
    "PixelPaddingValue",
    "SeriesDescription",
    "SharedFunctionalGroupsSequence",
    "SpecimenDescriptionSequence",
    "ViewCodeSequence",
    "ViewModifierCodeSequence",
    "ViewPosition",
    "VolumetricProperties",
    "WindowWidth",
)
VALUES: tuple[tuple[str, Any], ...] = (
    ("LO", ""),
    ("LO", "\\"),
    ("LO", "nonsense \\ of \\ many \\ values"),
    ("LO", "9" * 64),
    ("LT", "\x00\ufffd" * 300),
    ("FD", float("nan")),
    ("FD", float("inf")),
    ("FD", -1e300),
    ("SL", -1),
    ("UN", b"\xff\x00\xfe"),
    ("OB", b"\x01"),
    ("SQ", []),
    ("SQ", [Dataset()]),
    ("SQ", [item(CodeValue="399368009"), item(CodingSchemeDesignator="SCT")]),
    ("SQ", [item(FrameAnatomySequence=[Dataset()], FrameVOILUTSequence=[item(WindowWidth="")])]),
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("keyword", ATTRIBUTES)
def test_whatever_an_attribute_holds_the_image_is_read_or_refused_with_a_reason(
    tmp_path: Path, keyword: str
) -> None:
    outcomes = []
    for number, (kind, value) in enumerate(VALUES):
        dataset = mammogram()
        dataset.pop(keyword, None)
        try:
            dataset.add_new(keyword, kind, value)
            path = saved(tmp_path / f"{number}.dcm", dataset)
        except (ValueError, TypeError, AttributeError, BytesLengthException):
            continue
        try:
            header = read_header(path)
            check_header(header, CONTRACT)
            mammogram_statements(header, MAMMOGRAPHY)
            image = read_mammogram(path, CONTRACT)
        except UnsuitableImage as error:
            assert error.code
            assert error.reason.isprintable()
            outcomes.append(error.code)
        else:
            assert np.isfinite(image.film.pixels).all()
            outcomes.append("read")
    assert len(outcomes) >= 8


def cut(path: Path, keyword: str) -> Path:
    """Give the element, an unsigned short, three bytes."""
    tag = Tag(keyword)
    start = struct.pack("<HH2s", tag.group, tag.element, b"US")
    content = path.read_bytes()
    place = content.index(start)
    (length,) = struct.unpack_from("<H", content, place + 6)
    rest = content[place + 8 + length :]
    path.write_bytes(content[:place] + start + struct.pack("<H", 3) + b"\1\2\3" + rest)
    return path


def test_an_element_of_the_wrong_length_counts_as_absent(tmp_path: Path) -> None:
    path = cut(saved(tmp_path / "odd.dcm", mammogram(PixelPaddingValue=0)), "PixelPaddingValue")
    check_header(read_header(path), CONTRACT)
    assert read_mammogram(path, CONTRACT).film.pixels.max() > 0.5


def test_an_element_of_the_wrong_length_that_decoding_needs_is_a_reason(tmp_path: Path) -> None:
    path = cut(saved(tmp_path / "odd.dcm", mammogram()), "PixelRepresentation")
    with pytest.raises(UnsuitableImage) as caught:
        read_mammogram(path, CONTRACT)
    assert caught.value.code == "decode-failed"

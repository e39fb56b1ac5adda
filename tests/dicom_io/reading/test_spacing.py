from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicom_io.reading.spacing import spacing_of


def header(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


TWO, ONE = ["0.2", "0.21"], ["0.18", "0.19"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, (None, False)),
        ({"ImagerPixelSpacing": TWO}, ((0.2, 0.21), False)),
        ({"PixelSpacing": TWO}, ((0.2, 0.21), False)),
        ({"PixelSpacing": TWO, "ImagerPixelSpacing": TWO}, ((0.2, 0.21), False)),
        ({"PixelSpacing": ONE, "ImagerPixelSpacing": TWO}, ((0.18, 0.19), True)),
        ({"PixelSpacing": TWO, "PixelSpacingCalibrationType": "FIDUCIAL"}, ((0.2, 0.21), True)),
        (
            {"ImagerPixelSpacing": ["0.22", "0.22"], "EstimatedRadiographicMagnificationFactor": "1.1"},
            ((0.2, 0.2), False),
        ),
        (
            {"ImagerPixelSpacing": TWO, "EstimatedRadiographicMagnificationFactor": "0"},
            ((0.2, 0.21), False),
        ),
        ({"NominalScannedPixelSpacing": TWO}, ((0.2, 0.21), False)),
        ({"PixelSpacing": ["0.000", "0.000"]}, (None, False)),
        ({"PixelSpacing": ["0", "0"], "ImagerPixelSpacing": TWO}, ((0.2, 0.21), False)),
        ({"PixelSpacing": ["-1", "-1"]}, (None, False)),
        ({"PixelSpacing": ["200", "200"]}, (None, False)),
        ({"ImagerPixelSpacing": "0.2"}, (None, False)),
        ({"ImagerPixelSpacing": ""}, (None, False)),
    ],
)
def test_spacing_and_whether_it_is_the_patients(
    values: dict[str, Any], expected: tuple[tuple[float, float] | None, bool]
) -> None:
    spacing, calibrated = spacing_of(header(**values))
    assert calibrated is expected[1]
    assert spacing == (None if expected[0] is None else pytest.approx(expected[0]))


@pytest.mark.parametrize("value", ["abc\\def", "nan\\nan", "1e999\\1"])
def test_spacing_that_is_no_number_counts_as_absent(value: str) -> None:
    dataset = Dataset()
    dataset.add_new("PixelSpacing", "LO", value.split("\\"))
    assert spacing_of(dataset) == (None, False)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"ImagerPixelSpacing": TWO}, (0.1, 0.105)),
        ({"ImagerPixelSpacing": TWO, "EstimatedRadiographicMagnificationFactor": "1"}, (0.2, 0.21)),
        ({"ImagerPixelSpacing": TWO, "EstimatedRadiographicMagnificationFactor": "0"}, (0.1, 0.105)),
        ({"PixelSpacing": ONE, "ImagerPixelSpacing": TWO}, (0.18, 0.19)),
        ({"NominalScannedPixelSpacing": TWO}, (0.2, 0.21)),
    ],
)
def test_the_distances_of_a_mammogram_count_where_no_factor_is_stated(
    values: dict[str, Any], expected: tuple[float, float]
) -> None:
    distances = {"DistanceSourceToDetector": "1000", "DistanceSourceToPatient": "500"}
    assert spacing_of(header(Modality="MG", **distances, **values))[0] == pytest.approx(expected)
    # Of a chest film the patient is no plane at a table.
    stated = {keyword: value for keyword, value in values.items() if keyword.endswith("Spacing")}
    assert spacing_of(header(Modality="DX", **distances, **stated)) == spacing_of(header(**stated))

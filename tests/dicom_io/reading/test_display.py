from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_io.reading import UnsuitableImage
from dicom_io.reading.display import display
from tests.dicom_io.reading.films import film

STORED = np.array([[0, 100, 512, 1024], [1500, 2048, 3000, 4095]], dtype=np.uint16)
# Output of pydicom 3.0.2 for centre 2000 and width 1800, in 0..4095.
WINDOWED = {
    "LINEAR": [[0.0, 0.0, 0.0, 0.0], [910.5058365758754, 2157.898832684825, 4095.0, 4095.0]],
    "LINEAR_EXACT": [[0.0, 0.0, 0.0, 0.0], [910.0, 2156.7, 4095.0, 4095.0]],
    "SIGMOID": [
        [47.53196084352246, 59.189269256153, 144.73036379098008, 420.0621253195848],
        [1014.1832656644983, 2156.596579889732, 3694.6212036109773, 4056.42892149904],
    ],
}


def lut(entries: list[int], first: int = 0, bits: int = 12) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return item


@pytest.mark.parametrize("function", sorted(WINDOWED))
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_windows_match_pydicom(function: str, photometric: str) -> None:
    header = film(
        STORED,
        WindowCenter="2000",
        WindowWidth="1800",
        VOILUTFunction=function,
        PhotometricInterpretation=photometric,
    )
    expected = np.array(WINDOWED[function]) / 4095
    if photometric == "MONOCHROME1":
        expected = 1 - expected
    shown = display(STORED, header)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown, expected, atol=1e-5)


def test_the_default_function_is_linear() -> None:
    header = film(STORED, WindowCenter="2000", WindowWidth="1800")
    np.testing.assert_allclose(display(STORED, header), np.array(WINDOWED["LINEAR"]) / 4095, atol=1e-5)


def test_the_first_of_several_windows_counts() -> None:
    header = film(STORED, WindowCenter=["2000", "100"], WindowWidth=["1800", "50"])
    np.testing.assert_allclose(display(STORED, header), np.array(WINDOWED["LINEAR"]) / 4095, atol=1e-5)


def test_without_a_window_the_range_is_stretched() -> None:
    shown = display(STORED, film(STORED))
    np.testing.assert_allclose(shown, STORED / 4095, atol=1e-5)


@pytest.mark.parametrize("width", ["0", "-5", "0.5"])
def test_an_impossible_window_counts_as_none(width: str) -> None:
    header = film(STORED, WindowCenter="2000", WindowWidth=width)
    np.testing.assert_allclose(display(STORED, header), STORED / 4095, atol=1e-5)


def test_a_window_of_width_one_is_a_threshold() -> None:
    shown = display(STORED, film(STORED, WindowCenter="1500", WindowWidth="1"))
    assert shown.tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]


def test_a_lookup_table_wins_over_a_window() -> None:
    header = film(STORED, WindowCenter="2000", WindowWidth="1800", VOILUTSequence=[lut([0, 1000, 4095], 511)])
    expected = [[0, 0, 1000 / 4095, 1], [1, 1, 1, 1]]
    np.testing.assert_allclose(display(STORED, header), expected, atol=1e-5)


def test_only_the_first_lookup_table_counts() -> None:
    header = film(STORED, VOILUTSequence=[lut([0, 4095], 1000), lut([4095, 0], 1000)])
    assert display(STORED, header).tolist() == [[0, 0, 0, 1], [1, 1, 1, 1]]


def test_an_inverse_lookup_table_inverts() -> None:
    header = film(STORED, VOILUTSequence=[lut(list(range(4095, -1, -1)))])
    np.testing.assert_allclose(display(STORED, header), 1 - STORED / 4095, atol=1e-5)


@pytest.mark.parametrize(
    "table",
    [lut([1, 2, 3], bits=40), Dataset(), lut([])],
)
def test_a_malformed_lookup_table(table: Dataset) -> None:
    with pytest.raises(UnsuitableImage) as caught:
        display(STORED, film(STORED, VOILUTSequence=[table]))
    assert caught.value.code == "bad-lookup-table"


def test_a_lookup_table_that_is_too_short() -> None:
    table = lut([1, 2, 3])
    table.LUTDescriptor = [100, 0, 12]
    with pytest.raises(UnsuitableImage, match="3 entries of 100"):
        display(STORED, film(STORED, VOILUTSequence=[table]))


def test_rescale_comes_before_the_window() -> None:
    header = film(STORED, RescaleSlope="2", RescaleIntercept="-100", WindowCenter="3900", WindowWidth="3600")
    values = STORED.astype(float) * 2 - 100
    expected = np.clip((values - 3899.5) / 3599 + 0.5, 0, 1)
    np.testing.assert_allclose(display(STORED, header), expected, atol=1e-5)


def test_a_modality_table_replaces_rescale() -> None:
    header = film(STORED, ModalityLUTSequence=[lut([7, 9], 1024)], WindowCenter="8.5", WindowWidth="3")
    assert display(STORED, header).tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]


def test_padding_does_not_stretch_the_range() -> None:
    stored = np.array([[0, 1000, 2000], [3000, 65535, 65535]], dtype=np.uint16)
    header = film(stored, BitsStored=16, HighBit=15, PixelPaddingValue=65535)
    np.testing.assert_allclose(display(stored, header), [[0, 1 / 3, 2 / 3], [1, 0, 0]], atol=1e-5)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_dark_in_both_polarities(photometric: str) -> None:
    stored = np.array([[0, 5, 10], [1000, 2000, 4000]], dtype=np.uint16)
    header = film(
        stored, PixelPaddingValue=0, PixelPaddingRangeLimit=10, PhotometricInterpretation=photometric
    )
    assert display(stored, header)[0].tolist() == [0, 0, 0]


def test_padding_everywhere_is_a_wrong_header() -> None:
    stored = np.full((2, 2), 7, dtype=np.uint16)
    assert display(stored, film(stored, PixelPaddingValue=7)).tolist() == [[0, 0], [0, 0]]


def test_inverse_presentation_shape_is_not_a_second_inversion() -> None:
    header = film(STORED, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    np.testing.assert_allclose(display(STORED, header), 1 - STORED / 4095, atol=1e-5)


def test_a_constant_image_stays_finite() -> None:
    stored = np.full((3, 3), 9, dtype=np.uint16)
    assert display(stored, film(stored)).max() == 0


@pytest.mark.parametrize("value", ["nan", "inf", "x", ""])
def test_numbers_that_are_none(value: str) -> None:
    header = film(STORED)
    header.add_new("RescaleSlope", "LO", value)
    header.add_new("WindowCenter", "LO", value)
    header.add_new("WindowWidth", "LO", value)
    np.testing.assert_allclose(display(STORED, header), STORED / 4095, atol=1e-5)

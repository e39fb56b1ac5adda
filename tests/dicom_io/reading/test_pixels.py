from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import FileMetaDataset

from dicom_io.reading import UnsuitableImage, read_film
from tests.dicom_io.reading.support import COLUMNS, CONTRACT, ROWS, film, ramp, written

SYNTAXES = ("explicit", "implicit", "rle", "jpeg2000")
NATIVE = SYNTAXES[:2]


def refusal(path: Path) -> str:
    with pytest.raises(UnsuitableImage) as caught:
        read_film(path, CONTRACT)
    return caught.value.code


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_lossless_syntax_gives_the_same_film(tmp_path: Path, syntax: str) -> None:
    plain = read_film(written(tmp_path / "plain.dcm"), CONTRACT)
    other = read_film(written(tmp_path / "other.dcm", transfer_syntax=syntax), CONTRACT)
    np.testing.assert_array_equal(other.pixels, plain.pixels)
    assert (other.shape, other.view, other.pixel_spacing_mm) == ((ROWS, COLUMNS), "PA", (0.2, 0.2))


def test_the_film_is_what_was_stored(tmp_path: Path) -> None:
    read = read_film(written(tmp_path / "film.dcm", values_of_interest="none"), CONTRACT)
    stored = ramp().astype(np.float64)
    expected = (stored - stored.min()) / (stored.max() - stored.min())
    np.testing.assert_allclose(read.pixels, expected, atol=2.0**-16)


def test_overlay_bits_above_bits_stored_do_not_count(tmp_path: Path) -> None:
    dataset = film()
    dirty = ramp() | (np.uint16(1) << 15)
    dataset.PixelData = dirty.astype("<u2").tobytes()
    dataset.save_as(tmp_path / "dirty.dcm", enforce_file_format=True)
    clean = read_film(written(tmp_path / "clean.dcm"), CONTRACT)
    np.testing.assert_array_equal(read_film(tmp_path / "dirty.dcm", CONTRACT).pixels, clean.pixels)


def test_signed_values_are_read_as_such(tmp_path: Path) -> None:
    dataset = film(values_of_interest="none")
    dataset.PixelRepresentation = 1
    signed = ramp().astype(np.int32) - 2048
    dataset.PixelData = (signed & 0x0FFF).astype("<u2").tobytes()
    dataset.save_as(tmp_path / "signed.dcm", enforce_file_format=True)
    plain = read_film(written(tmp_path / "plain.dcm", values_of_interest="none"), CONTRACT)
    np.testing.assert_allclose(
        read_film(tmp_path / "signed.dcm", CONTRACT).pixels, plain.pixels, atol=2.0**-16
    )


def test_an_object_without_pixel_data_is_refused(tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "film.dcm", PixelData=None)) == "no-pixel-data"


def test_empty_pixel_data_is_refused(tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "film.dcm", PixelData=b"")) == "no-pixel-data"


def test_pixel_data_shorter_than_the_header_says_is_truncated(tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "film.dcm", Rows=ROWS + 2)) == "truncated"


def test_pixel_data_of_another_type_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "film.dcm", PixelData=None, FloatPixelData=bytes(4 * ROWS * COLUMNS))
    assert refusal(path) == "bad-bit-depth"


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.3.4"])
def test_an_unsupported_transfer_syntax_is_named(tmp_path: Path, syntax: str) -> None:
    dataset = film(transfer_syntax="rle")
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(tmp_path / "film.dcm", enforce_file_format=True, implicit_vr=False, little_endian=True)
    assert refusal(tmp_path / "film.dcm") == "unsupported-transfer-syntax"


def test_a_file_without_a_transfer_syntax_is_refused(tmp_path: Path) -> None:
    dataset = film()
    dataset.file_meta = FileMetaDataset()
    path = tmp_path / "film.dcm"
    dataset.save_as(path, implicit_vr=False, little_endian=True)
    assert refusal(path) in {"not-dicom", "unsupported-transfer-syntax"}


def test_a_frame_of_another_size_than_the_header_says_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "film.dcm", transfer_syntax="jpeg2000", Rows=ROWS + 4)
    assert refusal(path) == "decode-failed"


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("encoded")
    return {
        syntax: written(folder / f"{syntax}.dcm", transfer_syntax=syntax).read_bytes() for syntax in SYNTAXES
    }


def _outcome(path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_film(path, CONTRACT)
        except UnsuitableImage as error:
            return error.code
    return "read"


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SYNTAXES), st.floats(0, 0.999))
def test_a_file_cut_anywhere_is_refused(
    encoded: dict[str, bytes], tmp_path: Path, syntax: str, share: float
) -> None:
    content = encoded[syntax]
    path = tmp_path / "cut.dcm"
    path.write_bytes(content[: int(share * len(content))])
    outcome = _outcome(path)
    # A codec may be content with the first part of its code stream; a native one never is.
    if syntax in NATIVE:
        assert outcome != "read"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SYNTAXES),
    st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=6)), min_size=1, max_size=5),
    st.booleans(),
)
def test_a_damaged_file_is_a_film_or_an_unsuitable_image(
    encoded: dict[str, bytes],
    tmp_path: Path,
    syntax: str,
    damages: list[tuple[float, bytes]],
    in_header: bool,
) -> None:
    content = bytearray(encoded[syntax])
    reach = min(len(content), 2400) if in_header else len(content)
    for share, damage in damages:
        start = 132 + int(share * (reach - 132))
        content[start : start + len(damage)] = damage
    path = tmp_path / "damaged.dcm"
    path.write_bytes(bytes(content))
    assert _outcome(path)

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from dicom_io.reading import UnsuitableImage, read_film
from tests.dicom_io.reading.films import CONTRACT, film, save

RAMP = (np.arange(64 * 48, dtype=np.uint16) % 4096).reshape(64, 48)


def refusal(path: Path) -> UnsuitableImage:
    with pytest.raises(UnsuitableImage) as caught:
        read_film(path, CONTRACT)
    return caught.value


def test_the_error_survives_a_process_boundary() -> None:
    # The very thing that a process pool does with an exception.
    error = pickle.loads(pickle.dumps(UnsuitableImage("truncated", "too short")))  # noqa: S301
    assert (error.code, error.reason, str(error)) == ("truncated", "too short", "too short")


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless]
)
def test_lossless_syntaxes_give_the_same_film(tmp_path: Path, syntax: UID) -> None:
    dataset = film(RAMP)
    if syntax == ImplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax != ExplicitVRLittleEndian:
        dataset.compress(syntax, generate_instance_uid=False)
    read = read_film(save(dataset, tmp_path / "film.dcm"), CONTRACT)
    np.testing.assert_allclose(read.pixels, RAMP / RAMP.max(), atol=1e-5)
    assert (read.sop_instance_uid, read.view, read.shape) == ("2.25.77", "PA", (64, 48))


def test_eight_bits(tmp_path: Path) -> None:
    stored = np.arange(12, dtype=np.uint8).reshape(3, 4)
    read = read_film(save(film(stored), tmp_path / "film.dcm"), CONTRACT)
    np.testing.assert_allclose(read.pixels, stored / 11, atol=1e-5)


def test_signed_values(tmp_path: Path) -> None:
    stored = np.array([[-1000, 0], [500, 1000]], dtype=np.int16)
    read = read_film(save(film(stored), tmp_path / "film.dcm"), CONTRACT)
    np.testing.assert_allclose(read.pixels, [[0, 0.5], [0.75, 1]], atol=1e-5)


def test_unsuitable_header_is_refused_before_decoding(tmp_path: Path) -> None:
    assert (
        refusal(save(film(ViewPosition="LL", PixelData=None), tmp_path / "film.dcm")).code == "lateral-view"
    )


def test_too_few_bytes(tmp_path: Path) -> None:
    error = refusal(save(film(RAMP, PixelData=RAMP.tobytes()[:-2]), tmp_path / "film.dcm"))
    assert (error.code, str(error)) == ("truncated", "the pixel data has 6142 bytes of 6144")


def test_a_truncated_codestream(tmp_path: Path) -> None:
    dataset = film(RAMP)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.PixelData = dataset.PixelData[:80] + b"\0" * 8
    assert refusal(save(dataset, tmp_path / "film.dcm")).code == "decode-failed"


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_rubbish_in_a_codestream(tmp_path: Path, syntax: UID) -> None:
    dataset = film(RAMP)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51 rubbish " * 9])
    dataset["PixelData"].is_undefined_length = True
    assert refusal(save(dataset, tmp_path / "film.dcm")).code == "decode-failed"


@pytest.mark.parametrize("syntax", [MPEG2MPML, JPEGExtended12Bit])
def test_unsupported_syntaxes(tmp_path: Path, syntax: UID) -> None:
    dataset = film(RAMP)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([b"\0" * 64])
    dataset["PixelData"].is_undefined_length = True
    assert refusal(save(dataset, tmp_path / "film.dcm")).code == "unsupported-transfer-syntax"


def test_a_codestream_of_another_size_is_refused(tmp_path: Path) -> None:
    dataset = film(RAMP)
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    dataset.Rows, dataset.Columns = 50, 48
    assert refusal(save(dataset, tmp_path / "film.dcm")).code == "decode-failed"

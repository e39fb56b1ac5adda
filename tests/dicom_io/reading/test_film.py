from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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

from dicom_io.reading import InputError, UnsuitableImage, read_film, read_header
from dicom_io.reading.spacing import spacing_of
from models.film import Film
from models.polarity import chest_layout_correlation
from tests.dicom_io.reading.films import ANY, CONTRACT, film, save

RAMP = (np.arange(64 * 48, dtype=np.uint16) % 4096).reshape(64, 48)


def refusal(path: Path) -> UnsuitableImage:
    with pytest.raises(UnsuitableImage) as caught:
        read_film(path, CONTRACT)
    return caught.value


def test_the_error_survives_a_process_boundary() -> None:
    # The very thing that a process pool does with an exception.
    error = pickle.loads(pickle.dumps(UnsuitableImage("truncated", "too short")))  # noqa: S301
    assert (error.code, error.reason, str(error)) == ("truncated", "too short", "too short")
    assert InputError is UnsuitableImage


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


def test_bits_above_bits_stored_are_ignored(tmp_path: Path) -> None:
    dirty = RAMP | 0x9000
    read = read_film(save(film(dirty), tmp_path / "film.dcm"), CONTRACT)
    np.testing.assert_allclose(read.pixels, RAMP / RAMP.max(), atol=1e-5)


def test_unsuitable_header_is_refused_before_decoding(tmp_path: Path) -> None:
    assert (
        refusal(save(film(ViewPosition="LL", PixelData=None), tmp_path / "film.dcm")).code == "lateral-view"
    )


def test_no_pixel_data(tmp_path: Path) -> None:
    assert refusal(save(film(PixelData=None), tmp_path / "a.dcm")).code == "no-pixel-data"
    assert refusal(save(film(PixelData=b""), tmp_path / "b.dcm")).code == "no-pixel-data"


def test_too_few_bytes(tmp_path: Path) -> None:
    error = refusal(save(film(RAMP, PixelData=RAMP.tobytes()[:-2]), tmp_path / "film.dcm"))
    assert (error.code, str(error)) == ("truncated", "the pixel data has 6142 bytes of 6144")


def test_a_file_cut_anywhere_never_reads(tmp_path: Path) -> None:
    whole = save(film(RAMP), tmp_path / "film.dcm").read_bytes()
    cut = tmp_path / "cut.dcm"
    for length in range(0, len(whole) - 1, 97):
        cut.write_bytes(whole[:length])
        assert refusal(cut).code in ("truncated", "not-dicom", "no-pixel-data", "wrong-modality")


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


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, (None, False)),
        ({"ImagerPixelSpacing": ["0.2", "0.1"]}, ((0.2, 0.1), False)),
        ({"PixelSpacing": ["0.2", "0.2"]}, ((0.2, 0.2), False)),
        ({"PixelSpacing": ["0.2", "0.2"], "PixelSpacingCalibrationType": "GEOMETRY"}, ((0.2, 0.2), True)),
        ({"PixelSpacing": ["0.18", "0.18"], "ImagerPixelSpacing": ["0.2", "0.2"]}, ((0.18, 0.18), True)),
        ({"PixelSpacing": ["0.2", "0.2"], "ImagerPixelSpacing": ["0.2", "0.2"]}, ((0.2, 0.2), False)),
        (
            {"ImagerPixelSpacing": ["0.22", "0.22"], "EstimatedRadiographicMagnificationFactor": "1.1"},
            ((0.2, 0.2), False),
        ),
        (
            {"ImagerPixelSpacing": ["0.2", "0.2"], "EstimatedRadiographicMagnificationFactor": "0"},
            ((0.2, 0.2), False),
        ),
        ({"NominalScannedPixelSpacing": ["0.17", "0.17"]}, ((0.17, 0.17), False)),
        ({"PixelSpacing": ["0.000", "0.000"]}, (None, False)),
        ({"PixelSpacing": ["0.0", "0.0"], "ImagerPixelSpacing": ["0.2", "0.2"]}, ((0.2, 0.2), False)),
        ({"ImagerPixelSpacing": ["20", "20"]}, (None, False)),
    ],
)
def test_spacing(attributes: dict[str, object], expected: tuple[tuple[float, float] | None, bool]) -> None:
    spacing, calibrated = spacing_of(film(**attributes))
    assert calibrated is expected[1]
    assert spacing == (None if expected[0] is None else pytest.approx(expected[0]))


@pytest.mark.parametrize("value", ["0.2", "0.2\\x", "", "nan\\nan"])
def test_malformed_spacing_counts_as_none(value: str) -> None:
    dataset = film()
    dataset.add_new("ImagerPixelSpacing", "LO", value.split("\\"))
    assert spacing_of(dataset) == (None, False)


def _mutations(base: bytes) -> st.SearchStrategy[bytes]:
    edit = st.tuples(st.integers(132, len(base) - 1), st.integers(0, 255))

    def apply(edits: list[tuple[int, int]]) -> bytes:
        changed = bytearray(base)
        for place, value in edits:
            changed[place] = value
        return bytes(changed)

    return st.lists(edit, min_size=1, max_size=6).map(apply)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Film | UnsuitableImage]:
    path = tmp_path_factory.mktemp("mutated") / "film.dcm"

    def read(content: bytes) -> Film | UnsuitableImage:
        path.write_bytes(content)
        try:
            return read_film(path, ANY)
        except UnsuitableImage as error:
            return error

    return read


def _small(**attributes: object) -> bytes:
    dataset = film(RAMP[:6, :6], WindowCenter="2000", WindowWidth="1800", **attributes)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=_mutations(_small()))
def test_changed_bytes_give_a_film_or_a_reason(
    reader: Callable[[bytes], Film | UnsuitableImage], content: bytes
) -> None:
    assert isinstance(reader(content), Film | UnsuitableImage)


@pytest.mark.data
def test_every_real_file_gives_a_film_or_a_reason(data_dir: Path) -> None:
    outcomes: dict[str, str] = {}
    for path in sorted((data_dir / "dicom").rglob("*.dcm")):
        try:
            read_header(path)
            read = read_film(path, ANY)
        except UnsuitableImage as error:
            outcomes[path.name] = error.code
            assert str(error)
        else:
            outcomes[path.name] = "read"
            assert read.pixels.dtype == np.float32
    assert len(outcomes) > 100
    assert outcomes["cr_a.dcm"] == outcomes["rg1_j2k.dcm"] == outcomes["gh133_ge_mlo.dcm"] == "read"
    assert outcomes["data__pydicom__rtstruct.dcm"] == "not-dicom"
    assert outcomes["data__pydicom__SC_rgb_rle.dcm"] == "bad-photometric"
    assert sum(outcome == "read" for outcome in outcomes.values()) >= 75


@pytest.mark.data
def test_real_chest_films_look_like_chest_films(data_dir: Path) -> None:
    chest = data_dir / "dicom" / "chest"
    plain = read_film(chest / "cr_a.dcm", CONTRACT)
    assert (plain.view, plain.pixel_spacing_mm) == ("PA", (0.168, 0.168))
    assert chest_layout_correlation(plain.pixels) > 0.5
    lossy = read_film(chest / "rg1_j2k.dcm", CONTRACT)
    assert lossy.pixel_spacing_mm is None
    assert chest_layout_correlation(lossy.pixels) > 0.5
    # The same pixels under the other tag: the header is followed, the contradiction is for others to see.
    negative = read_film(chest / "cr_monochrome1.dcm", CONTRACT)
    np.testing.assert_allclose(negative.pixels, 1 - plain.pixels, atol=1e-5)

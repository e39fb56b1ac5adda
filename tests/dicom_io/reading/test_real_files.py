from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_io.reading import UnsuitableImage, check_header, read_film, read_header
from models.package import InputContract
from models.polarity import is_negative
from tests.dicom_io.reading.support import CONTRACT

pytestmark = pytest.mark.data
ANYTHING = InputContract(
    modalities=("CR", "DX", "MG", "MR", "CT", "OT", "NM", "US", "XA", "RG", "SC", "PT", "RF"),
    minimum_rows=1,
    minimum_columns=1,
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("contract", [CONTRACT, ANYTHING], ids=["chest", "anything"])
def test_every_real_file_is_a_film_or_an_unsuitable_image(data_dir: Path, contract: InputContract) -> None:
    paths = sorted((data_dir / "dicom").rglob("*.dcm"))
    assert len(paths) >= 100
    read = []
    for path in paths:
        try:
            check_header(read_header(path), contract)
            film = read_film(path, contract)
        except UnsuitableImage as error:
            assert error.code
        else:
            assert film.sop_instance_uid
            read.append(path.name)
    if contract is CONTRACT:
        assert sorted(read) == ["cr_a.dcm", "cr_monochrome1.dcm", "rg1_j2k.dcm"]
    else:
        assert len(read) >= 75


def test_the_chest_films_have_their_geometry(data_dir: Path) -> None:
    folder = data_dir / "dicom" / "chest"
    first, other = (read_film(folder / name, CONTRACT) for name in ("cr_a.dcm", "rg1_j2k.dcm"))
    assert (first.shape, first.view, first.pixel_spacing_mm) == ((1024, 1024), "PA", (0.168, 0.168))
    # Its Pixel Spacing is 0.000\0.000.
    assert (other.shape, other.view, other.pixel_spacing_mm) == ((1955, 1841), "PA", None)


def test_a_true_monochrome1_film_is_shown_upright_and_a_mislabelled_one_as_its_negative(
    data_dir: Path,
) -> None:
    folder = data_dir / "dicom" / "chest"
    original, twin, true = (
        read_film(folder / name, CONTRACT).pixels
        for name in ("cr_a.dcm", "cr_monochrome1.dcm", "rg1_j2k.dcm")
    )
    # The twin has the original's stored values under the tag MONOCHROME1: by PS3.3 a negative.
    np.testing.assert_array_equal(twin, 1 - original)
    assert [is_negative(pixels) for pixels in (original, twin, true)] == [False, True, False]

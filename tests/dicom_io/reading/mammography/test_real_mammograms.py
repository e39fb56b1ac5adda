from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_io.reading import check_header, mammogram_statements, read_header, read_mammogram
from dicom_io.reading.mammography import chest_wall_of
from models.package import InputContract
from tests.dicom_io.reading.mammography.cases import CONTRACT, MAMMOGRAPHY, refusal

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]
FILMS = InputContract(modalities=("MG", "RG"), body_parts=("BREAST",), mammography=MAMMOGRAPHY)


@pytest.fixture
def folder(data_dir: Path) -> Path:
    return data_dir / "dicom" / "mammography"


def test_a_full_field_image_is_read(folder: Path) -> None:
    path = folder / "gh133_ge_mlo.dcm"
    header = read_header(path)
    check_header(header, CONTRACT)
    image = read_mammogram(path, CONTRACT)
    assert (image.laterality, image.view.view, image.view.modifiers) == ("R", "MLO", ())
    assert (image.implant, image.digitised) == (False, False)
    assert image.film.shape == (3062, 2394)
    assert image.film.pixel_spacing_mm == pytest.approx((0.0940909, 0.0940909))
    assert mammogram_statements(header, MAMMOGRAPHY) == ()
    # Rows run to the back: the chest wall is on the right, and there the tissue is.
    assert chest_wall_of(header) == "right"
    pixels = image.film.pixels
    assert float(pixels[:, -100:].mean()) > 0.2
    assert float(pixels[:, :100].mean()) < 0.01
    assert float(np.mean(pixels == 0)) > 0.3


def test_a_stereotactic_image_is_refused(folder: Path) -> None:
    error = refusal(read_header(folder / "out_of_bounds_overlay.dcm"))
    assert (error.code, error.reason) == (
        "biopsy-image",
        "the image belongs to a stereotactic or biopsy procedure: Image Type STEREO",
    )


def test_a_digitised_film_of_radiography_is_read_where_the_package_reads_such(folder: Path) -> None:
    path = folder / "wg04_mg1_j2k.dcm"
    header = read_header(path)
    assert refusal(header).code == "wrong-modality"
    check_header(header, FILMS)
    image = read_mammogram(path, FILMS)
    assert (image.laterality, image.view.view, image.digitised) == ("L", "MLO", True)
    assert image.film.shape == (4664, 3064)
    # Spatial Resolution is what the device resolves, not how far pixels lie apart.
    assert image.film.pixel_spacing_mm is None
    assert chest_wall_of(header) == "left"
    assert float(image.film.pixels[:, :100].mean()) > float(image.film.pixels[:, -100:].mean())
    assert mammogram_statements(header, MAMMOGRAPHY) == ("The left MLO image is a digitised film",)


def test_no_other_real_file_is_a_mammogram(data_dir: Path) -> None:
    others = [path for path in (data_dir / "dicom").rglob("*.dcm") if path.parent.name != "mammography"]
    assert len(others) >= 100
    for path in others:
        try:
            header = read_header(path)
        except ValueError:
            continue
        assert refusal(header, FILMS).code

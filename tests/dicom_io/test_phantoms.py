from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.phantom_markers import MARKED_ATTRIBUTES, marker_values, plant_markers
from dicom_io.phantoms import FilmOptions, chest_film, write_chest_study
from dicom_io.reading import UnsuitableImage, read_film
from models.package import InputContract
from models.phantoms import ChestPhantom, chest_phantom, random_nodules
from tests.peers import run_tool

CONTRACT = InputContract(modalities=("CR", "DX"), views=("PA", "AP"), body_parts=("CHEST",))
PHANTOM = ChestPhantom(
    np.random.default_rng(0).integers(0, 4096, (320, 300)).astype(np.uint16), (0.5, 0.5), ()
)
OPTIONS = {
    "default": FilmOptions(),
    "computed radiography": FilmOptions(modality="CR"),
    "inverted": FilmOptions(photometric="MONOCHROME1"),
    "inverted computed radiography": FilmOptions(modality="CR", photometric="MONOCHROME1"),
    "lookup table": FilmOptions(values_of_interest="lut"),
    "calibrated": FilmOptions(spacing="calibrated"),
    "lateral": FilmOptions(modality="CR", view="LL"),
    "abdomen": FilmOptions(body_part="ABDOMEN"),
    "implicit": FilmOptions(transfer_syntax="implicit"),
    "run length": FilmOptions(transfer_syntax="rle"),
    "JPEG 2000": FilmOptions(transfer_syntax="jpeg2000"),
    "marked": FilmOptions(marker="MARKER"),
}


def words(dataset: Dataset) -> list[str]:
    return [str(element.value) for element in dataset.iterall() if element.VR not in ("SQ", "OW", "OB")]


@pytest.mark.peer
@pytest.mark.parametrize("name", OPTIONS)
def test_the_validator_has_no_complaint(tmp_path: Path, name: str) -> None:
    path = tmp_path / "film.dcm"
    chest_film(PHANTOM, 7, options=OPTIONS[name]).save_as(path, enforce_file_format=True)
    said = run_tool("dciodvfy", "-new", path)
    faults = [line for line in (said.stderr + said.stdout).splitlines() if line.startswith("Error")]
    assert faults == []


def test_the_same_call_writes_the_same_bytes_and_another_seed_another_study(tmp_path: Path) -> None:
    first, again, other = (
        write_chest_study(tmp_path / name, seed, rows=256, columns=256)[0]
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first.read_bytes() == again.read_bytes()
    assert dcmread(first).StudyInstanceUID != dcmread(other).StudyInstanceUID


def test_films_of_a_study_share_it_and_differ() -> None:
    with pytest.raises(ValueError, match="films must be at least 1"):
        write_chest_study(Path("unused"), 1, films=0)


def test_two_films_one_study(tmp_path: Path) -> None:
    films = [dcmread(path) for path in write_chest_study(tmp_path, 5, films=2, rows=256, columns=256)]
    assert len({film.StudyInstanceUID for film in films}) == 1
    assert len({film.SOPInstanceUID for film in films}) == 2
    assert films[0].PixelData != films[1].PixelData


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ("lateral", "abdomen")])
def test_every_way_of_writing_reads_as_the_same_film(tmp_path: Path, name: str) -> None:
    path = tmp_path / "film.dcm"
    chest_film(PHANTOM, 7, options=OPTIONS[name]).save_as(path, enforce_file_format=True)
    film = read_film(path, CONTRACT)
    np.testing.assert_allclose(film.pixels, PHANTOM.pixels / 4095, atol=4e-5)
    assert film.pixel_spacing_mm == (0.5, 0.5)
    assert film.spacing_is_calibrated is (name == "calibrated")


@pytest.mark.parametrize(("name", "code"), [("lateral", "lateral-view"), ("abdomen", "wrong-body-part")])
def test_what_must_be_refused_is_refused(tmp_path: Path, name: str, code: str) -> None:
    path = tmp_path / "film.dcm"
    chest_film(PHANTOM, 7, options=OPTIONS[name]).save_as(path, enforce_file_format=True)
    with pytest.raises(UnsuitableImage) as caught:
        read_film(path, CONTRACT)
    assert caught.value.code == code


def test_the_objects_say_that_they_are_derived_and_of_nobody() -> None:
    dataset = chest_film(PHANTOM, 7)
    assert dataset.ImageType[0] == "DERIVED"
    assert dataset.PatientName.family_name == "PHANTOM"


def test_a_marked_film_has_the_marker_in_every_attribute_that_names_somebody() -> None:
    dataset = chest_film(PHANTOM, 7, options=FilmOptions(marker="MARKER"))
    planted = marker_values("MARKER")
    assert set(MARKED_ATTRIBUTES) < set(planted)
    for keyword, value in planted.items():
        assert str(dataset[keyword].value) == value
    nested = [word for word in words(dataset) if word.startswith("MARKER") and word not in planted.values()]
    assert len(nested) >= 4


def test_no_two_attributes_carry_the_same_marker() -> None:
    values = list(marker_values("MARKER").values())
    assert len(set(values)) == len(values)
    assert "MARKER" not in " ".join(words(chest_film(PHANTOM, 7)))


@pytest.mark.parametrize("word", ["", "lower", "WITH SPACE", "THIRTEENCHARS", "BACK\\SLASH", "ÄÖÜ"])
def test_a_word_that_would_not_survive_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="a marker is"):
        plant_markers(Dataset(), word)


def test_the_nodule_is_where_the_truth_says(tmp_path: Path) -> None:
    nodules = random_nodules(11, 1, (20.0, 26.0))
    (truth,) = chest_phantom(11, nodules, 512, 512).nodules
    path = write_chest_study(tmp_path / "with", 11, nodules=nodules, rows=512, columns=512)[0]
    plain = write_chest_study(tmp_path / "without", 11, rows=512, columns=512)[0]
    difference = read_film(path, CONTRACT).pixels - read_film(plain, CONTRACT).pixels
    box = truth.box
    inside = difference[round(box.top) : round(box.bottom), round(box.left) : round(box.right)]
    assert float(inside.mean()) > 5 * abs(float(difference.mean()))
    row, column = truth.centre
    assert box.top < row < box.bottom
    assert box.left < column < box.right

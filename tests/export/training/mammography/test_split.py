"""Blocks of patient pairs: stratified, never apart, and every film unseen by exactly four members."""

# ruff: noqa: E402

import csv
import os
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the export extra is not installed")

from export.training.blocks import BLOCKS, PAIRS, unseen_by
from export.training.mammography.data import mias_films
from export.training.mammography.split import SPLIT_FILE, blocks_of, read_split, write_split
from export.training.mammography.table import Lesion, MiasFilm, read_table

needs_data = pytest.mark.skipif("SECONDREAD_DATA" not in os.environ, reason="SECONDREAD_DATA is unset")


def _films(patients: int = 120) -> list[MiasFilm]:
    films = []
    for number in range(patients):
        tissue = ("fatty", "fatty-glandular", "dense-glandular")[number % 3]
        lesions = (Lesion("CIRC", number % 4 == 0, None),) if number % 2 == 0 else ()
        films.append(MiasFilm(f"mdb{2 * number + 1:03d}", str(number), "R", tissue, lesions))
        films.append(MiasFilm(f"mdb{2 * number + 2:03d}", str(number), "L", tissue, ()))
    return films


def test_every_patient_is_unseen_by_exactly_four_members() -> None:
    for block in range(BLOCKS):
        members = unseen_by(block)
        assert len(members) == 4 and all(block in PAIRS[member] for member in members)


def test_blocks_are_alike_in_findings_and_tissue() -> None:
    films = _films()
    blocks = blocks_of(films)
    assert blocks == blocks_of(films[::-1]) and len(blocks) == 120
    counted = (
        lambda film: film.abnormal,
        lambda film: film.malignant,
        lambda film: film.tissue == "fatty",
    )
    for what in counted:
        counts = Counter(blocks[film.patient] for film in films if what(film))
        assert max(counts.values()) - min(counts[block] for block in range(BLOCKS)) <= 4


def test_the_file_names_128_patients_and_keeps_pairs_together() -> None:
    with SPLIT_FILE.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 256 and set(rows[0]) == {"film", "patient_pair", "block"}
    blocks = read_split()
    assert len(blocks) == 128 and set(blocks.values()) == set(range(BLOCKS))
    assert all(blocks[row["patient_pair"]] == int(row["block"]) for row in rows)


def test_rows_of_one_film_become_one_film(tmp_path: Path) -> None:
    table = tmp_path / "lesions.csv"
    table.write_text(
        "image,patient_pair,laterality,tissue,abnormality,severity,centre_x,centre_y,radius_px,sha256_16\n"
        "mdb001,1,R,G,CIRC,B,535,599,20,0\n"
        "mdb001,1,R,G,CALC,M,,,,0\n"
        "mdb002,1,L,G,NORM,,,,,0\n"
    )
    shown, other = read_table(table)
    assert [lesion.kind for lesion in shown.lesions] == ["CIRC", "CALC"]
    assert shown.abnormal and shown.malignant and shown.mass_like
    assert shown.lesions[0].box == (579.0, 515.0, 619.0, 555.0) and shown.lesions[1].box is None
    assert not other.abnormal and other.tissue == "fatty-glandular" and other.density == 1


@needs_data
@pytest.mark.data
def test_the_file_is_what_the_function_makes(tmp_path: Path) -> None:
    write_split(mias_films(), tmp_path / "split.csv")
    assert (tmp_path / "split.csv").read_text() == SPLIT_FILE.read_text()

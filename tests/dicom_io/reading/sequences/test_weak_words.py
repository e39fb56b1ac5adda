from __future__ import annotations

import pytest

from dicom_io.reading.sequences.describe import SeriesDescription, describe_series
from tests.dicom_io.reading.sequences import series as made
from tests.dicom_io.reading.sequences.series import series

_ORIGINAL_TWICE = ["DERIVED", "SECONDARY", "FUSION"]


def code(found: SeriesDescription) -> str:
    return "" if found.set_aside is None else found.set_aside.code


@pytest.mark.parametrize(
    ("description", "acquisition", "expected"),
    [
        # No times that agree.
        ("AX T1 RESOLVE", {}, "diffusion"),
        ("AX FLAIR FUSION", made.T1, "map"),
        ("AX T1 DYN", made.FLAIR, "perfusion"),
        # No name of a sequence.
        ("AX MERGE", made.T1, "susceptibility"),
        ("RESOLVE", made.FLAIR, "diffusion"),
        # What it is by its times, technique or pixels.
        ("AX T2 MERGE", made.T2_STAR, "susceptibility"),
        ("T2 R2 MAP", made.T2, "map"),
        ("T2 RESOLVE", made.DIFFUSION, "diffusion"),
        ("T1 FUSION", {"ImageType": _ORIGINAL_TWICE, **made.T1}, "map"),
        # A map of T1 is called after it.
        ("T1 MAP", made.SPGR, "map"),
        ("T2 MAP TSE", made.T2, "map"),
        ("MAP T1 VIBE", made.SPGR, "map"),
        ("T1 VIBE MAP", made.SPGR, "map"),
        ("FLAIR T1MAP", made.T1_FLAIR, "map"),
    ],
)
def test_weak_words_count_where_name_and_times_do_not_agree(
    description: str, acquisition: dict, expected: str
) -> None:
    assert code(describe_series(series(description, **acquisition))) == expected


def test_a_dynamic_series_with_several_images_at_a_place_is_one() -> None:
    phases = series("T1 DYN GAD", name="a", **made.SPGR) + series("T1 DYN GAD", name="a", **made.SPGR)
    assert code(describe_series(phases)) == "perfusion"


@pytest.mark.parametrize(
    ("description", "acquisition", "sequence"),
    [
        ("T2 FLAIR AX RESOLVE OFF", made.FLAIR, "FLAIR"),
        ("AX T2 FLAIR PRESS ON", made.FLAIR, "FLAIR"),
        ("FLAIR PRE TX STEAM", made.FLAIR, "FLAIR"),
        ("AX FLAIR 2D MAP 3T", made.FLAIR, "FLAIR"),
        ("FLAIR DYN FIELD", made.FLAIR, "FLAIR"),
        ("T2 FLAIR DIFF COIL", made.FLAIR, "FLAIR"),
        ("FLAIR R2", made.FLAIR, "FLAIR"),
        ("FLAIR BODYCOIL", made.FLAIR, "FLAIR"),
        ("AX T2 MEDIC", made.T2, "T2"),
        ("T1 VIBE DYN GAD", made.SPGR, "T1C"),
        ("3D T1 MPRAGE FOR GAMMA KNIFE MERGE", made.MPRAGE, "T1"),
        ("AX T1 FUSION POST", made.T1, "T1C"),
        ("AX T1 2D MAP POST", made.T1, "T1C"),
    ],
)
def test_weak_words_do_not_count_where_name_and_times_agree(
    description: str, acquisition: dict, sequence: str
) -> None:
    found = describe_series(series(description, **acquisition))
    assert code(found) == ""
    assert found.sequence == sequence


def with_echoes(*echoes: float) -> SeriesDescription:
    headers = series("AX FLAIR" if min(echoes) > 60 else "AX T1", **made.FLAIR)
    for index, header in enumerate(headers):
        header.EchoTime = echoes[index * len(echoes) // len(headers)]
    return describe_series(headers)


@pytest.mark.parametrize("echoes", [(120, 126), (120, 132), (8, 12), (380, 415)])
def test_echoes_within_a_tenth_are_one(echoes: tuple[float, ...]) -> None:
    assert code(with_echoes(*echoes)) == ""


@pytest.mark.parametrize("echoes", [(120, 134), (100, 106, 112), (10, 20), (8, 13.5)])
def test_echoes_further_apart_are_several(echoes: tuple[float, ...]) -> None:
    assert code(with_echoes(*echoes)) == "several-echoes"

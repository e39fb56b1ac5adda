from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.reading.sequences.contrast import contrast_named
from dicom_io.reading.sequences.words import named, tokens_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("t2_tirm_tra_dark-fluid", ("T2", "TIRM", "TRA", "DARKFLUID")),
        ("AXT1MPRAGE+C", ("AX", "T1", "MPRAGE", "WITHC")),
        ("T2*", ("T2STAR",)),
        ("t2_star", ("T2STAR",)),
        ("T1W/GD", ("T1", "W", "GD")),
        ("BRAIN W/WO", ("BRAIN", "WWO")),
        ("head with and without", ("HEAD", "WWO")),
        ("T1 w/o", ("T1", "WITHOUT")),
        ("SPACE da-fl", ("SPACE", "DARKFLUID")),
        ("T1 fat-sat", ("T1", "FATSAT")),
        ("T1-T6", ("T1", "T6")),
        ("T12 L1", ("T12", "L1")),
        ("rest1 post2", ("REST1", "POST2")),
        ("", ()),
    ],
)
def test_tokens(text: str, tokens: tuple[str, ...]) -> None:
    assert tokens_of(text) == tokens


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("T1 FLAIR", "T1"),
        ("T2 FLAIR", "FLAIR"),
        ("FLAIR", "FLAIR"),
        ("t2_tirm", "FLAIR"),
        ("t1_tirm", "T1"),
        ("T2*", None),
        ("T1rho", None),
        ("rest1", None),
        ("HASTE", "T2"),
        ("BRAVO", "T1"),
        ("SPACE", None),
        ("T1 T2", None),
        ("PD", "PD"),
        ("PD T2", None),
    ],
)
def test_weighting(text: str, base: str | None) -> None:
    assert named(tokens_of(text)).base == base


@given(st.text(max_size=80))
def test_any_text_is_tokens_of_capitals_and_digits(text: str) -> None:
    tokens = tokens_of(text)
    assert all(token.isascii() and token.isalnum() for token in tokens)
    named(tokens)
    contrast_named(tokens)

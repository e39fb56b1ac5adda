from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.reading.sequences.words import contrast_named, named, tokens_of


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


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("T1 +C", "yes"),
        ("C+ T1", "yes"),
        ("T1 -C", "no"),
        ("T1 C-", "no"),
        ("T1C", "yes"),
        ("T1 KM", "yes"),
        ("T1 nach KM", "yes"),
        ("T1 vor KM", "no"),  # codespell:ignore vor
        ("T1 pre Gd", "no"),
        ("T1 non contrast", "no"),
        ("T1 pre and post", "unknown"),
        ("T1 w wo contrast", "unknown"),
        ("T1 post-op", "unknown"),
        ("posterior fossa T1", "unknown"),
        ("T1 preop +C", "yes"),
        ("COR T1", "unknown"),
        ("precontrast", "no"),
        ("POSTGAD", "yes"),
    ],
)
def test_contrast(text: str, stated: str) -> None:
    assert contrast_named(tokens_of(text))[0] == stated


@given(st.text(max_size=80))
def test_any_text_is_tokens_of_capitals_and_digits(text: str) -> None:
    tokens = tokens_of(text)
    assert all(token.isascii() and token.isalnum() for token in tokens)
    named(tokens)
    contrast_named(tokens)

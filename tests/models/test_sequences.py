"""Names of sequences."""

from __future__ import annotations

import pytest

from models.sequences import SEQUENCES, all_in_words, in_words


@pytest.mark.parametrize("name", ["", "t1", "T1 with contrast", "DWI"])
def test_an_unknown_sequence_has_no_words(name: str) -> None:
    with pytest.raises(ValueError, match="one of T1, T1C, T2, FLAIR"):
        in_words(name)


def test_every_sequence_has_words_of_its_own() -> None:
    assert [in_words(name) for name in SEQUENCES] == ["T1", "T1 with contrast", "T2", "FLAIR"]


def test_words_come_in_one_order() -> None:
    assert all_in_words(["FLAIR", "T1C", "FLAIR", "T1"]) == ("T1", "T1 with contrast", "FLAIR")

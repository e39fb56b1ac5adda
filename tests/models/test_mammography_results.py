"""Mammography examinations are refused where their parts do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from models.mammography_results import LesionGroup, MammographyExam, MammographyView

VIEW = MammographyView("2.25.1", "L", "MLO")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sop_instance_uid": ""}, "names its image"),
        ({"laterality": "B"}, "L or R"),
        ({"view": "PA"}, "none of CC"),
        ({"modifiers": ("X",)}, "must differ and be of"),
        ({"modifiers": ("S", "S")}, "must differ and be of"),
    ],
)
def test_view_is_refused(change: dict[str, Any], words: str) -> None:
    values: dict[str, Any] = {"sop_instance_uid": "2.25.1", "laterality": "L", "view": "CC", **change}
    with pytest.raises(ValueError, match=words):
        MammographyView(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, (1, 2), 0.5), "count from 1"),
        ((1, (1,), 0.5), "two findings or more"),
        ((1, (1, 1), 0.5), "two findings or more"),
        ((1, (1, 2), 1.5), r"\[0, 1\]"),
    ],
)
def test_group_is_refused(values: tuple[int, tuple[int, ...], float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LesionGroup(*values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"views": (VIEW, VIEW)}, "one view"),
        ({"groups": (LesionGroup(1, (1, 2), 0.5), LesionGroup(1, (3, 4), 0.5))}, "numbers must differ"),
        ({"groups": (LesionGroup(1, (1, 2), 0.5), LesionGroup(2, (2, 4), 0.5))}, "one group at most"),
        ({"groups": (LesionGroup(1, (1, 2), 0.5),), "views_compared": False}, "comparison of views"),
    ],
)
def test_examination_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MammographyExam(**{"views": (VIEW,), "views_compared": True, **values})


def test_view_of_an_image() -> None:
    exam = MammographyExam((VIEW,))
    assert exam.view_of("2.25.1") is VIEW
    assert exam.view_of("2.25.2") is None

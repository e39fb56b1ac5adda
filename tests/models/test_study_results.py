"""What a reading says of a study as a whole, and what cannot be said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from highdicom import Volume

from models.concepts import Concept
from models.results import Box
from models.study_results import Classification, VolumeChange
from models.volume_results import Segment, SliceSource, VolumeFinding, VolumeReading

THEN = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)
TYPE = Concept("tumour-type", "99SECONDREAD", "Type of tumour")
GLIOMA, MENINGIOMA = (Concept("393564001", "SCT", "Glioma"), Concept("302820008", "SCT", "Meningioma"))
SEGMENT = Segment(
    1, "Tumour", Concept("49755003", "SCT", "Morphology"), Concept("108369006", "SCT", "Tumour")
)
FINDING = VolumeFinding(SEGMENT, 12.0, 0, Box(0, 0, 1, 1))


def change(previous: float = 10.0, now: float = 12.0, **more: Any) -> VolumeChange:
    return VolumeChange.between(previous, now, previous_at=THEN, previous_package="brain 1.0.0", **more)


def reading(**more: Any) -> VolumeReading:
    labels = Volume(np.ones((1, 2, 2), np.uint8), np.eye(4), coordinate_system="PATIENT")
    values: dict[str, Any] = {
        "labels": labels,
        "slices": (SliceSource("1.2", "2.25.1"),),
        "findings": (FINDING,),
        "searched": (SEGMENT,),
        "case_score": 0.5,
        "members": 5,
        "operating_point": 0.5,
    }
    return VolumeReading(**{**values, **more})


def test_a_change_has_its_difference_and_its_share() -> None:
    found = change()
    assert (found.change_ml, found.change_percent) == (pytest.approx(2), pytest.approx(20))
    assert change(0.0, 3.0).change_percent is None
    assert change(3.0, 0.0).change_percent == pytest.approx(-100)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"previous_ml": -1.0}, "not negative"),
        ({"change_ml": float("nan")}, "finite"),
        ({"change_ml": -11.0}, "shrinks"),
        ({"change_percent": None}, "in percent"),
        ({"change_percent": 35.0}, "not that of the volumes"),
        ({"previous_ml": 0.0}, "in percent"),
        ({"previous_package": ""}, "names what read"),
        ({"comparable": False}, "says why"),
    ],
)
def test_a_change_that_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(change(), **values)


def test_a_change_ends_at_the_volume_of_the_reading() -> None:
    assert reading(change=change()).volume_ml == 12.0
    with pytest.raises(ValueError, match="the findings have 12 ml"):
        reading(change=change(10.0, 11.0))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"probability": 1.2}, "probabilities"),
        ({"alternatives": ((GLIOMA, 0.6),)}, "sum to 1"),
        ({"probability": 0.3, "alternatives": ((GLIOMA, 0.6),)}, "falling"),
        ({"alternatives": ((MENINGIOMA, 0.1),)}, "named once"),
    ],
)
def test_classes_that_cannot_be_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Classification(**{"name": TYPE, "value": MENINGIOMA, "probability": 0.7, **values})


def test_a_thing_is_classified_once() -> None:
    one = Classification(TYPE, MENINGIOMA, 0.7, ((GLIOMA, 0.3),))
    assert reading(classifications=(one,)).classifications == (one,)
    with pytest.raises(ValueError, match="once"):
        reading(classifications=(one, one))


@pytest.mark.parametrize(
    ("values", "words"),
    [({"parts": 0}, "at least one part"), ({"centre_mm": (0.0, float("inf"), 0.0)}, "finite")],
)
def test_a_finding_that_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(FINDING, **values)

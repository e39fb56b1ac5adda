from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from highdicom import Volume

from flows.journal import PriorRecord
from flows.reading.change import change_of
from models.concepts import Concept
from models.volume_findings import measured_finding
from models.volume_results import Segment, SliceSource, VolumeReading

AT = datetime(2025, 3, 1, 10, 0)  # noqa: DTZ001 - DICOM dates have no zone
TUMOUR = Segment(1, "Tumour", Concept("49755003", "SCT", "Abnormality"), Concept("108369006", "SCT", "Tumor"))


def reading(side: int) -> VolumeReading:
    labels = np.zeros((6, 20, 20), np.uint8)
    labels[1 : 1 + side, 4 : 4 + side, 4 : 4 + side] = 1 if side else 0
    found = (measured_finding(TUMOUR, labels == 1, (10.0, 10.0, 10.0)),) if side else ()
    slices = tuple(SliceSource("1.2.840.10008.5.1.4.1.1.4", f"2.25.{n}") for n in range(1, 7))
    grid = Volume(labels, np.diag([10.0, 10.0, 10.0, 1.0]), "PATIENT", frame_of_reference_uid="2.25.9")
    return VolumeReading(
        grid, slices, found, (TUMOUR,), 0.9, 2, 0.5, series_used=("FLAIR", "T1 with contrast")
    )


def prior(**changes: object) -> PriorRecord:
    outcome = {
        "volume_ml": 10.0,
        "networks": "main",
        "sequences": ["FLAIR", "T1 with contrast"],
        "members": 2,
    }
    return PriorRecord("brain-tumour@0.1.0", "h" * 64, AT, outcome | changes)


def test_a_change_is_told_in_millilitres_and_percent() -> None:
    change = change_of(reading(3), "main", prior(), "h" * 64)
    assert change is not None
    assert (change.previous_ml, change.change_ml, change.change_percent) == (10.0, 17.0, 170.0)
    assert (change.previous_at, change.previous_package, change.comparable) == (
        AT,
        "brain-tumour@0.1.0",
        True,
    )


def test_a_tumour_that_is_gone_and_one_that_is_new() -> None:
    gone = change_of(reading(0), "main", prior(), "h" * 64)
    assert gone is not None and gone.change_percent == -100.0
    new = change_of(reading(2), "main", prior(volume_ml=0.0), "h" * 64)
    assert new is not None and (new.change_ml, new.change_percent) == (8.0, None)


@pytest.mark.parametrize(
    ("package_hash", "networks", "changes", "reason"),
    [
        ("g" * 64, "main", {}, "another version of the package"),
        ("h" * 64, "contrast-only", {}, "other networks of the package"),
        ("h" * 64, "main", {"sequences": ["FLAIR"]}, "other sequences"),
        ("h" * 64, "main", {"members": 1}, "another number of members"),
    ],
)
def test_what_cannot_be_compared_says_why(
    package_hash: str, networks: str, changes: dict[str, object], reason: str
) -> None:
    change = change_of(reading(3), networks, prior(**changes), package_hash)
    assert change is not None and not change.comparable
    assert reason in change.reason


def test_without_a_prior_or_its_volume_there_is_no_change() -> None:
    one = reading(3)
    assert change_of(one, "main", None, "h" * 64) is None
    assert change_of(one, "main", PriorRecord("films@1", "h" * 64, AT, {"films": 2}), "h" * 64) is None

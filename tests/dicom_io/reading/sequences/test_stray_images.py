from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dicom_io.reading.sequences.describe import describe_series
from tests.dicom_io.reading.sequences import series as made
from tests.dicom_io.reading.sequences.series import series


def flair(count: int, orientation: tuple[float, ...], name: str, gap: float = 6.0) -> list[Dataset]:
    headers = series("AX FLAIR", slices=count, gap=gap, orientation=orientation, **made.FLAIR)
    for index, header in enumerate(headers):
        header.SOPInstanceUID = generate_uid(entropy_srcs=[name, str(index)])
    return headers


@pytest.mark.parametrize(
    ("most", "others"), [(12, 12), (15, 5), (7, 1), (11, 1), (24, 4), (60, 7), (3, 1), (2, 1)]
)
def test_stacks_of_several_orientations_and_short_ones_are_a_localiser(most: int, others: int) -> None:
    headers = flair(most, made.AXIAL, "a") + flair(others, made.SAGITTAL, "b")
    for one in (headers, headers[::-1]):
        found = describe_series(one)
        assert found.set_aside is not None
        assert found.set_aside.code == "localiser"


@pytest.mark.parametrize("others", [(1, 0), (3, 0), (1, 1), (0, 2)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_few_stray_images_beside_a_full_stack_are_no_localiser(
    others: tuple[int, int], turned: bool
) -> None:
    sagittal, coronal = others
    headers = (
        flair(sagittal, made.SAGITTAL, "s") + flair(coronal, made.CORONAL, "c") + flair(24, made.AXIAL, "a")
    )
    found = describe_series(headers[::-1] if turned else headers)
    assert found.set_aside is None
    assert (found.sequence, found.certainty) == ("FLAIR", "sure")
    # It is described by its stack, whichever image comes first.
    assert (found.plane, found.slices, found.gap_mm) == ("axial", 24, 6.0)
    assert found.images == 24 + sum(others)
    assert found.covers_head


def test_a_tenth_may_be_stray() -> None:
    headers = flair(160, made.SAGITTAL, "s", 1.0) + flair(16, made.AXIAL, "a")
    found = describe_series(headers)
    assert found.set_aside is None
    assert (found.plane, found.slices) == ("sagittal", 160)


def test_a_scout_by_name_stays_one() -> None:
    headers = [*flair(24, made.AXIAL, "a"), *flair(1, made.SAGITTAL, "b")]
    for header in headers:
        header.SeriesDescription = "SCOUT"
    found = describe_series(headers)
    assert found.set_aside is not None
    assert found.set_aside.code == "localiser"

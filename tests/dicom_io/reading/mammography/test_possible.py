from __future__ import annotations

from typing import Any

import pytest

from dicom_io.reading.mammography.possible import possible_views
from tests.dicom_io.reading.mammography.cases import code, mammogram

NO_VIEW: dict[str, Any] = {"ViewCodeSequence": None, "ViewPosition": None}
BOTH_CODED = [code("399162004"), code("399368009")]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, {("L", "MLO")}),
        ({"ImageLaterality": "R", "Laterality": "L"}, {("L", "MLO"), ("R", "MLO")}),
        ({"ImageLaterality": "B"}, {("L", "MLO"), ("R", "MLO")}),
        ({"ImageLaterality": None}, {("L", "MLO"), ("R", "MLO")}),
        ({"ViewPosition": "CC"}, {("L", "MLO"), ("L", "CC")}),
        ({"ViewCodeSequence": BOTH_CODED}, {("L", "MLO"), ("L", "CC")}),
        (NO_VIEW, {("L", "MLO"), ("L", "CC")}),
        ({**NO_VIEW, "ImageLaterality": None}, set()),
        ({"ViewCodeSequence": None, "ViewPosition": "RMLO"}, {("L", "MLO"), ("R", "MLO")}),
    ],
)
def test_what_a_header_leaves_open_is_possible(
    attributes: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    assert set(possible_views(mammogram(laterality="L", view="MLO", **attributes))) == expected

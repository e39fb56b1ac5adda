from __future__ import annotations

import numpy as np
import pytest

from models.brain_tumour.classes import by_area, classified, largest_slices
from tests.models.brain_tumour.scripted import package

OUTPUTS = package().manifest.classifications


def marked(*areas: int) -> np.ndarray:
    mask = np.zeros((len(areas), 4, 5), dtype=bool)
    for index, area in enumerate(areas):
        mask[index].flat[:area] = True
    return mask


def test_slices_count_by_their_marked_area() -> None:
    shares = {"type": np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1.0]])}
    np.testing.assert_allclose(by_area(shares, marked(6, 0, 2))["type"], [0.75, 0, 0.25])


@pytest.mark.parametrize(
    ("areas", "count", "chosen"),
    [((0, 0, 0), 2, []), ((0, 3, 0), 2, [1]), ((5, 1, 9, 9), 2, [2, 3]), ((2, 2, 2), 1, [0])],
)
def test_the_largest_slices_in_their_order(areas: tuple[int, ...], count: int, chosen: list[int]) -> None:
    assert largest_slices(marked(*areas), count).tolist() == chosen


def test_classes_come_by_falling_share_that_sum_to_one() -> None:
    (found,) = classified(OUTPUTS, {"type": np.array([0.1, 0.2, 0.1])}, ("More.",))
    assert found.value.code == "B" and found.probability == pytest.approx(0.5)
    assert [(concept.code, share) for concept, share in found.alternatives] == [
        ("A", pytest.approx(0.25)),
        ("C", pytest.approx(0.25)),
    ]
    assert found.statements == ("Suggested by a test.", "More.")
    assert found.name.code == "1"

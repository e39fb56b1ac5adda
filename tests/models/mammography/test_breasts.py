"""Arithmetic from images to breasts: what rises, what changes sign, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exam_tables import AsymmetryRules, ExamRules, ImageRules, RisingPlatt, SeveralViews
from models.mammography.asymmetry import ViewFeatures, asymmetry, density_index
from models.mammography.breasts import (
    LEAST_SCORE,
    breast_score,
    highest_of_each_view,
    image_score,
    logit,
    sigmoid,
)
from models.mammography.density import density_reading
from models.mammography_results import DENSITY_CLASSES
from models.package_tables import Platt

IDENTITY = RisingPlatt(slope=1.0, offset=0.0)
IMAGE = ImageRules(candidate=0.5, abnormal=0.5)


def rules(**changes: object) -> ExamRules:
    values: dict[str, object] = {
        "image": IMAGE,
        "single": IDENTITY,
        "several": SeveralViews(maximum=0.6, mean=0.5, offset=-0.1),
        "definition": "tests",
    }
    return ExamRules.model_validate(values | changes)


def test_a_breast_without_view_is_refused() -> None:
    with pytest.raises(ValueError, match="one view at least"):
        breast_score({}, rules())


def test_density_without_image_or_with_other_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="one image at least"):
        density_reading([])
    with pytest.raises(ValueError, match="3 shares"):
        density_reading([(0.5, 0.5)])
    with pytest.raises(ValueError, match="3 shares"):
        density_reading([(0.5, 1.5, -1.0)])
    with pytest.raises(ValueError, match="all nought"):
        density_reading([(0.0, 0.0, 0.0)])


def test_one_view_goes_through_its_own_map() -> None:
    one = rules(single=RisingPlatt(slope=2.0, offset=-1.0))
    assert breast_score({"MLO": 0.5}, one) == pytest.approx(sigmoid(-1.0))


def test_two_views_are_weighed_by_highest_and_mean() -> None:
    found = breast_score({"MLO": 0.8, "CC": 0.3}, rules())
    a, b = logit(0.8), logit(0.3)
    assert found == pytest.approx(sigmoid(0.6 * a + 0.5 * (a + b) / 2 - 0.1))


def test_asymmetry_without_weight_changes_nothing() -> None:
    plain = rules(asymmetry=AsymmetryRules(platt=RisingPlatt(slope=3.0, offset=1.0)))
    assert breast_score({"CC": 0.4}, plain, 0.9) == breast_score({"CC": 0.4}, plain)


def test_asymmetry_with_weight_counts_where_it_is_known() -> None:
    weighed = rules(asymmetry=AsymmetryRules(weight=2.0, platt=RisingPlatt(slope=1.5, offset=0.2)))
    assert breast_score({"CC": 0.4}, weighed) == pytest.approx(0.4)
    assert breast_score({"CC": 0.4}, weighed, 0.5) == pytest.approx(sigmoid(1.5 * (logit(0.4) + 1.0) + 0.2))


def test_only_common_views_are_compared() -> None:
    left = {"MLO": ViewFeatures(0.9, 0.5), "CC": ViewFeatures(0.1, 0.5)}
    assert asymmetry(left, {"MLO": ViewFeatures(0.2, 0.0)}) == pytest.approx(0.7)
    assert asymmetry(left, {"MLO": ViewFeatures(0.2, 0.0)}, 1.0) == pytest.approx(0.5)
    assert asymmetry(left, {"ML": ViewFeatures(0.2, 0.0)}) is None
    assert asymmetry(left, {}) is None


def test_density_is_the_mean_and_its_class() -> None:
    reading = density_reading([(0.6, 0.3, 0.1), (0.2, 0.7, 0.1)])
    assert reading.label == "fatty-glandular"
    assert reading.probabilities == pytest.approx(dict(zip(DENSITY_CLASSES, (0.4, 0.5, 0.1), strict=True)))
    assert density_reading([(0.5, 0.5, 0.0)]).label == "fatty"


def test_density_indices_reach_from_fatty_to_dense() -> None:
    assert density_index((1, 0, 0)) == 0 and density_index((0, 1, 0)) == 0.5 and density_index((0, 0, 1)) == 1


def test_an_image_without_candidate_is_no_proof() -> None:
    silent = image_score(0.0, 0.9, 0.0, IMAGE, Platt(slope=1.0, offset=0.0))
    assert silent == pytest.approx(sigmoid(0.5 * logit(LEAST_SCORE) + 0.5 * logit(0.9))) and silent > 0.05


def test_the_malignant_head_counts_by_its_weight() -> None:
    case = Platt(slope=1.0, offset=0.0)
    assert image_score(0.3, 0.4, 0.9, IMAGE, case) == image_score(0.3, 0.4, 0.1, IMAGE, case)
    weighed = ImageRules(candidate=0.5, abnormal=0.5, malignant=0.2)
    assert image_score(0.3, 0.4, 0.9, weighed, case) > image_score(0.3, 0.4, 0.1, weighed, case)


probability = st.floats(0.0, 1.0)
views = st.dictionaries(st.sampled_from(["CC", "MLO", "ML", "XCCL"]), probability, min_size=1)


@given(views, st.data())
def test_a_more_suspicious_view_never_lowers_the_breast(
    scores: dict[str, float], data: st.DataObject
) -> None:
    view = data.draw(st.sampled_from(sorted(scores)))
    higher = scores | {view: data.draw(st.floats(scores[view], 1.0))}
    assert breast_score(higher, rules()) >= breast_score(scores, rules())


@given(probability, probability, probability, st.data())
def test_a_higher_answer_never_lowers_the_image(
    candidate: float, abnormal: float, malignant: float, data: st.DataObject
) -> None:
    weights = ImageRules(candidate=0.7, abnormal=0.4, malignant=0.1)
    case = Platt(slope=1.3, offset=-0.4)
    before = image_score(candidate, abnormal, malignant, weights, case)
    after = image_score(
        data.draw(st.floats(candidate, 1.0)),
        data.draw(st.floats(abnormal, 1.0)),
        data.draw(st.floats(malignant, 1.0)),
        weights,
        case,
    )
    assert 0.0 <= before <= after <= 1.0


@given(st.lists(st.tuples(st.sampled_from(["CC", "MLO"]), probability), min_size=1))
def test_repeated_images_count_once_with_the_highest(found: list[tuple[str, float]]) -> None:
    highest = highest_of_each_view(found)
    assert highest == highest_of_each_view(list(reversed(found)))
    assert highest == highest_of_each_view([*found, *found])
    assert all(highest[view] == max(score for name, score in found if name == view) for view in highest)


features = st.dictionaries(
    st.sampled_from(["CC", "MLO"]), st.builds(ViewFeatures, probability, probability), max_size=2
)


@given(features, features, probability)
def test_the_breasts_have_opposite_asymmetries(
    left: dict[str, ViewFeatures], right: dict[str, ViewFeatures], share: float
) -> None:
    one, other = asymmetry(left, right, share), asymmetry(right, left, share)
    if one is None or other is None:
        assert one is other
        return
    assert -1.0 <= one <= 1.0 and one == pytest.approx(-other)
    assert asymmetry(left, left, share) in {0.0, None}


@given(st.floats(-800, 800))
def test_sigmoid_and_logit_stay_finite(value: float) -> None:
    assert 0.0 <= sigmoid(value) <= 1.0
    assert LEAST_SCORE <= sigmoid(logit(sigmoid(value))) + 1e-12

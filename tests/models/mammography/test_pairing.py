"""Pairs of findings across the views of a breast: rules, tolerances and invariances."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exam_tables import PairingRules
from models.mammography.pairing import ViewGeometry, compare_views, pair_findings, place_of, views_compared
from models.mammography_results import Breast, BreastAnatomy, MammographyView
from models.results import Box, Candidate, Finding

RULES = PairingRules()
SHAPE = (1024, 768)
EDGES = ("top", "left", "bottom", "right")


def geometry(
    uid: str, side: Breast, view: str, spacing: tuple[float, float] | None = (0.25, 0.25)
) -> ViewGeometry:
    """A left breast has its chest wall on the left; the muscle of an oblique view is steep."""
    pectoral = ((0.0, 256.0), (512.0, 0.0)) if view == "MLO" else None
    anatomy = BreastAnatomy(uid, "left", (512.0, 512.0), pectoral)
    found = ViewGeometry(MammographyView(uid, side, view), anatomy, SHAPE, spacing)
    return found if side == "L" else mirrored(found)


def mirrored(one: ViewGeometry) -> ViewGeometry:
    width, anatomy = one.shape[1], one.anatomy
    pectoral = anatomy.pectoral and tuple((row, width - column) for row, column in anatomy.pectoral)
    wall = "right" if anatomy.chest_wall == "left" else "left"
    nipple = (anatomy.nipple[0], width - anatomy.nipple[1])
    return replace(one, anatomy=BreastAnatomy(anatomy.sop_instance_uid, wall, nipple, pectoral))


def finding(
    number: int, uid: str, centre: tuple[float, float], side: float = 40.0, score: float = 0.7
) -> Finding:
    row, column = centre
    box = Box(row - side / 2, column - side / 2, row + side / 2, column + side / 2)
    return Finding(number, uid, Candidate(box, score, (score,), 1.0, 1.0))


LCC, LMLO = geometry("1", "L", "CC"), geometry("2", "L", "MLO")
RCC, RMLO = geometry("3", "R", "CC"), geometry("4", "R", "MLO")
FOUR = (LCC, LMLO, RCC, RMLO)


def test_a_finding_without_geometry_is_refused() -> None:
    with pytest.raises(ValueError, match="geometry is given"):
        pair_findings([finding(1, "9", (500, 300))], FOUR, RULES)


def test_an_image_with_two_geometries_is_refused() -> None:
    with pytest.raises(ValueError, match="one geometry"):
        pair_findings([], (LCC, LCC), RULES)


def test_two_findings_with_one_number_are_refused() -> None:
    with pytest.raises(ValueError, match="numbers"):
        pair_findings([finding(1, "1", (500, 300)), finding(1, "2", (500, 300))], FOUR, RULES)


def test_view_and_anatomy_of_two_images_are_refused() -> None:
    with pytest.raises(ValueError, match="same image"):
        replace(LCC, anatomy=LMLO.anatomy)


def test_nothing_pairs_with_nothing() -> None:
    assert pair_findings([], FOUR, RULES) == ()
    assert pair_findings([], (), RULES) == ()
    assert pair_findings([finding(1, "1", (500, 300))], FOUR, RULES) == ()


def test_depth_lies_along_the_axis_of_each_view() -> None:
    level = place_of(finding(1, "1", (700, 312)), LCC)
    assert level.distance == pytest.approx(50) and level.depth == pytest.approx(128)
    assert level.size == pytest.approx(10)
    oblique = place_of(finding(1, "2", (512, 312)), LMLO)
    # The muscle's edge through (0, 256) and (512, 0) leaves the level axis by arctan(1 / 2).
    assert oblique.distance == pytest.approx(50 * 2 / 5**0.5)
    assert oblique.depth == pytest.approx(128 * 2 / 5**0.5)


def test_an_arc_is_a_distance() -> None:
    assert place_of(finding(1, "1", (812, 112)), LCC, "arc").distance == pytest.approx(125)


@pytest.mark.parametrize("edge", [((512.0, 512.0), (0.0, 0.0)), ((0.0, 600.0), (512.0, 760.0))])
def test_an_edge_that_is_no_muscle_gives_the_level_axis(
    edge: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    odd = replace(LMLO, anatomy=replace(LMLO.anatomy, pectoral=edge))
    assert place_of(finding(1, "2", (700, 312)), odd).distance == pytest.approx(50)


def test_the_same_depth_on_two_views_is_one_lesion() -> None:
    found = [finding(1, "1", (400, 312), score=0.6), finding(2, "2", (600, 330), score=0.8)]
    (group,) = pair_findings(found, FOUR, RULES)
    assert (group.number, group.findings, group.probability) == (1, (1, 2), 0.8)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (finding(2, "2", (512, 40)), "too deep"),
        (finding(2, "2", (512, 312), side=130), "too large"),
        (finding(2, "4", (512, 456)), "the other breast"),
        (finding(2, "1", (512, 312)), "the same image"),
    ],
)
def test_what_does_not_fit_stays_alone(other: Finding, why: str) -> None:
    assert pair_findings([finding(1, "1", (400, 312)), other], FOUR, RULES) == (), why


def test_unlikely_findings_are_not_paired() -> None:
    found = [finding(1, "1", (400, 312), score=0.3), finding(2, "2", (512, 312), score=0.9)]
    assert len(pair_findings(found, FOUR, RULES)) == 1
    assert pair_findings(found, FOUR, PairingRules(least_probability=0.4)) == ()


def test_the_assignment_is_the_best_of_all_not_the_first() -> None:
    found = [
        finding(1, "1", (400, 312)),
        finding(2, "1", (400, 352)),
        finding(3, "2", (512, 332)),
        finding(4, "2", (512, 282)),
    ]
    assert {group.findings for group in pair_findings(found, (LCC, LMLO), RULES)} == {(1, 4), (2, 3)}


def test_a_repeated_image_makes_no_second_lesion() -> None:
    again = geometry("5", "L", "CC")
    found = [
        finding(1, "1", (400, 312), score=0.6),
        finding(2, "5", (400, 312), score=0.7),
        finding(3, "2", (512, 300), score=0.5),
    ]
    (group,) = pair_findings(found, (*FOUR, again), RULES)
    assert group.findings == (2, 3)


def test_without_spacing_on_one_view_shares_of_the_depth_are_compared() -> None:
    coarse = replace(LMLO, pixel_spacing_mm=None)
    found = [finding(1, "1", (400, 312)), finding(2, "2", (512, 312))]
    assert len(pair_findings(found, (LCC, coarse), RULES)) == 1
    assert pair_findings(found, (LCC, coarse), PairingRules(nipple_distance_share=0.001)) != ()
    assert pair_findings([found[0], finding(2, "2", (512, 150))], (LCC, coarse), RULES) == ()


def test_views_are_compared_where_a_breast_has_both() -> None:
    assert views_compared(FOUR) and views_compared([RCC, RMLO])
    assert not views_compared([LMLO, RMLO]) and not views_compared([LCC, RMLO])
    exam = compare_views([], FOUR, RULES, "fatty")
    assert exam.views_compared and exam.groups == () and exam.density == "fatty" and len(exam.views) == 4


Drawn = list[tuple[ViewGeometry, int, int, float, float]]
places = st.tuples(
    st.sampled_from(FOUR),
    st.integers(60, 960),
    st.integers(60, 700),
    st.sampled_from([16.0, 24.0, 40.0, 80.0, 120.0]),
    st.floats(0.05, 1.0),
)


def made(drawn: Drawn) -> list[Finding]:
    return [
        finding(number, one.view.sop_instance_uid, (row, column), size, score)
        for number, (one, row, column, size, score) in enumerate(drawn, start=1)
    ]


@given(st.lists(places, max_size=12), st.randoms(use_true_random=False))
def test_order_does_not_matter(drawn: Drawn, rng: random.Random) -> None:
    found = made(drawn)
    shuffled, geometries = rng.sample(found, len(found)), rng.sample(FOUR, len(FOUR))
    assert pair_findings(shuffled, geometries, RULES) == pair_findings(found, FOUR, RULES)


@given(st.lists(places, max_size=12))
def test_groups_are_of_one_breast_two_views_and_disjoint(
    drawn: Drawn,
) -> None:
    found = made(drawn)
    groups = pair_findings(found, FOUR, RULES)
    assert [group.number for group in groups] == list(range(1, len(groups) + 1))
    assert sorted((g.probability for g in groups), reverse=True) == [g.probability for g in groups]
    compare_views(found, FOUR, RULES)
    views = {one.view.sop_instance_uid: one.view for one in FOUR}
    for group in groups:
        a, b = (views[found[number - 1].sop_instance_uid] for number in group.findings)
        assert a.laterality == b.laterality and {a.view, b.view} == {"CC", "MLO"}


@given(st.lists(places, max_size=8), st.sampled_from(["line", "arc"]))
def test_mirrored_images_pair_alike(drawn: Drawn, rule: str) -> None:
    rules = PairingRules(rule=rule)
    found = made(drawn)
    width = SHAPE[1]
    flipped = [
        replace(
            one,
            candidate=replace(
                one.candidate,
                box=Box(
                    one.candidate.box.top,
                    width - one.candidate.box.right,
                    one.candidate.box.bottom,
                    width - one.candidate.box.left,
                ),
            ),
        )
        for one in found
    ]
    expected = pair_findings(found, FOUR, rules)
    assert pair_findings(flipped, [mirrored(one) for one in FOUR], rules) == expected


@given(st.lists(places, max_size=8), st.sampled_from([0.5, 2.0, 4.0]), st.booleans())
def test_finer_pixels_pair_alike(drawn: Drawn, factor: float, known: bool) -> None:
    found = made(drawn)
    before = [one if known else replace(one, pixel_spacing_mm=None) for one in FOUR]
    after = [scaled(one, factor) for one in before]
    larger = [
        replace(
            one,
            candidate=replace(
                one.candidate,
                box=Box(
                    *(factor * getattr(one.candidate.box, e) for e in ("top", "left", "bottom", "right"))
                ),
            ),
        )
        for one in found
    ]
    assert pair_findings(larger, after, RULES) == pair_findings(found, before, RULES)


def scaled(one: ViewGeometry, factor: float) -> ViewGeometry:
    anatomy = one.anatomy
    row, column = anatomy.nipple
    pectoral = anatomy.pectoral and tuple((r * factor, c * factor) for r, c in anatomy.pectoral)
    spacing = one.pixel_spacing_mm and tuple(value / factor for value in one.pixel_spacing_mm)
    return ViewGeometry(
        one.view,
        replace(anatomy, nipple=(row * factor, column * factor), pectoral=pectoral),
        (round(one.shape[0] * factor), round(one.shape[1] * factor)),
        spacing,
    )

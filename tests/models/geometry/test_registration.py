"""Rigid registration: what is found, and what is not believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from highdicom import Volume
from numpy.typing import NDArray

from models.geometry import AlignmentFailed, Registration, register_rigid
from models.geometry.heads import coarse_head, overlap, similarity
from models.geometry.registration import doubts
from tests.models.geometry.heads import grid, head, rigid

ISO = grid((3, 2.5, 2.5), (192, 220, 220))
GOOD = Registration(np.eye(4), 1.1, 1.2, 5.0, 10.0, 0.2, 0.95, 0.98)


def disagreement(found: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[float, float]:
    """Return how far two motions take the head apart at most, in mm, and their angle."""
    corners = np.array([[x, y, z, 1] for x in (-70, 70) for y in (-90, 90) for z in (-80, 80)])
    apart = np.linalg.norm((corners @ (found - true).T)[:, :3], axis=1).max()
    turn = found[:3, :3] @ true[:3, :3].T
    return float(apart), float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


def noise() -> Volume:
    values = np.random.default_rng(4).integers(0, 1000, ISO.spatial_shape).astype(np.int16)
    return Volume(values, ISO.affine, "PATIENT", frame_of_reference_uid="1.2.5")


def knee() -> Volume:
    """Two bones in soft tissue, along the slice normal."""
    z, y, x = np.indices(ISO.spatial_shape) - ((np.array(ISO.spatial_shape) - 1) / 2)[:, None, None, None]
    radius = np.hypot(2.5 * y, 2.5 * x)
    values = np.where(radius < 62, 700, 0)
    values[np.hypot(2.5 * y - 12, 2.5 * x) < 30 + 8 * np.cos(z / 10)] = 1300
    values[np.hypot(2.5 * y + 38, 2.5 * x - 20) < 9] = 1200
    return Volume(values.astype(np.int16), ISO.affine, "PATIENT", frame_of_reference_uid="1.2.5")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coverage": 0.2}, "field of view"),
        ({"similarity_after": 1.09}, "less in common after"),
        ({"similarity_before": 1.0, "similarity_after": 1.02}, "too little in common"),
        ({"overlap": 0.7}, "overlap by 0.70"),
        ({"rotation_deg": 31.0}, "rotation of 31 degrees"),
        ({"translation_mm": 61.0}, "translation of 61 mm"),
        ({"consistency_mm": 3.1}, "disagree by 3.1 mm"),
    ],
)
def test_every_doubt_has_words(change: dict[str, float], words: str) -> None:
    (reason,) = doubts(replace(GOOD, **change))  # type: ignore[arg-type]
    assert words in reason


def test_a_good_registration_has_no_doubts() -> None:
    assert doubts(GOOD) == ()


def test_several_doubts_are_all_told() -> None:
    assert len(doubts(replace(GOOD, rotation_deg=40.0, overlap=0.1, consistency_mm=9.0))) == 3


@pytest.mark.parametrize(
    "matrix", [np.eye(3), np.diag([1, 1, 1.1, 1.0]), np.vstack([np.eye(3, 4), np.ones((1, 4))])]
)
def test_a_registration_is_rigid(matrix: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="motion"):
        replace(GOOD, matrix=matrix)


def test_the_figures_of_a_registration_are_numbers() -> None:
    with pytest.raises(ValueError, match="numbers"):
        replace(GOOD, similarity_after=float("nan"))


def test_no_head_is_not_registered() -> None:
    empty = Volume(np.zeros(ISO.spatial_shape, dtype=np.int16), ISO.affine, "PATIENT")
    with pytest.raises(AlignmentFailed, match="no head is found in the other series") as error:
        register_rigid(head(ISO, "T1"), empty)
    assert error.value.code == "no-head"
    with pytest.raises(AlignmentFailed, match="reference"):
        register_rigid(empty, head(ISO, "T1"))


@pytest.mark.parametrize("wrong", [knee, noise])
def test_what_is_no_head_is_doubted(wrong) -> None:  # type: ignore[no-untyped-def]
    try:
        found = register_rigid(head(ISO, "FLAIR"), wrong())
    except AlignmentFailed as error:
        assert error.code == "no-head"
    else:
        assert doubts(found)


MOTIONS = [
    rigid((4, -3, 6), (5, -8, 3)),
    rigid((-15, 5, 12), (25, -20, 10)),
    rigid((22, 0, -8), (0, 30, -30)),
]


@pytest.mark.parametrize("motion", MOTIONS, ids=["small", "large", "nodded"])
@pytest.mark.parametrize(
    ("geometry", "contrast"),
    [
        (ISO, "T2"),
        (grid((5, 1.8, 1.8), (160, 230, 230), turned_deg=(12, 3, -4)), "FLAIR"),
        (grid((7, 1.8, 1.8), (168, 230, 230), order=(0, 2, 1), signs=(1, -1, 1)), "T1c"),
    ],
    ids=["fine", "oblique-5mm", "sagittal-7mm"],
)
def test_a_known_motion_is_found(geometry, contrast, motion) -> None:  # type: ignore[no-untyped-def]
    found = register_rigid(head(ISO, "T1"), head(geometry, contrast, moved=motion, seed=3))
    apart, angle = disagreement(found.matrix, motion)
    assert apart < 1 and angle < 1
    assert doubts(found) == ()
    assert found.similarity_after > found.similarity_before
    middle = motion @ [0, 0, 0, 1]
    assert found.translation_mm == pytest.approx(float(np.linalg.norm(middle[:3])), abs=4)


def test_a_head_that_did_not_move_is_left_alone() -> None:
    found = register_rigid(head(ISO, "T1"), head(ISO, "FLAIR", seed=2))
    assert np.array_equal(found.matrix, np.eye(4)) and doubts(found) == ()
    assert found.similarity_after == found.similarity_before and found.consistency_mm < 0.5


def test_the_same_volumes_give_the_same_motion() -> None:
    volumes = head(ISO, "T1"), head(ISO, "T2", moved=MOTIONS[0], seed=1)
    assert np.array_equal(register_rigid(*volumes).matrix, register_rigid(*volumes).matrix)


def test_a_motion_beyond_belief_is_doubted() -> None:
    found = register_rigid(
        head(ISO, "T1"),
        head(
            grid((3, 2.5, 2.5), (192, 220, 220), centre_mm=(0, 0, 90)),
            "T2",
            moved=rigid((0, 0, 0), (0, 0, 90)),
        ),
    )
    assert any("translation of 90 mm" in reason for reason in doubts(found))


def test_similarity_is_between_nothing_and_everything_in_common() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random((40, 40, 40)), rng.random((40, 40, 40))
    within = np.ones(one.shape, dtype=bool)
    assert similarity(one, one, within) == pytest.approx(2)
    assert similarity(one, -3 * one + 8, within) == pytest.approx(2)
    assert similarity(one, other, within) == pytest.approx(1, abs=0.01)
    assert similarity(one, np.zeros_like(one), within) == 1
    assert similarity(one, other, ~within) == 1
    assert overlap(~within, ~within) == 0 and overlap(within, within) == 1


@pytest.mark.parametrize("contrast", ["T1", "T1c", "T2", "FLAIR"])
def test_the_region_is_the_head(contrast) -> None:  # type: ignore[no-untyped-def]
    found = coarse_head(head(ISO, contrast), 3.0)
    # An ellipsoid with half axes of 76 x 96 x 89 mm and a nose.
    assert np.count_nonzero(found.region) * 27 / 1000 == pytest.approx(2730, rel=0.06)
    assert np.allclose(found.centre, 0, atol=2)

"""The split, the simulation and one training sample, without any real film."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the export extra is not installed")

from export.training.centre_points import CELL
from export.training.chest_nodule.augment import CANVAS, make_sample
from export.training.chest_nodule.data import BLOCKS, CachedFilm, block_of, placement_masks
from export.training.chest_nodule.evaluation import unseen_by
from export.training.chest_nodule.simulate import insert_distractors, insert_nodules, thickness
from export.training.chest_nodule.training import MEMBERS, left_out


def _chest(rows: int = 800, columns: int = 760) -> np.ndarray:
    rng = np.random.default_rng(1)
    y, x = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    lungs = ((np.abs(x - 0.5) - 0.2) / 0.14) ** 2 + ((y - 0.43) / 0.29) ** 2 < 1
    return np.where(lungs, 0.25, 0.75) + 0.02 * rng.standard_normal((rows, columns))


def _cached(labels: tuple[str, ...] = ("No Finding",)) -> CachedFilm:
    pixels = np.clip(_chest(), 0, 1).astype(np.float32)
    lung, thorax = placement_masks(pixels)
    boxes = np.zeros((0, 4), dtype=np.float32)
    return CachedFilm("a.png", "1", (pixels * 255).astype(np.uint8), lung, thorax, labels, boxes, 0)


def test_every_block_is_unseen_by_exactly_two_members() -> None:
    members = list(range(MEMBERS))
    assert all(len(unseen_by(block, members)) == 2 for block in range(BLOCKS))
    assert all(len(set(left_out(member))) == 2 for member in members)


def test_blocks_depend_on_the_patient_alone_and_are_of_like_size() -> None:
    blocks = [block_of(str(patient)) for patient in range(5000)]
    assert blocks == [block_of(str(patient)) for patient in range(5000)]
    assert np.bincount(blocks).min() > 900


def test_masks_find_the_two_dark_fields() -> None:
    film = _cached()
    height, width = film.lung.shape
    assert film.lung[int(height * 0.43), int(width * 0.3)] and film.lung[int(height * 0.43), int(width * 0.7)]
    assert not film.lung[int(height * 0.43), width // 2] and film.thorax[int(height * 0.43), width // 2]
    assert not film.thorax[-3:].any() and not film.thorax[:, :3].any()


def test_a_thicker_nodule_is_brighter_and_only_near_its_box() -> None:
    lung = np.zeros((400, 400), dtype=bool)
    lung[200, 200] = True
    change = []
    for strength in (0.5, 1.5):
        film = np.full((400, 400), 0.2, dtype=np.float32)
        nodules = insert_nodules(
            np.random.default_rng(3),
            film,
            lung,
            lung,
            pixels_per_mm=1.6,
            count=1,
            diameter_mm=(20, 20.1),
            strength=(strength, strength + 1e-6),
        )
        top, left, bottom, right = nodules[0].box
        assert top < 200 < bottom and left < 200 < right
        assert 0.5 * 20 * 1.6 < bottom - top < 1.7 * 20 * 1.6
        change.append(float(film.max() - 0.2))
        assert abs(float(film[10, 10]) - 0.2) < 1e-6
    assert 2.5 < change[1] / change[0] < 3.5


def test_thickness_is_finite_and_not_negative() -> None:
    for seed in range(30):
        patch = thickness(np.random.default_rng(seed), 6 + seed)
        assert np.isfinite(patch).all() and patch.min() >= 0 and patch.max() > 0.2
        assert patch.shape[0] % 2 == 1


def test_distractors_stay_inside_the_film() -> None:
    film = np.zeros((300, 300), dtype=np.float32)
    insert_distractors(np.random.default_rng(0), film, np.ones((300, 300), dtype=bool), 1.5)
    assert np.isfinite(film).all() and film.max() > 0


def test_a_sample_has_targets_where_its_nodules_are() -> None:
    film = _cached()
    samples = [make_sample(np.random.default_rng(seed), film, "nih") for seed in range(8)]
    assert any(len(sample.extents) for sample in samples) and any(
        not len(sample.extents) for sample in samples
    )
    for sample in samples:
        assert sample.tensor.shape == (3, CANVAS, CANVAS) and np.isfinite(sample.tensor).all()
        assert sample.heat.shape == (CANVAS // CELL, CANVAS // CELL)
        for row, column, height, width in sample.extents:
            assert sample.heat[int(row), int(column)] == 1 and height > 3 and width > 3


def test_films_with_an_unlocated_nodule_teach_no_negatives() -> None:
    film = _cached(("Nodule",))
    for seed in range(6):
        sample = make_sample(np.random.default_rng(seed), film, "nih")
        assert not (sample.weight[sample.heat == 0] > 0).any()
        assert sample.bag == 0 or not len(sample.extents)

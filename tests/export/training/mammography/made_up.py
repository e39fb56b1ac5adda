"""Films, views and answers without the data set."""

from __future__ import annotations

import numpy as np

from export.training.blocks import unseen_by
from export.training.mammography.answers import AnsweredView
from export.training.mammography.data import CachedView
from export.training.mammography.table import Lesion, MiasFilm
from models.mammography.answers import MemberAnswer
from models.mammography.placement import Placement
from models.mammography.preprocess import PreparedView
from models.mammography_results import DENSITY_CLASSES, BreastAnatomy

SIDE = 1024
PLACEMENT = Placement(top=0, left=0, rows=SIDE, columns=SIDE // 2, flipped=False, scale_y=0.5, scale_x=0.5)


def view_with_spot(
    row: float, column: float, radius: float = 12.0, kind: str = "CIRC", number: int = 1
) -> CachedView:
    """Return a breast of even grey, 576 x 320, with one bright disc that is its only lesion."""
    y, x = np.mgrid[0:576, 0:320].astype(np.float32) + 0.5
    mask = ((y - 288) / 270) ** 2 + (x / 300) ** 2 < 1
    grey = np.where(mask, 0.4, 0.0) + 0.5 * (np.hypot(y - row, x - column) < radius / 3)
    film = MiasFilm(
        f"mdb{number:03d}",
        str(number),
        "L",
        "fatty",
        (Lesion(kind, True, (row * 2, column * 2, radius * 2)),),
    )
    box = np.array([[row - radius, column - radius, row + radius, column + radius]], dtype=np.float32)
    return CachedView(film, grey.astype(np.float16), mask, box, PLACEMENT)


def plain_view(number: int = 2) -> CachedView:
    """Return a breast of even grey without a lesion."""
    y, x = np.mgrid[0:576, 0:320].astype(np.float32) + 0.5
    mask = ((y - 288) / 270) ** 2 + (x / 300) ** 2 < 1
    film = MiasFilm(f"mdb{number:03d}", str(number), "R", "dense-glandular", ())
    return CachedView(film, (0.4 * mask).astype(np.float16), mask, np.zeros((0, 4), np.float32), PLACEMENT)


def films(patients: int = 40) -> tuple[list[MiasFilm], dict[str, int]]:
    """Return films of made-up patients, the left one of every second abnormal, and a block for each."""
    made, blocks = [], {}
    kinds = ("CIRC", "SPIC", "MISC", "ARCH", "ASYM", "CALC")
    for number in range(patients):
        patient = str(2 * number + 1)
        blocks[patient] = number // 2 % 5
        tissue = DENSITY_CLASSES[number % 3]
        lesions: tuple[Lesion, ...] = ()
        if number % 2 == 0:
            circle = None if number == 4 else (300.0, 200.0, 40.0)
            lesions = (Lesion(kinds[number // 2 % len(kinds)], number % 4 == 0, circle),)
        made.append(MiasFilm(f"mdb{2 * number + 1:03d}", patient, "R", tissue, ()))
        made.append(MiasFilm(f"mdb{2 * number + 2:03d}", patient, "L", tissue, lesions))
    return made, blocks


def answer(film: MiasFilm, rng: np.random.Generator) -> MemberAnswer:
    """Return what a fair member says: a false mark on most films, a higher one on most lesions."""
    places, scores = [[400.0 + rng.uniform(-20, 20), 150.0]], [rng.uniform(0.05, 0.5)]
    if film.abnormal and rng.random() < 0.8:
        places.append([150.0, 100.0 + rng.uniform(-4, 4)])
        scores.append(rng.uniform(0.2, 0.9))
    order = np.argsort(-np.array(scores))
    centres = np.array(places)[order]
    boxes = np.concatenate([centres - 15, centres + 15], axis=1)
    density = np.full(3, 0.15)
    density[film.density] = 0.7
    abnormal = np.clip(rng.normal(0.6 if film.abnormal else 0.4, 0.1), 0.02, 0.98)
    return MemberAnswer(boxes, np.array(scores)[order], float(abnormal), float(abnormal) / 2, tuple(density))


def answered(
    made: list[MiasFilm], blocks: dict[str, int], seed: int = 0
) -> dict[int, dict[str, AnsweredView]]:
    """Return the answers of every member on the films that it never saw."""
    rng = np.random.default_rng(seed)
    mask = np.ones((SIDE // 2, SIDE // 4), dtype=bool)
    result: dict[int, dict[str, AnsweredView]] = {member: {} for member in range(10)}
    for film in made:
        anatomy = BreastAnatomy(f"2.25.{film.name[3:]}", "left", (500.0, 400.0))
        frame = PreparedView(np.empty((1, 3, 0, 0), np.float32), PLACEMENT, anatomy, mask)
        for member in unseen_by(blocks[film.patient]):
            answers = {member: answer(film, rng)}
            result[member][film.name] = AnsweredView(film, frame, (SIDE, SIDE), answers)
    return result

"""Films in memory: decoding, trimming, placement masks, weak labels and the split into blocks."""

from __future__ import annotations

import csv
import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from export.training.folder import data_root
from models.chest_nodule.preprocess import _equalised, content_bounds, resample, trim_and_scale

CACHE_SIDE = 800
MASK_SIDE = 200
BLOCKS = 5
LIDC_HELD_OUT = 6
"""One LIDC projection in six is kept out of pre-training for evaluation."""


@dataclass
class CachedFilm:
    """A decoded film: name, 8 bit pixels with long side 800, masks with long side 200, labels."""

    name: str
    patient: str
    pixels: NDArray[np.uint8]
    lung: NDArray[np.bool_]
    thorax: NDArray[np.bool_]
    labels: tuple[str, ...]
    boxes: NDArray[np.float32]
    block: int = -1

    @property
    def weak_positive(self) -> bool:
        """Whether the text-mined labels name a nodule or a mass."""
        return bool({"Nodule", "Mass"} & set(self.labels))

    @property
    def clear(self) -> bool:
        """Whether the text-mined label is No Finding."""
        return self.labels == ("No Finding",)


def block_of(patient: str) -> int:
    """Assign a patient to one of five blocks by a hash of the identifier."""
    return hashlib.sha256(f"chest-nodule/{patient}".encode()).digest()[0] % BLOCKS


def _prior(
    rows: int, columns: int, drop: float, grow: float = 1.0, squeeze: float = 1.0
) -> NDArray[np.bool_]:
    """Draw the two lung ellipses of an average frontal film, moved down by ``drop`` of its height."""
    y, x = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    away = (np.abs(x - 0.5) - 0.2 * squeeze) / (0.15 * squeeze * grow)
    return np.asarray(away**2 + ((y - 0.43 - drop) / (0.3 * (1 + (grow - 1) / 2))) ** 2 < 1)


def placement_masks(pixels: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Outline clear lung and the wider thorax of a frontal film by classical means.

    Dark parts at several brightness ranks are compared with two ellipses, moved and narrowed; the pair
    that agrees best by Dice wins. Under Dice .6 the ellipses themselves stand in. Returns masks with
    the long side ``MASK_SIDE``.
    """
    scale = MASK_SIDE / max(pixels.shape)
    small = resample(pixels, *(max(8, round(s * scale)) for s in pixels.shape))
    rank = ndimage.gaussian_filter(_equalised(small), 1.5)
    rows, columns = small.shape
    marks, _ = ndimage.label(np.pad(rank < 0.12, 1, constant_values=True))
    outside = ndimage.binary_dilation((marks == marks[0, 0])[1:-1, 1:-1], iterations=2)
    y, x = np.mgrid[-3:4, -3:4]
    disc = y**2 + x**2 <= 10
    best, best_dice = _prior(rows, columns, 0.0), 0.6
    places = [
        (d, q, _prior(rows, columns, d, 1.0, q), _prior(rows, columns, d, 1.22, q))
        for d in (-0.04, 0.0, 0.04, 0.08, 0.12)
        for q in (0.8, 0.9, 1.0, 1.1)
    ]
    for threshold in np.arange(0.2, 0.56, 0.04):
        dark = ndimage.binary_opening((rank < threshold) & ~outside, disc)
        for _, _, narrow, wide in places:
            lung = dark & wide
            dice = 2 * (lung & narrow).sum() / (lung.sum() + narrow.sum())
            if dice > best_dice:
                best, best_dice = lung, float(dice)
    best = ndimage.binary_closing(np.pad(best, 4), disc)[4:-4, 4:-4]
    marks, count = ndimage.label(best)
    for index in range(1, count + 1):
        if (marks == index).sum() < 0.02 * best.size:
            best = best & (marks != index)
    thorax = np.zeros_like(best)
    for row in range(rows):
        hit = np.flatnonzero(best[row])
        if hit.size:
            thorax[row, hit[0] : hit[-1] + 1] = True
    down = round(rows * 0.06)
    thorax[down:] |= thorax[:-down]
    return best, ndimage.binary_dilation(thorax, disc)


def _load(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)


def load_nih(root: Path) -> list[CachedFilm]:
    """Read the NIH films with their text-mined labels."""
    films = []
    table = next((root / "nih").glob("*.csv"))
    with table.open() as stream:
        for row in csv.DictReader(stream):
            pixels = _load(root / "nih" / row["image"].replace(".png", ".webp"))
            small, placement = trim_and_scale(pixels, CACHE_SIDE)
            lung, thorax = placement_masks(small)
            boxes = []
            for text in filter(None, row["boxes_xywh"].split("|")):
                name, _, numbers = text.partition(":")
                if name in ("Nodule", "Mass"):
                    left, top, width, height = (float(v) for v in numbers.split(","))
                    boxes.append([top, left, top + height, left + width])
            carried = placement.to_network(np.array(boxes, dtype=np.float64).reshape(-1, 4))
            films.append(
                CachedFilm(
                    row["image"],
                    row["patient"],
                    (small * 255).round().astype(np.uint8),
                    lung,
                    thorax,
                    tuple(row["labels"].split("|")),
                    carried.astype(np.float32),
                    block_of(row["patient"]),
                )
            )
    return films


def load_lidc(root: Path) -> list[CachedFilm]:
    """Read the LIDC projections; each connected part of a mask is one nodule box."""
    films = []
    for path in sorted((root / "lidc_drr").glob("*.webp")):
        pixels = _load(path)
        if pixels.shape[0] > 1.25 * pixels.shape[1]:
            pixels = pixels[: int(1.1 * pixels.shape[1])]
        top, left, bottom, right = content_bounds(pixels)
        small, placement = trim_and_scale(pixels, CACHE_SIDE)
        boxes = []
        mask_path = path.with_name(path.stem + "_mask.png")
        if mask_path.exists():
            with Image.open(mask_path) as image:
                mask = np.asarray(image.convert("L")) > 0
            marks, _ = ndimage.label(mask[: pixels.shape[0]], np.ones((3, 3)))
            parts = ndimage.find_objects(marks)
            boxes = [[p[0].start, p[1].start, p[0].stop, p[1].stop] for p in parts]
        carried = placement.to_network(np.array(boxes, dtype=np.float64).reshape(-1, 4))
        lung, thorax = placement_masks(small)
        labels = ("Nodule",) if boxes else ()
        films.append(
            CachedFilm(
                path.stem,
                path.name[:14],
                (small * 255).round().astype(np.uint8),
                lung,
                thorax,
                labels,
                carried.astype(np.float32),
            )
        )
    return films


def restrict_to_atlas(films: list[CachedFilm]) -> None:
    """Keep of each mask, in place, what most films of the set have too: leaks differ, lungs agree."""
    side = MASK_SIDE
    lungs = np.stack([resample(f.lung.astype(np.float32), side, side) for f in films]).mean(axis=0)
    whole = np.stack([resample(f.thorax.astype(np.float32), side, side) for f in films]).mean(axis=0)
    for film in films:
        shape = film.lung.shape
        film.lung = film.lung & (resample(lungs, *shape) > 0.45)
        film.thorax = (film.thorax & (resample(whole, *shape) > 0.5)) | film.lung


def load_films(kind: str, cache: Path) -> list[CachedFilm]:
    """Load one data set, decoding once and keeping the result beside the run."""
    cache.mkdir(parents=True, exist_ok=True)
    stored = cache / f"{kind}.pickle"
    if stored.exists():
        films: list[CachedFilm] = pickle.loads(stored.read_bytes())  # noqa: S301 (our own file)
        return films
    films = {"nih": load_nih, "lidc": load_lidc}[kind](data_root())
    restrict_to_atlas(films)
    stored.write_bytes(pickle.dumps(films))
    return films


def held_out(film: CachedFilm) -> bool:
    """Whether an LIDC projection belongs to the evaluation part."""
    return int(film.patient.rsplit("-", 1)[-1]) % LIDC_HELD_OUT == 0

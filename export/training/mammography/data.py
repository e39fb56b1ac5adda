"""Films of mini-MIAS in memory: cropped, mirrored and scaled as at inference, with masks and boxes."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import models.mammography
from export.training.folder import data_root
from export.training.mammography.table import PIXEL_MM, MiasFilm, read_table
from models.film import Film
from models.mammogram import Mammogram
from models.mammography.placement import Placement
from models.mammography.preprocess import HEIGHT, NoBreast, grey_view
from models.mammography_results import MammographyView

__all__ = ["CachedView", "load_views", "mammogram_of", "mias_films", "preparation_mark"]

ROOT_OF_UIDS = "2.25.1970"
_PREPARING = ("channels", "pectoral", "placement", "preprocess", "region")


@dataclass(frozen=True)
class CachedView:
    """One film on the network's grid of ``HEIGHT`` rows.

    Parameters
    ----------
    film : MiasFilm
        What the table says of it.
    grey : ndarray of float16, shape (H, W)
        As ``models.mammography.preprocess.grey_view`` makes it.
    mask : ndarray of bool, shape (H, W)
        The breast.
    boxes : ndarray of float32, shape (n, 4)
        Of the lesions with coordinates, in the order of the table, in pixels of this grid.
    placement : Placement
        The way back to source pixels.
    """

    film: MiasFilm
    grey: NDArray[np.float16]
    mask: NDArray[np.bool_]
    boxes: NDArray[np.float32]
    placement: Placement

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the lesions with coordinates."""
        return tuple(lesion.kind for lesion in self.film.lesions if lesion.circle is not None)


def preparation_mark() -> str:
    """Return a mark of the code that prepares a view: what was prepared by other code is prepared anew."""
    folder = Path(models.mammography.__file__).parent
    content = b"".join((folder / f"{name}.py").read_bytes() for name in _PREPARING)
    return hashlib.sha256(content).hexdigest()[:12]


def mias_films(root: Path | None = None) -> list[MiasFilm]:
    """Read the table of the data folder."""
    return read_table((root or data_root()) / "mias" / "lesions.csv")


def mammogram_of(film: MiasFilm, pixels: NDArray[np.float32] | None = None) -> Mammogram:
    """Return a film as a mammogram; ``pixels`` stand in for those of its file."""
    if pixels is None:
        with Image.open(data_root() / "mias" / f"{film.name}.webp") as image:
            pixels = np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)
    uid = f"{ROOT_OF_UIDS}.{int(film.name.removeprefix('mdb'))}"
    view = MammographyView(uid, film.laterality, "MLO")
    return Mammogram(Film(uid, pixels, pixel_spacing_mm=(PIXEL_MM, PIXEL_MM)), view, digitised=True)


def _cached(film: MiasFilm) -> CachedView:
    view = grey_view(mammogram_of(film), HEIGHT)
    boxes = np.array([lesion.box for lesion in film.lesions if lesion.box], dtype=np.float64).reshape(-1, 4)
    carried = view.placement.to_network(boxes).astype(np.float32)
    return CachedView(film, view.grey.astype(np.float16), view.mask, carried, view.placement)


def load_views(cache: Path, films: Sequence[MiasFilm] | None = None) -> list[CachedView]:
    """Load every film in which a breast is found, decoding once and keeping the result beside the run."""
    cache.mkdir(parents=True, exist_ok=True)
    stored = cache / f"mias-{preparation_mark()}.pickle"
    if stored.exists():
        views: list[CachedView] = pickle.loads(stored.read_bytes())  # noqa: S301 (our own file)
        return views
    views, refused = [], []
    for film in films or mias_films():
        try:
            views.append(_cached(film))
        except NoBreast as reason:
            refused.append(f"{film.name}: {reason}")
    partial = stored.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(views))
    (cache / "refused.txt").write_text("".join(f"{line}\n" for line in refused))
    partial.replace(stored)
    return views

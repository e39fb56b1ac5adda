"""How a mammogram hangs: turned for display, its marks with it, at a scale in millimetres.

By convention the right breast is shown on the viewer's left and the left breast on the right, chest walls in
the middle. Images are mirrored where they are stored otherwise. What is read and reported stays in source
pixels: here alone marks are carried into the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from dicom_io.reading.mammography.orientation import chest_wall_of as stated_chest_wall
from dicom_io.reading.mammography.orientation import is_upside_down
from models.mammogram import Mammogram
from models.mammography.region import NoBreast, find_breast
from models.mammography_results import ImageSide
from models.results import Box, Finding

__all__ = ["HungMammogram", "chest_wall_of", "common_scale", "hung_pixels"]

_BLACK = 1.5 / 255
_SCRATCH = 0.01
_ROOM = 0.03
_CHEST_WALL: dict[str, ImageSide] = {"L": "left", "R": "right"}  # in the middle of the picture


@dataclass(frozen=True, slots=True, eq=False)
class HungMammogram:
    """One mammogram and how it is turned.

    Parameters
    ----------
    mammogram : Mammogram
        As it was read.
    findings : tuple of Finding
        Those of this image, in source pixels.
    mirrored : bool
        Left and right change places.
    upended : bool
        Up and down change places.
    part : tuple of int
        ``(top, left, bottom, right)`` that is shown, in source pixels: without black borders.
    """

    mammogram: Mammogram
    findings: tuple[Finding, ...]
    mirrored: bool
    upended: bool
    part: tuple[int, int, int, int]

    @classmethod
    def of(
        cls,
        mammogram: Mammogram,
        findings: Sequence[Finding] = (),
        *,
        header: Dataset | None = None,
        chest_wall: ImageSide | None = None,
    ) -> HungMammogram:
        """Turn a mammogram for display.

        Parameters
        ----------
        mammogram : Mammogram
            As it was read.
        findings : sequence of Finding
            Those of this image are taken.
        header : Dataset or None
            Of the image; its Patient Orientation says whether it is stored upside down.
        chest_wall : {"left", "right"} or None
            On which side of the stored image the chest wall lies; found in header and pixels where None.
        """
        wall = chest_wall or chest_wall_of(mammogram, header)
        own = tuple(one for one in findings if one.sop_instance_uid == mammogram.sop_instance_uid)
        return cls(
            mammogram,
            tuple(sorted(own, key=lambda one: one.number)),
            mirrored=wall != _CHEST_WALL[mammogram.laterality],
            upended=_is_upended(mammogram, header, wall),
            part=_shown_part(mammogram.film.pixels, own),
        )

    @property
    def spacing(self) -> tuple[float, float]:
        """Size of a pixel, in millimetres where known, else 1."""
        return self.mammogram.film.pixel_spacing_mm or (1.0, 1.0)

    @property
    def extent(self) -> tuple[float, float]:
        """Height and width of the part that is shown, in units of :attr:`spacing`."""
        top, left, bottom, right = self.part
        return (bottom - top) * self.spacing[0], (right - left) * self.spacing[1]

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Return where a point of the source lies on the part as it is shown, in units of :attr:`spacing`."""
        top, left, bottom, right = self.part
        down = bottom - row if self.upended else row - top
        across = right - column if self.mirrored else column - left
        return down * self.spacing[0], across * self.spacing[1]

    def box(self, box: Box) -> Box:
        """Return where a box of the source lies on the part as it is shown, in units of :attr:`spacing`."""
        rows, columns = zip(self.place(box.top, box.left), self.place(box.bottom, box.right), strict=True)
        return Box(min(rows), min(columns), max(rows), max(columns))

    def window(self, shown: Box) -> HungMammogram:
        """Return the same image with less of it shown: a box in units of :attr:`spacing`, as it hangs."""
        top, left, bottom, right = self.part
        rows = (shown.top / self.spacing[0], shown.bottom / self.spacing[0])
        columns = (shown.left / self.spacing[1], shown.right / self.spacing[1])
        if self.upended:
            rows = (bottom - top - rows[1], bottom - top - rows[0])
        if self.mirrored:
            columns = (right - left - columns[1], right - left - columns[0])
        first_row, first_column = top + round(rows[0]), left + round(columns[0])
        last_row, last_column = top + round(rows[1]), left + round(columns[1])
        part = (first_row, first_column, max(last_row, first_row + 1), max(last_column, first_column + 1))
        return replace(self, part=part)


def chest_wall_of(mammogram: Mammogram, header: Dataset | None = None) -> ImageSide:
    """Return on which side of the stored image the chest wall lies.

    By the shape of the breast; where none is found, by Patient Orientation (anterior is where the nipple
    is), and where nothing is stated by the half that is brighter.
    """
    try:
        return find_breast(mammogram.film.pixels).chest_wall
    except NoBreast:
        pass
    stated = None if header is None else stated_chest_wall(header)
    if stated is not None:
        return stated
    middle = mammogram.film.shape[1] // 2
    left, right = mammogram.film.pixels[:, :middle], mammogram.film.pixels[:, middle:]
    return "left" if left.size and float(left.mean()) >= float(right.mean()) else "right"


def common_scale(images: Sequence[HungMammogram], height: int, width: int) -> float:
    """Return how many pixels of a panel a unit of :attr:`HungMammogram.spacing` takes, so that all fit."""
    return min(
        (min(height / image.extent[0], width / image.extent[1]) for image in images),
        default=1.0,
    )


def hung_pixels(image: HungMammogram, scale: float) -> NDArray[np.float32]:
    """Return the part that is shown, turned, at a scale; float32 in [0, 1]."""
    top, left, bottom, right = image.part
    shown = image.mammogram.film.pixels[top:bottom, left:right]
    if image.mirrored:
        shown = shown[:, ::-1]
    if image.upended:
        shown = shown[::-1]
    size = (max(1, round(image.extent[1] * scale)), max(1, round(image.extent[0] * scale)))
    grey = Image.fromarray(np.rint(shown * np.float32(255)).astype(np.uint8))
    small = grey.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def _is_upended(mammogram: Mammogram, header: Dataset | None, wall: ImageSide) -> bool:
    """Return whether the head lies below (PS3.3 C.7.6.1.1.1).

    An orientation that contradicts the side of the chest wall, or the breast, is not trusted: that of a
    craniocaudal view could only turn the image by naming the other breast.
    """
    if header is None or stated_chest_wall(header) != wall:
        return False
    return is_upside_down(header, mammogram.view.view)


def _shown_part(pixels: NDArray[np.float32], findings: Sequence[Finding]) -> tuple[int, int, int, int]:
    """Return the image without black borders, as scanned films have them; never less than what is marked.

    A line across a border, as of a scratch, does not make it a part of the image.
    """
    light = pixels > _BLACK
    rows = np.flatnonzero(light.mean(axis=1) > _SCRATCH)
    columns = np.flatnonzero(light.mean(axis=0) > _SCRATCH)
    if not rows.size or not columns.size:
        return 0, 0, pixels.shape[0], pixels.shape[1]
    boxes = [one.candidate.box for one in findings]
    room = _ROOM * max(pixels.shape)  # for the marks around a finding
    top = min([int(rows[0]), *(math.floor(box.top - room) for box in boxes)])
    left = min([int(columns[0]), *(math.floor(box.left - room) for box in boxes)])
    bottom = max([int(rows[-1]) + 1, *(math.ceil(box.bottom + room) for box in boxes)])
    right = max([int(columns[-1]) + 1, *(math.ceil(box.right + room) for box in boxes)])
    return max(top, 0), max(left, 0), min(bottom, pixels.shape[0]), min(right, pixels.shape[1])

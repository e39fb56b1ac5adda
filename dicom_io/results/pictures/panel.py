"""What a picture is made of: greyscale panels with marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.results import Box

__all__ = ["AMBER", "Mark", "Panel"]

AMBER = (255, 191, 0)
_Point = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """Something pointed out on a panel; coordinates are ``(row, column)`` in edges of its pixels.

    Parameters
    ----------
    label : str
        Written beside the mark; nothing where empty.
    box : Box or None
        Marked by its corners, with room around it.
    outlines : tuple of numpy.ndarray
        Closed outlines ``(n, 2)``, drawn where they are.
    lines : tuple of pairs of points
        Straight lines, e.g. diameters.
    colour : tuple of int
        sRGB, 0 to 255.
    """

    label: str = ""
    box: Box | None = None
    outlines: tuple[NDArray[np.float64], ...] = ()
    lines: tuple[tuple[_Point, _Point], ...] = ()
    colour: tuple[int, int, int] = AMBER

    def __post_init__(self) -> None:
        if self.box is None and not self.outlines and not self.lines:
            raise ValueError("a mark has something to point at")


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One greyscale image of a picture.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(rows, columns)`` float32 in [0, 1], as displayed.
    aspect : float
        Height of a pixel by its width.
    marks : tuple of Mark
        What is pointed out.
    caption : str
        Written below it.
    directions : tuple of str
        Patient directions at the left, right, upper and lower edge (PS3.3 C.7.6.1.1.1), none where empty.
    width_mm : float or None
        Of the whole panel; a bar of a round length is drawn where it is known.
    words : str
        Written in the middle of it, where it shows no image.
    bar_on_left : bool
        Whether the bar stands at the lower left corner instead of the lower right one.
    """

    pixels: NDArray[np.float32]
    aspect: float = 1.0
    marks: tuple[Mark, ...] = ()
    caption: str = ""
    directions: tuple[str, ...] = ()
    width_mm: float | None = None
    words: str = ""
    bar_on_left: bool = False

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.size == 0:
            raise ValueError(f"a panel shows one image, not an array of {self.pixels.shape}")
        if not self.aspect > 0:
            raise ValueError(f"the aspect of a pixel is positive, not {self.aspect}")
        if self.width_mm is not None and not 0 < self.width_mm < float("inf"):
            raise ValueError(f"the width of a panel is positive, not {self.width_mm} mm")
        if len(self.directions) not in (0, 4):
            raise ValueError("directions are those of left, right, upper and lower edge")

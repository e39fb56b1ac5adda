"""Pictures of mammography examinations: four views as they hang, a finding, and the same view of before.

Views hang as conventional: the right breast on the viewer's left, chest walls in the middle; cranio-caudal
views above oblique ones. All images with a pixel spacing are shown at one scale in millimetres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dicom_io.results.mammography_context import view_words
from dicom_io.results.pictures.drawing import render
from dicom_io.results.pictures.film_pictures import finding_label, percent
from dicom_io.results.pictures.hanging import HungMammogram, common_scale, hung_pixels
from dicom_io.results.pictures.panel import AMBER, Mark, Panel
from models.results import Box, Finding

__all__ = ["PRIOR_COLOUR", "Pair", "render_comparison", "render_mammography", "render_mammography_finding"]

PRIOR_COLOUR = (120, 190, 255)
_ORDER = ("CC", "MLO")
_TALL_CELL, _CELL, _SMALL_CELL = 1400, 1024, 760
_SLIM = 96
_MOST_ROWS = 5
_ROOM_AROUND, _SMALLEST_PART = 3.0, 0.22
_Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One view now and before.

    Parameters
    ----------
    now : HungMammogram
        Of this study.
    prior : HungMammogram or None
        Of the same breast and view, with the findings of its own reading; None where there is none.
    interval : str
        How long before, e.g. "14 months before".
    """

    now: HungMammogram
    prior: HungMammogram | None
    interval: str = ""


@dataclass(frozen=True, slots=True)
class _Cell:
    """The panels of a picture: how large they are, and how large a millimetre or a pixel is on them."""

    height: int
    width: int
    in_millimetres: float
    in_pixels: float

    @classmethod
    def for_all(cls, images: Sequence[HungMammogram], longest: int) -> _Cell:
        known = [one for one in images if one.mammogram.film.pixel_spacing_mm is not None]
        guide = known or list(images)
        tallest = max(one.extent[0] for one in guide)
        widest = max(one.extent[1] for one in guide)
        scale = longest / max(tallest, widest)
        height, width = math.ceil(tallest * scale), math.ceil(widest * scale)
        unknown = [one for one in images if one.mammogram.film.pixel_spacing_mm is None]
        return cls(height, width, scale, common_scale(unknown, height, width))

    def scale_of(self, image: HungMammogram) -> float:
        known = image.mammogram.film.pixel_spacing_mm is not None
        return self.in_millimetres if known else self.in_pixels

    def panel(self, image: HungMammogram, caption: str, colour: _Colour = AMBER, *, bar: bool) -> Panel:
        """Return the image against the middle of the picture, its marks where it shows them."""
        scale = self.scale_of(image)
        shown = hung_pixels(image, scale)[: self.height, : self.width]
        rows, columns = shown.shape
        top = (self.height - rows) // 2
        left = self.width - columns if image.mammogram.laterality == "R" else 0
        pixels = np.zeros((self.height, self.width), dtype=np.float32)
        pixels[top : top + rows, left : left + columns] = shown
        marks = tuple(
            Mark(finding_label(one), _shifted(image.box(one.candidate.box), scale, top, left), colour=colour)
            for one in image.findings
        )
        known = image.mammogram.film.pixel_spacing_mm is not None
        return Panel(
            pixels,
            marks=marks,
            caption=caption if known else f"{caption}, scale not known",
            width_mm=self.width / scale if bar and known else None,
            bar_on_left=image.mammogram.laterality == "R",
        )

    def empty(self, words: str, *, slim: bool = False) -> Panel:
        """Return a panel that says why it shows nothing; a slim one where the others of its row do too."""
        height = min(self.height, _SLIM) if slim else self.height
        return Panel(np.zeros((height, self.width), dtype=np.float32), words=words)


def render_mammography(
    images: Sequence[HungMammogram],
    words: Sequence[str],
    title: str,
    *,
    scores: Mapping[str, float] | None = None,
    not_read: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Draw an examination: its views as they hang, with all findings.

    Parameters
    ----------
    images : sequence of HungMammogram
        Those that were read.
    words : sequence of str
        Lines below the views.
    title : str
        Who read.
    scores : mapping of str to float or None
        Score of every image by its SOP Instance UID; of repeated images the highest comes first.
    not_read : sequence of str
        Sides and views that were there and could not be read, e.g. "R CC".

    Returns
    -------
    numpy.ndarray
        ``(rows, columns, 3)`` uint8.

    Raises
    ------
    ValueError
        There is no image.
    """
    if not images:
        raise ValueError("a picture of an examination shows at least one image")
    rows, left_out = _rows(images, scores or {})
    full = sum(not row.empty for row in rows)
    longest = _TALL_CELL if full == 1 else _CELL if full == len(_ORDER) else _SMALL_CELL
    shown = [image for row in rows for image in (row.right, row.left) if image is not None]
    cell = _Cell.for_all(shown, longest)
    panels = []
    for number, row in enumerate(rows, start=1):
        last = number == max(n for n, one in enumerate(rows, start=1) if not one.empty)
        for side, image in (("R", row.right), ("L", row.left)):
            name = f"{side} {row.view}"
            if image is None:
                panels.append(cell.empty(_absence(name, row.repeat, not_read), slim=row.empty))
                continue
            caption = view_words(image.mammogram.view)
            if row.repeat:
                caption += f", image {row.repeat + 1}"
            if scores and image.mammogram.sop_instance_uid in scores:
                caption += f", image score {percent(scores[image.mammogram.sop_instance_uid])}"
            panels.append(cell.panel(image, caption, bar=last and (side == "L" or row.left is None)))
    more = [f"{left_out} more images without findings are not shown"] if left_out else []
    return render(panels, [*words, *more], title, across=2, resampled=False)


def render_mammography_finding(
    image: HungMammogram, finding: Finding, words: Sequence[str], title: str, *, pair: Pair | None = None
) -> NDArray[np.uint8]:
    """Draw one finding: where it lies, enlarged, and the same view of before where there is one."""
    alone = replace(image, findings=(finding,))
    images = [alone] if pair is None or pair.prior is None else [alone, pair.prior]
    cell = _Cell.for_all(images, _CELL)
    caption = view_words(image.mammogram.view)
    panels = [cell.panel(alone, caption, bar=pair is not None), _enlarged(alone, finding, cell)]
    if pair is not None:
        panels.insert(1, _prior_panel(cell, pair))
    return render(panels, words, title, across=len(panels), resampled=False)


def render_comparison(pairs: Sequence[Pair], words: Sequence[str], title: str) -> NDArray[np.uint8]:
    """Draw views of now, each beside the same view of before at the same scale and turned alike.

    Views of before stand outside, those of now back to back in the middle: side by side, breasts of two times
    would be taken for a pair.

    Raises
    ------
    ValueError
        There is no pair.
    """
    if all(pair.prior is None for pair in pairs):
        raise ValueError("a comparison has at least one view of before")
    images = [image for pair in pairs for image in (pair.now, pair.prior) if image is not None]
    cell = _Cell.for_all(images, _SMALL_CELL)
    sides = [side for side in "RL" if any(_side(pair) == side for pair in pairs)]
    rows = sorted({pair.now.mammogram.view.view for pair in pairs}, key=_rank)
    panels = []
    for number, name in enumerate(rows, start=1):
        for side in sides:
            same = [p for p in pairs if _side(p) == side and p.now.mammogram.view.view == name]
            if not same:
                panels += [cell.empty(f"no {side} {name} image"), cell.empty("")]
            for pair in same[:1]:
                bar = number == len(rows) and side == sides[-1]
                caption = f"Now: {view_words(pair.now.mammogram.view)}"
                now = cell.panel(pair.now, caption, bar=bar and pair.prior is None)
                both = [now, _prior_panel(cell, pair, bar=bar)]
                panels += reversed(both) if side == "R" else both
    return render(panels, words, title, across=2 * len(sides), resampled=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    view: str
    repeat: int
    right: HungMammogram | None
    left: HungMammogram | None

    @property
    def empty(self) -> bool:
        return self.right is None and self.left is None

    @property
    def marked(self) -> bool:
        return any(image is not None and image.findings for image in (self.right, self.left))


def _rows(images: Sequence[HungMammogram], scores: Mapping[str, float]) -> tuple[list[_Row], int]:
    """Return the rows of the hanging, and how many images are left out; none with findings is."""
    rows = []
    names = sorted({image.mammogram.view.view for image in images} | {*_common(images)}, key=_rank)
    for name in names:
        sides = [
            sorted(
                (i for i in images if i.mammogram.view.view == name and i.mammogram.laterality == side),
                key=lambda i: -scores.get(i.mammogram.sop_instance_uid, 0.0),
            )
            for side in "RL"
        ]
        for repeat in range(max(1, *(len(side) for side in sides))):
            right, left = (side[repeat] if repeat < len(side) else None for side in sides)
            rows.append(_Row(name, repeat, right, left))
    kept = [row for n, row in enumerate(rows) if n < _MOST_ROWS or row.marked]
    dropped = [row for row in rows if row not in kept]
    return kept, sum(image is not None for row in dropped for image in (row.right, row.left))


def _common(images: Sequence[HungMammogram]) -> Iterator[str]:
    """Yield the standard views, which are shown as missing where a study has none of them."""
    if any(image.mammogram.view.view in _ORDER for image in images):
        yield from _ORDER


def _absence(name: str, repeat: int, not_read: Sequence[str]) -> str:
    if repeat:
        return f"no further {name} image"
    return f"{name} could not be read" if name in not_read else f"no {name} image"


def _rank(view: str) -> tuple[int, str]:
    return (_ORDER.index(view) if view in _ORDER else len(_ORDER), view)


def _side(pair: Pair) -> str:
    return pair.now.mammogram.laterality


def _prior_panel(cell: _Cell, pair: Pair, *, bar: bool = False) -> Panel:
    if pair.prior is None:
        return cell.empty(f"no earlier {view_words(pair.now.mammogram.view)} image")
    words = f"Prior, {pair.interval}: {view_words(pair.prior.mammogram.view)}"
    return cell.panel(pair.prior, words, PRIOR_COLOUR, bar=bar)


def _enlarged(image: HungMammogram, finding: Finding, cell: _Cell) -> Panel:
    """Return the part around a finding in a panel of the same size, as it hangs."""
    ratio = cell.width / cell.height
    height, width = image.extent
    box = image.box(finding.candidate.box)
    tall = max(_ROOM_AROUND * max(box.height, box.width / ratio), _SMALLEST_PART * height)
    tall = min(tall, height)
    wide = min(tall * ratio, width)
    top = min(max(box.centre[0] - tall / 2, 0.0), height - tall)
    left = min(max(box.centre[1] - wide / 2, 0.0), width - wide)
    part = image.window(Box(top, left, top + tall, left + wide))
    scale = min(cell.height / part.extent[0], cell.width / part.extent[1])
    near = hung_pixels(part, scale)[: cell.height, : cell.width]
    pixels = np.zeros((cell.height, cell.width), dtype=np.float32)
    down, across = (cell.height - near.shape[0]) // 2, (cell.width - near.shape[1]) // 2
    pixels[down : down + near.shape[0], across : across + near.shape[1]] = near
    mark = Mark(finding_label(finding), _shifted(part.box(finding.candidate.box), scale, down, across))
    return Panel(pixels, marks=(mark,), caption=f"Finding {finding.number}, enlarged")


def _shifted(box: Box, scale: float, top: float, left: float) -> Box:
    return Box(
        box.top * scale + top, box.left * scale + left, box.bottom * scale + top, box.right * scale + left
    )

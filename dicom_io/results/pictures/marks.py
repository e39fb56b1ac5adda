"""Marks on a picture: corners, outlines, lines and labels that cover nothing they point at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import ImageDraw, ImageFont

from dicom_io.results.pictures.panel import Mark

__all__ = ["BLACK", "Font", "Frame", "Style", "draw_marks", "font"]

BLACK = (0, 0, 0)

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes in pixels that follow from the size of the picture."""

    text: int
    line: int
    halo: int
    gap: int


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a panel lies on its canvas, and how large its pixels are there."""

    left: float
    top: float
    width: float
    height: float
    row_scale: float
    column_scale: float

    @property
    def limits(self) -> Rectangle:
        """The panel's rectangle."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Return ``(x, y)`` on the canvas of a point ``(row, column)`` of the panel."""
        return self.left + column * self.column_scale, self.top + row * self.row_scale


@lru_cache(maxsize=16)
def font(size: int) -> Font:
    """Return the built-in font in a size."""
    return ImageFont.load_default(size)


def draw_marks(draw: ImageDraw.ImageDraw, marks: Sequence[Mark], frame: Frame, style: Style) -> None:
    """Draw every mark of a panel, then the labels where they cover no mark."""
    limits = frame.limits
    for mark in marks:
        for outline in mark.outlines:
            points = [frame.place(row, column) for row, column in outline]
            _stroke(draw, [*points, points[0]], mark.colour, style, max(2, style.line // 2))
        for start, end in mark.lines:
            _stroke(draw, [frame.place(*start), frame.place(*end)], mark.colour, style, style.line)
    extents = [_extent(mark, frame) for mark in marks]
    around = [_outline(extent, limits, style) for extent in extents]
    for mark, rectangle in zip(marks, around, strict=True):
        if mark.box is not None:
            _draw_corners(draw, rectangle, mark.colour, style)
    placed: list[Rectangle] = []
    for mark, rectangle in zip(marks, around, strict=True):
        if mark.label:
            size = _label_size(draw, mark.label, style)
            placed.append(_place(rectangle, size, [*around, *placed], limits, style.gap))
            _draw_label(draw, mark.label, placed[-1], mark.colour, style)


def _extent(mark: Mark, frame: Frame) -> Rectangle:
    if mark.box is not None:
        edges = (mark.box.top, mark.box.left, mark.box.bottom, mark.box.right)
    else:
        points = np.concatenate([*mark.outlines, *(np.array(line) for line in mark.lines)])
        (top_row, first), (bottom_row, last) = points.min(axis=0), points.max(axis=0)
        edges = (float(top_row), float(first), float(bottom_row), float(last))
    left, top = frame.place(edges[0], edges[1])
    right, bottom = frame.place(edges[2], edges[3])
    return left, top, right, bottom


def _stroke(
    draw: ImageDraw.ImageDraw,
    points: list[tuple[float, float]],
    colour: _Colour,
    style: Style,
    width: int,
) -> None:
    for ink, thickness in ((BLACK, width + style.halo), (colour, width)):
        draw.line(points, ink, thickness, joint="curve")


def _outline(box: Rectangle, limits: Rectangle, style: Style) -> Rectangle:
    """Return the box with room around it, so that the marks cover no border of what they point at."""
    left, top, right, bottom = box
    room = max(style.gap, 0.12 * max(right - left, bottom - top))
    inset = style.line + style.halo
    return (
        max(left - room, limits[0] + inset),
        max(top - room, limits[1] + inset),
        min(right + room, limits[2] - inset),
        min(bottom + room, limits[3] - inset),
    )


def _draw_corners(draw: ImageDraw.ImageDraw, outline: Rectangle, mark_colour: _Colour, style: Style) -> None:
    left, top, right, bottom = outline
    arm = max(style.gap, 0.28 * min(right - left, bottom - top))
    strokes = [
        [(x, y + dy * arm), (x, y), (x + dx * arm, y)]
        for x, dx in ((left, 1), (right, -1))
        for y, dy in ((top, 1), (bottom, -1))
    ]
    for colour, width in ((BLACK, style.line + 2 * style.halo), (mark_colour, style.line)):
        for stroke in strokes:
            draw.line(stroke, colour, width, joint="curve")


def _label_size(draw: ImageDraw.ImageDraw, text: str, style: Style) -> tuple[float, float]:
    return draw.textlength(text, font(style.text)) + style.gap * 2, style.text * 1.3


def _draw_label(
    draw: ImageDraw.ImageDraw, text: str, place: Rectangle, colour: _Colour, style: Style
) -> None:
    draw.rectangle(place, fill=BLACK)
    middle = ((place[0] + place[2]) / 2, (place[1] + place[3]) / 2)
    draw.text(middle, text, colour, font(style.text), anchor="mm")


def _place(
    outline: Rectangle,
    size: tuple[float, float],
    taken: Sequence[Rectangle],
    limits: Rectangle,
    gap: int,
) -> Rectangle:
    """Return the first place beside the outline that lies in the film and covers nothing marked."""
    left, top, right, bottom = outline
    width, height = size
    corners = [
        (left, top - gap - height),
        (right - width, top - gap - height),
        (left, bottom + gap),
        (right - width, bottom + gap),
        (right + gap, top),
        (left - gap - width, top),
        (right + gap, bottom - height),
        (left - gap - width, bottom - height),
    ]
    places = [(x, y, x + width, y + height) for x, y in corners]
    inside = [place for place in places if _contains(limits, place)]
    for place in inside:
        if not any(_overlap(place, other) for other in taken):
            return place
    x = min(max(left, limits[0]), limits[2] - width)
    y = min(max(top - gap - height, limits[1]), limits[3] - height)
    return (inside or [(x, y, x + width, y + height)])[0]


def _contains(outer: Rectangle, inner: Rectangle) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

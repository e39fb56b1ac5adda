"""A film with its findings drawn beside them, for viewers that show no structured report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dicom_io.results.vocabulary import AI_NOTICE, ascii_text
from models.film import Film
from models.results import Finding

__all__ = ["LONGEST_SIDE", "SHORTEST_LONG_SIDE", "render_key_image"]

LONGEST_SIDE, SHORTEST_LONG_SIDE = 2048, 1536
_AMBER, _WHITE, _BLACK, _GREY, _STRIP = (
    (255, 191, 0),
    (255, 255, 255),
    (0, 0, 0),
    (170, 170, 170),
    (16, 16, 16),
)
_LINES_OF_FINDINGS = 6

_Rectangle = tuple[float, float, float, float]  # left, top, right, bottom
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class _Style:
    """Sizes in pixels that follow from the size of the picture."""

    text: int
    line: int
    halo: int
    gap: int


def render_key_image(
    film: Film, findings: Sequence[Finding], *, title: str = "SecondRead", pixel_aspect: float | None = None
) -> NDArray[np.uint8]:
    """Draw ``findings`` around, never over, what they point at.

    The film keeps its orientation and its true proportions; words stand on strips above and below it, so
    that they cover nothing.

    Parameters
    ----------
    film : Film
        As displayed.
    findings : sequence of Finding
        Those of this film; without any, the picture says that there are none.
    title : str
        Who read, e.g. package and version.
    pixel_aspect : float or None
        Height of a pixel by its width; from the film's spacing where None, else 1.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns, 3)`` uint8, the film part between 1536 and 2048 pixels long.
    """
    picture, row_scale, column_scale = _scaled(film, pixel_aspect)
    style = _style(picture)
    canvas = _with_strips(picture, findings, ascii_text(title), style)
    draw, top = ImageDraw.Draw(canvas), _strip_height(1, style)
    limits = (0.0, float(top), float(picture.width), float(top + picture.height))
    boxes = [
        (
            finding.candidate.box.left * column_scale,
            finding.candidate.box.top * row_scale + top,
            finding.candidate.box.right * column_scale,
            finding.candidate.box.bottom * row_scale + top,
        )
        for finding in findings
    ]
    outlines = [_outline(box, limits, style) for box in boxes]
    for outline in outlines:
        _draw_corners(draw, outline, style)
    placed: list[_Rectangle] = []
    for finding, outline in zip(findings, outlines, strict=True):
        label = f"{finding.number}   {_percent(finding.candidate.score)}"
        size = _label_size(draw, label, style)
        placed.append(_place(outline, size, [*outlines, *placed], limits, style.gap))
        _draw_label(draw, label, placed[-1], style)
    return np.asarray(canvas, dtype=np.uint8)


def _scaled(film: Film, pixel_aspect: float | None) -> tuple[Image.Image, float, float]:
    if film.pixel_spacing_mm is not None:
        pixel_aspect = film.pixel_spacing_mm[0] / film.pixel_spacing_mm[1]
    aspect = pixel_aspect or 1.0
    rows, columns = film.shape
    height, width = (rows * aspect, float(columns)) if aspect >= 1 else (float(rows), columns / aspect)
    longest = min(max(height, width, SHORTEST_LONG_SIDE), LONGEST_SIDE)
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = Image.fromarray(np.rint(film.pixels * np.float32(255)).astype(np.uint8))
    picture = grey.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0).convert("RGB")
    return picture, size[1] / rows, size[0] / columns


def _style(picture: Image.Image) -> _Style:
    text = max(24, min(round(max(picture.size) / 52), round(picture.width / 30)))
    return _Style(text=text, line=max(3, text // 9), halo=max(2, text // 18), gap=max(6, text // 3))


@lru_cache(maxsize=8)
def _font(size: int) -> _Font:
    return ImageFont.load_default(size)


def _strip_height(lines: int, style: _Style) -> int:
    return round(lines * style.text * 1.35 + style.gap * 2)


def _with_strips(picture: Image.Image, findings: Sequence[Finding], title: str, style: _Style) -> Image.Image:
    words = _summary(findings)
    top, bottom = _strip_height(1, style), _strip_height(len(words) + 1, style)
    canvas = Image.new("RGB", (picture.width, top + picture.height + bottom), _STRIP)
    canvas.paste(picture, (0, top))
    draw, font = ImageDraw.Draw(canvas), _font(style.text)
    # In the middle: viewers write their own words into the corners.
    draw.text((picture.width / 2, top / 2), AI_NOTICE, _AMBER, _font(round(style.text * 1.2)), anchor="mm")
    room = picture.width - style.gap * 4
    for number, (line, colour) in enumerate([*((line, _WHITE) for line in words), (title, _GREY)]):
        middle = top + picture.height + style.gap + (number + 0.5) * style.text * 1.35
        draw.text((style.gap * 2, middle), _fitting(draw, line, room, font), colour, font, anchor="lm")
    return canvas


def _fitting(draw: ImageDraw.ImageDraw, text: str, room: float, font: _Font) -> str:
    while text and draw.textlength(text, font) > room:
        text = text[:-4].rstrip() + "..." if len(text) > 4 else ""
    return text


def _summary(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return ["No finding at or above the operating point.", "This does not exclude disease."]
    lines = [_line(finding) for finding in findings[:_LINES_OF_FINDINGS]]
    left_out = len(findings) - len(lines)
    return [*lines, f"and {left_out} more, see the report"] if left_out else lines


def _line(finding: Finding) -> str:
    score = f"{finding.number}:  score {_percent(finding.candidate.score)}"
    if finding.size_mm is None:
        return f"{score}, size in mm not known"
    height, width = finding.size_mm
    plane = "" if finding.size_is_calibrated else " (not calibrated)"
    return f"{score}, box {height:.0f} x {width:.0f} mm{plane}"


def _percent(score: float) -> str:
    return f"{100 * score:.0f} %"


def _outline(box: _Rectangle, limits: _Rectangle, style: _Style) -> _Rectangle:
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


def _draw_corners(draw: ImageDraw.ImageDraw, outline: _Rectangle, style: _Style) -> None:
    left, top, right, bottom = outline
    arm = max(style.gap, 0.28 * min(right - left, bottom - top))
    strokes = [
        [(x, y + dy * arm), (x, y), (x + dx * arm, y)]
        for x, dx in ((left, 1), (right, -1))
        for y, dy in ((top, 1), (bottom, -1))
    ]
    for colour, width in ((_BLACK, style.line + 2 * style.halo), (_AMBER, style.line)):
        for stroke in strokes:
            draw.line(stroke, colour, width, joint="curve")


def _label_size(draw: ImageDraw.ImageDraw, text: str, style: _Style) -> tuple[float, float]:
    return draw.textlength(text, _font(style.text)) + style.gap * 2, style.text * 1.3


def _draw_label(draw: ImageDraw.ImageDraw, text: str, place: _Rectangle, style: _Style) -> None:
    draw.rectangle(place, fill=_BLACK)
    middle = ((place[0] + place[2]) / 2, (place[1] + place[3]) / 2)
    draw.text(middle, text, _AMBER, _font(style.text), anchor="mm")


def _place(
    outline: _Rectangle,
    size: tuple[float, float],
    taken: Sequence[_Rectangle],
    limits: _Rectangle,
    gap: int,
) -> _Rectangle:
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


def _contains(outer: _Rectangle, inner: _Rectangle) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _overlap(one: _Rectangle, other: _Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

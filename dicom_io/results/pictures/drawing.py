"""Draws panels side by side between strips of words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dicom_io.results.pictures.marks import Font, Frame, Style, draw_marks, font
from dicom_io.results.pictures.panel import AMBER, Panel
from dicom_io.results.vocabulary import AI_NOTICE, ascii_text

__all__ = ["LONGEST_SIDE", "SHORTEST_LONG_SIDE", "findings_in_words", "render", "wrapped"]

LONGEST_SIDE, SHORTEST_LONG_SIDE = 2048, 1536
_SMALLEST_PANEL = 480
_LINES_OF_FINDINGS = 6
_BARS_MM, _LONGEST_BAR = (100, 50, 20, 10, 5, 2, 1), 0.3
_WHITE, _GREY, _STRIP = (255, 255, 255), (170, 170, 170), (16, 16, 16)


def render(
    panels: Sequence[Panel],
    words: Sequence[str],
    title: str,
    *,
    across: int | None = None,
    resampled: bool = True,
) -> NDArray[np.uint8]:
    """Draw panels in a grid, with the notice above them, and words and title below.

    Panels keep their orientation and true proportions. Words stand on strips around them, so that they
    cover nothing.

    Parameters
    ----------
    panels : sequence of Panel
        In reading order.
    words : sequence of str
        Lines below the panels; those that do not fit go on in the next line.
    title : str
        Who read, e.g. package and version.
    across : int or None
        How many panels stand in a row; as many as rows where None.
    resampled : bool
        Whether panels are brought to a size that suits the picture; without, they keep their pixels.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns, 3)`` uint8; one panel alone is between 1536 and 2048 pixels long.
    """
    if not panels:
        raise ValueError("a picture has at least one panel")
    across = across or math.ceil(math.sqrt(len(panels)))
    scaled = [_scaled(panel, across) if resampled else _grey(panel).convert("RGB") for panel in panels]
    width = max(picture.width for picture in scaled)
    rows = [scaled[start : start + across] for start in range(0, len(scaled), across)]
    style = _style(width, max(picture.height for picture in scaled), across)
    captioned = [
        any(panel.caption for panel in panels[start : start + across])
        for start in range(0, len(panels), across)
    ]
    strips = [_strip_height(1, style) if any_caption else 0 for any_caption in captioned]
    top = _strip_height(1, style)
    height = sum(max(picture.height for picture in row) for row in rows) + sum(strips)
    columns = min(across, len(panels))
    across_all = width * columns + style.gap * (columns - 1)
    lines = [part for line in words for part in wrapped(line, across_all - style.gap * 4, font(style.text))]
    total = (across_all, top + height + _strip_height(len(lines) + 1, style))
    canvas = Image.new("RGB", total, _STRIP)
    draw = ImageDraw.Draw(canvas)
    # In the middle: viewers write their own words into the corners.
    draw.text((total[0] / 2, top / 2), AI_NOTICE, AMBER, font(round(style.text * 1.2)), anchor="mm")
    y, remaining = top, list(zip(panels, scaled, strict=True))
    for row, strip in zip(rows, strips, strict=True):
        tallest = max(picture.height for picture in row)
        for column, (panel, picture) in enumerate(remaining[: len(row)]):
            start = column * (width + style.gap)
            left = start + (width - picture.width) // 2
            canvas.paste(picture, (left, y))
            _finish(draw, panel, _frame(panel, picture, left, y), style)
            if panel.caption:
                middle = (start + width / 2, y + tallest + strip / 2)
                caption = _fitting(draw, ascii_text(panel.caption), width - 2 * style.gap, font(style.text))
                draw.text(middle, caption, _WHITE, font(style.text), anchor="mm")
        remaining = remaining[len(row) :]
        y += tallest + strip
    _write(draw, [*lines, ascii_text(title)], (y, total[0]), style)
    return np.asarray(canvas, dtype=np.uint8)


def findings_in_words(lines: Sequence[str], nothing: str) -> list[str]:
    """Return the lines below a picture: the first findings and how many more, or that there is none."""
    if not lines:
        return [nothing, "This does not exclude disease."]
    left_out = len(lines) - _LINES_OF_FINDINGS
    shown = list(lines[:_LINES_OF_FINDINGS])
    return [*shown, f"and {left_out} more, see the report"] if left_out > 0 else shown


def wrapped(line: str, room: float, written: Font) -> list[str]:
    """Return a line as lines that are no wider than ``room`` pixels; a word alone may be."""
    lines, indent = [""], "   "
    for word in ascii_text(line).split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1].strip() and written.getlength(longer) > room:
            lines.append(indent + word)
        else:
            lines[-1] = longer
    return lines


def _scaled(panel: Panel, across: int) -> Image.Image:
    rows, columns = panel.pixels.shape
    aspect = panel.aspect
    height, width = (rows * aspect, float(columns)) if aspect >= 1 else (float(rows), columns / aspect)
    largest = max(LONGEST_SIDE // across, _SMALLEST_PANEL)
    smallest = SHORTEST_LONG_SIDE if across == 1 else largest
    scale = min(max(height, width, smallest), largest) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return _grey(panel).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0).convert("RGB")


def _grey(panel: Panel) -> Image.Image:
    return Image.fromarray(np.rint(panel.pixels * np.float32(255)).astype(np.uint8))


def _frame(panel: Panel, picture: Image.Image, left: int, top: int) -> Frame:
    rows, columns = panel.pixels.shape
    return Frame(left, top, picture.width, picture.height, picture.height / rows, picture.width / columns)


def _style(width: int, height: int, across: int) -> Style:
    text = max(24, min(round(max(width, height) / 52), round(width * across / 30)))
    return Style(text=text, line=max(3, text // 9), halo=max(2, text // 18), gap=max(6, text // 3))


def _finish(draw: ImageDraw.ImageDraw, panel: Panel, frame: Frame, style: Style) -> None:
    draw_marks(draw, panel.marks, frame, style)
    if panel.words:
        left, top, right, bottom = frame.limits
        shown = _fitting(draw, ascii_text(panel.words), frame.width - 2 * style.gap, font(style.text))
        draw.text(((left + right) / 2, (top + bottom) / 2), shown, _GREY, font(style.text), anchor="mm")
    if panel.width_mm is not None:
        _draw_bar(draw, panel, frame, style)
    if not panel.directions:
        return
    left, top, right, bottom = frame.limits
    inset = style.gap + style.text / 2
    places = (
        (left + inset, (top + bottom) / 2),
        (right - inset, (top + bottom) / 2),
        ((left + right) / 2, top + inset),
        ((left + right) / 2, bottom - inset),
    )
    for letters, place in zip(panel.directions, places, strict=True):
        draw.text(place, letters, _GREY, font(style.text), anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0))


def _draw_bar(draw: ImageDraw.ImageDraw, panel: Panel, frame: Frame, style: Style) -> None:
    """Draw a bar of a round length beside a lower corner, with the length above it."""
    width_mm = panel.width_mm or 0.0
    length = next((one for one in _BARS_MM if one <= width_mm * _LONGEST_BAR), None)
    if length is None:
        return
    left, _, right, bottom = frame.limits
    drawn, inset = length * frame.width / width_mm, style.text * 1.5
    start = left + inset if panel.bar_on_left else right - inset - drawn
    end, y = start + drawn, bottom - style.gap - style.text * 0.5
    tick = style.text * 0.25
    strokes = [[(start, y), (end, y)], *([(x, y - tick), (x, y + tick)] for x in (start, end))]
    for ink, thickness in (((0, 0, 0), style.line + 2), (_GREY, max(2, style.line // 2))):
        for stroke in strokes:
            draw.line(stroke, ink, thickness)
    middle = ((start + end) / 2, y - style.text * 0.75)
    shown = font(round(style.text * 0.8))
    draw.text(middle, f"{length} mm", _GREY, shown, anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0))


def _strip_height(lines: int, style: Style) -> int:
    return round(lines * style.text * 1.35 + style.gap * 2)


def _write(draw: ImageDraw.ImageDraw, lines: Sequence[str], place: tuple[int, int], style: Style) -> None:
    """Write lines below the panels, the last one in grey; ``place`` is upper edge and width."""
    top, width = place
    written, room = font(style.text), width - style.gap * 4
    for number, line in enumerate(lines, start=1):
        middle = top + style.gap + (number - 0.5) * style.text * 1.35
        colour = _GREY if number == len(lines) else _WHITE
        text = _fitting(draw, line, room, written)
        draw.text((style.gap * 2, middle), text, colour, written, anchor="lm")


def _fitting(draw: ImageDraw.ImageDraw, text: str, room: float, written: Font) -> str:
    while text and draw.textlength(text, written) > room:
        text = text[:-4].rstrip() + "..." if len(text) > 4 else ""
    return text

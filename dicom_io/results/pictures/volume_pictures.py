"""Pictures of volumes: the key slices of all findings, and each finding on its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from highdicom import Volume
from numpy.typing import NDArray
from scipy import ndimage

from dicom_io.results.pictures.drawing import findings_in_words, render
from dicom_io.results.pictures.panel import Mark, Panel
from dicom_io.results.pictures.volume_words import basis_lines, finding_line, study_lines
from models.results import Assessment
from models.volume_results import VolumeFinding, VolumeReading

__all__ = [
    "directions_of",
    "outlines_of",
    "position_of",
    "render_volume",
    "render_volume_finding",
    "shown_slices",
]

_MOST_PANELS = 9
_CLOSEST_MM = 4.0
_WINDOW = (0.5, 99.5)
_HALF = 0.5
_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
_SLANT = 0.35

_Line = tuple[tuple[float, float], tuple[float, float]]


def render_volume(
    reading: VolumeReading, image: Volume, *, title: str, assessment: Assessment | None = None
) -> NDArray[np.uint8]:
    """Draw the overview: up to nine slices with outlines, or slices through the volume without findings.

    Parameters
    ----------
    reading : VolumeReading
        What was found.
    image : highdicom.Volume
        ``(z, y, x)``, the segmented series on the grid of the reading.
    title : str
        Who read.
    assessment : Assessment or None
        How far it can be trusted; decision and reasons stand below the slices.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns, 3)`` uint8.

    Raises
    ------
    ValueError
        The image lies on another grid.
    """
    window = _window(reading, image)
    slices = shown_slices(reading)
    panels = [_panel(reading, image, index, reading.findings, window) for index in slices]
    words = findings_in_words([finding_line(finding) for finding in reading.findings], "No finding.")
    return render(panels, [*words, *study_lines(reading, assessment)], title)


def render_volume_finding(
    reading: VolumeReading,
    image: Volume,
    finding: VolumeFinding,
    *,
    title: str,
    assessment: Assessment | None = None,
) -> NDArray[np.uint8]:
    """Draw one finding on its key slice: with outline and diameters, and beside it without any mark.

    What was read and how far it can be trusted stands below: a picture is at times seen alone.
    """
    window = _window(reading, image)
    marked = _panel(reading, image, finding.key_slice, (finding,), window, diameters=True)
    plain = _panel(reading, image, finding.key_slice, (), window)
    return render([marked, plain], [finding_line(finding), *basis_lines(reading, assessment)], title)


def shown_slices(reading: VolumeReading) -> list[int]:
    """Return the slices of the overview in their order along the grid, nine at most.

    The key slice of every finding comes first, by falling volume; then the slices of largest extent over all
    findings, each at least 4 mm, and a tenth of what the findings span, away from the others. Without
    findings they are spread evenly.
    """
    depth = len(reading.slices)
    if not reading.findings:
        places = np.linspace(0, depth - 1, min(_MOST_PANELS, depth) + 2)[1:-1]
        return sorted({round(place) for place in places})
    found = sorted(reading.findings, key=lambda one: (-one.volume_ml, one.number))
    slices = list(dict.fromkeys(finding.key_slice for finding in found))[:_MOST_PANELS]
    array = reading.labels.array
    extents = np.count_nonzero(array, axis=tuple(range(1, array.ndim)))
    filled = np.flatnonzero(extents)
    span = int(filled[-1] - filled[0]) + 1
    apart = max(_CLOSEST_MM / reading.labels.spacing[0], span / (_MOST_PANELS + 1))
    for index in np.argsort(-extents, kind="stable")[: len(filled)].tolist():
        if len(slices) == _MOST_PANELS:
            break
        if all(abs(index - other) >= apart for other in slices):
            slices.append(index)
    return sorted(slices)


def _window(reading: VolumeReading, image: Volume) -> tuple[float, float]:
    if image.array.shape != reading.labels.spatial_shape or not np.allclose(
        image.affine, reading.labels.affine, atol=1e-4
    ):
        raise ValueError("the image lies on another grid than the reading")
    sample = image.array[:: max(1, image.spatial_shape[0] // 24), ::2, ::2]
    inside = sample[sample > sample.min()]
    low, high = np.percentile(inside if inside.size else sample, _WINDOW)
    return float(low), max(float(high), float(low) + 1e-6)


def _panel(
    reading: VolumeReading,
    image: Volume,
    index: int,
    findings: Sequence[VolumeFinding],
    window: tuple[float, float],
    *,
    diameters: bool = False,
) -> Panel:
    low, high = window
    pixels = np.clip((image.array[index].astype(np.float32) - low) / (high - low), 0, 1)
    marks = []
    for finding in findings:
        mask = reading.mask(finding.number)[index]
        if mask.any():
            marks.append(_mark(finding, mask, diameters=diameters and finding.key_slice == index))
    spacing = image.spacing
    caption = f"Slice {index + 1} of {image.spatial_shape[0]}, {position_of(image, index)}"
    return Panel(
        pixels.astype(np.float32),
        spacing[1] / spacing[2],
        tuple(marks),
        caption,
        directions_of(image.affine),
        width_mm=spacing[2] * pixels.shape[1],
    )


def position_of(image: Volume, index: int) -> str:
    """Return where the middle of a slice lies along the direction nearest to its normal, e.g. "H 34 mm"."""
    rows, columns = image.spatial_shape[1:]
    middle = image.affine[:3] @ np.array([index, (rows - 1) / 2, (columns - 1) / 2, 1.0])
    axis = int(np.argmax(np.abs(np.cross(image.affine[:3, 1], image.affine[:3, 2]))))
    return f"{_LETTERS[axis][0 if middle[axis] >= 0 else 1]} {math.floor(abs(middle[axis]) + 0.5)} mm"


def _mark(finding: VolumeFinding, mask: NDArray[np.bool_], *, diameters: bool) -> Mark:
    found = finding.diameters if diameters else None
    lines = () if found is None else (_edges(found.longest), _edges(found.perpendicular))
    label = str(finding.number)
    if finding.probability is not None:
        label += f"   {100 * finding.probability:.0f} %"
    return Mark(label, outlines=outlines_of(mask), lines=lines, colour=finding.segment.colour)


def _edges(line: _Line) -> _Line:
    (one, other), (third, fourth) = line
    return (one + _HALF, other + _HALF), (third + _HALF, fourth + _HALF)


def outlines_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """Return the outer borders of the components, along the edges of their pixels."""
    labelled, count = ndimage.label(mask)
    return tuple(_border(labelled == number) for number in range(1, count + 1))


def _border(component: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Walk round one component with it on the right hand, from its first pixel's upper left corner."""
    filled = np.pad(ndimage.binary_fill_holes(component), 1)
    rows, columns = np.nonzero(filled)
    row, column = int(rows[0]), int(columns[0])
    start, heading = (row, column), 0
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
    # pixels to the left and to the right ahead of a corner, by heading
    ahead = (((-1, 0), (0, 0)), ((0, 0), (0, -1)), ((0, -1), (-1, -1)), ((-1, -1), (-1, 0)))
    corner, path = start, [start]
    while True:
        (left, right) = ahead[heading]
        if filled[corner[0] + left[0], corner[1] + left[1]]:
            heading = (heading - 1) % 4
        elif not filled[corner[0] + right[0], corner[1] + right[1]]:
            heading = (heading + 1) % 4
            continue
        step = steps[heading]
        corner = (corner[0] + step[0], corner[1] + step[1])
        if corner == start:
            return np.array(path, dtype=np.float64) - 1
        path.append(corner)


def directions_of(affine: NDArray[np.float64]) -> tuple[str, str, str, str]:
    """Return where left, right, upper and lower edge of a slice point in the patient."""
    right, down = affine[:3, 2], affine[:3, 1]
    return _letters(-right), _letters(right), _letters(-down), _letters(down)


def _letters(direction: NDArray[np.float64]) -> str:
    unit = direction / np.linalg.norm(direction)
    order = np.argsort(-np.abs(unit))
    return "".join(_LETTERS[axis][0 if unit[axis] > 0 else 1] for axis in order if abs(unit[axis]) > _SLANT)

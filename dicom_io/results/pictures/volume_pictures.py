"""Pictures of volumes: the key slices of all findings, and each finding on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom import Volume
from numpy.typing import NDArray
from scipy import ndimage

from dicom_io.results.pictures.drawing import findings_in_words, render
from dicom_io.results.pictures.panel import Mark, Panel
from models.volume_results import VolumeFinding, VolumeReading

__all__ = ["directions_of", "outlines_of", "render_volume", "render_volume_finding"]

_SLICES_WITHOUT_FINDINGS = 9
_MOST_PANELS = 9
_WINDOW = (0.5, 99.5)
_HALF = 0.5
_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
_SLANT = 0.35

_Line = tuple[tuple[float, float], tuple[float, float]]


def render_volume(reading: VolumeReading, image: Volume, *, title: str) -> NDArray[np.uint8]:
    """Draw the overview: the key slice of every finding, or slices through the volume where there is none.

    Parameters
    ----------
    reading : VolumeReading
        What was found.
    image : highdicom.Volume
        ``(z, y, x)``, the segmented series on the grid of the reading.
    title : str
        Who read.

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
    if reading.findings:
        slices = list(dict.fromkeys(finding.key_slice for finding in reading.findings))[:_MOST_PANELS]
    else:
        depth = image.spatial_shape[0]
        places = np.linspace(0, depth - 1, min(_SLICES_WITHOUT_FINDINGS, depth) + 2)[1:-1]
        slices = sorted({round(place) for place in places})
    panels = [_panel(reading, image, index, reading.findings, window) for index in slices]
    return render(panels, _summary(reading.findings), title)


def render_volume_finding(
    reading: VolumeReading, image: Volume, finding: VolumeFinding, *, title: str
) -> NDArray[np.uint8]:
    """Draw one finding on its key slice: with outline and diameters, and beside it without any mark."""
    window = _window(reading, image)
    marked = _panel(reading, image, finding.key_slice, (finding,), window, diameters=True)
    plain = _panel(reading, image, finding.key_slice, (), window)
    return render([marked, plain], [_line(finding)], title)


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
    caption = f"Slice {index + 1} of {image.spatial_shape[0]}"
    return Panel(
        pixels.astype(np.float32), spacing[1] / spacing[2], tuple(marks), caption, directions_of(image.affine)
    )


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


def _summary(findings: Sequence[VolumeFinding]) -> list[str]:
    return findings_in_words([_line(finding) for finding in findings], "No finding.")


def _line(finding: VolumeFinding) -> str:
    parts = [f"{finding.number}:  {finding.segment.label}"]
    if finding.probability is not None:
        parts.append(f"score {100 * finding.probability:.0f} %")
    parts.append(f"{finding.volume_ml:.1f} ml")
    if finding.diameters is not None:
        parts.append(f"{finding.diameters.longest_mm:.0f} x {finding.diameters.perpendicular_mm:.0f} mm")
    return ", ".join(parts)

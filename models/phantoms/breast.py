"""A mammogram of nobody: cranio-caudal and oblique views with known landmarks, masses and film artefacts.

The grey values are drawn, not projected: enough to test where things are found, not how an image is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt, gaussian_filter, zoom

from models.results import Box

__all__ = ["BreastPhantom", "MassTruth", "PhantomMass", "breast_phantom"]

FIELD_MM: Final = 240.0
"""Height of the image; its width follows from the number of columns, pixels are square."""

_RENDERED_ROWS: Final = 960
_SKIN_MM: Final = 18.0
_NIPPLE_MM: Final = 4.5
_FAT, _GLAND, _MUSCLE, _IMPLANT = 0.36, 0.30, 0.42, 0.60
_FOG: Final = 0.10

Field = NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PhantomMass:
    """A round mass to put into a breast.

    Parameters
    ----------
    row_mm : float
        Centre, from the upper border of the image.
    depth_mm : float
        Centre, from the chest wall towards the nipple.
    radius_mm : float
        Of its shadow.
    contrast : float
        Grey value added in its middle, of a scale from 0 to 1.
    """

    row_mm: float
    depth_mm: float
    radius_mm: float
    contrast: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.radius_mm <= 50:
            raise ValueError(f"radius_mm must lie in (0, 50], not {self.radius_mm}")
        if not 0 < self.contrast <= 1:
            raise ValueError(f"contrast must lie in (0, 1], not {self.contrast}")


@dataclass(frozen=True, slots=True)
class MassTruth:
    """Where a mass lies in the image: ``box`` in source pixels, edges as :class:`models.results.Box`."""

    mass: PhantomMass
    box: Box

    @property
    def centre(self) -> Point:
        """``(row, column)`` of the centre in source pixels."""
        return self.box.centre


@dataclass(frozen=True, slots=True, eq=False)
class BreastPhantom:
    """A phantom mammogram and what is in it.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(rows, columns)`` float32 in [0, 1], tissue bright and air dark.
    pixel_spacing_mm : tuple of float
        ``(between rows, between columns)``.
    laterality : {"L", "R"}
        The breast; the chest wall of a left one lies on the left of the image.
    view : {"MLO", "CC"}
        The view.
    nipple : tuple of float
        ``(row, column)`` of the tip of the nipple, in source pixels.
    pectoral : tuple of points or None
        Two points of the edge of the pectoral muscle; None on a CC view.
    tissue : numpy.ndarray
        Bool ``(rows, columns)``: where the breast is.
    masses : tuple of MassTruth
        In the order given.
    """

    pixels: Field
    pixel_spacing_mm: tuple[float, float]
    laterality: Literal["L", "R"]
    view: Literal["MLO", "CC"]
    nipple: Point
    pectoral: tuple[Point, Point] | None
    tissue: NDArray[np.bool_]
    masses: tuple[MassTruth, ...]

    @property
    def chest_wall(self) -> Literal["left", "right"]:
        """On which side of the image the chest wall lies."""
        return "left" if self.laterality == "L" else "right"


@dataclass(frozen=True, slots=True)
class _Shape:
    """Outline of a breast in mm, the chest wall at 0: everything that differs between phantoms."""

    depth: float
    middle: float
    upper: float
    lower: float
    armpit: float
    muscle: tuple[float, float] | None

    def skin(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far the breast reaches from the chest wall at heights ``y``."""
        below = self.depth * np.sqrt(np.clip(1 - ((y - self.middle) / self.lower) ** 2, 0, None))
        part = np.clip((self.middle - y) / self.upper, 0, None)
        if self.armpit > 0:
            above = self.armpit + (self.depth - self.armpit) * 0.5 * (1 + np.cos(np.pi * np.minimum(part, 1)))
        else:
            above = self.depth * np.sqrt(np.clip(1 - part**2, 0, None))
        return np.where(y < self.middle, above, below)

    def nipple(self) -> Point:
        """Return ``(y, x)`` of the skin point farthest from the edge of the muscle or the chest wall."""
        y = np.linspace(self.middle - 0.6 * self.upper, self.middle + 0.95 * self.lower, 800)
        x = self.skin(y)
        if self.muscle is None:
            best = int(np.argmax(x))
        else:
            across, down = self.muscle
            best = int(np.argmax(x * down + y * across))
        return float(y[best]), float(x[best])

    def tip(self) -> Point:
        """Return ``(y, x)`` of the tip of the nipple, which stands out at right angles to the chest."""
        y, x = self.nipple()
        across, down = self.muscle or (0.0, 1.0)
        length = float(np.hypot(across, down))
        return y + _NIPPLE_MM * across / length, x + _NIPPLE_MM * down / length


def breast_phantom(
    seed: int,
    laterality: Literal["L", "R"] = "L",
    view: Literal["MLO", "CC"] = "MLO",
    masses: Sequence[PhantomMass] = (),
    *,
    rows: int = 960,
    columns: int = 720,
    implant: bool = False,
    film: bool = False,
    label: bool = True,
) -> BreastPhantom:
    """Return a mammogram; the same arguments give the same pixels.

    Parameters
    ----------
    seed : int
        Of outline, tissue and noise; not negative. The two views of a breast may share one.
    laterality : {"L", "R"}
        The breast.
    view : {"MLO", "CC"}
        The view; only MLO has a pectoral muscle.
    masses : sequence of PhantomMass
        Round masses.
    rows, columns : int
        Size of the image, 128 to 6000 each. The image is 240 mm high.
    implant : bool
        Whether a bright implant lies at the chest wall.
    film : bool
        Whether it is a digitised film: fog, black and white borders, tape, a scratch.
    label : bool
        Whether a label with letters lies in the air beside the breast.

    Raises
    ------
    ValueError
        A size is out of range, or side or view is none of those named.
    """
    if laterality not in {"L", "R"} or view not in {"MLO", "CC"}:
        raise ValueError(f"laterality is L or R and view MLO or CC, not {laterality!r} and {view!r}")
    if not (128 <= rows <= 6000 and 128 <= columns <= 6000):
        raise ValueError(f"rows and columns must lie in 128 to 6000, not {rows} and {columns}")
    rng = np.random.default_rng([seed, 17])
    pitch = FIELD_MM / rows
    width_mm = columns * pitch
    shape = _outline(rng, view, width_mm)
    factor = min(1.0, _RENDERED_ROWS / rows)
    size = round(rows * factor), round(columns * factor)
    y, x = _places(size, width_mm)
    tissue = _tissue(shape, y, x)
    grey = _grey(rng, shape, tissue, (y, x), implant)
    for mass in masses:
        distance = np.hypot(y - mass.row_mm, x - mass.depth_mm) / mass.radius_mm
        grey += (mass.contrast * np.sqrt(np.clip(1.15 - distance**2, 0, 1)) * tissue).astype(np.float32)
    grey = _enlarged(gaussian_filter(grey, 0.5), (rows, columns))
    mask = _enlarged(tissue.astype(np.float32), (rows, columns)) > 0.5
    if film:
        grey = _FOG + (1 - _FOG) * grey
    grey = grey + rng.normal(0, 0.008, grey.shape).astype(np.float32) * (mask | film)
    picture = np.clip(grey, 0, 1)
    if film:
        _artefacts(picture, rng)
    if laterality == "R":
        picture, mask = picture[:, ::-1].copy(), mask[:, ::-1]
    if label:
        _draw_label(picture, mask, f"{laterality} {view}")
    return BreastPhantom(
        pixels=np.ascontiguousarray(picture, dtype=np.float32),
        pixel_spacing_mm=(pitch, pitch),
        laterality=laterality,
        view=view,
        nipple=_placed(shape.tip(), pitch, columns, laterality),
        pectoral=_muscle_line(shape, pitch, (rows, columns), laterality),
        tissue=np.ascontiguousarray(mask),
        masses=tuple(_truth(mass, pitch, columns, laterality) for mass in masses),
    )


def _outline(rng: np.random.Generator, view: str, width_mm: float) -> _Shape:
    """Draw an outline that fits the image."""
    depth = min(float(rng.uniform(75, 110)), 0.72 * width_mm)
    if view == "CC":
        return _Shape(depth, float(rng.uniform(112, 128)), 95.0, 95.0, 0.0, None)
    muscle = (float(rng.uniform(0.45, 0.6)) * depth, float(rng.uniform(95, 135)))
    middle = float(rng.uniform(135, 150))
    return _Shape(depth, middle, middle, float(rng.uniform(70, 85)), 0.72 * depth, muscle)


def _places(size: tuple[int, int], width_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres of pixels in mm, as a column and a row."""
    y = (np.arange(size[0]) + 0.5) * FIELD_MM / size[0]
    x = (np.arange(size[1]) + 0.5) * width_mm / size[1]
    return y[:, None], x[None]


def _tissue(shape: _Shape, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where the breast and its nipple are."""
    row, column = shape.nipple()
    nipple = np.hypot(y - row, x - column) < _NIPPLE_MM
    return np.asarray((x < shape.skin(y)) | nipple)


def _grey(
    rng: np.random.Generator,
    shape: _Shape,
    tissue: NDArray[np.bool_],
    places: tuple[NDArray[np.float64], NDArray[np.float64]],
    implant: bool,
) -> Field:
    """Draw fat, gland, muscle and implant inside the skin; air is 0."""
    y, x = places
    step = float(y[1, 0] - y[0, 0])
    texture = sum(
        gaussian_filter(rng.standard_normal(tissue.shape).astype(np.float32), sigma / step) * sigma / step
        for sigma in (1.0, 2.5, 6.0)
    )
    texture = texture / max(float(np.std(texture)), 1e-6)
    row, column = shape.nipple()
    cone = np.exp(-(((y - row) / 38) ** 2) - ((x - 0.62 * column) / (0.33 * column)) ** 2)
    gland = cone * np.clip(0.6 + 0.25 * texture, 0, 1.2)
    grey = _FAT + _GLAND * gland + 0.015 * texture
    if shape.muscle is not None:
        across, down = shape.muscle
        signed = (1 - x / across - y / down) * across * down / np.hypot(across, down)
        grey = grey + _MUSCLE * (1 / (1 + np.exp(-signed / 0.8))) * (1 - 0.4 * cone)
    if implant:
        inside = ((y - shape.middle) / (0.55 * shape.lower)) ** 2 + (x / (0.5 * shape.depth)) ** 2 < 1
        grey = np.where(inside, np.maximum(grey, _FAT + _IMPLANT), grey)
    # The chest wall is no skin: the distance counts from the air alone.
    skin = np.asarray(distance_transform_edt(np.pad(tissue, ((1, 1), (1, 0)), mode="edge")))[1:-1, 1:] * step
    rim = np.clip(skin / _SKIN_MM, 0, 1) ** 0.4
    return np.asarray(grey * rim * tissue, dtype=np.float32)


def _enlarged(values: Field, shape: tuple[int, int]) -> Field:
    """Interpolate to the size of the image."""
    if values.shape == shape:
        return values
    factors = shape[0] / values.shape[0], shape[1] / values.shape[1]
    fine = zoom(values, factors, order=1, mode="nearest", grid_mode=True)
    return np.asarray(fine[: shape[0], : shape[1]], dtype=np.float32)


def _artefacts(picture: Field, rng: np.random.Generator) -> None:
    """Draw what scanners leave: black borders, a white strip, a scratch; the chest wall is on the left."""
    rows, columns = picture.shape
    picture[:, columns - max(2, columns // 12) :] = 0.0
    strip = columns - columns // 12 - columns // 20
    picture[:, strip : strip + max(2, columns // 40)] = 0.98
    picture[: max(1, rows // 200)] = 0.9
    scratch = int(rng.integers(columns // 2, columns * 3 // 4))
    picture[:, scratch] = np.maximum(picture[:, scratch], 0.45)
    picture[rows - max(2, rows // 60) :] = 0.0


def _draw_label(picture: Field, mask: NDArray[np.bool_], text: str) -> None:
    """Draw a white plate with letters into the upper corner away from the chest wall."""
    rows, columns = picture.shape
    height, width = max(12, rows // 20), max(20, columns // 10)
    top = rows // 40
    air = np.flatnonzero(~mask[top : top + height].any(axis=0))
    if air.size < width + 4:
        return
    left = int(air[-1]) + 1 - width - 2 if air[-1] == columns - 1 else int(air[0]) + 2
    plate = Image.new("L", (width, height), 245)
    ImageDraw.Draw(plate).text((2, 1), text, fill=20, font_size=max(8, height // 2))
    picture[top : top + height, left : left + width] = np.asarray(plate, dtype=np.float32) / 255


def _placed(point: Point, pitch: float, columns: int, laterality: str) -> Point:
    """Return a place ``(y, x)`` in mm from the chest wall as ``(row, column)`` of the image."""
    column = point[1] / pitch
    return point[0] / pitch, columns - column if laterality == "R" else column


def _muscle_line(
    shape: _Shape, pitch: float, size: tuple[int, int], laterality: str
) -> tuple[Point, Point] | None:
    if shape.muscle is None:
        return None
    across, down = shape.muscle
    first = _placed((0.0, across), pitch, size[1], laterality)
    return first, _placed((down, 0.0), pitch, size[1], laterality)


def _truth(mass: PhantomMass, pitch: float, columns: int, laterality: str) -> MassTruth:
    row, column = _placed((mass.row_mm, mass.depth_mm), pitch, columns, laterality)
    radius = mass.radius_mm / pitch
    return MassTruth(mass, Box(row - radius, column - radius, row + radius, column + radius))

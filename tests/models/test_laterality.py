"""The mid-sagittal plane of heads that lie askew in the scanner, and the side of masks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from highdicom import Volume
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from models.laterality import Midplane, midsagittal_plane
from models.phantoms.brain import BrainPhantom, Contrast, PhantomLesion

SHAPE, SPACING = (34, 68, 68), (5.0, 3.5, 3.5)
AXIAL = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
SAGITTAL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)
CORONAL = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float)


def centred(
    directions: NDArray[np.float64] = AXIAL,
    shape: tuple[int, ...] = SHAPE,
    spacing: tuple[float, float, float] = SPACING,
) -> NDArray[np.float64]:
    """Return the affine of a grid whose middle is the origin."""
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return affine


def volume(array: NDArray[np.int16], affine: NDArray[np.float64]) -> Volume:
    return Volume(array, affine, coordinate_system="PATIENT", frame_of_reference_uid="2.25.7")


def head(
    affine: NDArray[np.float64],
    *,
    contrast: Contrast = "FLAIR",
    motion: NDArray[np.float64] | None = None,
    shape: tuple[int, int, int] = SHAPE,
    lesion: PhantomLesion | None = None,
) -> Volume:
    """Return a head on a grid, moved within the scanner by ``motion``."""
    inverse = np.eye(4) if motion is None else np.linalg.inv(motion)
    phantom = BrainPhantom(lesions=() if lesion is None else (lesion,))
    return volume(phantom.sample(shape, inverse @ affine).image(contrast), affine)


def found(image: Volume) -> Midplane:
    plane = midsagittal_plane(image)
    assert plane is not None
    return plane


def degrees_between(plane: Midplane, normal: NDArray[np.float64]) -> float:
    return float(np.degrees(np.arccos(min(1.0, float(normal @ plane.normal)))))


@pytest.mark.parametrize("contrast", ["T1", "T1c", "T2", "FLAIR"])
@pytest.mark.parametrize(
    ("angles", "shift"), [((0, 0, 0), (0, 0, 0)), ((0, 10, -8), (9, 5, 0)), ((5, -15, 12), (-14, 0, 10))]
)
def test_the_plane_goes_with_the_head(
    contrast: Contrast, angles: tuple[int, int, int], shift: tuple[int, int, int]
) -> None:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    motion[:3, 3] = shift
    plane = found(head(centred(), contrast=contrast, motion=motion))
    assert degrees_between(plane, motion[:3, 0]) < 1.5
    assert abs(plane.distance_mm(np.array([shift], dtype=float))[0]) < 1.0


@pytest.mark.parametrize(
    ("directions", "shape", "spacing"),
    [
        (SAGITTAL, (34, 58, 58), (5.0, 4.0, 4.0)),
        (CORONAL, (44, 58, 58), (5.0, 4.0, 4.0)),
        (-AXIAL, SHAPE, SPACING),
    ],
)
def test_orientation_does_not_matter(
    directions: NDArray[np.float64], shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    plane = found(head(centred(directions, shape, spacing), shape=shape))
    assert degrees_between(plane, np.array([1.0, 0, 0])) < 1.5
    assert abs(plane.distance_mm(np.zeros((1, 3)))[0]) < 1.0


def test_a_large_lesion_does_not_draw_the_plane_to_itself() -> None:
    lesion = PhantomLesion((30.0, -10.0, 20.0), (24.0, 34.0, 26.0))
    plane = found(head(centred(), lesion=lesion))
    assert degrees_between(plane, np.array([1.0, 0, 0])) < 2
    assert abs(plane.distance_mm(np.zeros((1, 3)))[0]) < 1.5


def test_a_single_slice_has_a_plane() -> None:
    affine = centred(shape=(1, 68, 68))
    plane = found(head(affine, shape=(1, 68, 68)))
    assert degrees_between(plane, np.array([1.0, 0, 0])) < 3


def test_where_there_are_no_two_halves_there_is_no_plane() -> None:
    whole = head(centred())
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 1000, SHAPE).astype(np.int16)
    assert midsagittal_plane(volume(noise, centred())) is None
    assert midsagittal_plane(volume(np.zeros(SHAPE, dtype=np.int16), centred())) is None
    assert midsagittal_plane(volume(np.full(SHAPE, 7, dtype=np.int16), centred())) is None
    half = np.ascontiguousarray(whole.array[:, :, 33:])
    affine = centred()
    affine[:3, 3] += 33 * affine[:3, 2]
    assert midsagittal_plane(volume(half, affine)) is None
    quarter_turn = np.eye(4)
    quarter_turn[:3, :3] = Rotation.from_euler("z", 50, degrees=True).as_matrix()
    assert midsagittal_plane(head(centred(), motion=quarter_turn)) is None


def test_sides_are_shares_of_voxels() -> None:
    plane = Midplane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    affine = centred(shape=(4, 4, 20), spacing=(1.0, 1.0, 1.0))
    mask = np.zeros((4, 4, 20), dtype=bool)
    with pytest.raises(ValueError, match="empty"):
        plane.side(mask, affine)
    mask[..., 9:19] = True  # of ten columns, one to the right
    assert plane.side(mask, affine) == "both"
    mask[..., 19] = True
    assert plane.side(mask, affine) == "left"
    assert plane.side(mask[..., ::-1], affine) == "right"
    mirrored = affine.copy()
    mirrored[0] *= -1
    assert plane.side(mask, mirrored) == "right"


def test_a_plane_points_to_the_left() -> None:
    with pytest.raises(ValueError, match="left"):
        Midplane((0.0, 0.0, 0.0), (-1.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="length 1"):
        Midplane((0.0, 0.0, 0.0), (0.5, 0.0, 0.0))


def _patients() -> list[Path]:
    folder = os.environ.get("SECONDREAD_DATA")
    return sorted(Path(folder, "lgg").glob("TCGA*"))[::11] if folder else []


@pytest.mark.skipif(not _patients(), reason="SECONDREAD_DATA names no folder with lgg")
@pytest.mark.parametrize("patient", _patients(), ids=lambda one: str(one.name))
def test_the_plane_of_a_mirrored_patient_is_the_mirrored_plane(patient: Path) -> None:
    files = sorted(patient.glob("*.webp"), key=lambda one: int(one.stem))
    slices = [np.asarray(Image.open(one).convert("L"))[:, 256:512] for one in files]
    flair = np.stack(slices).astype(np.int16)
    affine = centred(shape=flair.shape, spacing=(6.0 if len(files) < 40 else 3.0, 0.94, 0.94))
    plane = found(volume(flair, affine))
    other = found(volume(np.ascontiguousarray(flair[..., ::-1]), affine))
    assert degrees_between(plane, np.array(other.normal) * [1, -1, -1]) < 1
    assert abs(plane.distance_mm(np.array([other.point]) * [-1, 1, 1])[0]) < 1
    assert degrees_between(plane, np.array([1.0, 0, 0])) < 20

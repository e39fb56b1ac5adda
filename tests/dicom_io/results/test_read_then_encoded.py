"""What the reader of volumes accepts, the segmentation can say: no result is lost after the inference."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import highdicom as hd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from scipy.spatial.transform import Rotation

from dicom_io.reading import UnsuitableImage
from dicom_io.reading.volume import planes_of, stack_planes
from dicom_io.results import VolumeContext, encoded_bytes
from dicom_io.results.segmentation import encode_segmentation
from models.volume_results import VolumeReading
from tests.dicom_io.results.volume_factory import (
    _finding,
    _segment,
    _volume,
    affine_of,
    volume_context,
    volume_header,
)

Values = NDArray[np.float64]


def words(values: Sequence[float] | Values, digits: int = 9) -> list[str]:
    return [f"{float(value):.{digits}f}"[:16] for value in values]


def series(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    *,
    orientation: str | Values = "oblique-axial",
    digits: int = 9,
    shift: Values | None = None,
    turn: Values | None = None,
    stretch: Values | None = None,
    skew: float = 0.0,
) -> list[Dataset]:
    """Return headers with shifts in mm ``(n, 3)``, other cosines ``(n, 6)`` and spacings ``(n, 2)``."""
    affine = affine_of(orientation, spacing)
    column, row = affine[:3, 1] / spacing[1], affine[:3, 2] / spacing[2]
    nothing = np.zeros((shape[0], 6))
    shift = nothing[:, :3] if shift is None else shift
    turn = nothing if turn is None else turn
    stretch = nothing[:, :2] if stretch is None else stretch
    cosines = np.concatenate([row, column + skew * row])
    return [
        volume_header(
            k + 1,
            affine=affine,
            shape=shape,
            ImagePositionPatient=words((affine @ [k, 0, 0, 1])[:3] + shift[k], digits),
            ImageOrientationPatient=words(cosines + turn[k]),
            PixelSpacing=words(np.array(spacing[1:]) * (1 + stretch[k])),
        )
        for k in range(shape[0])
    ]


def reading_of(headers: list[Dataset]) -> VolumeContext:
    """Return a reading on the grid of the reader."""
    stack = stack_planes([plane for header in headers for plane in planes_of(header)])
    mask = np.zeros(stack.shape, dtype=np.uint8)
    mask[1:3, 1:4, 2:4] = 1
    reading = VolumeReading(
        labels=_volume(mask, stack.affine),
        slices=tuple(plane.source for plane in stack.planes),
        findings=(_finding(_segment(1), mask == 1, stack.spacing),),
        searched=(_segment(1),),
        case_score=0.5,
        members=5,
        operating_point=0.5,
    )
    base = volume_context(findings=1)
    return VolumeContext(
        headers=tuple(headers),
        reading=reading,
        assessment=base.assessment,
        package=base.package,
        identity=base.identity,
        content_time=base.content_time,
    )


def tilted(count: int, degrees: float) -> Values:
    """Return shifts of a tilted stack."""
    return np.outer(np.arange(count), [0, math.tan(math.radians(degrees)), 0])


RNG = np.random.default_rng(0)
REAL = {
    **{
        f"tenths of a millimetre at {distance} mm": series((60, 24, 20), (distance, 0.9, 0.9), digits=1)
        for distance in (1.0, 1.5, 3.0, 5.0)
    },
    "a tilt of .02 degrees": series(
        (160, 24, 20), (1.0, 0.9, 0.9), orientation="axial", shift=tilted(160, 0.02)
    ),
    "cosines that jitter by 1e-4": series(
        (8, 512, 512), (1.0, 0.4, 0.4), turn=RNG.choice([-1e-4, 0, 1e-4], (8, 6))
    ),
    "pixel spacings of .4 and .4003": series(
        (8, 512, 512), (1.0, 0.4, 0.4), stretch=np.tile([[0, 0], [7.5e-4] * 2], (4, 1))
    ),
    "directions that are not quite at a right angle": series((8, 64, 64), (3.0, 0.9, 0.9), skew=9e-4),
}


@pytest.mark.parametrize("name", list(REAL))
def test_what_scanners_round_is_read_and_encoded(name: str) -> None:
    context = reading_of(REAL[name])
    data = encoded_bytes(encode_segmentation(context))
    segmentation = hd.seg.Segmentation.from_dataset(dcmread(io.BytesIO(data)))
    assert segmentation.get_volume(rtol=0.2, perpendicular_tol=0.01).array.any()
    headers = {str(h.SOPInstanceUID): h for h in context.headers}
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        stated = headers[source.ReferencedSOPInstanceUID].ImagePositionPatient
        written = group.PlanePositionSequence[0].ImagePositionPatient
        assert [float(v) for v in written] == [float(v) for v in stated]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (
            series((4, 2048, 2048), (1.0, 0.1, 0.1), stretch=np.tile([[0, 0], [9e-4] * 2], (2, 1))),
            "mixed-pixel-spacing",
        ),
        (
            series(
                (4, 512, 512),
                (1.0, 0.4, 0.4),
                orientation="axial",
                turn=np.outer([0, 1, 0, 1], [0, 1.5e-3, 0, -1.5e-3, 0, 0]),
            ),
            "non-parallel-slices",
        ),
        (series((160, 24, 20), (1.0, 0.3, 0.3), orientation="axial", shift=tilted(160, 0.15)), "gantry-tilt"),
        (
            series((40, 24, 20), (1.0, 0.05, 0.05), orientation="axial", shift=np.eye(40, 3, -9) * 0.05),
            "shifted-slice",
        ),
    ],
)
def test_half_a_voxel_at_a_corner_is_refused_before_the_inference(headers: list[Dataset], code: str) -> None:
    with pytest.raises(UnsuitableImage, match="voxels from its place") as caught:
        reading_of(headers)
    assert caught.value.code == code


def sizes(low: float, high: float) -> st.SearchStrategy[float]:
    """Return nothing, or a size of any order of magnitude."""
    return st.just(0.0) | st.floats(math.log10(low), math.log10(high)).map(lambda power: 10**power)


@settings(max_examples=150, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    shape=st.tuples(st.integers(3, 12), st.integers(4, 600), st.integers(4, 600)),
    spacing=st.tuples(*[st.floats(0.1, 6)] * 3),
    digits=st.integers(1, 9),
    shift=sizes(1e-4, 0.2),
    tilt=sizes(1e-3, 0.3),
    turn=sizes(1e-6, 1e-3),
    stretch=sizes(1e-5, 1e-3),
    skew=sizes(1e-6, 1.5e-3),
    seed=st.integers(0, 999),
)
def test_what_is_read_is_encoded(
    *,
    angles: tuple[float, float, float],
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    digits: int,
    shift: float,
    tilt: float,
    turn: float,
    stretch: float,
    skew: float,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    headers = series(
        shape,
        spacing,
        orientation=Rotation.from_euler("xyz", angles, degrees=True).as_matrix(),
        digits=digits,
        shift=random.uniform(-shift, shift, (shape[0], 3)) + tilted(shape[0], tilt),
        turn=random.uniform(-turn, turn, (shape[0], 6)),
        stretch=random.uniform(-stretch, stretch, (shape[0], 2)),
        skew=skew,
    )
    try:
        context = reading_of(headers)
    except UnsuitableImage:
        return
    for kind in ("binary", "labelmap"):
        data = encoded_bytes(encode_segmentation(context, kind=kind))  # type: ignore[arg-type]
        assert hd.seg.Segmentation.from_dataset(dcmread(io.BytesIO(data))).NumberOfFrames == 2

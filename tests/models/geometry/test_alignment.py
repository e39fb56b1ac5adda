"""A study on one grid: what is trusted, put right, dropped, refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from highdicom import Volume
from numpy.typing import NDArray
from scipy import ndimage

from models.geometry import AlignedStudy, AlignmentFailed, SeriesVolume, align, axial_view, working_grid
from models.geometry.grids import is_same_grid
from models.geometry.registration import ANOTHER_HEAD, LEAST_AS_TOLD
from tests.lgg import load_patient
from tests.models.geometry.heads import FRAME, grid, head, rigid, series

AXIAL = grid((5, 1.84, 1.84), (170, 230, 220))
FINE = grid((2.5, 2.5, 2.5), (180, 210, 210), order=(0, 2, 1), signs=(1, -1, 1))
OTHER = "1.2.3.5"
CONTRASTS = {"T1": "T1", "T1C": "T1c", "T2": "T2", "FLAIR": "FLAIR"}


def of(name, geometry, **more):  # type: ignore[no-untyped-def]
    return series(name, head(geometry, CONTRASTS[name], seed=len(name), **more))


def study(*given):  # type: ignore[no-untyped-def]
    return {one.sequence: one for one in given}


def elsewhere(volume: Volume) -> Volume:
    return Volume(volume.array, volume.affine, "PATIENT", frame_of_reference_uid=OTHER)


def with_grain(volume: Volume, amount: float) -> Volume:
    grain = np.random.default_rng(7).normal(0, amount, volume.spatial_shape)
    values = np.clip(volume.array + grain, 0, 8000).astype(np.int16)
    return Volume(values, volume.affine, "PATIENT", frame_of_reference_uid=volume.frame_of_reference_uid)


def other_inside(volume: Volume) -> NDArray[np.int16]:
    """Return a head of the same outline with other folds."""
    folds = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=volume.spatial_shape), (1.5, 4, 4))
    values = 500 + 120 * folds / folds.std()
    return np.where(volume.array > 100, np.clip(values, 50, 900), 0).astype(np.int16)


def wrong_by(aligned: AlignedStudy, name: str) -> float:
    """Return the mean difference from the phantom itself on the grid, over the inside of the head."""
    truth = head(aligned.grid, CONTRASTS[name], noise=0).array.astype(float)  # type: ignore[arg-type]
    inside = np.zeros(truth.shape, dtype=bool)
    inside[6:-6] = (truth > 50)[6:-6]
    return float(np.abs(aligned.sequences[name] - truth)[inside].mean())


def test_the_reference_is_among_the_volumes() -> None:
    with pytest.raises(ValueError, match="reference T1 is not among FLAIR"):
        align(study(of("FLAIR", AXIAL)), "T1", 1.84)


def test_a_volume_is_of_the_sequence_that_it_goes_by() -> None:
    with pytest.raises(ValueError, match="T1 is a volume of FLAIR"):
        align({"T1": of("FLAIR", AXIAL)}, "T1", 1.84)


def test_a_reference_without_a_head_fails() -> None:
    empty = Volume(np.zeros(AXIAL.spatial_shape, dtype=np.int16), AXIAL.affine, "PATIENT")
    with pytest.raises(AlignmentFailed) as error:
        align(study(series("FLAIR", empty)), "FLAIR", 1.84)
    assert error.value.code == "no-head"


def test_a_sagittal_reference_of_thick_slices_is_too_coarse() -> None:
    thick = grid((6, 1.8, 1.8), (150, 230, 230), order=(0, 2, 1), signs=(1, -1, 1))
    with pytest.raises(AlignmentFailed, match="6.0 mm long") as error:
        align(study(of("T1", thick)), "T1", 1.84)
    assert error.value.code == "too-coarse"


def test_what_has_failed_keeps_its_code_through_a_process() -> None:
    error = pickle.loads(pickle.dumps(AlignmentFailed("no-head", "why")))  # noqa: S301
    assert (error.code, error.reason, str(error)) == ("no-head", "why", "why")


def test_one_grid_is_kept_to_the_voxel() -> None:
    flair, t1 = of("FLAIR", AXIAL), of("T1", AXIAL)
    aligned = align(study(flair, t1), "FLAIR", 1.84)
    for given in (flair, t1):
        assert np.array_equal(aligned.sequences[given.sequence], given.volume.array.astype(np.float32))
    assert is_same_grid(aligned.grid, AXIAL) and aligned.source is flair
    assert not aligned.dropped and not aligned.remarks
    assert not aligned.quality["T1"].applied and aligned.quality["T1"].similarity_after > 1.1


def test_series_of_other_orientations_come_to_the_grid_of_the_reference() -> None:
    oblique = grid((7, 1.4, 1.4), (175, 220, 220), turned_deg=(14, 4, -3))
    given = study(of("FLAIR", oblique), of("T1", FINE), of("T1C", AXIAL))
    aligned = align(given, "FLAIR", 1.84)
    assert is_same_grid(aligned.grid, working_grid(oblique, 1.84))
    assert set(aligned.sequences) == {"FLAIR", "T1", "T1C"}
    assert {name: found.applied for name, found in aligned.quality.items()} == {"T1": False, "T1C": False}
    assert all(wrong_by(aligned, name) < 90 for name in aligned.sequences)


def test_the_order_in_which_series_come_makes_no_difference() -> None:
    given = [of("FLAIR", AXIAL), of("T1", FINE), of("T2", AXIAL)]
    one, other = align(study(*given), "FLAIR", 1.84), align(study(*reversed(given)), "FLAIR", 1.84)
    assert list(one.sequences) == list(other.sequences) == ["FLAIR", "T1", "T2"]
    assert all(np.array_equal(one.sequences[name], other.sequences[name]) for name in one.sequences)


def test_a_patient_who_moved_between_series_is_put_right_and_told() -> None:
    still, motion = of("T1", AXIAL), rigid((3, -2, 4), (4, -3, 2))
    aligned = align(study(of("FLAIR", AXIAL), of("T1", AXIAL, moved=motion)), "FLAIR", 1.84)
    assert aligned.quality["T1"].applied
    assert aligned.quality["T1"].similarity_after > aligned.quality["T1"].similarity_before
    assert np.allclose(aligned.quality["T1"].matrix @ [0, 0, 0, 1], motion @ [0, 0, 0, 1], atol=1)
    (remark,) = (one for one in aligned.remarks if "moved" in one)
    assert remark.startswith("T1: the head moved by up to") and "put right" in remark
    unmoved = align(study(of("FLAIR", AXIAL), still), "FLAIR", 1.84)
    assert wrong_by(aligned, "T1") < wrong_by(unmoved, "T1") + 60


def test_another_frame_of_reference_is_registered_and_told() -> None:
    motion = rigid((-8, 4, 10), (20, -15, 8))
    moving = series("T1C", elsewhere(head(FINE, "T1c", moved=motion, seed=5)))
    aligned = align(study(of("FLAIR", AXIAL), moving), "FLAIR", 1.84)
    assert aligned.quality["T1C"].applied
    assert aligned.quality["T1C"].translation_mm == pytest.approx(26, abs=2)
    assert any("T1 with contrast: registered to FLAIR" in remark for remark in aligned.remarks)
    assert wrong_by(aligned, "T1C") < 110


def test_a_slab_in_another_frame_of_reference_is_dropped() -> None:
    slab = elsewhere(head(grid((3, 1.84, 1.84), (15, 200, 180), centre_mm=(0, 10, 20)), "T1c"))
    aligned = align(study(of("FLAIR", AXIAL), of("T1", AXIAL), series("T1C", slab)), "FLAIR", 1.84)
    assert set(aligned.sequences) == {"FLAIR", "T1"} and set(aligned.dropped) == {"T1C"}
    assert aligned.dropped["T1C"].startswith("it has another frame of reference than FLAIR, and")
    assert "of the head is in the field of view" in aligned.dropped["T1C"]
    assert aligned.quality["T1C"].coverage < 0.3


def test_an_empty_series_in_another_frame_of_reference_is_dropped() -> None:
    empty = elsewhere(Volume(np.zeros(AXIAL.spatial_shape, dtype=np.int16), AXIAL.affine, "PATIENT"))
    aligned = align(study(of("FLAIR", AXIAL), series("T1", empty)), "FLAIR", 1.84)
    assert aligned.dropped == {"T1": "no head is found in the series"}


def test_a_registration_in_doubt_drops_the_series() -> None:
    far = head(AXIAL, "T1", moved=rigid((0, 0, 65)), seed=5)
    aligned = align(study(of("FLAIR", AXIAL), series("T1", elsewhere(far))), "FLAIR", 1.84)
    assert set(aligned.sequences) == {"FLAIR"}
    assert "how it lies upon it is not certain" in aligned.dropped["T1"]


def test_a_series_with_little_in_common_is_dropped() -> None:
    faint = with_grain(head(AXIAL, "T1"), 1000)
    aligned = align(study(of("FLAIR", AXIAL), series("T1", faint)), "FLAIR", 1.84)
    assert set(aligned.sequences) == {"FLAIR"}
    assert "too little in common with FLAIR to be certain" in aligned.dropped["T1"]
    assert ANOTHER_HEAD <= aligned.quality["T1"].similarity_before < LEAST_AS_TOLD


def test_noise_that_fills_the_field_of_view_fails_the_study() -> None:
    thick = grid((8, 2.9, 2.9), (170, 230, 220))
    values = np.random.default_rng(4).integers(0, 1000, thick.spatial_shape).astype(np.int16)
    noise = Volume(values, thick.affine, "PATIENT", frame_of_reference_uid=OTHER)
    with pytest.raises(AlignmentFailed, match="T1 and FLAIR have so little in common") as error:
        align(study(of("FLAIR", thick), series("T1", noise)), "FLAIR", 2.9)
    assert error.value.code == "alignment-failed"


@pytest.mark.parametrize("frame", [FRAME, OTHER])
def test_another_head_fails_the_study(frame: str) -> None:
    found = other_inside(head(AXIAL, "T1"))
    other = Volume(found, AXIAL.affine, "PATIENT", frame_of_reference_uid=frame)
    with pytest.raises(AlignmentFailed, match="they may show two heads") as error:
        align(study(of("FLAIR", AXIAL), series("T1", other)), "FLAIR", 1.84)
    assert error.value.code == "alignment-failed"


def test_a_part_of_another_head_is_dropped() -> None:
    values = other_inside(head(AXIAL, "T1"))[:20]
    part = Volume(values, AXIAL.affine, "PATIENT", frame_of_reference_uid=FRAME)
    aligned = align(study(of("FLAIR", AXIAL), series("T1", part)), "FLAIR", 1.84)
    assert set(aligned.sequences) == {"FLAIR"} and set(aligned.dropped) == {"T1"}


def test_an_empty_series_is_dropped() -> None:
    empty = Volume(
        np.zeros(AXIAL.spatial_shape, dtype=np.int16),
        AXIAL.affine,
        "PATIENT",
        frame_of_reference_uid=AXIAL.frame_of_reference_uid,
    )
    aligned = align(study(of("FLAIR", AXIAL), series("T1", empty)), "FLAIR", 1.84)
    assert aligned.dropped == {"T1": "no head is found in the series"}
    assert set(aligned.sequences) == {"FLAIR"}


@pytest.mark.parametrize(("extent", "centre"), [((100, 230, 220), 35.0), ((170, 230, 220), 130.0)])
def test_a_different_field_of_view_is_dropped_and_never_filled_in(extent, centre) -> None:  # type: ignore[no-untyped-def]
    partial = grid((5, 1.84, 1.84), extent, centre_mm=(0, 0, centre))
    aligned = align(study(of("FLAIR", AXIAL), of("T1", partial)), "FLAIR", 1.84)
    assert set(aligned.sequences) == {"FLAIR"}
    assert "of the head that FLAIR shows (at least 90%)" in aligned.dropped["T1"]


def test_no_common_field_of_view_is_dropped() -> None:
    spine = grid((5, 1.84, 1.84), (170, 230, 220), centre_mm=(0, 0, -400))
    values = np.broadcast_to(head(AXIAL, "T1").array, spine.spatial_shape)
    neck = Volume(values.copy(), spine.affine, "PATIENT", frame_of_reference_uid=AXIAL.frame_of_reference_uid)
    aligned = align(study(of("FLAIR", AXIAL), series("T1", neck)), "FLAIR", 1.84)
    assert aligned.dropped["T1"].startswith("it shows 0% of the head")


def test_a_little_less_field_of_view_is_told() -> None:
    shorter = grid((5, 1.84, 1.84), (160, 230, 220), centre_mm=(0, 0, 10))
    aligned = align(study(of("FLAIR", AXIAL), of("T1", shorter)), "FLAIR", 1.84)
    assert set(aligned.sequences) == {"FLAIR", "T1"}
    (remark,) = aligned.remarks
    assert remark.startswith("T1: ") and "outside of its field of view" in remark


def test_thick_slices_across_those_of_the_reference_are_dropped() -> None:
    sagittal = grid((7, 1.8, 1.8), (168, 230, 230), order=(0, 2, 1), signs=(1, -1, 1))
    aligned = align(study(of("FLAIR", AXIAL), of("T1", sagittal)), "FLAIR", 1.84)
    assert aligned.dropped["T1"].startswith("its voxels are 7.0 mm long within the slices")
    kept = align(study(of("FLAIR", AXIAL), of("T1", sagittal)), "FLAIR", 1.84, coarsest_mm=8)
    assert set(kept.sequences) == {"FLAIR", "T1"}


def test_slices_far_from_axial_are_told() -> None:
    oblique = grid((2, 1.84, 1.84), (200, 230, 230), turned_deg=(38, 0, 0))
    aligned = align(study(of("FLAIR", oblique)), "FLAIR", 1.84)
    assert aligned.remarks == ("the slices of FLAIR are turned by 38 degrees from axial",)


def test_a_coronal_reference_is_read_in_axial_slices() -> None:
    coronal = grid((2.4, 1.6, 1.6), (210, 190, 200), order=(1, 2, 0), signs=(-1, -1, 1))
    aligned = align(study(of("T1", coronal)), "T1", 1.6)
    assert is_same_grid(aligned.grid, working_grid(coronal, 1.6))
    assert aligned.grid.spacing == pytest.approx((1.6, 1.6, 1.6))
    assert axial_view(aligned.grid).order == (0, 1, 2)


def of_patient(name: str, sequence: str) -> SeriesVolume:
    data = Path(os.environ.get("SECONDREAD_DATA", "/nowhere"))
    if not (data / "lgg" / name).is_dir():
        pytest.skip("SECONDREAD_DATA is not set, or holds no lgg")
    values = load_patient(data, name).sequences[sequence].astype(np.int16)
    geometry = grid((5, 0.92, 0.92), np.array(values.shape) * (5, 0.92, 0.92))
    return series(sequence, Volume(values, geometry.affine, "PATIENT", frame_of_reference_uid=FRAME))


def test_one_patient_with_little_in_common_is_read() -> None:
    name = "TCGA_CS_4941_19960909"
    aligned = align(study(of_patient(name, "FLAIR"), of_patient(name, "T1C")), "FLAIR", 0.92)
    assert set(aligned.sequences) == {"FLAIR", "T1C"} and not aligned.dropped
    assert not aligned.quality["T1C"].applied


def test_two_patients_are_never_read_as_one() -> None:
    flair, t1 = of_patient("TCGA_DU_5855_19951217", "FLAIR"), of_patient("TCGA_HT_7882_19970125", "T1")
    with pytest.raises(AlignmentFailed, match="they may show two heads"):
        align(study(flair, t1), "FLAIR", 0.92)


def test_a_study_holds_together() -> None:
    flair = of("FLAIR", AXIAL)
    array = flair.volume.array.astype(np.float32)
    with pytest.raises(ValueError, match="not float32 on the grid"):
        AlignedStudy({"FLAIR": array[1:]}, AXIAL, flair)
    with pytest.raises(ValueError, match="not float32 on the grid"):
        AlignedStudy({"FLAIR": array.astype(float)}, AXIAL, flair)  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="reference FLAIR is not among"):
        AlignedStudy({"T1": array}, AXIAL, flair)
    with pytest.raises(ValueError, match="dropped"):
        AlignedStudy({"FLAIR": array}, AXIAL, flair, {"FLAIR": "why"})
    with pytest.raises(ValueError, match="slices"):
        type(flair)("FLAIR", flair.volume, flair.slices[1:], "1.2")
    with pytest.raises(ValueError, match="one of T1, T1C, T2, FLAIR"):
        type(flair)("DWI", flair.volume, flair.slices, "1.2")

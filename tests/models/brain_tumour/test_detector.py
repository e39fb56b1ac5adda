"""The detector with scripted members, and the package of thresholds on computed heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.brain_tumour.answer import BrainAnswer
from models.brain_tumour.detector import BrainTumourDetector
from models.brain_tumour.reading import reading_of
from models.detector import VolumeDetector, open_volume_detector
from models.geometry import AlignedStudy, align, axial_view, to_source, working_grid
from models.package import MAIN, Package, PackageError, load_package
from tests.models.brain_tumour.scripted import Scripted, bright, constant, package
from tests.models.brain_tumour.studies import CONTRASTS, LESION, axial, sample, series, study
from tests.packages.lesions import TYPE_SHARES, build_lesion_package

SMALL = {"shape": (13, 104, 96), "spacing": (14.0, 1.84, 1.84)}
RIM = 2.0
"""The lesion's rim is above this on normalised FLAIR, nothing else is."""


def detector(sessions: Sequence[Scripted], branch: int = 1, **steps: Any) -> BrainTumourDetector:
    remaining: Iterator[Scripted] = iter(sessions)
    return BrainTumourDetector(package(len(sessions) - branch, branch, **steps), lambda path: next(remaining))


def read(members: Sequence[Scripted], folder: Path, head: AlignedStudy, **steps: Any) -> BrainAnswer:
    made = detector([*members, Scripted(constant(0), (1, 0, 0))], **steps)
    return made.read(head, package().manifest.choose(head.sequences), folder)


@pytest.fixture(scope="module")
def head() -> AlignedStudy:
    return study(("T1", "FLAIR"), **SMALL)


@pytest.fixture(scope="module")
def thresholds(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(build_lesion_package(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="module")
def opened(thresholds: Package) -> VolumeDetector:
    pytest.importorskip("onnxruntime", reason="no ONNX Runtime: install secondread[cpu]")
    return open_volume_detector(thresholds)


def test_a_study_without_a_sequence_of_the_plan_is_an_error(head: AlignedStudy, tmp_path: Path) -> None:
    plan = package().manifest.choose(["FLAIR", "T1"])
    lacking = replace(head, sequences={"FLAIR": head.sequences["FLAIR"]})
    with pytest.raises(ValueError, match="lacks T1"):
        detector([Scripted(constant(0)), Scripted(constant(0))]).read(lacking, plan, tmp_path)


def test_a_study_that_is_aligned_to_another_sequence_is_an_error(tmp_path: Path) -> None:
    other = study(["T1", "FLAIR"], reference="T1", **SMALL)
    with pytest.raises(ValueError, match="aligned to T1, the plan to FLAIR"):
        read([Scripted(constant(0))], tmp_path, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.5, -0.5])
def test_a_member_that_gives_no_probabilities_is_an_error_not_silence(
    head: AlignedStudy, tmp_path: Path, value: float
) -> None:
    with pytest.raises(ValueError, match="member 1 gave values that are no probabilities"):
        read([Scripted(constant(0.1)), Scripted(constant(value))], tmp_path, head)


def test_a_member_that_gives_no_shares_is_an_error(tmp_path: Path) -> None:
    head = study(["T1C"], reference="T1C", **SMALL)
    with pytest.raises(ValueError, match="member 0 gave values that are no probabilities"):
        detector([Scripted(constant(0)), Scripted(constant(0.9), (np.nan, 0, 1))]).read(
            head, package().manifest.choose(["T1C"]), tmp_path
        )


def test_a_missing_parameter_is_named_before_a_network_is_opened() -> None:
    def opener(path: Path) -> Scripted:
        raise AssertionError

    with pytest.raises(PackageError, match="lacks flip"):
        BrainTumourDetector(package(flip=None), opener)


def test_the_mean_and_every_member_are_kept(head: AlignedStudy, tmp_path: Path) -> None:
    members = [Scripted(bright(1, RIM, 0.9)), Scripted(bright(1, RIM, 0.4))]
    answer = read(members, tmp_path / "new" / "folder", head)
    kept = [np.load(path, allow_pickle=False) for path in answer.member_paths]
    assert [path.name for path in answer.member_paths] == ["member-0.npy", "member-1.npy"]
    assert all(array.dtype == np.float16 and array.shape == SMALL["shape"] for array in kept)
    np.testing.assert_allclose(np.mean(kept, axis=0), answer.probability, atol=1e-3)
    assert answer.probability.max() == pytest.approx(0.65)
    np.testing.assert_array_equal(answer.mask, kept[0] > 0.5)
    assert answer.pairwise_dice == (0.0,) and answer.components["pairwise_dice"] == 0
    assert answer.components["member_support"] == 0.5
    assert answer.case_score > 0.3 and answer.classifications == () and answer.branch == MAIN


def test_unanimous_silence(head: AlignedStudy, tmp_path: Path) -> None:
    answer = read([Scripted(constant(0.01)), Scripted(constant(0.02))], tmp_path, head)
    assert not answer.mask.any() and answer.pairwise_dice == (1.0,)
    assert answer.components["member_support"] == 0 and answer.case_score < 0.02


def test_outside_the_head_nothing_is_read(tmp_path: Path) -> None:
    head = study(["FLAIR"], shape=(30, 104, 96), spacing=(14.0, 1.84, 1.84))
    member = Scripted(constant(0.9))
    answer = read([member], tmp_path, head, batch=3)
    slices = np.flatnonzero(answer.mask.any(axis=(1, 2)))
    assert (slices[0], slices[-1]) == (9, 20)
    assert sum(shape[0] for shape in member.shapes) == len(slices)
    assert {shape[1:] for shape in member.shapes} == {(12, 128, 96)}
    assert max(shape[0] for shape in member.shapes) == 3
    assert answer.pairwise_dice == () and "pairwise_dice" not in answer.components


def test_a_study_without_a_head_is_silent(tmp_path: Path) -> None:
    grid = axial((6, 40, 40), (5.0, 1.0, 1.0))
    flat = np.zeros((6, 40, 40), dtype=np.float32)
    member = Scripted(constant(0.9))
    answer = read([member], tmp_path, AlignedStudy({"FLAIR": flat}, grid, series("FLAIR", grid, flat)))
    assert member.shapes == [] and not answer.mask.any() and answer.case_score == 0


def test_members_see_the_presence_of_what_is_read(tmp_path: Path) -> None:
    seen: list[list[float]] = []

    def rule(tensor: np.ndarray) -> np.ndarray:
        seen.append([float(tensor[0, channel].mean()) for channel in (9, 10, 11)])
        return constant(0.0)(tensor)

    for names in (["T1", "FLAIR", "T1C"], ["FLAIR", "T1C"]):
        head = study(names, **SMALL)
        read([Scripted(rule)], tmp_path, head)
    assert seen[0] == [1, 1, 0] and seen[-1] == [0, 1, 0]


def test_neighbours_are_as_far_as_the_manifest_says(tmp_path: Path) -> None:
    head = study(["FLAIR"], shape=(26, 104, 96), spacing=(7.0, 1.84, 1.84))
    values = np.zeros(head.grid.spatial_shape, dtype=np.float32)
    values[:, 20:80, 20:80] = 100 + 10 * np.arange(26)[:, None, None]
    made = AlignedStudy({"FLAIR": values}, head.grid, series("FLAIR", head.grid, values))
    below: list[float] = []

    def rule(tensor: np.ndarray) -> np.ndarray:
        below.extend((tensor[:, 1] - tensor[:, 4]).max(axis=(1, 2)))
        return constant(0.0)(tensor)

    read([Scripted(rule)], tmp_path, made, neighbour_mm=14.0)
    first, later = below[0], below[10]
    assert first == 0 and later == pytest.approx(2 * 10 / values[values > 0].std(), rel=1e-3)


def test_flips_are_averaged_in_place(head: AlignedStudy, tmp_path: Path) -> None:
    def left_half(tensor: np.ndarray) -> np.ndarray:
        answer = np.zeros((len(tensor), *tensor.shape[2:]))
        answer[..., :32] = 1
        return answer

    member = Scripted(left_half)
    answer = read([member], tmp_path, head, flip=True, batch=8)
    middle = answer.probability[6, 50]
    assert (middle[:32] == 0.5).all() and (middle[32:64] == 0).all() and (middle[64:] == 0.5).all()
    assert len(member.shapes) == 4


def test_rules_of_the_manifest_apply_on_the_source_grid(head: AlignedStudy, tmp_path: Path) -> None:
    def two(tensor: np.ndarray) -> np.ndarray:
        answer = np.zeros((len(tensor), *tensor.shape[2:]))
        answer[:, 20:24, 20:24] = 1
        answer[:, 60:70, 60:70] = 1
        return answer

    plain = read([Scripted(two)], tmp_path, head)
    largest = read([Scripted(two)], tmp_path, head, largest_component=True)
    none = read([Scripted(two)], tmp_path, head, minimum_volume_ml=1000.0)
    assert plain.mask.sum() == 13 * 116 and largest.mask.sum() == 13 * 100 and not none.mask.any()
    assert none.components["member_support"] == 1


def test_a_branch_reads_its_own_with_types_by_marked_area(tmp_path: Path) -> None:
    head = study(["T1", "T1C"], reference="T1C", **SMALL)
    plan = package().manifest.choose(head.sequences)
    member = Scripted(bright(0, 2.3), (0.2, 0.1, 0.7))
    answer = detector([Scripted(constant(1)), member]).read(head, plan, tmp_path)
    assert answer.branch == "contrast" and answer.mask.any()
    (found,) = answer.classifications
    assert (found.value.code, found.probability) == ("C", pytest.approx(0.7))
    assert [concept.code for concept, _ in found.alternatives] == ["A", "B"]
    assert found.statements == ("Suggested by a test.",)
    silent = detector([Scripted(constant(1)), Scripted(constant(0.1), (0.2, 0.1, 0.7))])
    assert silent.read(head, plan, tmp_path).classifications == ()


def test_the_main_answer_gets_a_type_from_the_largest_slices_of_the_contrast_series(
    thresholds: Package, tmp_path: Path
) -> None:
    manifest = thresholds.manifest
    flair, typing = Scripted(bright(1, RIM)), Scripted(constant(0), (0.2, 0.1, 0.7))
    sessions = {"members": flair, "contrast": typing}
    made = BrainTumourDetector(thresholds, lambda path: sessions[path.parent.name])
    head = study(spacing=(3.0, 1.84, 1.84), shape=(60, 104, 96))
    answer = made.read(head, manifest.choose(head.sequences), tmp_path)
    (found,) = answer.classifications
    assert found.value.meaning == "Neoplasm of pituitary gland"
    assert "T1 with contrast alone, on 5 slices" in found.statements[-1]
    assert {shape for shape in typing.shapes} == {(5, 1, 128, 96)}
    areas = answer.mask.sum(axis=(1, 2))
    assert (areas > 0).sum() > 5
    without = replace(head, sequences={"FLAIR": head.sequences["FLAIR"]})
    assert made.read(without, manifest.choose(["FLAIR"]), tmp_path).classifications == ()
    healthy = study(lesions=(), **SMALL)
    assert made.read(healthy, manifest.choose(healthy.sequences), tmp_path).classifications == ()


def test_the_first_members_take_part() -> None:
    names: list[str] = []

    def opener(path: Path) -> Scripted:
        names.append(path.as_posix())
        return Scripted(constant(0))

    made = package(4, 2)
    BrainTumourDetector(made, opener, members=3)
    assert names == [
        "members/m0.onnx",
        "members/m1.onnx",
        "members/m2.onnx",
        "contrast/m0.onnx",
        "contrast/m1.onnx",
    ]
    names.clear()
    few = made.manifest.model_copy(update={"ensemble": 1})
    BrainTumourDetector(replace(made, manifest=few), opener)
    assert names == ["members/m0.onnx", "contrast/m0.onnx", "contrast/m1.onnx"]


def test_the_lesion_is_found_where_it_is(thresholds: Package, opened: VolumeDetector, tmp_path: Path) -> None:
    head = study()
    answer = opened.read(head, thresholds.manifest.choose(head.sequences), tmp_path)
    truth = sample(head.grid).lesions > 0
    assert not (answer.mask & ~truth).any()
    assert answer.mask.sum() > 0.8 * truth.sum()
    assert answer.members == 3 and min(answer.pairwise_dice) > 0.95


def test_the_contrast_branch_finds_it_too_and_suggests_a_type(
    thresholds: Package, opened: VolumeDetector, tmp_path: Path
) -> None:
    head = study(["T1C"], reference="T1C")
    answer = opened.read(head, thresholds.manifest.choose(["T1C"]), tmp_path)
    truth = sample(head.grid).lesions > 0
    assert (answer.mask & truth).sum() > 0.9 * answer.mask.sum() > 0.5 * truth.sum()
    assert answer.classifications[0].probability == pytest.approx(max(TYPE_SHARES))


def test_the_same_study_gives_the_same_answer(
    thresholds: Package, opened: VolumeDetector, tmp_path: Path
) -> None:
    head = study(["FLAIR"], **SMALL)
    plan = thresholds.manifest.choose(["FLAIR"])
    first, second = (opened.read(head, plan, tmp_path / name) for name in "ab")
    np.testing.assert_array_equal(first.probability, second.probability)
    assert first.member_paths[0].read_bytes() == second.member_paths[0].read_bytes()
    assert first.components == second.components


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("steps", [(1, 1, 1), (-1, 1, -1)])
def test_any_orientation_of_the_source_gives_the_same_voxels(
    thresholds: Package,
    opened: VolumeDetector,
    tmp_path: Path,
    order: tuple[int, int, int],
    steps: tuple[int, int, int],
) -> None:
    head = study(["FLAIR"], shape=(40, 104, 96), spacing=(4.6, 0.92 * 2, 0.92 * 2))
    plan = thresholds.manifest.choose(["FLAIR"])
    expected = opened.read(head, plan, tmp_path / "axial")
    volume = head.source.volume.permute_spatial_axes(order)
    for axis, step in enumerate(steps):
        if step < 0:
            volume = volume.flip_spatial(axis)
    source = series("FLAIR", volume.get_geometry(), volume.array)
    view = axial_view(volume.get_geometry())
    turned = AlignedStudy({"FLAIR": view.apply(volume.array)}, view.geometry, source)
    answer = opened.read(turned, plan, tmp_path / "turned")
    assert answer.mask.shape == volume.spatial_shape and expected.mask.any()
    np.testing.assert_array_equal(view.apply(answer.mask), expected.mask)
    np.testing.assert_array_equal(view.apply(answer.probability), expected.probability)


def test_a_finer_source_gets_the_mask_on_its_own_grid(
    thresholds: Package, opened: VolumeDetector, tmp_path: Path
) -> None:
    fine = axial((26, 384, 352), (7.0, 0.5, 0.5))
    image = sample(fine).image("FLAIR").astype(np.float32)
    grid = working_grid(fine, 0.92)
    coarse = to_source(image / 4000, fine, grid) * 4000
    head = AlignedStudy({"FLAIR": coarse}, grid, series("FLAIR", fine, image))
    answer = opened.read(head, thresholds.manifest.choose(["FLAIR"]), tmp_path)
    truth = sample(fine).lesions > 0
    assert answer.mask.shape == (26, 384, 352)
    assert (answer.mask & truth).sum() > 0.97 * answer.mask.sum() > 0.75 * truth.sum()


def test_series_of_three_orientations_are_read_on_the_grid_of_one(
    thresholds: Package, opened: VolumeDetector, tmp_path: Path
) -> None:
    """A sagittal FLAIR, an axial T1 and a coronal T1 with contrast, each with slices of its own."""
    manifest, given = thresholds.manifest, {}
    for name, order, shape, spacing in (
        ("FLAIR", (2, 0, 1), (90, 110, 90), (2.0, 2.0, 2.0)),
        ("T1", (0, 1, 2), (40, 208, 176), (4.5, 1.0, 1.0)),
        ("T1C", (1, 0, 2), (90, 70, 88), (2.0, 3.0, 2.0)),
    ):
        grid = axial(shape, spacing)
        image = sample(grid).image(CONTRASTS[name]).astype(np.float32)
        volume = series(name, grid, image).volume.permute_spatial_axes(order)
        given[name] = series(name, volume.get_geometry(), volume.array)
    plan = manifest.choose(given)
    aligned = align(given, plan.reference, plan.spacing_mm)
    answer = opened.read(aligned, plan, tmp_path)
    truth = sample(given["FLAIR"].volume.get_geometry()).lesions > 0
    assert answer.mask.shape == truth.shape == (90, 90, 110)
    assert (answer.mask & truth).sum() > 0.9 * answer.mask.sum() > 0.6 * truth.sum()
    reading = reading_of(answer, aligned, manifest)
    assert reading.series_used == ("T1", "FLAIR", "T1 with contrast")
    assert reading.findings[0].side == "left"
    assert reading.findings[0].centre_mm == pytest.approx(LESION.centre_mm, abs=1.5)
    assert [found.value.meaning for found in reading.classifications] == ["Glioma"]

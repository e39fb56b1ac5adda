"""Studies of volumes through the steps: what is read, what is refused, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest

from dicom_io.reading.sequences import SET_ASIDE_CODES
from dicom_io.results import PackageIdentity, ResultIdentity
from dicom_io.volume_phantoms import (
    CORONAL,
    SAGITTAL,
    VolumeOptions,
    WrittenVolume,
    write_array_series,
    write_volume_series,
)
from flows.encoding import Basis, encode_refusal
from flows.reading import NotRead, Refused, VolumeReader
from flows.reading.volumes import KeptReading, PreparedStudy
from flows.routing.rules import ReadingOptions
from models.detector import VolumeDetector, open_volume_detector
from models.package import Package, load_package
from models.phantoms.brain import PhantomLesion
from models.results import Assessment
from tests.lgg import load_patient, patients
from tests.packages.lesions import build_lesion_package

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LESION = PhantomLesion((31.0, -23.0, 27.0), (18.19, 15.23, 16.17))
GRID = VolumeOptions(shape=(26, 112, 104), spacing=(6.0, 1.84, 1.84), lesions=(LESION,))
ALL = ("FLAIR", "T1", "T1c")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(build_lesion_package(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="module")
def detector(package: Package) -> VolumeDetector:
    return open_volume_detector(package)


def write(
    folder: Path, contrasts: Sequence[str] = ALL, options: VolumeOptions = GRID, **changes: VolumeOptions
) -> dict[str, WrittenVolume]:
    """Write a study; ``changes`` replaces the options of single contrasts."""
    written = {}
    for number, contrast in enumerate(contrasts, start=1):
        chosen = replace(changes.get(contrast, options), contrast=contrast)  # type: ignore[arg-type]
        written[contrast] = write_volume_series(folder / contrast, chosen, number)
    return written


def with_tags(options: VolumeOptions = GRID, **attributes: Any) -> VolumeOptions:
    return replace(options, attributes={**options.attributes, **attributes})


def prepared(package: Package, folder: Path) -> PreparedStudy:
    reader = VolumeReader(package)
    gathered = reader.gather(sorted((folder / "in").rglob("*.dcm")))
    return reader.gate(reader.prepare(gathered, folder / "scratch"))


def read(
    package: Package, detector: VolumeDetector, folder: Path
) -> tuple[PreparedStudy, KeptReading, Assessment]:
    reader = VolumeReader(package)
    study = prepared(package, folder)
    reading = reader.infer(study, detector, folder / "scratch")
    return study, reading, reader.assess(reading)


def refusal(package: Package, folder: Path) -> Refused:
    with pytest.raises(Refused) as caught:
        prepared(package, folder)
    return caught.value


def basis(package: Package, folder: Path) -> Basis:
    return Basis(
        package=PackageIdentity.of(package, serial="S1"),
        identity=ResultIdentity("f" * 64, package.content_hash, "c" * 64, 1),
        content_time=TIME,
        options=ReadingOptions(),
        folder=folder,
    )


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


def test_a_study_becomes_segmentation_report_and_key_images(
    package: Package, detector: VolumeDetector, tmp_path: Path
) -> None:
    written = write(tmp_path / "in")
    study, reading, assessment = read(package, detector, tmp_path)
    objects = VolumeReader(package).encode(basis(package, tmp_path / "out"), study, reading, assessment)
    kinds = [one.kind for one in objects]
    assert kinds[:3] == ["segmentation", "structured-report", "key-image-1"]
    segmentation = highdicom.seg.segread(objects[0].path)
    mask = segmentation.get_volume(combine_segments=True, allow_missing_positions=True)
    matched = mask.match_geometry(written["FLAIR"].volume)
    assert overlap(matched.array > 0, written["FLAIR"].lesions > 0) > 0.8
    report = pydicom.dcmread(objects[1].path)
    words = " ".join(_texts(report))
    assert "FLAIR" in words and "T1 with contrast" in words


def _texts(item: pydicom.Dataset) -> list[str]:
    found = [str(item.TextValue)] if "TextValue" in item else []
    for content in item.get("ContentSequence", ()):
        found += _texts(content)
    return found


@pytest.mark.parametrize(
    "case",
    [
        (("FLAIR", "T1", "T1c"), ("T1", "FLAIR", "T1 with contrast"), "main"),
        (("FLAIR", "T1c", "T2"), ("FLAIR", "T1 with contrast"), "main"),
        (("FLAIR", "T1"), ("T1", "FLAIR"), "main"),
        (("FLAIR",), ("FLAIR",), "main"),
        (("T1c",), ("T1 with contrast",), "contrast"),
        (("T1", "T1c"), ("T1 with contrast",), "contrast"),
    ],
)
def test_every_supported_set_of_sequences_is_read_and_named(
    package: Package,
    detector: VolumeDetector,
    tmp_path: Path,
    case: tuple[tuple[str, ...], tuple[str, ...], str],
) -> None:
    contrasts, used, networks = case
    write(tmp_path / "in", contrasts)
    study, reading, assessment = read(package, detector, tmp_path)
    assert (reading.load().series_used, reading.branch) == (used, networks)
    assert not study.partial
    assert len(reading.member_paths) == (3 if networks == "main" else 2)
    assert all(np.load(path).dtype == np.float16 for path in reading.member_paths)
    if networks == "contrast":
        assert assessment.decision == "review"
        assert "The contrast-enhanced series alone was read." in study.statements


@pytest.mark.parametrize("contrasts", [("T1",), ("T2",), ("T1", "T2")])
def test_a_set_that_is_not_supported_is_refused_with_what_would_do(
    package: Package, tmp_path: Path, contrasts: tuple[str, ...]
) -> None:
    write(tmp_path / "in", contrasts)
    refused = refusal(package, tmp_path)
    assert "FLAIR" in str(refused) or "T2" in str(refused)
    assert refused.not_read[0].code in ("unsupported-sequences", "sequence-not-read")


def test_a_refused_study_gets_a_report_that_says_so(package: Package, tmp_path: Path) -> None:
    write(tmp_path / "in", ("T1",))
    refused = refusal(package, tmp_path)
    (report,) = encode_refusal(basis(package, tmp_path / "out"), refused.not_read)
    words = " ".join(_texts(pydicom.dcmread(report.path)))
    assert "did not read this study" in words
    assert "T1" in words and "FLAIR" in words


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"BodyPartExamined": "KNEE"}, "wrong-body-part"),
        ({"Modality": "CT"}, "wrong-modality"),
        ({"PixelSpacing": None}, "no-pixel-spacing"),
        ({"FrameOfReferenceUID": None}, "no-frame-of-reference"),
        ({"PixelSpacing": [2.95, 2.95]}, "no-head"),
        ({"PixelSpacing": [9.5, 9.5]}, "too-coarse"),
        ({"PixelSpacing": [500, 500]}, "too-coarse"),
        ({"PixelSpacing": [6.5, 6.5]}, "large-field"),
        ({"PixelSpacing": [0.5, 0.5]}, "no-head"),
        ({"PhotometricInterpretation": "RGB"}, "bad-photometric"),
    ],
)
def test_what_is_no_head_of_an_mr_scanner_is_refused(
    package: Package, tmp_path: Path, attributes: dict[str, Any], code: str
) -> None:
    write(tmp_path / "in", options=with_tags(**attributes))
    assert code in {item.code for item in refusal(package, tmp_path).not_read}


def test_real_ct_is_refused(package: Package, tmp_path: Path) -> None:
    write(tmp_path / "in", ("CT",))
    assert {item.code for item in refusal(package, tmp_path).not_read} == {"wrong-modality"}


def test_a_series_with_a_gap_is_left_out_and_the_reading_is_partial(
    package: Package, detector: VolumeDetector, tmp_path: Path
) -> None:
    written = write(tmp_path / "in")
    written["T1c"].paths[9].unlink()
    study, reading, _ = read(package, detector, tmp_path)
    assert reading.load().series_used == ("T1", "FLAIR")
    assert reading.load().series_missing == ("T1 with contrast",)
    assert study.partial
    assert any("missing" in statement for statement in study.statements)


def test_a_gap_in_the_reference_series_refuses_or_falls_back(package: Package, tmp_path: Path) -> None:
    written = write(tmp_path / "in", ("FLAIR", "T1"))
    written["FLAIR"].paths[9].unlink()
    refused = refusal(package, tmp_path)
    assert {"missing-slice", "unsupported-sequences"} <= {item.code for item in refused.not_read}


def test_a_smaller_field_of_view_drops_the_sequence_and_says_so(
    package: Package, detector: VolumeDetector, tmp_path: Path
) -> None:
    half = replace(GRID, shape=(11, 112, 104), origin=(-94.76, -102.12, -75.0))
    write(tmp_path / "in", T1=half)
    study, reading, _ = read(package, detector, tmp_path)
    assert reading.load().series_used == ("FLAIR", "T1 with contrast")
    assert study.partial
    assert any("T1" in statement for statement in study.statements)


@pytest.mark.parametrize("between", [3.0, 7.0])
def test_slices_of_three_and_of_seven_millimetres_are_read(
    package: Package, detector: VolumeDetector, tmp_path: Path, between: float
) -> None:
    options = replace(GRID, shape=(round(156 / between), 112, 104), spacing=(between, 1.84, 1.84))
    written = write(tmp_path / "in", options=options)
    _, reading, _ = read(package, detector, tmp_path)
    assert overlap(reading.load().labels.array > 0, written["FLAIR"].lesions > 0) > 0.75


@pytest.mark.parametrize("directions", [SAGITTAL, CORONAL])
@pytest.mark.parametrize("enhanced", [False, True])
def test_sagittal_and_coronal_acquisitions_come_back_on_their_own_grid(
    package: Package, detector: VolumeDetector, tmp_path: Path, directions: Any, enhanced: bool
) -> None:
    options = VolumeOptions(
        directions=directions,
        shape=(78, 84, 84),
        spacing=(2.4, 2.4, 2.4),
        lesions=(LESION,),
        enhanced=enhanced,
    )
    written = write(tmp_path / "in", options=options)
    _, reading, _ = read(package, detector, tmp_path)
    found = reading.load()
    truth = written["FLAIR"].volume.with_array(written["FLAIR"].lesions).match_geometry(found.labels)
    assert found.labels.spatial_shape == (78, 84, 84)
    assert overlap(found.labels.array > 0, truth.array > 0) > 0.8
    assert set(found.slices) == set(written["FLAIR"].slices)


def test_thick_slices_of_another_plane_are_refused(package: Package, tmp_path: Path) -> None:
    options = replace(GRID, directions=SAGITTAL, shape=(18, 96, 112), spacing=(9.0, 2.0, 2.0))
    write(tmp_path / "in", options=options)
    assert "too-coarse" in {item.code for item in refusal(package, tmp_path).not_read}


def test_a_second_series_is_read_where_the_first_one_cannot_be(
    package: Package, detector: VolumeDetector, tmp_path: Path
) -> None:
    fine = replace(GRID, directions=SAGITTAL, shape=(30, 200, 200), spacing=(6.0, 0.3, 0.3))
    write_volume_series(tmp_path / "in" / "fine", replace(fine, contrast="FLAIR"), 9)
    written = write(tmp_path / "in", ("FLAIR",))
    study, reading, _ = read(package, detector, tmp_path)
    assert reading.load().slices == written["FLAIR"].slices
    assert study.partial


def test_series_uids_with_letters_or_none_have_an_outcome(
    package: Package, detector: VolumeDetector, tmp_path: Path
) -> None:
    write(tmp_path / "in", ("FLAIR",), with_tags(SeriesInstanceUID="1.2.3.abc"))
    assert read(package, detector, tmp_path)[1].load().series_used == ("FLAIR",)
    written = write(tmp_path / "none" / "in", ("FLAIR",))
    for path in written["FLAIR"].paths:
        dataset = pydicom.dcmread(path)
        del dataset.SeriesInstanceUID
        dataset.save_as(path)
    assert "no-series-uid" in {item.code for item in refusal(package, tmp_path / "none").not_read}


def test_too_few_slices_are_refused(package: Package, tmp_path: Path) -> None:
    write(tmp_path / "in", options=replace(GRID, shape=(6, 112, 104)))
    assert "small-extent" in {item.code for item in refusal(package, tmp_path).not_read}


def test_a_constant_series_is_left_out(package: Package, detector: VolumeDetector, tmp_path: Path) -> None:
    written = write(tmp_path / "in")
    _rewrite(written["T1"], lambda pixels: np.full_like(pixels, 7))
    study, reading, _ = read(package, detector, tmp_path)
    assert reading.load().series_used == ("FLAIR", "T1 with contrast")
    assert "constant-image" in {item.code for item in study.not_read}


def test_constant_slices_within_a_volume_do_no_harm(
    package: Package, detector: VolumeDetector, tmp_path: Path
) -> None:
    written = write(tmp_path / "in")
    for one in written.values():
        _rewrite(one, lambda pixels: pixels * 0, only=slice(22, 26))
    _, reading, _ = read(package, detector, tmp_path)
    labels = reading.load().labels.array
    assert overlap(labels > 0, written["FLAIR"].lesions > 0) > 0.8
    assert not labels[22:].any()


def _rewrite(written: WrittenVolume, change: Any, *, only: slice = slice(None), **attributes: Any) -> None:
    for path in written.paths[only]:
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array
        dataset.PixelData = np.asarray(change(pixels.astype(np.int32)), dtype="<i2").tobytes()
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)


@pytest.mark.parametrize(
    ("change", "attributes"),
    [
        (lambda pixels: pixels, {}),
        (lambda pixels: pixels * 8, {"BitsStored": 16, "HighBit": 15}),
        (
            lambda pixels: pixels - 2000,
            {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1, "RescaleIntercept": 2000,
             "RescaleSlope": 1, "RescaleType": "US"},
        ),
        (lambda pixels: pixels, {"RescaleIntercept": 0, "RescaleSlope": "0.37", "RescaleType": "US"}),
    ],
    ids=["12 bits", "16 bits", "signed with intercept", "rescale slope"],
)  # fmt: skip
def test_the_way_values_are_stored_does_not_matter(
    package: Package, detector: VolumeDetector, tmp_path: Path, change: Any, attributes: dict[str, Any]
) -> None:
    written = write(tmp_path / "in", ("FLAIR",))
    _rewrite(written["FLAIR"], change, **attributes)
    _, reading, _ = read(package, detector, tmp_path)
    assert reading.load().volume_ml == pytest.approx(_PLAIN_ML(package, detector, tmp_path), rel=2e-3)


def _PLAIN_ML(package: Package, detector: VolumeDetector, tmp_path: Path) -> float:  # noqa: N802
    folder = tmp_path / "plain"
    write(folder / "in", ("FLAIR",))
    return read(package, detector, folder)[1].load().volume_ml


def test_contrast_that_the_tags_hide_is_seen_in_the_image(
    package: Package, detector: VolumeDetector, data_dir: Path, tmp_path: Path
) -> None:
    patient = load_patient(data_dir, patients(data_dir)[3])
    patient.sequences["T1X"] = patient.sequences["T1C"]
    for number, name in enumerate(("FLAIR", "T1", "T1X"), start=1):
        pixels = patient.sequences[name].astype(np.int16) * 8
        words = {"FLAIR": "FLAIR", "T1": "Ax T1 plain", "T1X": "Ax T1 pre"}[name]
        options = VolumeOptions(
            contrast="FLAIR" if name == "FLAIR" else "T1",
            shape=pixels.shape,
            spacing=(5.0, 0.92, 0.92),
            attributes={"SeriesDescription": words},
        )
        write_array_series(tmp_path / "in" / name, pixels, options, number)
    study, reading, _ = read(package, detector, tmp_path)
    assert reading.load().series_used == ("T1", "FLAIR", "T1 with contrast")
    assert any("enhancement" in remark for remark in study.remarks)


def test_localisers_and_maps_are_set_aside_and_do_not_count(package: Package, tmp_path: Path) -> None:
    write(tmp_path / "in")
    before = VolumeReader(package).gather(sorted((tmp_path / "in").rglob("*.dcm")))
    few = replace(GRID, shape=(3, 112, 104), spacing=(20.0, 1.84, 1.84))
    write_volume_series(
        tmp_path / "in" / "localizer", with_tags(few, SeriesDescription="3-plane localizer"), 11
    )
    write_volume_series(
        tmp_path / "in" / "adc",
        with_tags(SeriesDescription="ADC", ImageType=["DERIVED", "PRIMARY", "ADC"]),
        12,
    )
    after = VolumeReader(package).gather(sorted((tmp_path / "in").rglob("*.dcm")))
    assert after.fingerprint == before.fingerprint
    assert not any(item.is_unread_image for item in after.not_read)


def test_another_frame_of_reference_is_registered_and_said(
    package: Package, detector: VolumeDetector, tmp_path: Path
) -> None:
    written = write(tmp_path / "in", T1c=with_tags(FrameOfReferenceUID="2.25.77"))
    study, reading, _ = read(package, detector, tmp_path)
    assert reading.load().series_used == ("T1", "FLAIR", "T1 with contrast")
    assert overlap(reading.load().labels.array > 0, written["FLAIR"].lesions > 0) > 0.8
    assert any("registered" in remark.lower() for remark in study.remarks)


def test_images_of_two_patients_are_not_read(package: Package, tmp_path: Path) -> None:
    write(tmp_path / "in", T1=with_tags(PatientID="ANOTHER"))
    assert {item.code for item in refusal(package, tmp_path).not_read} == {"several-patients"}


def test_the_fingerprint_does_not_depend_on_order(package: Package, tmp_path: Path) -> None:
    write(tmp_path / "in")
    paths = sorted((tmp_path / "in").rglob("*.dcm"))
    reader = VolumeReader(package)
    assert reader.gather(paths).fingerprint == reader.gather(paths[::-1]).fingerprint


def test_repeats_give_the_same_bytes(package: Package, detector: VolumeDetector, tmp_path: Path) -> None:
    write(tmp_path / "in")
    digests = []
    for name in ("one", "two"):
        study, reading, assessment = read(package, detector, tmp_path)
        objects = VolumeReader(package).encode(basis(package, tmp_path / name), study, reading, assessment)
        digests.append([one.sha256 for one in objects])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("code", sorted(SET_ASIDE_CODES))
def test_series_of_another_kind_make_no_study_partial(code: str) -> None:
    assert not NotRead("2.25.1", code, "it is something else").is_unread_image


@pytest.mark.parametrize(
    "code", ["missing-slice", "no-position", "constant-image", "not-aligned", "truncated"]
)
def test_series_that_should_have_been_read_make_it_partial(code: str) -> None:
    assert NotRead("2.25.1", code, "it cannot be read").is_unread_image

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from dicom_io.results import ResultInvalid, VolumeContext, encoded_bytes
from dicom_io.results.loop_guard import is_own_result
from dicom_io.results.segmentation import encode_segmentation
from dicom_io.results.segmentation.volume import segment_descriptions
from dicom_io.results.source import PATIENT_AND_STUDY
from models.results import Box
from models.volume_results import Segment, VolumeFinding
from tests import peers
from tests.conformance.checker import header_errors, template_errors
from tests.dicom_io.results.test_source import EXAMPLES, NAMES, raw, sets, with_bytes
from tests.dicom_io.results.volume_factory import (
    BRAIN,
    CATEGORY,
    COLOURS,
    ORIENTATIONS,
    SHAPE,
    TUMOUR,
    volume_context,
)

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
VARIANTS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "classic": ({}, "binary", True),
    "one": ({"findings": 1}, "binary", True),
    "enhanced": ({"enhanced": True}, "binary", True),
    "overlapping": ({"overlapping": True}, "binary", True),
    "apart": ({"overlapping": True, "findings": 1}, "binary", True),
    "odd-size": ({"shape": (5, 7, 9), "findings": 3}, "binary", True),
    "small": ({"shape": (5, 3, 5), "masks": np.ones((5, 3, 5, 1), dtype=bool)}, "binary", True),
    "against-normal": ({"orientation": -ORIENTATIONS["axial"] * [1, -1, -1]}, "binary", True),
    "oblique": ({"orientation": "oblique-coronal", "findings": 4}, "binary", True),
    "every-frame": ({}, "binary", False),
    "every-frame-one": ({"findings": 1}, "binary", False),
    "fractional": ({"probabilities": True}, "fractional", True),
    "fractional-one": ({"probabilities": True, "findings": 1, "enhanced": True}, "fractional", True),
    "fractional-every-frame": ({"probabilities": True}, "fractional", False),
    "labelmap": ({"findings": 4}, "labelmap", True),
    "labelmap-every-frame": ({"enhanced": True}, "labelmap", False),
    "labelmap-of-channels": (
        {"overlapping": True, "findings": 1, "orientation": "sagittal"},
        "labelmap",
        True,
    ),
}
EMPTY = {f"empty-{kind}": ({"empty": True}, kind, True) for kind in ("binary", "fractional", "labelmap")}


def made(variant: str) -> tuple[VolumeContext, str, bool]:
    arguments, kind, omit = {**VARIANTS, **EMPTY}[variant]
    return volume_context(**arguments), kind, omit


def written(variant: str) -> Dataset:
    context, kind, omit = made(variant)
    return read(encode_segmentation(context, kind=kind, omit_empty_frames=omit))  # type: ignore[arg-type]


def read(dataset: Dataset) -> Dataset:
    return dcmread(io.BytesIO(encoded_bytes(dataset)))


def differences(ours: Dataset, theirs: Dataset, path: str = "") -> Iterator[str]:
    """Yield where two data sets differ, element by element."""
    for tag in sorted({*ours.keys(), *theirs.keys()}):
        if tag not in ours or tag not in theirs:
            yield f"{path}{tag} is only in {'theirs' if tag in theirs else 'ours'}"
            continue
        mine, other = ours[tag], theirs[tag]
        name = f"{path}{mine.keyword}"
        if mine.VR != other.VR:
            yield f"{name}: {mine.VR} and {other.VR}"
        elif mine.VR == "SQ":
            if len(mine.value) != len(other.value):
                yield f"{name}: {len(mine.value)} and {len(other.value)} items"
            for index, (one, another) in enumerate(zip(mine.value, other.value, strict=False)):
                yield from differences(one, another, f"{name}[{index}].")
        elif mine.value != other.value and mine.keyword != "DimensionOrganizationUID":
            yield f"{name}: {mine.value!r} and {other.value!r}"


def of_highdicom(context: VolumeContext, kind: str, omit: bool) -> Dataset:
    """Return what highdicom's own constructor makes of a reading."""
    reading = context.reading
    made = hd.seg.Segmentation(
        source_images=context.segmented_headers,
        pixel_array=reading.probabilities if kind == "fractional" else reading.labels,
        segmentation_type=kind.upper(),
        segment_descriptions=segment_descriptions(context),
        series_instance_uid="2.25.1",
        series_number=1,
        sop_instance_uid="2.25.2",
        instance_number=1,
        manufacturer="-",
        manufacturer_model_name="-",
        software_versions="-",
        device_serial_number="-",
        content_label="FINDINGS",
        content_description=context.package.title,
        omit_empty_frames=omit,
    )
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_object_is_the_one_that_highdicom_makes(variant: str) -> None:
    context, kind, omit = made(variant)
    ours, theirs = written(variant), of_highdicom(context, kind, omit)
    np.testing.assert_array_equal(ours.pixel_array, theirs.pixel_array)
    if kind == "binary":
        bits = int(ours.NumberOfFrames) * ours.Rows * ours.Columns
        assert ours.PixelData[: bits // 8] == theirs.PixelData[: bits // 8]
        assert len(ours.PixelData) == (bits + 7) // 8 + ((bits + 7) // 8) % 2
    header = {*PATIENT_AND_STUDY, "SpecificCharacterSet", "Manufacturer", "ManufacturerModelName"}
    header |= {"SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "SeriesDescription"}
    header |= {"DeviceSerialNumber", "SoftwareVersions", "ContributingEquipmentSequence", "SeriesDate"}
    header |= {"SeriesTime", "ContentDate", "ContentTime", "InstanceCreationDate", "InstanceCreationTime"}
    header |= {"TimezoneOffsetFromUTC", "PixelData", "ContentCreatorName"}
    for dataset in (ours, theirs):
        for keyword in header:
            if keyword in dataset:
                delattr(dataset, keyword)
    assert list(differences(ours, theirs)) == []


@pytest.mark.parametrize("variant", [*VARIANTS, *EMPTY])
def test_a_repeat_gives_the_same_bytes(variant: str) -> None:
    context, kind, omit = made(variant)
    first, second = (
        encoded_bytes(encode_segmentation(context, kind=kind, omit_empty_frames=omit))  # type: ignore[arg-type]
        for _ in range(2)
    )
    assert first == second


def test_another_revision_is_another_object() -> None:
    context = volume_context()
    one = encode_segmentation(context)
    other = encode_segmentation(replace(context, identity=replace(context.identity, revision=2)))
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert one[keyword].value != other[keyword].value
    assert one.SegmentSequence[0].TrackingUID != other.SegmentSequence[0].TrackingUID


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": lambda a: a.astype(np.float32)}, "labels are whole numbers, not float32"),
        ({"labels": lambda a: a + (a > 0)}, "the labels are not those of segments 1 to 2"),
        ({"labels": lambda a: -a.astype(np.int16)}, "the labels are not those of segments 1 to 2"),
        ({"labels": lambda a: np.where(a == 2, 0, a)}, "segment 2 has no voxel"),
        ({"labels": lambda a: np.roll(a, 1, axis=1) * (np.indices(a.shape)[1] > 3)}, "finding 1 has"),
        ({"findings": ()}, "the labels are not those of segments 1 to 0"),
    ],
)
def test_a_reading_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    context = volume_context()
    if "labels" in change:
        array = change["labels"](context.reading.labels.array)
        change = {"labels": context.reading.labels.with_array(array)}
    with pytest.raises(ResultInvalid, match=message):
        encode_segmentation(replace(context, reading=replace(context.reading, **change)))


def test_what_a_kind_cannot_say_is_refused() -> None:
    with pytest.raises(ResultInvalid, match="segments overlap, which a label map cannot say"):
        encode_segmentation(volume_context(overlapping=True), kind="labelmap")
    with pytest.raises(ResultInvalid, match="the reading has no probabilities"):
        encode_segmentation(volume_context(), kind="fractional")
    with pytest.raises(ResultInvalid, match="binary, fractional, labelmap, not 'surface'"):
        encode_segmentation(volume_context(), kind="surface")  # type: ignore[arg-type]
    context = volume_context(probabilities=True)
    assert context.reading.probabilities is not None
    context.reading.probabilities.array[2, 3, 3, 0] = np.nan
    with pytest.raises(ResultInvalid, match="slice 2 has probabilities outside"):
        encode_segmentation(context, kind="fractional")
    context.reading.probabilities.array[..., 0] = 0.001
    with pytest.raises(ResultInvalid, match="segment 1 has no probability above 0"):
        encode_segmentation(context, kind="fractional")


@pytest.mark.parametrize("enhanced", [False, True])
def test_a_grid_beside_its_images_is_refused(enhanced: bool) -> None:
    context = volume_context(enhanced=enhanced)
    slices = context.reading.slices
    swapped = (slices[1], slices[0], *slices[2:])
    with pytest.raises(ResultInvalid, match="slice 0 of the grid lies 3 mm from the image"):
        encode_segmentation(replace(context, reading=replace(context.reading, slices=swapped)))


def test_a_grid_with_other_rows_than_its_images_is_refused() -> None:
    context = volume_context()
    flipped = context.reading.labels.flip_spatial(1)
    with pytest.raises(ResultInvalid, match=r"lies 17\.2 mm from the image"):
        encode_segmentation(replace(context, reading=replace(context.reading, labels=flipped)))


def test_an_image_that_does_not_say_where_it_lies_is_refused() -> None:
    context = volume_context(attributes={"ImageOrientationPatient": ...})
    with pytest.raises(ResultInvalid, match="slice 0 comes from an image that does not state where it lies"):
        encode_segmentation(context)
    context = volume_context(enhanced=True)
    slices = tuple(replace(source, frame=(source.frame or 0) + 1) for source in context.reading.slices)
    with pytest.raises(ResultInvalid, match="slice 6 comes from frame 8 of an image of 7"):
        encode_segmentation(replace(context, reading=replace(context.reading, slices=slices)))


def test_an_enhanced_image_may_state_everything_frame_by_frame() -> None:
    context = volume_context(enhanced=True, orientation="oblique-axial")
    (header,) = context.headers
    wanted = encoded_bytes(encode_segmentation(context))
    (shared,) = header.SharedFunctionalGroupsSequence
    for frame in header.PerFrameFunctionalGroupsSequence:
        frame.PixelMeasuresSequence = shared.PixelMeasuresSequence
        frame.PlaneOrientationSequence = shared.PlaneOrientationSequence
    header.SharedFunctionalGroupsSequence = [Dataset()]
    assert encoded_bytes(encode_segmentation(context)) == wanted


def test_positions_are_those_of_the_images_where_these_are_rounded() -> None:
    exact = volume_context()
    headers = list(exact.headers)
    headers[2].ImagePositionPatient = ["-31.5", "17.25", "-34.1"]
    again = read(encode_segmentation(replace(exact, headers=tuple(headers))))
    positions = [
        [str(value) for value in group.PlanePositionSequence[0].ImagePositionPatient]
        for group in again.PerFrameFunctionalGroupsSequence
    ]
    assert ["-31.5", "17.25", "-34.1"] in positions
    headers[2].ImagePositionPatient = ["-31.5", "17.65", "-34.1"]
    with pytest.raises(ResultInvalid, match=r"slice 2 of the grid lies 0\.401 mm .* 0\.53 voxels"):
        encode_segmentation(replace(exact, headers=tuple(headers)))


def test_a_grid_that_is_not_that_of_its_images_is_refused() -> None:
    context = volume_context()
    affine = context.reading.labels.affine.copy()
    affine[1, 3] += 0.02
    labels = hd.Volume(
        context.reading.labels.array,
        affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=context.reading.labels.frame_of_reference_uid,
    )
    with pytest.raises(ResultInvalid, match=r"the grid lies 0\.02 mm beside that of its images"):
        encode_segmentation(replace(context, reading=replace(context.reading, labels=labels)))


@pytest.mark.parametrize("value", NAMES)
def test_names_survive_in_every_character_set(value: str) -> None:
    context = volume_context(
        attributes={"SpecificCharacterSet": sets(value), "PatientName": NAMES[value]}, shape=(3, 9, 9)
    )
    data = encoded_bytes(encode_segmentation(context))
    again = dcmread(io.BytesIO(data))
    assert str(again.PatientName) == NAMES[value]
    assert raw(dcmread(io.BytesIO(data)), "PatientName") == raw(context.headers[0], "PatientName")
    assert data == encoded_bytes(encode_segmentation(context))


@pytest.mark.parametrize("value", EXAMPLES)
def test_names_survive_byte_for_byte(value: str) -> None:
    context = volume_context(
        attributes={"SpecificCharacterSet": sets(value), "PatientName": ""}, shape=(3, 9, 9)
    )
    for header in context.headers:
        with_bytes(header, "PatientName", EXAMPLES[value])
    again = read(encode_segmentation(context))
    assert raw(again, "PatientName").rstrip() == EXAMPLES[value].rstrip()


@pytest.mark.parametrize(
    "missing", ["PatientName", "PatientID", "StudyID", "SliceThickness", "AccessionNumber"]
)
def test_a_source_that_lacks_something_still_gets_a_whole_object(missing: str) -> None:
    again = read(encode_segmentation(volume_context(attributes={missing: ...})))
    if missing == "SliceThickness":
        measures = again.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        assert measures.SliceThickness == 3
    else:
        assert missing in again
        assert again[missing].is_empty


def test_a_wrong_slice_spacing_of_the_source_is_not_taken_over() -> None:
    again = read(encode_segmentation(volume_context(attributes={"SpacingBetweenSlices": "0.3"})))
    measures = again.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SpacingBetweenSlices == 3


def test_lossy_compression_of_the_source_is_stated() -> None:
    lossy = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": "12",
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    again = read(encode_segmentation(volume_context(attributes=lossy)))
    assert {keyword: str(again[keyword].value) for keyword in lossy} == lossy


def test_segments_say_what_they_are() -> None:
    context = volume_context()
    segmentation = hd.seg.Segmentation.from_dataset(written("classic"))
    assert segmentation.segment_numbers == [1, 2]
    for finding in context.reading.findings:
        item = segmentation.get_segment_description(finding.number)
        assert item.segment_label == finding.segment.label == item.tracking_id
        assert item.tracking_uid == context.identity.uid(f"tracking:finding-{finding.number}")
        assert item.segmented_property_category.value == CATEGORY.code
        assert item.segmented_property_type.value == TUMOUR.code
        assert [region.value for region in item.anatomic_regions] == [BRAIN.code]
        assert item.algorithm_type.value == "AUTOMATIC"
        algorithm = item.algorithm_identification[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("chest-nodule", "0.1.0")
        assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
        wanted = hd.color.CIELabColor.from_rgb(*COLOURS[finding.number - 1])
        assert tuple(item.RecommendedDisplayCIELabValue) == wanted.value
        assert f"{finding.volume_ml:.4g} ml" in item.SegmentDescription
    assert is_own_result(written("classic"))
    assert (written("classic").SeriesNumber, written("classic").Modality) == (9303, "SEG")


def test_every_frame_names_its_image() -> None:
    for variant in ("classic", "enhanced"):
        context, _, _ = made(variant)
        again = written(variant)
        positions = dict(enumerate(context.reading.slices))
        masks = {(k, n) for n in (1, 2) for k in range(SHAPE[0]) if context.reading.mask(n)[k].any()}
        seen = set()
        for index, group in enumerate(again.PerFrameFunctionalGroupsSequence):
            (source,) = group.DerivationImageSequence[0].SourceImageSequence
            number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
            (plane,) = [
                k
                for k, one in positions.items()
                if one.sop_instance_uid == source.ReferencedSOPInstanceUID
                and one.frame == source.get("ReferencedFrameNumber")
            ]
            np.testing.assert_array_equal(again.pixel_array[index] != 0, context.reading.mask(number)[plane])
            seen.add((plane, number))
        assert seen == masks
        (series,) = again.ReferencedSeriesSequence
        assert len(series.ReferencedInstanceSequence) == len(context.segmented_headers)


@pytest.mark.parametrize("variant", EMPTY)
def test_an_empty_reading_is_one_frame_of_zeros_for_each_thing_searched(
    variant: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        again = written(variant)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert again.NumberOfFrames == 1
    assert not again.pixel_array.any()
    (item,) = [one for one in again.SegmentSequence if one.SegmentNumber]
    assert "not found: this segment is empty on purpose" in item.SegmentDescription
    assert "TrackingUID" not in item
    (source,) = again.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence
    assert source.ReferencedSOPInstanceUID == volume_context(empty=True).reading.slices[3].sop_instance_uid
    segmentation = hd.seg.Segmentation.from_dataset(again)
    assert segmentation.segment_numbers == [1]
    assert not segmentation.get_volume().array.any()


def test_several_searched_segments_are_all_declared_empty() -> None:
    searched = (Segment(3, "Core", CATEGORY, TUMOUR), Segment(7, "Oedema", CATEGORY, TUMOUR, BRAIN))
    again = read(encode_segmentation(volume_context(empty=True, reading={"searched": searched})))
    assert [(int(s.SegmentNumber), s.SegmentLabel) for s in again.SegmentSequence] == [
        (1, "Core"),
        (2, "Oedema"),
    ]
    assert again.NumberOfFrames == 2
    assert not again.pixel_array.any()


def test_empty_frames_are_kept_where_a_viewer_needs_them() -> None:
    assert written("every-frame").NumberOfFrames == 2 * SHAPE[0]
    assert written("classic").NumberOfFrames < 2 * SHAPE[0]
    assert written("labelmap-every-frame").NumberOfFrames == SHAPE[0]


@pytest.mark.parametrize(
    ("variant", "syntax", "sop_class"),
    [
        ("classic", ExplicitVRLittleEndian, "1.2.840.10008.5.1.4.1.1.66.4"),
        ("fractional", RLELossless, "1.2.840.10008.5.1.4.1.1.66.4"),
        ("labelmap", RLELossless, LABEL_MAP),
    ],
)
def test_each_kind_has_its_class_and_transfer_syntax(variant: str, syntax: str, sop_class: str) -> None:
    again = written(variant)
    assert again.file_meta.TransferSyntaxUID == syntax
    assert again.SOPClassUID == again.file_meta.MediaStorageSOPClassUID == sop_class


def test_probabilities_come_back_within_half_a_step() -> None:
    context, _, _ = made("fractional")
    assert context.reading.probabilities is not None
    segmentation = hd.seg.Segmentation.from_dataset(written("fractional"))
    volume = segmentation.get_volume(rescale_fractional=True)
    stored: NDArray[Any] = volume.array
    offset = volume.map_reference_to_indices(
        context.reading.labels.map_indices_to_reference(np.zeros((1, 3)))
    )
    assert np.abs(offset[0, 1:]).max() < 1e-6
    wanted = context.reading.probabilities.match_geometry(volume.get_geometry()).array
    assert np.abs(stored - wanted).max() <= 0.5 / 255 + 1e-6
    assert stored.max() > 0.9


def test_more_than_255_segments_make_a_label_map_of_two_bytes() -> None:
    masks = np.zeros((2, 20, 15, 300), dtype=bool)
    for n in range(300):
        masks.reshape(600, 300)[2 * n : 2 * n + 2, n] = True
    labels = (masks * np.arange(1, 301, dtype=np.uint16)).sum(axis=3, dtype=np.uint16)
    base = volume_context(findings=1, shape=(2, 20, 15), spacing=(1.0, 1.0, 1.0))
    findings = tuple(
        VolumeFinding(Segment(n, f"Part {n}", CATEGORY, TUMOUR), 0.002, 0, Box(0, 0, 1, 1))
        for n in range(1, 301)
    )
    reading = replace(base.reading, labels=base.reading.labels.with_array(labels), findings=findings)
    again = read(encode_segmentation(replace(base, reading=reading), kind="labelmap"))
    assert again.BitsAllocated == 16
    stored = {int(value) for value in np.unique(again.pixel_array)}
    assert stored == set(range(1, 301))


def test_it_can_be_written_in_another_transfer_syntax() -> None:
    segmentation = encode_segmentation(volume_context())
    segmentation.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = io.BytesIO()
    dcmwrite(buffer, segmentation, enforce_file_format=True, implicit_vr=True, little_endian=True)
    again = dcmread(io.BytesIO(buffer.getvalue()))
    wanted = written("classic")
    assert again.pop("PixelData").value == wanted.pop("PixelData").value
    assert list(differences(again, wanted)) == []


@pytest.mark.peer
def test_validators_find_no_error(tmp_path: Path) -> None:
    paths = []
    for variant in (*VARIANTS, *EMPTY):
        paths.append(tmp_path / f"{variant}.dcm")
        context, kind, omit = made(variant)
        data = encoded_bytes(encode_segmentation(context, kind=kind, omit_empty_frames=omit))  # type: ignore[arg-type]
        paths[-1].write_bytes(data)
    known = [path for path in paths if "labelmap" not in path.name]
    assert len(known) > 10
    assert header_errors(*known) == []
    assert template_errors(*known) == []


@pytest.mark.peer
def test_an_archive_keeps_it_and_decodes_its_frames(orthanc: peers.Orthanc, tmp_path: Path) -> None:
    for variant in ("classic", "fractional", "labelmap", *EMPTY):
        context, kind, omit = made(variant)
        path = tmp_path / f"{variant}.dcm"
        path.write_bytes(encoded_bytes(encode_segmentation(context, kind=kind, omit_empty_frames=omit)))  # type: ignore[arg-type]
        identifier = orthanc.upload(path)["ID"]
        sent = dcmread(path)
        back = dcmread(orthanc.download(str(sent.SOPInstanceUID), tmp_path / "back.dcm"))
        assert back == sent
        if kind != "binary":  # Orthanc 1.10 does not hand out frames of one bit a pixel
            first = sent.pixel_array.reshape(-1, sent.Rows, sent.Columns)[0].astype(np.uint8)
            assert first.tobytes() in decoded_frame(orthanc, sent)
        httpx.delete(f"{orthanc.url}/instances/{identifier}", trust_env=False).raise_for_status()


def decoded_frame(orthanc: peers.Orthanc, sent: Dataset) -> bytes:
    """Return the first frame as the archive decodes it, within its answer."""
    series = f"{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}"
    answer = httpx.get(
        f"{orthanc.dicomweb_url}/studies/{series}/instances/{sent.SOPInstanceUID}/frames/1",
        headers={"Accept": 'multipart/related; type="application/octet-stream"'},
        trust_env=False,
    )
    answer.raise_for_status()
    return answer.content

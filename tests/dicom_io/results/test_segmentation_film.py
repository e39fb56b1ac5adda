from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.results import FilmContext, ResultInvalid, encode_structured_report, encoded_bytes
from dicom_io.results.segmentation import encode_film_segmentation, films_with_findings
from dicom_io.results.segmentation.film import box_mask
from dicom_io.results.segmentation_asserts import check_film_segmentation
from models.results import Box
from tests.conformance.checker import template_errors
from tests.dicom_io.results.factory import COLUMNS, MANY, ONE, ROWS, context, header
from tests.dicom_io.results.test_source import EXAMPLES, raw, sets, with_bytes
from tests.peers import missing

FILM = "2.25.3331"
MAMMOGRAM = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2",
    "Modality": "MG",
    "BodyPartExamined": "BREAST",
    "FrameOfReferenceUID": "2.25.99",
}


def read(made: FilmContext) -> Dataset:
    return dcmread(io.BytesIO(encoded_bytes(encode_film_segmentation(made, FILM))))


def test_only_films_with_findings_have_a_segmentation() -> None:
    made = context(header(), header(2), boxes=ONE)
    assert films_with_findings(made) == (FILM,)
    assert films_with_findings(context()) == ()
    with pytest.raises(ResultInvalid, match="a film without findings has no segmentation"):
        encode_film_segmentation(made, "2.25.3332")


@pytest.mark.parametrize("attributes", [{}, {"PixelSpacing": ["0.45", "0.36"]}, MAMMOGRAM])
def test_boxes_are_masks_on_the_pixels_of_their_film(attributes: dict[str, Any]) -> None:
    made = context(header(**attributes), boxes=MANY)
    again = read(made)
    segmentation = hd.seg.Segmentation.from_dataset(again)
    assert (again.Rows, again.Columns, again.NumberOfFrames) == (ROWS, COLUMNS, len(MANY))
    for finding in made.findings:
        frame = segmentation.get_stored_frame(finding.number)
        rows, columns = np.nonzero(frame)
        box = finding.candidate.box
        edges = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        assert np.abs(np.subtract(edges, (box.top, box.left, box.bottom, box.right))).max() <= 0.5
        assert frame.sum() == (edges[2] - edges[0]) * (edges[3] - edges[1])
        item = segmentation.get_segment_description(finding.number)
        assert item.tracking_uid == made.identity.uid(f"tracking:finding-{finding.number}")
        assert item.segment_label == item.tracking_id == f"Nodule {finding.number}"
        assert item.segmented_property_type.value == "27925004"
        assert "Outlining box" in item.SegmentDescription
        (source,) = (
            again.PerFrameFunctionalGroupsSequence[finding.number - 1]
            .DerivationImageSequence[0]
            .SourceImageSequence
        )
        assert source.ReferencedSOPInstanceUID == FILM
        assert source.SpatialLocationsPreserved == "YES"


def test_tracking_is_that_of_the_report() -> None:
    made = context(boxes=MANY)
    report = encode_structured_report(made).to_json()
    for item in read(made).SegmentSequence:
        assert f'"{item.TrackingUID}"' in report
        assert f'"{item.TrackingID}"' in report


def test_a_film_has_no_place_in_the_patient() -> None:
    again = read(context(header(**MAMMOGRAM, PixelSpacing=["0.1", "0.1"]), boxes=ONE))
    assert "FrameOfReferenceUID" not in again
    groups = [*again.SharedFunctionalGroupsSequence, *again.PerFrameFunctionalGroupsSequence]
    assert not {"PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"} & {
        element.keyword for group in groups for element in group
    }
    assert list(again.PatientOrientation) == ["L", "F"]
    regions = again.SegmentSequence[0].AnatomicRegionSequence
    assert [region.CodeValue for region in regions] == ["76752008"]


def test_a_repeat_gives_the_same_bytes_and_each_film_its_own_object() -> None:
    made = context(header(), header(2), boxes=ONE)
    second = replace(made, findings=(replace(made.findings[0], sop_instance_uid="2.25.3332"),))
    one, again = (encoded_bytes(encode_film_segmentation(made, FILM)) for _ in range(2))
    assert one == again
    other = encode_film_segmentation(second, "2.25.3332")
    assert (other.SOPInstanceUID, other.InstanceNumber) == (made.identity.uid("segmentation-2"), 2)
    assert other.SeriesInstanceUID == read(made).SeriesInstanceUID


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        (Box(2, 3, 5, 6), slice(2, 5), slice(3, 6)),
        (Box(1.5, 2.49, 4.51, 6.5), slice(1, 5), slice(2, 6)),
        (Box(3.1, 3.1, 3.2, 3.2), slice(3, 4), slice(3, 4)),
        (Box(9.9, 9.9, 10, 10), slice(9, 10), slice(9, 10)),
        (Box(0, 0, 10, 10), slice(0, 10), slice(0, 10)),
        (Box(0, 0, 0.1, 10), slice(0, 1), slice(0, 10)),
    ],
)
def test_a_pixel_belongs_to_a_box_that_holds_its_centre(box: Box, rows: slice, columns: slice) -> None:
    wanted = np.zeros((10, 10), dtype=bool)
    wanted[rows, columns] = True
    np.testing.assert_array_equal(box_mask(box, (10, 10)), wanted)


@pytest.mark.parametrize("value", EXAMPLES)
def test_names_survive_byte_for_byte(value: str) -> None:
    source = with_bytes(
        header(SpecificCharacterSet=sets(value), PatientName=""), "PatientName", EXAMPLES[value]
    )
    again = read(context(source, boxes=ONE))
    assert raw(again, "PatientName").rstrip() == EXAMPLES[value].rstrip()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: setattr(d, "StudyInstanceUID", "2.25.9"), "not in the study of its film"),
        (lambda d: setattr(d, "Rows", 1), "not on the pixels of its film"),
        (lambda d: delattr(d, "ReferencedSeriesSequence"), "does not refer to exactly its film"),
        (lambda d: d.SegmentSequence.pop(), "no segment and no frame for each of 2 findings"),
        (lambda d: setattr(d.SegmentSequence[0], "TrackingID", "x"), "finding 1 is not tracked"),
        (lambda d: setattr(d, "PixelData", bytes(len(d.PixelData))), "the mask of finding 1 is empty"),
        (
            lambda d: setattr(d, "PixelData", bytes(100) + b"\x04" + d.PixelData[101:]),
            "the mask of finding 1 is no box",
        ),
        (
            lambda d: setattr(d, "PixelData", bytes(640) + d.PixelData[:-640]),
            "the mask of finding 1 is not its box",
        ),
    ],
)
def test_what_is_wrong_is_named(change: Any, message: str) -> None:
    made = context(boxes=MANY[:2])
    again = read(made)
    check_film_segmentation(again, made, FILM)
    change(again)
    with pytest.raises(ResultInvalid, match=message):
        check_film_segmentation(again, made, FILM)


@pytest.mark.peer
def test_dcmqi_wants_an_orientation_as_the_documentation_says(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("segimage2itkimage")
    if not program.is_file():
        missing("the program segimage2itkimage is not installed (PyPI dcmqi)")
    path = tmp_path / "seg.dcm"
    path.write_bytes(encoded_bytes(encode_film_segmentation(context(boxes=ONE), FILM)))
    arguments = ["--inputDICOM", path, "--outputDirectory", tmp_path]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Plane Orientation (Patient) is missing" in done.stdout + done.stderr


@pytest.mark.peer
def test_validators_find_no_error(tmp_path: Path) -> None:
    paths = []
    variants = {"chest": {}, "calibrated": {"PixelSpacing": ["0.45", "0.36"]}, "breast": MAMMOGRAM}
    for name, attributes in variants.items():
        for count in (1, 10):
            paths.append(tmp_path / f"{name}-{count}.dcm")
            made = context(header(**attributes), boxes=MANY[:count])
            paths[-1].write_bytes(encoded_bytes(encode_film_segmentation(made, FILM)))
    assert template_errors(*paths) == []

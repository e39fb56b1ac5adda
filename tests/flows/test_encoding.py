"""Readings of volumes as files: which objects, by which options, and the same bytes again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicom_io.reading.volume import read_volume
from dicom_io.results import EncodedObject, PackageIdentity, ResultIdentity, ResultInvalid
from dicom_io.volume_phantoms import VolumeOptions, write_volume_series
from flows.encoding import Basis, configuration_hash, encode_volume
from flows.routing.rules import ReadingOptions
from models.concepts import Concept
from models.phantoms.brain import PhantomLesion
from models.results import Assessment
from models.volume_findings import measured_finding
from models.volume_results import Segment, VolumeReading

NEOPLASM = Concept("108369006", "SCT", "Neoplasm")
CATEGORY = Concept("49755003", "SCT", "Morphologically Abnormal Structure")
PACKAGE = PackageIdentity("brain-tumour", "0.0.1", "Brain tumour", "2.25.1", "ab" * 32, NEOPLASM, "0001")
PHANTOM = VolumeOptions(
    shape=(20, 64, 64),
    spacing=(7.0, 3.0, 3.0),
    lesions=(PhantomLesion(), PhantomLesion((-24.0, 20.0, 30.0), (9.0, 9.0, 9.0))),
)


def encoded(
    folder: Path, *, empty: bool = False, known: bool = True, **options: Any
) -> tuple[EncodedObject, ...]:
    written = write_volume_series(folder / "in", PHANTOM)
    source = read_volume(written.paths)
    lesions = np.zeros_like(written.lesions) if empty else written.lesions
    labels = source.volume.with_array(lesions)
    segments = [Segment(number, f"Tumour {number}", CATEGORY, NEOPLASM) for number in (1, 2)]
    probabilities = None
    if options.get("segmentation") == "fractional" and known and not empty:
        masks = np.stack([lesions == segment.number for segment in segments], axis=-1)
        probabilities = labels.with_array(
            (masks * np.float32(0.8)).astype(np.float32), channels={"SegmentNumber": [1, 2]}
        )
    reading = VolumeReading(
        labels=labels,
        slices=source.slices,
        findings=tuple(
            measured_finding(s, lesions == s.number, labels.spacing, probability=0.5 + 0.1 * s.number)
            for s in segments
            if not empty
        ),
        searched=tuple(segments[:1]),
        case_score=0.9,
        members=5,
        operating_point=0.5,
        probabilities=probabilities,
    )
    basis = Basis(
        package=PACKAGE,
        identity=ResultIdentity("f" * 64, PACKAGE.content_hash, "c" * 64, 1),
        content_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        options=ReadingOptions(**options),
        folder=folder / "out",
    )
    return encode_volume(basis, source.headers, reading, source.volume, Assessment("accept", 0.9))


def test_a_volume_becomes_segmentation_report_and_key_images(tmp_path: Path) -> None:
    made = encoded(tmp_path)
    assert [one.kind for one in made] == [
        "segmentation",
        "structured-report",
        "key-image-1",
        "key-image-2",
        "key-image-3",
    ]
    assert {one.path.name for one in made} == {
        "segmentation.dcm", "report.dcm", "key-image-1.dcm", "key-image-2.dcm", "key-image-3.dcm",
    }  # fmt: skip
    # the surest finding first
    second = pydicom.dcmread(made[3].path)
    assert "finding 2 outlined" in second.DerivationDescription


def test_an_empty_reading_becomes_an_empty_segmentation_and_a_report(tmp_path: Path) -> None:
    made = encoded(tmp_path, empty=True)
    assert [one.kind for one in made] == ["segmentation", "structured-report", "key-image-1"]
    segmentation = pydicom.dcmread(made[0].path)
    assert segmentation.NumberOfFrames == 1
    assert not segmentation.pixel_array.any()


@pytest.mark.parametrize(
    ("kind", "sop_class"),
    [
        ("binary", "1.2.840.10008.5.1.4.1.1.66.4"),
        ("fractional", "1.2.840.10008.5.1.4.1.1.66.4"),
        ("labelmap", "1.2.840.10008.5.1.4.1.1.66.7"),
    ],
)
def test_the_route_chooses_the_type_of_segmentation(kind: str, sop_class: str, tmp_path: Path) -> None:
    segmentation = pydicom.dcmread(encoded(tmp_path, segmentation=kind)[0].path)
    assert segmentation.SegmentationType == kind.upper()
    assert segmentation.SOPClassUID == sop_class


def test_probabilities_that_are_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ResultInvalid, match="probabilities"):
        encoded(tmp_path, known=False, segmentation="fractional")


def test_nothing_found_needs_no_probabilities(tmp_path: Path) -> None:
    segmentation = pydicom.dcmread(encoded(tmp_path, empty=True, segmentation="fractional")[0].path)
    assert segmentation.SegmentationType == "FRACTIONAL"
    assert not segmentation.pixel_array.any()


def test_frames_and_key_images_are_as_many_as_asked_for(tmp_path: Path) -> None:
    made = encoded(tmp_path, omit_empty_frames=False, key_images=0, point_at_segments=False)
    assert [one.kind for one in made] == ["segmentation", "structured-report"]
    assert pydicom.dcmread(made[0].path).NumberOfFrames == 2 * PHANTOM.shape[0]
    assert "Referenced Segment" not in pydicom.dcmread(made[1].path).to_json()


def test_the_same_reading_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = encoded(tmp_path / "a"), encoded(tmp_path / "b")
    assert [item.sha256 for item in one] == [item.sha256 for item in two]


def test_every_option_is_part_of_the_identity() -> None:
    usual = configuration_hash("A1", ReadingOptions())
    other = {
        "key_images": 2,
        "segmentation": "labelmap",
        "omit_empty_frames": False,
        "point_at_segments": False,
        "film_segmentations": True,
        "cad_report": True,
        "presentation_states": True,
        "members": 1,
    }
    assert other.keys() == ReadingOptions.model_fields.keys()
    hashes = {configuration_hash("A1", ReadingOptions(**{name: value})) for name, value in other.items()}  # type: ignore[arg-type]
    assert len(hashes) == len(other)
    assert usual not in hashes

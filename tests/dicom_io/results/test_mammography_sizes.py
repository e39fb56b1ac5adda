"""Sizes of findings on mammograms whose spacing stands in unusual places, from the file to the reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicom_io.reading import read_header, read_mammogram
from dicom_io.results import MammographyContext, encode_structured_report
from dicom_io.results.asserts import children_of, walk
from dicom_io.results.cad import encode_mammography_cad_report
from dicom_io.results.film_groups import DETECTOR_PLANE, ESTIMATED_PLANE
from models.mammography_results import BreastReading, MammographyExam
from models.results import Box, Candidate, FilmReading, Finding
from tests.dicom_io.reading.mammography.cases import CONTRACT, changed, item, mammogram, saved
from tests.dicom_io.results.cad.cases import MAMMOGRAPHY
from tests.dicom_io.results.factory import context

BOX = Box(100.0, 40.0, 140.0, 70.0)
PLAIN: dict[str, Any] = {
    "EstimatedRadiographicMagnificationFactor": None,
    "DistanceSourceToDetector": None,
    "DistanceSourceToPatient": None,
    "PixelSpacing": None,
    "ImagerPixelSpacing": [0.1, 0.1],
}
DISTANCES = {"DistanceSourceToDetector": "660", "DistanceSourceToPatient": "600"}


def enhanced(dataset: Dataset) -> Dataset:
    """Move spacing and orientation to where a Breast Projection X-Ray image has them."""
    groups = item(
        FramePixelDataPropertiesSequence=[item(ImagerPixelSpacing=dataset.ImagerPixelSpacing)],
        PatientOrientationInFrameSequence=[item(PatientOrientation=dataset.PatientOrientation)],
    )
    return changed(
        dataset,
        ImagerPixelSpacing=None,
        PatientOrientation=None,
        SharedFunctionalGroupsSequence=[groups],
        PerFrameFunctionalGroupsSequence=[Dataset()],
        NumberOfFrames=1,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.4",
    )


def context_of(path: Path) -> MammographyContext:
    """Return the reading of one file with one finding, its size as the reader measures it."""
    header, read = read_header(path), read_mammogram(path, CONTRACT)
    uid, step = read.sop_instance_uid, read.film.pixel_spacing_mm
    assert step is not None
    one = Candidate(BOX, 0.8, (0.8,), 1.0, 1.0)
    size = (BOX.height * step[0], BOX.width * step[1])
    base = context(
        header,
        findings=(Finding(1, uid, one, size, read.film.spacing_is_calibrated),),
        readings=(FilmReading(uid, 0.8, (one,), 1, 0.4),),
        package=MAMMOGRAPHY,
    )
    names = [name for kind in type(base).__mro__ for name in getattr(kind, "__slots__", ())]
    return MammographyContext(
        **{name: getattr(base, name) for name in names},
        exam=MammographyExam((read.view,)),
        breasts=(BreastReading(read.laterality, 0.8, (uid,), None),),
    )


def measured(report: Dataset) -> Iterator[tuple[str, float, str]]:
    for found in walk(report):
        methods = children_of(found, "370129005") if "MeasuredValueSequence" in found else ()
        for method in methods:
            yield (
                str(found.ConceptNameCodeSequence[0].CodeMeaning),
                float(found.MeasuredValueSequence[0].NumericValue),
                str(method.ConceptCodeSequence[0].CodeValue),
            )


FACTOR = "EstimatedRadiographicMagnificationFactor"


@pytest.mark.parametrize("is_enhanced", [False, True])
@pytest.mark.parametrize(
    ("more", "size", "plane"),
    [
        ({}, (4.0, 3.0), DETECTOR_PLANE),
        (DISTANCES, (4.0 / 1.1, 3.0 / 1.1), ESTIMATED_PLANE),
        (DISTANCES | {FACTOR: "1.05"}, (4 / 1.05, 3 / 1.05), ESTIMATED_PLANE),
        (DISTANCES | {FACTOR: "0.99"}, (4 / 1.1, 3 / 1.1), ESTIMATED_PLANE),
    ],
)  # fmt: skip
def test_sizes_are_those_of_the_plane_that_is_named(
    more: dict[str, Any], size: tuple[float, float], plane: Any, is_enhanced: bool, tmp_path: Path
) -> None:
    dataset = mammogram(**{**PLAIN, **more})
    made = context_of(saved(tmp_path / "a.dcm", enhanced(dataset) if is_enhanced else dataset))
    found = list(measured(encode_structured_report(made)))
    assert [name for name, _, _ in found] == ["Height", "Width"]
    assert [value for _, value, _ in found] == pytest.approx(size, rel=1e-3)
    assert {method for _, _, method in found} == {plane.value}


def test_an_enhanced_image_says_in_both_libraries_how_it_lies_and_what_a_pixel_measures(
    tmp_path: Path,
) -> None:
    made = context_of(saved(tmp_path / "a.dcm", enhanced(mammogram(**PLAIN))))
    for report, factor in (
        (encode_structured_report(made), 1),
        (encode_mammography_cad_report(made), 1000),
    ):
        library = [one for one in walk(report) if "ConceptNameCodeSequence" in one]
        named = {str(one.ConceptNameCodeSequence[0].CodeValue): one for one in library}
        assert named["111044"].TextValue == "A"
        assert float(named["111026"].MeasuredValueSequence[0].NumericValue) == pytest.approx(0.1 * factor)


def test_a_context_that_is_copied_keeps_its_headers(tmp_path: Path) -> None:
    made = context_of(saved(tmp_path / "a.dcm", enhanced(mammogram(**PLAIN))))
    assert replace(made, statements=("A word",)).headers[0].ImagerPixelSpacing == [0.1, 0.1]

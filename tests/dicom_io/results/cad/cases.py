"""Readings of chest films and mammograms in every state that a CAD report has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from dicom_io.results import FilmContext, PackageIdentity
from dicom_io.results.cad import encode_chest_cad_report, encode_mammography_cad_report
from models.concepts import Concept
from models.mammography_results import LesionGroup, MammographyExam, MammographyView
from models.results import Assessment, FilmReading, Finding, ImageFailure
from tests.dicom_io.results import factory
from tests.dicom_io.results.factory import MANY, ONE, candidate, context, header

Box = tuple[float, float, float, float]
REJECTED = Assessment("reject", reasons=("Nothing could be read.",))
MAMMOGRAPHY = PackageIdentity(
    name="mammography",
    version="0.1.0",
    title="Mammography detector",
    device_uid="2.25.777",
    content_hash="cd" * 32,
    finding=Concept("129788004", "SCT", "Mammographic breast mass"),
    intended_use="Research use: points at mass-like findings on mammograms.",
    serial="SR-TEST-0001",
)
SPOT: Box = (200.0, 150.0, 250.0, 190.0)
OTHER: Box = (300.5, 50.25, 330.0, 90.75)


def failed(*headers: Dataset, **more: Any) -> FilmContext:
    """Return a reading of which nothing came."""
    headers = headers or (header(),)
    failures = tuple(ImageFailure(str(h.SOPInstanceUID), "The pixels cannot be decoded.") for h in headers)
    values: dict[str, Any] = {"readings": (), "failures": failures, "partial": True, "assessment": REJECTED}
    return context(*headers, **{**values, **more})


def partly(made: FilmContext) -> FilmContext:
    """Return a reading whose last image failed."""
    last = str(made.headers[-1].SOPInstanceUID)
    return replace(
        made,
        readings=tuple(reading for reading in made.readings if reading.sop_instance_uid != last),
        failures=(ImageFailure(last, "The pixels cannot be decoded."),),
        partial=True,
    )


def coded_view() -> Dataset:
    """Return the header of a film whose view is coded, in SNOMED-RT and with a modifier."""
    modifier, unknown, view = Dataset(), Dataset(), Dataset()
    modifier.CodeValue, modifier.CodingSchemeDesignator, modifier.CodeMeaning = "399196006", "SCT", "cephalad"
    unknown.CodeValue, unknown.CodingSchemeDesignator, unknown.CodeMeaning = "X1", "99X", "sideways"
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "R-10206", "SRT", "antero-posterior"
    view.ViewModifierCodeSequence = [modifier, unknown]
    return header(ViewPosition=..., ViewCodeSequence=[view], PositionerPrimaryAngle="10")


def with_package(made: FilmContext, concept: Concept) -> FilmContext:
    return replace(made, package=replace(made.package, finding=concept))


def mammogram(number: int, side: str, **more: Any) -> Dataset:
    """Return the header of a digital mammogram."""
    values: dict[str, Any] = {
        "SOPClassUID": DigitalMammographyXRayImageStorageForPresentation,
        "Modality": "MG",
        "BodyPartExamined": "BREAST",
        "ViewPosition": ...,
        "ImageLaterality": side,
        "PatientOrientation": ["P", "L" if side == "R" else "R"],
        "PositionerPrimaryAngle": "45.5",
        "ImagerPixelSpacing": ["0.07", "0.07"],
        "ContentDate": "20260304",
        "ContentTime": "050102",
        "FrameOfReferenceUID": "2.25.4444",
    }
    return header(number, **{**values, **more})


VIEWS = (
    MammographyView("2.25.3331", "R", "CC"),
    MammographyView("2.25.3332", "L", "CC"),
    MammographyView("2.25.3333", "R", "MLO"),
    MammographyView("2.25.3334", "L", "MLO", ("ID", "S")),
)


def breasts(boxes: dict[int, tuple[Box, ...]] | None = None, **more: Any) -> FilmContext:
    """Return a reading of four views with boxes by number of the view."""
    headers = tuple(mammogram(n, view.laterality) for n, view in enumerate(VIEWS, start=1))
    found: list[Finding] = []
    readings = []
    for position, source in enumerate(headers, start=1):
        candidates = tuple(candidate(*box, score=0.8125) for box in (boxes or {}).get(position, ()))
        readings.append(FilmReading(str(source.SOPInstanceUID), 0.5, candidates, 3, 0.4))
        for one in candidates:
            size = (one.box.height * 0.07, one.box.width * 0.07)
            found.append(Finding(len(found) + 1, str(source.SOPInstanceUID), one, size))
    values: dict[str, Any] = {
        "findings": tuple(found),
        "readings": tuple(readings),
        "package": MAMMOGRAPHY,
    }
    return context(*headers, **{**values, **more})


ALONE = MammographyExam(VIEWS)
COMPARED = MammographyExam(VIEWS, views_compared=True, density="fatty-glandular")
PAIRED = MammographyExam(VIEWS, (LesionGroup(1, (1, 2), 0.9375),), views_compared=True)

CHEST: dict[str, Callable[[], FilmContext]] = {
    "no finding": context,
    "one finding": lambda: context(boxes=ONE),
    "many findings": lambda: context(boxes=MANY),
    "mass": lambda: with_package(context(boxes=ONE), Concept("4147007", "SCT", "Mass")),
    "no pixel spacing": lambda: context(header(ImagerPixelSpacing=...), boxes=ONE),
    "two films": lambda: context(header(), header(2, ViewPosition="LL", ImageLaterality="L"), boxes=ONE),
    "partly failed with findings": lambda: partly(context(header(), header(2), boxes=ONE)),
    "partly failed without findings": lambda: partly(context(header(), header(2))),
    "something missing": lambda: context(partial=True),
    "failed": failed,
    "rejected": lambda: context(boxes=ONE, assessment=REJECTED),
    "edge": lambda: context(boxes=((0.0, 0.0, 40.0, 30.0), (600.0, 480.0, 640.0, 512.0))),
    "coded view": lambda: context(coded_view(), boxes=ONE),
    "bare header": lambda: context(
        header(**dict.fromkeys(("ViewPosition", "PatientOrientation", "StudyDate", "StudyTime"), ...)),
        boxes=ONE,
    ),
}
BREASTS: dict[str, tuple[Callable[[], FilmContext], MammographyExam]] = {
    "no finding": (breasts, ALONE),
    "no finding, compared": (breasts, COMPARED),
    "one finding": (lambda: breasts({2: (SPOT,)}), COMPARED),
    "one lesion on two views": (lambda: breasts({1: (SPOT,), 3: (OTHER,)}), PAIRED),
    "a lesion and a finding": (lambda: breasts({1: (SPOT,), 3: (OTHER,), 4: (SPOT, OTHER)}), PAIRED),
    "partly failed with findings": (lambda: partly(breasts({1: (SPOT,), 3: (OTHER,)})), PAIRED),
    "partly failed without findings": (lambda: partly(breasts()), ALONE),
    "failed": (lambda: failed(mammogram(1, "R"), package=MAMMOGRAPHY), MammographyExam(VIEWS[:1])),
    "failed without a side": (
        lambda: failed(mammogram(1, "R", ImageLaterality=...), package=MAMMOGRAPHY),
        MammographyExam(()),
    ),
}


def chest_reports() -> dict[str, Dataset]:
    """Return one Chest CAD SR per case."""
    reports = {f"chest: {name}": encode_chest_cad_report(make()) for name, make in CHEST.items()}
    reports["chest: not attempted"] = encode_chest_cad_report(failed(), attempted=False)
    return reports


def mammography_reports() -> dict[str, Dataset]:
    """Return one Mammography CAD SR per case."""
    reports = {
        f"mammography: {name}": encode_mammography_cad_report(make(), exam)
        for name, (make, exam) in BREASTS.items()
    }
    make, exam = BREASTS["failed"]
    reports["mammography: not attempted"] = encode_mammography_cad_report(make(), exam, attempted=False)
    return reports


def all_reports() -> dict[str, Dataset]:
    """Return the reports of every case by name."""
    return {**chest_reports(), **mammography_reports()}


assert factory.ROWS == 640 and factory.COLUMNS == 512  # what the boxes above are made for

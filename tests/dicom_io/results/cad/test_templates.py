"""Every CAD report is compared with the template tables, and broken ones are found out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from pydicom.dataset import Dataset

from dicom_io.results.cad import encode_chest_cad_report, encode_mammography_cad_report
from tests.dicom_io.results.cad import cases
from tests.dicom_io.results.cad.template_check import template_problems
from tests.dicom_io.results.factory import ONE, context

HEADERS = {
    **{f"chest: {name}": make for name, make in cases.CHEST.items()},
    "chest: not attempted": cases.failed,
    **{f"mammography: {name}": make for name, (make, _) in cases.BREASTS.items()},
    "mammography: not attempted": cases.BREASTS["failed"][0],
}
REPORTS = cases.all_reports()


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)


def named(report: Dataset, code: str) -> Dataset:
    return next(
        item
        for item in walk(report)
        if item.get("ConceptNameCodeSequence") and item.ConceptNameCodeSequence[0].CodeValue == code
    )


@pytest.mark.parametrize("name", REPORTS)
def test_report_follows_its_templates(name: str) -> None:
    assert template_problems(REPORTS[name], HEADERS[name]().headers) == []


def drop(code: str) -> Callable[[Dataset], None]:
    def change(report: Dataset) -> None:
        for item in [report, *walk(report)]:
            kept = [
                child
                for child in item.get("ContentSequence", ())
                if not child.get("ConceptNameCodeSequence")
                or child.ConceptNameCodeSequence[0].CodeValue != code
            ]
            if "ContentSequence" in item and len(kept) < len(item.ContentSequence):
                item.ContentSequence = kept
                return
        raise AssertionError(code)

    return change


def relate(code: str, relation: str) -> Callable[[Dataset], None]:
    def change(report: Dataset) -> None:
        named(report, code).RelationshipType = relation

    return change


def revalue(code: str, value: str) -> Callable[[Dataset], None]:
    def change(report: Dataset) -> None:
        named(report, code).ConceptCodeSequence[0].CodeValue = value

    return change


def reorder(report: Dataset) -> None:
    finding = named(report, "111059")
    finding.ContentSequence = list(reversed(finding.ContentSequence))


def by_value(report: Dataset) -> None:
    named(report, "111010").ContentSequence[0].ReferencedContentItemIdentifier = [1, 3]


def other_unit(report: Dataset) -> None:
    named(report, "111012").MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue = "1"


def too_sure(report: Dataset) -> None:
    named(report, "111012").MeasuredValueSequence[0].NumericValue = "101"


def two_centres(report: Dataset) -> None:
    finding = named(report, "111059")
    centre = named(report, "111010")
    position = list(finding.ContentSequence).index(centre)
    finding.ContentSequence = [
        *finding.ContentSequence[:position],
        centre,
        *finding.ContentSequence[position:],
    ]


def other_template(report: Dataset) -> None:
    report.ContentTemplateSequence[0].TemplateIdentifier = "1500"


def another_meaning(report: Dataset) -> None:
    named(report, "111064").ConceptCodeSequence[0].CodeMeaning = "Success"


def drop_place(report: Dataset) -> None:
    drop("111010")(report)
    drop("111041")(report)


BREAKS: dict[str, tuple[Callable[[Dataset], None], str]] = {
    "no language": (drop("121049"), "TID 1204 row 1|TID 4.00 row 2 is missing"),
    "no rendering intent": (drop("111056"), "row [236] is missing"),
    "no algorithm version": (drop("111003"), "TID 4019 row 2 is missing"),
    "no summary of analyses": (drop("111065"), "row 8 is missing"),
    "neither centre nor outline": (drop_place, "TID 4(006 row 8|104 row 14) is missing"),
    "no spacing": (drop("111026"), "TID 4020 row 11 is missing, its condition is met"),
    "no orientation": (drop("111044"), "TID 4020 row 5 is missing, its condition is met"),
    "failed container only": (revalue("111064", "111224"), "row 3 is missing, its condition is met"),
    "attempted after all": (revalue("111064", "111225"), "row 7 is there, its condition is not met"),
    "summary without findings": (revalue("111017", "111241"), "row 3 is there, its condition is not met"),
    "finding of no group": (revalue("111059", "112000"), "is not in context group 6(014|101)"),
    "another meaning": (another_meaning, "is not in context group 6042"),
    "wrong relationship": (relate("111012", "CONTAINS"), "no row for CONTAINS NUM Certainty of Finding"),
    "another order": (reorder, "no row for"),
    "image outside the library": (by_value, "row [23] is missing"),
    "wrong unit": (other_unit, "has the unit 1"),
    "more than certain": (too_sure, "is 101 %"),
    "two centres": (two_centres, "comes 2 times"),
    "another template": (other_template, "does not name its template"),
}


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("kind", ["chest", "mammography"])
def test_broken_report_is_found_out(kind: str, name: str) -> None:
    if kind == "chest":
        made = context(boxes=ONE)
        report = encode_chest_cad_report(made)
    else:
        made = cases.breasts({2: (cases.SPOT,)})
        report = encode_mammography_cad_report(made, cases.ALONE)
    assert template_problems(report, made.headers) == []
    change, words = BREAKS[name]
    change(report)
    problems = template_problems(report, made.headers)
    assert any(re.search(words, problem) for problem in problems), problems

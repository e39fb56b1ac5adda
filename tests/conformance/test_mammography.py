"""Results of mammography examinations before the validators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.results import (
    encode_mammography_finding_image,
    encode_mammography_overview,
    encode_prior_comparison,
    encode_structured_report,
    write_object,
)
from dicom_io.results.cad import encode_mammography_cad_report
from models.mammography_results import LesionGroup, MammographyExam
from tests.conformance.checker import header_errors, template_errors
from tests.dicom_io.results.mammography_factory import FOUR, Examination, Shot, examination, prior

pytestmark = pytest.mark.peer


def lesion_on_two_views() -> Examination:
    made = examination(FOUR)
    exam = replace(made.context.exam, groups=(LesionGroup(1, (1, 2), 0.9),), views_compared=True)
    return replace(made, context=replace(made.context, exam=exam))


def without_views() -> Examination:
    made = examination([replace(shot, fails=True, lesion=None) for shot in FOUR[:2]])
    return replace(made, context=replace(made.context, exam=MammographyExam(())))


CASES: dict[str, Callable[[], Examination]] = {
    "four views": lambda: examination(FOUR),
    "lesion on two views": lesion_on_two_views,
    "no finding": lambda: examination([replace(shot, lesion=None) for shot in FOUR]),
    "one finding": lambda: examination((FOUR[2], FOUR[3])),
    "one breast": lambda: examination((FOUR[3], FOUR[3])),
    "magnified": lambda: examination((FOUR[3], Shot("L", "MLO", modifiers=("M", "S")))),
    "without spacing": lambda: examination([replace(shot, spacing=None) for shot in FOUR]),
    "partial": lambda: examination((*FOUR[:3], replace(FOUR[3], fails=True))),
    "failed": without_views,
}


def written(made: Examination, folder: Path) -> list[Path]:
    objects = {
        "report": encode_structured_report(made.context),
        "cad-report": encode_mammography_cad_report(made.context),
    }
    if made.mammograms:
        objects["key-image-1"] = encode_mammography_overview(made.context, made.mammograms)
    if made.context.findings:
        first = made.context.findings[0]
        (image,) = [one for one in made.mammograms if one.sop_instance_uid == first.sop_instance_uid]
        earlier = (prior(1, Shot(image.laterality, image.view.view)),)
        objects["key-image-2"] = encode_mammography_finding_image(
            made.context, image, first, 2, priors=earlier
        )
        compared = encode_prior_comparison(made.context, made.mammograms, earlier, 3)
        assert compared is not None
        objects["key-image-3"] = compared
    return [write_object(one, folder / f"{kind}.dcm", kind).path for kind, one in objects.items()]


@pytest.mark.parametrize("case", list(CASES))
def test_no_validator_finds_an_error(case: str, tmp_path: Path) -> None:
    assert header_errors(*written(CASES[case](), tmp_path)) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ["lesion on two views", "one finding", "partial", "failed", "magnified"])
def test_the_templates_are_kept(case: str, tmp_path: Path) -> None:
    assert template_errors(*written(CASES[case](), tmp_path)) == []

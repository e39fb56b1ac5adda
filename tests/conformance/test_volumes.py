"""Results of volumes, and every kind of object of films, before the validators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicom_io.results import Predecessor, write_object
from models.results import Assessment, ImageFailure
from tests.conformance.checker import header_errors, template_errors
from tests.dicom_io.results.every_kind import film_objects, volume_objects
from tests.dicom_io.results.factory import ONE, context, header
from tests.dicom_io.results.volume_factory import change_to, placed, suggested, volume_context

pytestmark = pytest.mark.peer


def failed() -> dict[str, Dataset]:
    one = header()
    failure = ImageFailure(str(one.SOPInstanceUID), "the image is constant")
    return film_objects(
        context(one, readings=(), failures=(failure,), partial=True, assessment=Assessment("reject"))
    )


def partly_failed() -> dict[str, Dataset]:
    one, two = header(), header(2)
    read = context(one, boxes=ONE).readings
    failure = ImageFailure(str(two.SOPInstanceUID), "the image is constant")
    return film_objects(context(one, two, boxes=ONE, readings=read, failures=(failure,), partial=True))


def everything() -> dict[str, Dataset]:
    made = volume_context(
        findings=3,
        predecessor=Predecessor("1.2.840.10008.5.1.4.1.1.88.34", "2.25.4", "2.25.5"),
        partial=True,
        statements=("One slice was not read.",),
        reading={"series_missing": ("T1 with contrast",)},
    )
    return volume_objects(made)


def of_a_study(**options: Any) -> dict[str, Dataset]:
    """Return the objects of a reading with places, a class and a change."""
    plain = volume_context(findings=2)
    change = change_to(plain.reading.volume_ml)
    return volume_objects(placed(plain, classifications=(suggested(),), change=change), **options)


def not_comparable() -> dict[str, Dataset]:
    change = change_to(0.0, 3.2, comparable=False, reason="another package read it.")
    return volume_objects(
        volume_context(empty=True, reading={"classifications": (suggested(),), "change": change})
    )


LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
CASES: dict[str, Callable[[], dict[str, Dataset]]] = {
    "volume, one finding": lambda: volume_objects(volume_context(findings=1)),
    "volume, no finding": lambda: volume_objects(volume_context(empty=True)),
    "volume, everything at once": everything,
    "volume, enhanced": lambda: volume_objects(volume_context(findings=2, enhanced=True)),
    "volume, overlapping": lambda: volume_objects(volume_context(findings=2, overlapping=True)),
    "volume, oblique, every frame": lambda: volume_objects(
        volume_context(findings=2, orientation="oblique-sagittal"), omit_empty_frames=False
    ),
    "volume, fractional": lambda: volume_objects(
        volume_context(findings=2, probabilities=True), kind="fractional"
    ),
    "volume, label map": lambda: volume_objects(volume_context(findings=2), kind="labelmap"),
    "volume, places, class and change": of_a_study,
    "volume, label map with places, class and change": lambda: of_a_study(kind="labelmap"),
    "volume, no finding, class, not comparable": not_comparable,
    "films, one finding": lambda: film_objects(context(boxes=ONE)),
    "films, no finding": lambda: film_objects(context()),
    "films, partly failed": partly_failed,
    "films, failed": failed,
    "films, negative": lambda: film_objects(
        context(header(PhotometricInterpretation="MONOCHROME1"), boxes=ONE)
    ),
}
WITH_TEMPLATES = [
    "volume, one finding",
    "volume, no finding",
    "volume, everything at once",
    "volume, enhanced",
    "volume, places, class and change",
    "volume, label map with places, class and change",
    "volume, no finding, class, not comparable",
    "films, partly failed",
    "films, failed",
]


def written(objects: dict[str, Dataset], folder: Path) -> list[Path]:
    return [write_object(one, folder / f"{kind}.dcm", kind).path for kind, one in objects.items()]


@pytest.mark.parametrize("case", list(CASES))
def test_no_validator_finds_an_error(case: str, tmp_path: Path) -> None:
    objects = CASES[case]()
    checked = {kind: one for kind, one in objects.items() if one.SOPClassUID != LABEL_MAP}
    # dciodvfy of 2022 predates the label map
    assert header_errors(*written(checked, tmp_path)) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", WITH_TEMPLATES)
def test_the_templates_are_kept(case: str, tmp_path: Path) -> None:
    reports = {kind: one for kind, one in CASES[case]().items() if kind == "structured-report"}
    assert template_errors(*written(reports, tmp_path)) == []

"""A last look at the report of films: whether it says what the reading says."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_io.reading.spacing import spacing_of
from dicom_io.results.asserts import (
    CERTAINTY,
    REGION,
    box_problems,
    children_of,
    group_problems,
    measurement_groups,
    number_of,
    reference_problems,
)
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from dicom_io.results.mammography_context import MammographyContext
from dicom_io.results.mammography_groups import mammography_group_count
from models.results import Finding

__all__ = ["check_film_report", "film_report_problems"]

_HEIGHT, _WIDTH = "121207", "103355008"
_VALUE_TOLERANCE = 1e-3


def check_film_report(report: Dataset, context: FilmContext) -> None:
    """Compare a report with the reading it is made from.

    Raises
    ------
    ResultInvalid
        The text lists every problem.
    """
    problems = list(film_report_problems(report, context))
    if problems:
        raise ResultInvalid("the report is wrong: " + "; ".join(problems))


def film_report_problems(report: Dataset, context: FilmContext) -> Iterator[str]:
    """Yield what is wrong with a report, in words."""
    if str(report.StudyInstanceUID) != str(context.headers[0].StudyInstanceUID):
        yield "it is not in the study of its films"
    yield from reference_problems(report, context.headers)
    more = mammography_group_count(context) if isinstance(context, MammographyContext) else 0
    yield from group_problems(report, len(context.findings) + len(context.headers) + 1 + more)
    planar = [group for group in measurement_groups(report) if children_of(group, REGION)]
    if len(planar) != len(context.findings):
        yield f"{len(planar)} regions for {len(context.findings)} findings"
        return
    for group, finding in zip(planar, sorted(context.findings, key=lambda f: f.number), strict=True):
        name, regions = f"finding {finding.number}", children_of(group, REGION)
        if len(regions) != 1:
            yield f"{name} needs one closed box"
            continue
        header = context.header_of(finding.sop_instance_uid)
        yield from box_problems(regions[0], header, finding.candidate.box, name)
        yield from _value_problems(group, finding, context)


def _value_problems(group: Dataset, finding: Finding, context: FilmContext) -> Iterator[str]:
    name, candidate = f"finding {finding.number}", finding.candidate
    certainty = number_of(group, CERTAINTY)
    if certainty is None or abs(certainty - 100 * candidate.score) > _VALUE_TOLERANCE:
        yield f"the certainty of {name} is not its score"
    sizes = (number_of(group, _HEIGHT), number_of(group, _WIDTH))
    if finding.size_mm is None:
        if sizes != (None, None):
            yield f"{name} has a size without pixel spacing"
        return
    spacing, calibrated = spacing_of(context.header_of(finding.sop_instance_uid))
    extent = (candidate.box.height, candidate.box.width)
    if spacing is None or not _agrees(sizes, extent, spacing):
        yield f"the size of {name} is not what its box and the pixel spacing give"
    elif calibrated is not finding.size_is_calibrated:
        yield f"the source does not bear out whether the size of {name} is calibrated"


def _agrees(
    sizes: tuple[float | None, float | None], extent: tuple[float, float], spacing: tuple[float, float]
) -> bool:
    return all(
        size is not None and math.isclose(size, pixels * step, rel_tol=1e-3, abs_tol=_VALUE_TOLERANCE)
        for size, pixels, step in zip(sizes, extent, spacing, strict=True)
    )

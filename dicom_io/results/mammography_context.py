"""All that the results of a reading of a mammography examination are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.results.film_context import FilmContext
from models.mammography_results import (
    BreastReading,
    DensityReading,
    LesionGroup,
    MammographyExam,
    MammographyView,
)
from models.results import Finding

__all__ = ["BREAST_WORDS", "MammographyContext", "exam_problems", "view_words"]

BREAST_WORDS = {"L": "left breast", "R": "right breast"}
_STANDARD_VIEWS = ("CC", "MLO")


@dataclass(frozen=True, slots=True, kw_only=True)
class MammographyContext(FilmContext):
    """One reading of the mammograms of one examination, ready to be encoded.

    Parameters
    ----------
    exam : MammographyExam
        The view of every image that was read, and the lesions that were seen on several of them.
    breasts : tuple of BreastReading
        What the views of each breast say together; empty where nothing was read or the package does not say.
    density : DensityReading or None
        Class of the tissue in the words of the data that taught it.

    Raises
    ------
    ResultInvalid
        The parts do not belong together; the text lists why.
    """

    exam: MammographyExam = field(default_factory=lambda: MammographyExam(()))
    breasts: tuple[BreastReading, ...] = ()
    density: DensityReading | None = None

    def __post_init__(self) -> None:
        # What enhanced objects say in functional groups every part of a result finds at the top.
        object.__setattr__(self, "headers", tuple(with_functional_groups(header) for header in self.headers))
        FilmContext.__post_init__(self)

    def _problems(self) -> Iterator[str]:
        found = list(FilmContext._problems(self))
        yield from found
        if found:
            return
        found = list(exam_problems(self, self.exam))
        yield from found
        if not found:
            yield from self._breast_problems()
        if self.density is not None and self.exam.density not in {"", self.density.label}:
            yield "examination and reading state two classes of tissue"

    def _breast_problems(self) -> Iterator[str]:
        if len({breast.laterality for breast in self.breasts}) != len(self.breasts):
            yield "a breast is read once"
        if not self.breasts:
            return
        for side, name in BREAST_WORDS.items():
            wanted = sorted(view.sop_instance_uid for view in self.views_read(side))
            stated = sorted(uid for one in self.breasts if one.laterality == side for uid in one.views)
            if stated != wanted:
                yield f"the views of the {name} are not those that were read of it"

    def views_read(self, laterality: str | None = None) -> tuple[MammographyView, ...]:
        """Return the views that were read, of one breast or of both, in the order of the images."""
        views = (self.exam.view_of(reading.sop_instance_uid) for reading in self.readings)
        return tuple(view for view in views if view is not None and laterality in {None, view.laterality})

    @property
    def views_missing(self) -> tuple[str, ...]:
        """Which of the four standard views were not read, e.g. "L CC"."""
        read = {(view.laterality, view.view) for view in self.views_read()}
        return tuple(
            f"{side} {name}" for name in _STANDARD_VIEWS for side in "RL" if (side, name) not in read
        )

    def view_of(self, finding: Finding) -> MammographyView:
        """Return the view that a finding lies on."""
        view = self.exam.view_of(finding.sop_instance_uid)
        if view is None:
            raise KeyError(finding.sop_instance_uid)
        return view

    def lesion_of(self, finding: Finding) -> LesionGroup | None:
        """Return the lesion that a finding is taken for a part of, None where it is alone."""
        return next((group for group in self.exam.groups if finding.number in group.findings), None)


def view_words(view: MammographyView) -> str:
    """Return side, view and modifiers as people write them, e.g. "R MLO" or "L CC (M, S)"."""
    words = f"{view.laterality} {view.view}"
    return f"{words} ({', '.join(view.modifiers)})" if view.modifiers else words


def exam_problems(context: FilmContext, exam: MammographyExam) -> Iterator[str]:
    """Yield why an examination is not the one of a reading."""
    images = {str(header.SOPInstanceUID) for header in context.headers}
    viewed = {view.sop_instance_uid for view in exam.views}
    if not viewed <= images:
        yield "a view is of an image that the reading does not have"
    if not {reading.sop_instance_uid for reading in context.readings} <= viewed:
        yield "an image was read whose breast and view are not stated"
        return
    by_number = {finding.number: finding for finding in context.findings}
    for group in exam.groups:
        if not set(group.findings) <= by_number.keys():
            yield f"group {group.number} has a finding that the reading does not have"
            continue
        seen_on = [by_number[number].sop_instance_uid for number in group.findings]
        if len(set(seen_on)) != len(seen_on):
            yield f"group {group.number} has two findings on one image"
        breasts = {view.laterality for view in exam.views if view.sop_instance_uid in seen_on}
        if len(breasts) != 1:
            yield f"group {group.number} has findings of both breasts"

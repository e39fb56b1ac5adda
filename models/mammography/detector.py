"""The detector behind the package: the images of an examination in; candidates, breasts and exam out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.film import Film
from models.mammogram import Mammogram
from models.mammography.answers import fused_candidates, member_answer, members_mean
from models.mammography.asymmetry import ViewFeatures, asymmetry, density_index
from models.mammography.breasts import breast_score, highest_of_each_view, image_score
from models.mammography.density import density_reading
from models.mammography.preprocess import NoBreast, PreparedView, prepare
from models.mammography.settings import settings_of
from models.mammography_results import (
    Breast,
    BreastAnatomy,
    BreastReading,
    MammographyReading,
    MammographyView,
)
from models.package import Package
from models.results import FilmReading
from models.runtime import Session

__all__ = ["MammographyDetector", "NoBreast", "ViewAnswer"]

_WARM_UP_SHAPE = (1024, 768)


@dataclass(frozen=True, slots=True)
class ViewAnswer:
    """What all members say of one image; it holds no pixels.

    Parameters
    ----------
    view : MammographyView
        Which breast, and how.
    reading : FilmReading
        Candidates, and the score of the image.
    anatomy : BreastAnatomy
        Landmarks in source pixels.
    density : tuple of float
        Mean shares of the density classes.
    malignant : float
        Mean of the members' output ``malignant``; it counts in the score by the package's weight only.
    """

    view: MammographyView
    reading: FilmReading
    anatomy: BreastAnatomy
    density: tuple[float, ...]
    malignant: float


class MammographyDetector:
    """Reads the mammograms of one examination with the members of a package.

    Parameters
    ----------
    package : Package
        A loaded and verified package of family ``mammography-exam``.
    open_session : callable
        Opens one ONNX file; called once per member that takes part.
    members : int or None
        How many take part, from the first; None for the number that the manifest states.

    Raises
    ------
    PackageError
        The manifest lacks what this detector needs, or the package has fewer members.
    """

    def __init__(
        self, package: Package, open_session: Callable[[Path], Session], members: int | None = None
    ) -> None:
        self.settings = settings_of(package, members)
        count = len(self.settings.member_maps)
        self._tensor = package.manifest.tensor.name
        self._sessions = tuple(open_session(path) for path in package.member_paths[:count])

    def prepare_view(self, mammogram: Mammogram) -> PreparedView:
        """Find the breast of one image and bring it to the network's grid.

        Raises
        ------
        NoBreast
            The image shows no single breast; the text is meant for people. Other images may still be read.
        """
        return prepare(mammogram, self.settings.height, without_muscle=self.settings.without_muscle)

    def read_view(self, mammogram: Mammogram, prepared: PreparedView | None = None) -> ViewAnswer:
        """Read one image with all members; ``prepared`` saves the work of :meth:`prepare_view`.

        Raises
        ------
        NoBreast
            The image shows no single breast.
        ValueError
            A member's answer is no probability, or ``prepared`` is of another image.
        """
        settings = self.settings
        prepared = prepared or self.prepare_view(mammogram)
        if prepared.anatomy.sop_instance_uid != mammogram.sop_instance_uid:
            raise ValueError("the prepared view is of another image")
        answers = [
            member_answer(session, prepared.tensor, settings, self._tensor) for session in self._sessions
        ]
        candidates = fused_candidates(
            answers, settings.member_maps, prepared, mammogram.film.shape, settings.overlap
        )
        abnormal = members_mean([answer.abnormal for answer in answers], settings.abnormal_maps)
        malignant = members_mean([answer.malignant for answer in answers])
        score = image_score(
            candidates[0].score if candidates else 0.0,
            abnormal,
            malignant,
            settings.exam.image,
            settings.case,
        )
        density = np.mean([answer.density for answer in answers], axis=0)
        return ViewAnswer(
            view=mammogram.view,
            reading=FilmReading(
                mammogram.sop_instance_uid, score, candidates, len(answers), settings.operating_point
            ),
            anatomy=prepared.anatomy,
            density=tuple(float(share) for share in density),
            malignant=malignant,
        )

    def combine(self, answers: Sequence[ViewAnswer]) -> MammographyReading:
        """Combine the images to views, the views to breasts and the breasts to the examination.

        Parameters
        ----------
        answers : sequence of ViewAnswer
            At least one, each of another image.

        Returns
        -------
        MammographyReading
            Images in the order given; the left breast before the right one.

        Raises
        ------
        ValueError
            There is no image, or one comes twice.
        """
        if not answers:
            raise ValueError("an examination has at least one image")
        rules = self.settings.exam
        sides: tuple[Breast, ...] = tuple(
            side for side in ("L", "R") if any(one.view.laterality == side for one in answers)
        )
        features = {side: _features(answers, side) for side in sides}
        breasts = []
        for side in sides:
            other = features.get("R" if side == "L" else "L", {})
            difference = asymmetry(features[side], other, rules.asymmetry.density_share)
            views = {view: found.score for view, found in features[side].items()}
            breasts.append(
                BreastReading(
                    laterality=side,
                    score=breast_score(views, rules, difference),
                    views=tuple(a.view.sop_instance_uid for a in answers if a.view.laterality == side),
                    asymmetry=difference,
                )
            )
        return MammographyReading(
            images=tuple(answer.reading for answer in answers),
            anatomy=tuple(answer.anatomy for answer in answers),
            breasts=tuple(breasts),
            exam_score=max(breast.score for breast in breasts),
            density=density_reading([answer.density for answer in answers]) if rules.density else None,
            members=len(self._sessions),
            operating_point=self.settings.operating_point,
        )

    def read(self, exam: Sequence[Mammogram]) -> MammographyReading:
        """Read the images of one examination.

        Raises
        ------
        NoBreast
            An image shows no single breast: gate images by :meth:`prepare_view` first.
        ValueError
            There is no image, one comes twice, or a member's answer is no probability.
        """
        return self.combine([self.read_view(mammogram) for mammogram in exam])

    def warm_up(self) -> None:
        """Read a made-up mammogram, so that all memory is claimed."""
        rows, columns = _WARM_UP_SHAPE
        row, column = np.mgrid[:rows, :columns]
        radius = np.hypot((row - rows / 2) / (0.42 * rows), column / (0.75 * columns))
        pixels = np.where(radius < 1, 0.75 - 0.35 * radius, 0.0).astype(np.float32)
        view = MammographyView("2.25.0", "L", "MLO")
        self.read([Mammogram(Film("2.25.0", pixels, pixel_spacing_mm=(0.2, 0.2)), view)])


def _features(answers: Sequence[ViewAnswer], side: Breast) -> dict[str, ViewFeatures]:
    """Return what is compared of one breast, by view."""
    own = [answer for answer in answers if answer.view.laterality == side]
    scores = highest_of_each_view((answer.view.view, answer.reading.case_score) for answer in own)
    found = {}
    for view, score in scores.items():
        indices = [density_index(answer.density) for answer in own if answer.view.view == view]
        found[view] = ViewFeatures(score, math.fsum(indices) / len(indices))
    return found

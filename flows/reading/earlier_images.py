"""Images of an earlier mammography examination that may be shown beside those of a later one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_io.reading import UnsuitableImage, read_header, read_mammogram
from dicom_io.reading.attributes import acquired_at, patient_of
from dicom_io.results import PriorMammogram
from flows.journal import KeptImage, PriorRecord
from flows.reading.exam_checks import BREASTS, chest_wall_seen, orientation_doubts, view_stated
from flows.reading.persons import may_be_one_person
from models.mammography_results import MammographyView
from models.package import InputContract

__all__ = ["EarlierImages", "matching", "prior_views", "shows_views", "view_in"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EarlierImages:
    """What of an earlier examination is shown, and what is to be said of it.

    Parameters
    ----------
    record : PriorRecord
        The earlier reading, with the images that are shown.
    doubts : tuple of str
        What speaks against an image that is shown.
    left_out : tuple of str
        Breast and view of images that are not shown because they would not be read today.
    """

    record: PriorRecord
    doubts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def view_in(path: Path) -> MammographyView | None:
    """Return breast and view of an image by its header; None where that does not say it."""
    try:
        return view_stated(read_header(path))
    except (UnsuitableImage, OSError):
        return None


def shows_views(prior: PriorRecord, views: Sequence[MammographyView]) -> bool:
    """Return whether an earlier examination has a breast and view of those."""
    wanted = {(view.laterality, view.view) for view in views}
    seen = (view_in(image.path) for image in prior.images)
    return any(view is not None and (view.laterality, view.view) in wanted for view in seen)


def matching(
    prior: PriorRecord | None,
    views: Sequence[MammographyView],
    headers: Sequence[Dataset],
    contract: InputContract,
) -> EarlierImages | None:
    """Return an earlier examination with those of its images that show a breast and view of this one.

    Every image passes the checks of a reading again: what the package would refuse today is not shown. Of
    several images of one view the first by SOP Instance UID is taken, so that a repeat takes the same one.
    None where there is no such image.

    Parameters
    ----------
    prior : PriorRecord or None
        The earlier examination.
    views : sequence of MammographyView
        What was read of this one.
    headers : sequence of Dataset
        Of the images of this one.
    contract : InputContract
        What the package reads.
    """
    if prior is None:
        return None
    wanted = {(view.laterality, view.view) for view in views}
    found: dict[tuple[str, str], KeptImage] = {}
    doubts: list[str] = []
    lost: dict[tuple[str, str], None] = {}
    for image in sorted(prior.images, key=lambda one: one.sop_instance_uid):
        view = view_in(image.path)
        key = None if view is None else (view.laterality, view.view)
        if view is None or key is None or key not in wanted or key in found:
            continue
        try:
            header = read_header(image.path)
            if not _is_earlier(header, headers):
                _LOG.warning("an image of the prior contradicts the journal and is not shown")
                continue
            pixels = read_mammogram(image.path, contract).film.pixels
            seen = chest_wall_seen(pixels)
        except (UnsuitableImage, OSError) as error:
            _LOG.warning("an image of the prior is not shown: %s", type(error).__name__)
            lost[key] = None
            continue
        found[key] = image
        if orientation_doubts(header, view, seen):
            name = f"{BREASTS[view.laterality]} {view.view}"
            doubts.append(
                f"The side of the earlier {name} image is in doubt by its orientation: it may be mirrored, "
                "or of the other breast"
            )
    if not found:
        return None
    left_out = sorted(f"{side} {name}" for side, name in lost if (side, name) not in found)
    return EarlierImages(
        replace(prior, images=tuple(found.values())), tuple(dict.fromkeys(doubts)), tuple(left_out)
    )


def prior_views(earlier: EarlierImages | None, contract: InputContract) -> tuple[PriorMammogram, ...]:
    """Read the images that are shown; one that can no longer be read is left out."""
    return tuple(_read(earlier, contract)) if earlier is not None else ()


def _read(earlier: EarlierImages, contract: InputContract) -> Iterator[PriorMammogram]:
    for image in earlier.record.images:
        try:
            yield PriorMammogram(read_mammogram(image.path, contract), read_header(image.path))
        except (UnsuitableImage, OSError) as error:
            _LOG.warning("an image of the prior is not shown: %s", type(error).__name__)


def _is_earlier(earlier: Dataset, headers: Sequence[Dataset]) -> bool:
    """Return whether an image is by its own header an earlier one of the same patient.

    The journal says so of the study as a whole; an image that says otherwise must not cost the result.
    """
    made = acquired_at(earlier)
    return all(
        patient_of(earlier) == patient_of(header)
        and may_be_one_person(earlier, header)
        and earlier.get("StudyInstanceUID") != header.StudyInstanceUID
        and (made is None or (moment := acquired_at(header)) is None or made <= moment)
        for header in headers
    )

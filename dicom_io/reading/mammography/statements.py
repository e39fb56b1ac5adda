"""What people must know of a mammogram that is read."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import text
from dicom_io.reading.mammography.facts import MammogramFacts, facts_of
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from models.package_tables import MammographyContract

__all__ = ["mammogram_statements"]

_SIDES = {"L": "left", "R": "right"}


def mammogram_statements(header: Dataset, contract: MammographyContract) -> tuple[str, ...]:
    """Return what the report says of one image that is read, a sentence without a full stop each.

    Sentences that are true of several images are the same words; whoever collects them says them once.

    Raises
    ------
    UnsuitableImage
        The image is none that is read.
    """
    plain = with_functional_groups(header)
    return tuple(_statements(plain, facts_of(plain), contract))


def _statements(header: Dataset, facts: MammogramFacts, contract: MammographyContract) -> Iterator[str]:
    view = facts.view.view
    image = f"The {_SIDES[facts.laterality]} {view} image"
    if view not in contract.validated_views:
        yield f"The {view} view is read, but the figures of the package are of other views"
    if facts.digitised:
        yield f"{image} is a digitised film"
    if facts.synthetic:
        yield f"{image} was synthesised from tomosynthesis; the tomosynthesis itself was not read"
    elif facts.said_synthetic:
        yield f"{image} may have been synthesised from tomosynthesis, by the name of its series"
    if "M" in facts.view.modifiers:
        yield f"{image} is magnified: sizes are estimates"
    if facts.partial:
        yield f"{image} shows only part of the breast"
    if facts.implant:
        displaced = "displaced for this view" if "ID" in facts.view.modifiers else "which may hide tissue"
        yield f"{image} is of a breast with an implant, {displaced}"
    if facts.burned_in:
        yield f"{image} has writing burned into it, which may be taken for tissue and is shown in key images"
    if text(header, "PatientSex") == "M":
        yield "The patient is a man by the header; the figures of the package are of women"

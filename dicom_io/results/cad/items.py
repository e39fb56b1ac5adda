"""Content items of a structured report as plain data sets (PS3.3 C.17.3, C.18).

The CAD objects refer to images by their place in the image library, which the classes of highdicom cannot
say; so items are made here. A value type takes the relationship to its parent first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydicom.dataset import Dataset

from dicom_io.results.vocabulary import ascii_text
from models.concepts import Concept

__all__ = [
    "GraphicType",
    "Relationship",
    "code",
    "code_item",
    "container",
    "date",
    "image",
    "number",
    "reference",
    "scoord",
    "text",
    "time",
    "uid",
]

Relationship = Literal[
    "CONTAINS",
    "HAS ACQ CONTEXT",
    "HAS CONCEPT MOD",
    "HAS OBS CONTEXT",
    "HAS PROPERTIES",
    "INFERRED FROM",
    "SELECTED FROM",
]
GraphicType = Literal["POINT", "POLYLINE"]
_DIGITS = 4


def code_item(concept: Concept) -> Dataset:
    """Return the item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = concept.code, concept.scheme
    item.CodeMeaning = concept.meaning
    return item


def container(
    relationship: Relationship | None, name: Concept, children: Iterable[Dataset], template: str = ""
) -> Dataset:
    """Return a CONTAINER; the root has no relationship, and names the template of PS3.16 that it follows."""
    item = _item(relationship, "CONTAINER", name, children)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        identification = Dataset()
        identification.MappingResource, identification.TemplateIdentifier = "DCMR", template
        item.ContentTemplateSequence = [identification]
    return item


def code(
    relationship: Relationship, name: Concept, value: Concept, children: Iterable[Dataset] = ()
) -> Dataset:
    """Return a CODE."""
    item = _item(relationship, "CODE", name, children)
    item.ConceptCodeSequence = [code_item(value)]
    return item


def text(relationship: Relationship, name: Concept, value: str) -> Dataset:
    """Return a TEXT; what no character set could hold is written in ASCII."""
    item = _item(relationship, "TEXT", name)
    item.TextValue = ascii_text(value)
    return item


def number(
    relationship: Relationship, name: Concept, value: float, unit: Concept, children: Iterable[Dataset] = ()
) -> Dataset:
    """Return a NUM, rounded to four decimals."""
    item = _item(relationship, "NUM", name, children)
    measured = Dataset()
    measured.NumericValue = f"{round(float(value), _DIGITS):.12g}"
    measured.MeasurementUnitsCodeSequence = [code_item(unit)]
    item.MeasuredValueSequence = [measured]
    return item


def uid(relationship: Relationship, name: Concept, value: str) -> Dataset:
    """Return a UIDREF."""
    item = _item(relationship, "UIDREF", name)
    item.UID = value
    return item


def date(relationship: Relationship, name: Concept, value: str) -> Dataset:
    """Return a DATE of the form YYYYMMDD."""
    item = _item(relationship, "DATE", name)
    item.Date = value
    return item


def time(relationship: Relationship, name: Concept, value: str) -> Dataset:
    """Return a TIME of the form HHMMSS.FFFFFF."""
    item = _item(relationship, "TIME", name)
    item.Time = value
    return item


def image(relationship: Relationship, header: Dataset, children: Iterable[Dataset] = ()) -> Dataset:
    """Return an IMAGE without a concept name, as TID 4020 has it."""
    item = _item(relationship, "IMAGE", None, children)
    reference_item = Dataset()
    reference_item.ReferencedSOPClassUID = str(header.SOPClassUID)
    reference_item.ReferencedSOPInstanceUID = str(header.SOPInstanceUID)
    item.ReferencedSOPSequence = [reference_item]
    return item


def scoord(
    relationship: Relationship,
    name: Concept,
    graphic_type: GraphicType,
    points: Sequence[tuple[float, float]],
    source: Dataset,
) -> Dataset:
    """Return an SCOORD.

    Parameters
    ----------
    relationship : str
        To its parent.
    name : Concept
        Concept name.
    graphic_type : {"POINT", "POLYLINE"}
        A polyline is closed where its last point is its first.
    points : sequence of (float, float)
        ``(column, row)``, edges of pixels: (0, 0) is the corner of the first one (PS3.3 C.18.6).
    source : Dataset
        The content item of the image, as :func:`reference` returns it.
    """
    item = _item(relationship, "SCOORD", name, [source])
    item.GraphicType = graphic_type
    item.GraphicData = [value for point in points for value in point]
    return item


def reference(relationship: Relationship, place: Sequence[int]) -> Dataset:
    """Refer to the content item at ``place``, which counts from 1 for the root (PS3.3 C.17.3.2.5)."""
    item = Dataset()
    item.RelationshipType = relationship
    item.ReferencedContentItemIdentifier = list(place)
    return item


def _item(
    relationship: Relationship | None,
    value_type: str,
    name: Concept | None,
    children: Iterable[Dataset] = (),
) -> Dataset:
    item = Dataset()
    if relationship is not None:
        item.RelationshipType = relationship
    item.ValueType = value_type
    if name is not None:
        item.ConceptNameCodeSequence = [code_item(name)]
    below = list(children)
    if below:
        item.ContentSequence = below
    return item

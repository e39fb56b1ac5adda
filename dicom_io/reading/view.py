"""Projection and body part of a radiograph, from any of the attributes that may carry them."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, text, texts
from models.film import View

__all__ = ["body_parts_of", "other_view_of", "view_of"]

# PS3.3 C.8.7.1.1 and C.8.11.5.1.1 (View Position), and what devices write beside the defined terms.
_BY_POSITION: dict[str, View] = {
    "PA": "PA",
    "AP": "AP",
    "LL": "LATERAL",
    "RL": "LATERAL",
    "LAT": "LATERAL",
    "LATERAL": "LATERAL",
    "LLAT": "LATERAL",
    "RLAT": "LATERAL",
    "ML": "LATERAL",
    "LM": "LATERAL",
}
_OTHER_POSITIONS = {
    "LLD": "decubitus",
    "RLD": "decubitus",
    "LLO": "oblique",
    "RLO": "oblique",
    "LAO": "oblique",
    "RAO": "oblique",
    "LPO": "oblique",
    "RPO": "oblique",
}
# PS3.16 CID 4010 DX View: SNOMED CT, and SNOMED-RT as older devices write it.
_BY_CODE: dict[str, View] = {
    "272479007": "PA",  # postero-anterior
    "R-40888": "PA",
    "R-10214": "PA",
    "399348003": "AP",  # antero-posterior
    "R-10206": "AP",
    "399067008": "LATERAL",  # lateral
    "R-102CD": "LATERAL",
    "399173006": "LATERAL",  # left lateral
    "R-10236": "LATERAL",
    "399198007": "LATERAL",  # right lateral
    "R-10232": "LATERAL",
    "399352003": "LATERAL",  # lateral-medial
    "R-10228": "LATERAL",
    "399260004": "LATERAL",  # medial-lateral
    "R-10224": "LATERAL",
}
_OTHER_CODES = {
    "399038007": "oblique",  # right posterior
    "R-10210": "oblique",
    "399006002": "oblique",  # left posterior
    "399135007": "oblique",  # left anterior
    "399356000": "oblique",  # right anterior
    "399059000": "oblique",  # postero-anterior
    "399312000": "oblique",  # antero-posterior
    "399182000": "oblique",
    "399184004": "oblique",  # left
    "399236003": "oblique",  # right
    "399061009": "axial",
}
# SNOMED CT and SNOMED-RT codes of CID 4009 whose meanings vendors translate or shorten.
_PART_BY_CODE = {
    "51185008": "CHEST",
    "T-D3000": "CHEST",
    "816094009": "CHEST",
    "43799004": "CHEST",
    "39607008": "LUNG",
    "T-28000": "LUNG",
    "113197003": "RIB",
    "T-11300": "RIB",
    "76752008": "BREAST",
    "T-04000": "BREAST",
    "63762007": "BREAST",  # both
    "T-04080": "BREAST",
    "73056007": "BREAST",  # right
    "T-04020": "BREAST",
    "80248007": "BREAST",  # left
    "T-04030": "BREAST",
}


def view_of(header: Dataset) -> View:
    """Return the projection: View Position, else View Code Sequence, else what Patient Orientation implies.

    Patient Orientation alone tells a lateral film (rows run from anterior to posterior) but not PA from
    AP, as both are shown alike.
    """
    position = text(header, "ViewPosition")
    if position in _BY_POSITION:
        return _BY_POSITION[position]
    for code in items(header, "ViewCodeSequence"):
        view = _BY_CODE.get(text(code, "CodeValue"))
        if view is not None:
            return view
    orientation = texts(header, "PatientOrientation")
    if len(orientation) == 2 and orientation[0][:1] in ("A", "P") and orientation[1][:1] in ("F", "H"):
        return "LATERAL"
    return "UNKNOWN"


def other_view_of(header: Dataset) -> str:
    """Return the kind of a view that is stated and is none of PA, AP and lateral; ``""`` otherwise."""
    position = text(header, "ViewPosition")
    if position in _BY_POSITION:
        return ""
    if position in _OTHER_POSITIONS:
        return _OTHER_POSITIONS[position]
    kinds = (_OTHER_CODES.get(text(code, "CodeValue"), "") for code in items(header, "ViewCodeSequence"))
    return next(filter(None, kinds), "")


def body_parts_of(header: Dataset) -> tuple[str, ...]:
    """Return every word, in upper case, by which the header names the body part; empty where it does not."""
    return tuple(dict.fromkeys(_named_parts(header)))


def _named_parts(header: Dataset) -> Iterator[str]:
    if stated := text(header, "BodyPartExamined"):
        yield stated
    for region in items(header, "AnatomicRegionSequence"):
        code = text(region, "CodeValue")
        if part := _PART_BY_CODE.get(code) or text(region, "CodeMeaning") or code:
            yield part

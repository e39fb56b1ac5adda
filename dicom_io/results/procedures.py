"""Which imaging procedures a report is about."""

from __future__ import annotations

from collections.abc import Iterable

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, text, uid
from dicom_io.results.vocabulary import concept

__all__ = ["MAMMOGRAPHY", "procedures_of"]

_CHEST_RADIOGRAPHY = concept("399208008", "SCT", "Plain chest X-ray")
_RADIOGRAPHY = concept("168537006", "SCT", "Plain radiography")
MAMMOGRAPHY = concept("71651007", "SCT", "Mammography")
_BY_MODALITY = {
    "MR": concept("113091000", "SCT", "Magnetic resonance imaging"),
    "CT": concept("77477000", "SCT", "Computed tomography"),
    "MG": MAMMOGRAPHY,
}


def procedures_of(headers: Iterable[Dataset], known: CodedConcept | None = None) -> list[CodedConcept]:
    """Return the imaging procedures as the sources code them, else ``known``, else what their tags say."""
    stated: dict[tuple[str, str], CodedConcept] = {}
    chest, modality = False, ""
    for header in headers:
        chest = chest or text(header, "BodyPartExamined") == "CHEST"
        modality = modality or text(header, "Modality")
        for item in items(header, "ProcedureCodeSequence"):
            value, scheme = uid(item, "CodeValue"), uid(item, "CodingSchemeDesignator")
            meaning = uid(item, "CodeMeaning")
            if value and scheme and meaning:
                stated[(value, scheme)] = CodedConcept(
                    value=value,
                    scheme_designator=scheme,
                    meaning=meaning[:64],
                    scheme_version=uid(item, "CodingSchemeVersion") or None,
                )
    if stated:
        return list(stated.values())
    if known is not None:
        return [known]
    return [_BY_MODALITY.get(modality, _CHEST_RADIOGRAPHY if chest else _RADIOGRAPHY)]

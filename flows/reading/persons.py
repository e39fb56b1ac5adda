"""Whether images may be of one person, by what their headers state beyond doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import patient_of

__all__ = ["may_be_one_person", "of_one_patient", "with_one_issuer"]

_ISSUER = 0x00100021
_DATE_DIGITS = 8
_SEXES = frozenset({"F", "M", "O"})


def may_be_one_person(first: Dataset, second: Dataset) -> bool:
    """Return whether neither birth date nor sex, where both headers state them, tell two people apart.

    Names are not compared: they are written in many ways.
    """
    return all(
        not one or not other or one == other
        for one, other in ((_born(first), _born(second)), (_sex(first), _sex(second)))
    )


def of_one_patient(headers: Iterable[Dataset]) -> bool:
    """Return whether the images of one study may all be of one patient.

    Patient ID is the same, and so are issuer, birth date and sex wherever they are stated: within one study
    an issuer that only some images state is that of the others too.
    """
    known = list(headers)
    identifiers = {patient_of(header)[0] for header in known}
    facts = (
        {patient_of(header)[1] for header in known},
        {_born(header) for header in known},
        {_sex(header) for header in known},
    )
    return len(identifiers) <= 1 and all(len(values - {""}) <= 1 for values in facts)


def with_one_issuer(headers: Sequence[Dataset]) -> list[Dataset]:
    """Return headers of one patient with the issuer of those that state it in all of them."""
    donor = next((header for header in headers if patient_of(header)[1]), None)
    if donor is not None:
        for header in headers:
            if not patient_of(header)[1] and patient_of(header)[0] == patient_of(donor)[0]:
                header[_ISSUER] = donor.get_item(_ISSUER)
    return list(headers)


def _born(header: Dataset) -> str:
    digits = "".join(one for one in _undecoded(header, "PatientBirthDate") if one.isdigit())
    return digits if len(digits) == _DATE_DIGITS else ""


def _sex(header: Dataset) -> str:
    word = _undecoded(header, "PatientSex").upper()
    return word if word in _SEXES else ""


def _undecoded(header: Dataset, keyword: str) -> str:
    # As patient_of does: an element that is decoded is not copied as it was read.
    item = header.get_item(keyword) if keyword in header else None
    value = None if item is None else item.value
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")

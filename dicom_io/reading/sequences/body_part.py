"""Whether a series is of the head: by the body part, the names of the series and of the examination."""

from __future__ import annotations

from typing import Final

from dicom_io.reading.sequences.facts import SeriesFacts
from dicom_io.reading.sequences.words import named, tokens_of

__all__ = ["is_of_another_part", "names_head"]

_HEAD: Final = tuple(
    "HEAD BRAIN SKULL CRAN INTRACRAN NEURO CEREB KOPF HIRN GEHIRN SCHADEL SCHAEDEL TETE CERVEAU CERVELLO "
    "WHOLEBODY PITUIT HYPOPH HIPPOCAMP ORBIT IAC FACE TESTA CABEZA ENCEPH ENCEF SELLA CNS".split()
)
# Whole departments and trees of protocols are called so: "NEURO^SPINE" is a spine, "facet" no face.
_OF_A_DEPARTMENT: Final = frozenset(("NEURO", "CNS"))
_NO_FACE: Final = "FACET"
_OTHER_PARTS: Final = frozenset(
    "SPINE CSPINE TSPINE LSPINE SPINAL LUMBAR LUMBOSACRAL THORACIC CERVICAL SACRUM KNEE KNEES SHOULDER HIP "
    "HIPS ANKLE WRIST ELBOW FOOT HAND FEMUR THIGH TIBIA CALF FOREARM PELVIS PROSTATE UTERUS RECTUM ABDOMEN "
    "LIVER PANCREAS KIDNEY BREAST HEART CARDIAC CHEST THORAX NECK MRCP "
    "HWS LWS BWS WIRBELSAULE WIRBELSAEULE KNIE SCHULTER HUFTE HUEFTE SPRUNGGELENK HANDGELENK ELLENBOGEN "
    "FUSS BECKEN MAMMA HERZ LEBER "
    "RACHIS LOMBAIRE GENOU EPAULE HANCHE CHEVILLE POIGNET COUDE BASSIN FOIE SEIN "
    "COLUMNA RODILLA HOMBRO CADERA TOBILLO HIGADO COLONNA GINOCCHIO SPALLA CAVIGLIA FEGATO".split()
)
# No hand is imaged by FLAIR: "FLAIR HAND" is an injection by hand, as "HAND INJ" is anywhere.
_NOT_BY_FLAIR: Final = frozenset(("HAND",))


def names_head(facts: SeriesFacts) -> bool:
    """Return whether the body part, the series, its protocol or the examination is named after the head."""
    return _is_head(facts.body_part) or any(map(_has_head, (_series(facts), *_around(facts))))


def is_of_another_part(facts: SeriesFacts) -> str:
    """Return why a series is of another body part than the head, empty where nothing says so.

    Body Part Examined leads where it names the head; then the name of the series; what the protocol and the
    examination are called counts where neither names the head or another part, and none of it names the head.
    Free text is not quoted.
    """
    if _is_head(facts.body_part):
        return ""
    tokens = _series(facts)
    others = _OTHER_PARTS & frozenset(tokens)
    if named(tokens).base == "FLAIR":
        others -= _NOT_BY_FLAIR
    if others and not _has_head(tokens):
        return "the series is named after another body part than the head"
    compact = "".join(character for character in facts.body_part if character.isalnum())
    if part := next((word for word in sorted(_OTHER_PARTS) if compact.startswith(word)), ""):
        return f"Body Part Examined is {part}, not the head"
    around = _around(facts)
    if not names_head(facts) and any(_OTHER_PARTS.intersection(one) for one in around):
        return "the protocol or the examination is named after another body part than the head"
    return ""


def _series(facts: SeriesFacts) -> tuple[str, ...]:
    return tokens_of(facts.description) or tokens_of(facts.protocol)


def _around(facts: SeriesFacts) -> list[tuple[str, ...]]:
    return [tokens_of(one) for one in (facts.protocol, *facts.examination)]


def _is_head(part: str) -> bool:
    return any(word in part for word in _HEAD) and _NO_FACE not in part


def _has_head(tokens: tuple[str, ...]) -> bool:
    heads = {one for one in tokens if one.startswith(_HEAD) and not one.startswith(_NO_FACE)}
    return bool(heads - _OF_A_DEPARTMENT if _OTHER_PARTS.intersection(tokens) else heads)

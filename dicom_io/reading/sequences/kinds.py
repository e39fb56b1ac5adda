"""Series that are no anatomical image of a head in one of the sequences, and why: they are set aside."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

from dicom_io.reading.attributes import shown
from dicom_io.reading.sequences.body_part import is_of_another_part
from dicom_io.reading.sequences.facts import Places, SeriesFacts
from dicom_io.reading.sequences.physics import allowed_by
from dicom_io.reading.sequences.words import named

__all__ = ["KINDS", "SET_ASIDE_CODES", "SetAside", "kind_of"]


@dataclass(frozen=True, slots=True)
class SetAside:
    """Why a series is not read: a code, and the reason in words."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Kind:
    code: str
    reason: str
    words: frozenset[str]
    types: frozenset[str] = frozenset()
    pulses: str = ""
    weak: frozenset[str] = frozenset()
    refuted: frozenset[str] = frozenset()


def _kind(
    code: str,
    reason: str,
    words: str,
    types: str = "",
    pulses: str = "",
    *,
    weak: str = "",
    refuted: str = "",
) -> _Kind:
    """Return a kind; its ``weak`` words do not count beside the name of a sequence ("FLAIR ASSET").

    Its ``refuted`` words do not count beside a name with which the times agree ("T2 FLAIR RESOLVE OFF").
    """
    return _Kind(
        code,
        reason,
        frozenset(words.split()),
        frozenset(types.split("|")) - {""},
        pulses,
        frozenset(weak.split()),
        frozenset(refuted.split()),
    )


KINDS: Final = (
    _kind(
        "localiser",
        "it is a localiser",
        "LOC LOCALIZER LOCALISER LOCALIZERS LOKALIZER SCOUT SCOUTS AASCOUT AAHEADSCOUT AAHSCOUT SURVEY "
        "PLANSCAN SMARTBRAIN TOPOGRAM THREEPLANE LOCATOR REPERAGE",
        "LOCALIZER",
    ),
    _kind(
        "calibration",
        "it is a calibration of the scanner",
        "CALIB CALIBRATION COILSENS SENSREF REFSCAN FIELDMAP GREFIELDMAP B1MAP B0MAP",
        weak="CAL ASSET SHIM SHIMMING PRESCAN BODYCOIL",
    ),
    _kind(
        "spectroscopy",
        "it is a spectroscopy, or places one",
        "MRS SVS CSI SPECTRO SPECTROSCOPY SPECTRUM METABOLITE",
        "SPECTROSCOPY|SPECTRO",
        r"^\*?(CSI|SVS)",
        refuted="PRESS STEAM",
    ),
    _kind(
        "diffusion",
        "it is diffusion-weighted or a map of diffusion",
        "DWI DTI DIFFUSION ADC EADC DADC TRACE TRACEW FA COLFA TENSOR DKI NODDI IVIM HARDI MSH "
        "DWIBS EDWI DSI TRACT TRACTOGRAPHY DW",
        "DIFFUSION|ADC|TRACEW|FA|TENSOR|EADC|DIFFUSION_ANISO|ISOTROPIC|CALC_BVALUE",
        r"EP_B|DWI|DWSE|EP_CALC",
        refuted="DIFF RESOLVE",
    ),
    _kind(
        "perfusion",
        "it is a perfusion, functional or dynamic series, or a map of one",
        "PERF PERFUSION DSC DCE ASL PASL CASL PCASL PWI CBF CBV RCBV RCBF MTT TTP TMAX KTRANS KEP BOLD FMRI "
        "RESTING RSFMRI DYNAMIC GBP PBP RELCBV RELCBF RELMTT LEAKAGE TWIST GRASP CEST APT APTW",
        "PERFUSION|ASL|CBF|CBV|MTT|TTP|RCBV|RCBF|FMRI|CEREBRAL_BLOOD_FLOW|TIME_COURSE",
        r"PCASL|PASL|TGSE",
        refuted="DYN DYNA",
    ),
    _kind(
        "susceptibility",
        "it is weighted by susceptibility (T2*)",
        "SWI SWAN SWIP VENBOLD SWIPHASE T2STAR HEMO HAEMO HEME QSM FSBB BSI MAGSWI",
        "SWI|MNIP|SUSCEPTIBILITY|T2_STAR|MINIMUM",
        r"SWI|^\*?ME2D",
        refuted="MEDIC MERGE",
    ),
    _kind(
        "angiography",
        "it is an angiography or a flow image",
        "TOF MRA MRV ANGIO ANGIOGRAPHY ANGIOGRAM VENOGRAM VENOGRAPHY VENO INHANCE TRICKS PCA QFLOW VENC "
        "WILLIS COW CAROTID CAROTIDS CEMRA TRANCE",
        "ANGIO|TOF|FLOW_ENCODED|VELOCITY|PCA",
        r"TOF|^\*?PC[23]|^\*?FL3D\w*_T(?:[MA]|\d+)?\b|^\*?FI[23]D",
    ),
    _kind(
        "projection",
        "it is a projection of a volume",
        "MIP MINIP MIPS PROJECTION VRT",
        "MIP|MAX_IP|MIN_IP|MINIP|PROJECTION IMAGE|PROJECTION|VOLUME RENDER|VRT|MAXIMUM|STACKED",
    ),
    _kind(
        "subtraction",
        "it is a subtraction",
        "SUB SUBS SUBTRACT SUBTRACTION SUBTRACTED DIFFERENCE",
        "SUBTRACT|SUBTRACTION|SUB|RELATIVE_SUBTRACT",
    ),
    _kind(
        "map",
        "it is a computed map, no image of the scanner",
        "T1MAP T2MAP MAPIT R2STAR T1RHO MYELIN MTR MAGIC SYMRI SYNTHETIC SYNTH STDDEV "
        "SEGMENTATION OVERLAY FUSED",
        "T1 MAP|T2 MAP|T2_MAP|T1_MAP|R2_MAP|R2_STAR_MAP|B0|B1|MAP|STD_DEVIATION|FUSED|SYNTHETIC",
        refuted="MAP MAPS R1 R2 FUSION",
    ),
    _kind(
        "fat-image",
        "it is the fat or the opposed-phase image of a Dixon pair",
        "FATONLY OPPOSED OPP OUTPHASE",
        "FAT|F|OP|OUT_PHASE|OPP_PHASE|FAT_FRACTION",
    ),
    _kind(
        "inversion-image",
        "it is a single inversion image, or one with a second inversion",
        "INV1 INV2 DIR FGATIR WMN GMN",
        "INV1|INV2",
    ),
    _kind(
        "steady-state",
        "it is a steady-state series, no T1, T2 or FLAIR",
        "CISS FIESTA FIESTAC TRUFI TRUEFISP BTFE BFFE BALANCED PSIF DESS",
        "",
        r"^\*?(TFI|CI3D|FIESTA)",
    ),
    _kind("fat-nulled", "it is a STIR: fat is nulled, no T1, T2 or FLAIR", "STIR", "STIR"),
)

SET_ASIDE_CODES: Final[frozenset[str]] = frozenset(kind.code for kind in KINDS) | {
    "echo-planar",
    "few-slices",
    "own-result",
    "phase-image",
    "proton-density",
    "screenshot",
    "several-echoes",
    "wrong-body-part",
    "wrong-modality",
    "wrong-sop-class",
}
"""Codes of what is another kind of series than an anatomical image of a head in one sequence.

A series with any other code should have been read and cannot be: those of `planes_of`, "no-position" and
its like.
"""

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_MR_IMAGES = frozenset(f"1.2.840.10008.5.1.4.1.1.4{end}" for end in ("", ".1", ".4"))
_MR_SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.4.2"
_SCREENS = frozenset(("SCREEN SAVE", "SCREENSHOT", "SCREENSAVE", "VXTL STATE", "PASTED", "CSA REPORT"))
_SEQUENCES = ("T1", "T2", "FLAIR")
_MAPS = frozenset(("MAP", "MAPS"))
_FEWEST_SLICES = 3
# Beside a full stack, this many or this share of the images may be strays of another orientation.
_FULL_STACK = 12
_STRAYS = 3
_STRAY_SHARE = 0.1
_B_VALUE = re.compile(r"B ?\d{1,4}")
# Beside the name of a sequence these are more often fields ("FLAIR B1 corr") than diffusion.
_WEAK_B_VALUE = re.compile(r"B ?\d")
_PHASES = frozenset(("P", "PHASE", "PHASE MAP", "I", "IMAGINARY", "R", "REAL"))
_DIXON_ENDS = frozenset(("F", "FAT", "OPP", "OP", "OUT"))


def kind_of(facts: SeriesFacts, tokens: tuple[str, ...]) -> SetAside | None:
    """Return why a series is set aside, None where it may be one of the sequences.

    ``tokens`` are those of the series description, or of the protocol where there is none.
    """
    for check in (_object, _pixels, _body_part, _by_words, _by_technique):
        found = check(facts, tokens)
        if found is not None:
            return found
    if facts.unreadable is not None:
        return SetAside(*facts.unreadable)
    positions = 0 if facts.places is None else facts.places.positions
    if positions < _FEWEST_SLICES:
        return SetAside("few-slices", f"it has {positions} slices, at least {_FEWEST_SLICES} make a volume")
    return None


def _is_stack(places: Places) -> bool:
    """Return whether all but a few images of a series are one full stack: no localiser, nor a volume yet."""
    most = max(_STRAYS, _STRAY_SHARE * places.aligned)
    return places.positions >= _FULL_STACK and places.images - places.aligned <= most


def _object(facts: SeriesFacts, _: tuple[str, ...]) -> SetAside | None:
    if facts.sop_class_uid.startswith(_SECONDARY_CAPTURE):
        return SetAside(
            "screenshot", "it is a secondary capture: a screenshot or a report, no image of a scanner"
        )
    if facts.sop_class_uid == _MR_SPECTROSCOPY:
        return SetAside("spectroscopy", "it is a spectroscopy, or places one")
    if facts.modality != "MR":
        return SetAside("wrong-modality", f"Modality is {shown(facts.modality)}, not MR")
    if facts.sop_class_uid not in _MR_IMAGES:
        return SetAside("wrong-sop-class", "it is no MR image")
    return None


def _pixels(facts: SeriesFacts, _: tuple[str, ...]) -> SetAside | None:
    if facts.samples > 1 or any(not name.startswith("MONOCHROME") for name in facts.photometric if name):
        return SetAside("screenshot", "it is in colour: a screenshot or a map")
    if facts.image_type & _SCREENS:
        return SetAside("screenshot", "Image Type says that it is a screenshot")
    if facts.secondary and facts.unreadable is not None:
        return SetAside("screenshot", "Image Type says SECONDARY, and nothing says where its images lie")
    return None


def _body_part(facts: SeriesFacts, _: tuple[str, ...]) -> SetAside | None:
    reason = is_of_another_part(facts)
    return SetAside("wrong-body-part", reason) if reason else None


def _by_words(facts: SeriesFacts, tokens: tuple[str, ...]) -> SetAside | None:  # noqa: PLR0911 - one for each rule
    found = frozenset(tokens)
    base = named(tokens).base
    weighted = base in ("T1", "FLAIR")
    agrees = base in _SEQUENCES and base in allowed_by(facts).bases
    # A derived or echo-planar series may be what the word says, whatever times it states.
    agrees = agrees and not (facts.derived or "EP" in facts.techniques or _names_map(tokens))
    for kind in KINDS:
        if facts.image_type & kind.types or facts.acquisition_contrasts & kind.types:
            return SetAside(kind.code, kind.reason)
        if kind.pulses and any(re.search(kind.pulses, name) for name in facts.pulse_names):
            return SetAside(kind.code, kind.reason)
        words = kind.words if base in _SEQUENCES else kind.words | kind.weak
        if not agrees or (kind.code == "perfusion" and _is_repeated(facts)):
            words |= kind.refuted
        # "T1 STIR" does not exist, "T1 FLAIR STIR plane" and the like do: the weighting named leads.
        if found & words and not (kind.code == "fat-nulled" and weighted):
            return SetAside(kind.code, kind.reason)
    pairs = (f"B {after}" for token, after in zip(tokens, tokens[1:], strict=False) if token == "B")  # noqa: S105
    values = [one for one in (*tokens, *pairs) if _B_VALUE.fullmatch(one)]
    if any(base not in _SEQUENCES or not _WEAK_B_VALUE.fullmatch(one) for one in values):
        return SetAside("diffusion", "it is diffusion-weighted or a map of diffusion")
    if "DIXON" in found and tokens and tokens[-1] in _DIXON_ENDS:
        return SetAside("fat-image", "it is the fat or the opposed-phase image of a Dixon pair")
    if "MP2RAGE" in found and "UNI" in found and "DEN" not in found:
        return SetAside("inversion-image", "it is a quotient of inversion images with noise for background")
    if facts.angiography and not weighted:
        return SetAside("angiography", "Angio Flag says that it is an angiography")
    return None


def _names_map(tokens: tuple[str, ...]) -> bool:
    """Return whether tokens name a map after its weighting: "T1 map", not "FLAIR 2D map"."""
    beside = [pair[::step] for pair in itertools.pairwise(tokens) for step in (1, -1)]
    return any(
        word in _MAPS and (other in ("R1", "R2") or named((other,)).base in ("T1", "T2"))
        for word, other in beside
    )


def _is_repeated(facts: SeriesFacts) -> bool:
    return facts.places is not None and facts.places.images > facts.places.positions


def _by_technique(facts: SeriesFacts, tokens: tuple[str, ...]) -> SetAside | None:  # noqa: PLR0911 - one for each rule
    places = facts.places
    if places is not None and places.orientations > 1 and not _is_stack(places):
        return SetAside(
            "localiser", f"it holds slices of {places.orientations} orientations, like a localiser"
        )
    # Some scanners state a b-value of 0 on every image: only a positive one says diffusion.
    if any(value > 0 for value in facts.b_values):
        return SetAside("diffusion", "it states diffusion b-values")
    if "EP" in facts.techniques and "GRASE" not in tokens:
        return SetAside(
            "echo-planar", "it is echo-planar: diffusion, perfusion or functional, no anatomical image"
        )
    if facts.components & {"PHASE", "IMAGINARY", "REAL", "MIXED"}:
        return SetAside("phase-image", "its values are a phase or one part of complex numbers, no magnitude")
    if facts.image_type & _PHASES and not facts.image_type & {"M", "MAGNITUDE"} and not facts.inverted:
        return SetAside("phase-image", "its values are a phase or one part of complex numbers, no magnitude")
    if len(facts.echoes_ms) > 1:
        return SetAside(
            "several-echoes", f"it holds images of {len(facts.echoes_ms)} echo times: no single volume"
        )
    return None

"""The template tables of PS3.16 for CAD reports of chest and breast, as data.

Written from PS3.16 2026a and not from the encoder. A row has its number in the table, its nesting level
below the rows of the same template (">" is 1), its relationship, value type, concept name, value
multiplicity, requirement type, and what its value must be. Rows that only other images (volumes) or other
findings (calcifications, nipples) can have, and that are optional or conditional on them, are left out:
then an item that would be one of them is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_io.reading.spacing import spacing_of

__all__ = ["ROOTS", "TEMPLATES", "Place", "Row"]

MANY = 10_000


@dataclass(frozen=True)
class Place:
    """Where a row is applied: the parent, the report, its images, the context groups passed down."""

    parent: Dataset
    root: Dataset
    headers: dict[str, Dataset]
    parameters: dict[str, int]

    @property
    def value(self) -> str:
        """Code of the parent's value."""
        return str(self.parent.ConceptCodeSequence[0].CodeValue)

    @property
    def image(self) -> Dataset:
        """Header of the image that the parent is."""
        return self.headers[str(self.parent.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)]

    def count(self, code: str) -> int:
        """How many children of a concept name the parent has."""
        return sum(
            str(child.ConceptNameCodeSequence[0].CodeValue) == code
            for child in self.parent.get("ContentSequence") or ()
            if child.get("ConceptNameCodeSequence")
        )

    def has(self, *codes: str) -> bool:
        """Whether the parent has a child of one of these concept names."""
        return any(self.count(code) for code in codes)


Condition = Callable[[Place], bool]


@dataclass(frozen=True)
class Row:
    """One row of a template."""

    number: str
    level: int
    relation: str
    kind: str  # value type, or INCLUDE
    name: tuple[str, str] | int | None = None  # concept name, or context group of concept names
    most: int = 1
    requirement: str = "M"
    when: Condition | None = None  # of MC and UC
    may: bool = False  # of MC: may be there otherwise too
    values: int | tuple[str, ...] | None = None  # context group, or codes
    units: tuple[str, ...] = ()
    graphics: tuple[str, ...] = ()
    by_reference: bool = False
    template: str = ""
    parameters: tuple[tuple[str, int], ...] = ()


def dcm(code: str) -> tuple[str, str]:
    return code, "DCM"


def never(place: Place) -> bool:
    return False


def value_is(*codes: str) -> Condition:
    return lambda place: place.value in codes


def value_is_not(*codes: str) -> Condition:
    return lambda place: place.value not in codes


def source_has(keyword: str) -> Condition:
    return lambda place: bool(place.image.get(keyword))


def states_orientation(place: Place) -> bool:
    return len(place.image.get("PatientOrientation") or ()) == 2


def states_spacing(place: Place) -> bool:
    return spacing_of(place.image)[0] is not None


def states_side(place: Place) -> bool:
    return place.image.get("ImageLaterality") in {"L", "R", "B"}


def two_of(*codes: str) -> Condition:
    """At least two items of these names, however they are spread over them."""
    return lambda place: sum(place.count(code) for code in codes) < 2


IMAGE_QUALITY, SELECTED_REGION, NON_LESION = "111101", "111099", "111102"
BREAST_COMPOSITION, BREAST_GEOMETRY, NIPPLE = "129715009", "111100", "24142002"
DENSITY, NOT_ATTEMPTED = "129793001", "111225"


def _num(row: str, code: str, unit: str, keyword: str) -> Row:
    return Row(row, 1, "HAS ACQ CONTEXT", "NUM", dcm(code), requirement="UC", when=source_has(keyword),
               units=(unit,))  # fmt: skip


def _moment(row: str, kind: str, code: str, keyword: str) -> Row:
    return Row(row, 1, "HAS ACQ CONTEXT", kind, dcm(code), requirement="MC", when=source_has(keyword))


def _document_root(
    root: str, summary: str, *, images: tuple[int, int, int], detections: int, analyses: int
) -> tuple[Row, ...]:
    side = tuple(zip(("laterality", "view", "modifiers"), images, strict=True))
    return (
        Row("1", 0, "", "CONTAINER", dcm(root)),
        Row("2", 1, "HAS CONCEPT MOD", "INCLUDE", template="1204"),
        Row("3", 1, "CONTAINS", "CONTAINER", dcm("111028"), requirement="M" if root == "111036" else "U"),
        Row("4", 2, "CONTAINS", "INCLUDE", template="4020", most=MANY, parameters=side),
        Row("5", 1, "CONTAINS", "INCLUDE", template=summary),
        Row("6", 1, "CONTAINS", "CODE", dcm("111064"), values=6042),
        Row("7", 2, "INFERRED FROM", "INCLUDE", template="4015", requirement="MC",
            when=value_is_not(NOT_ATTEMPTED), parameters=(("performed", detections),)),
        Row("8", 1, "CONTAINS", "CODE", dcm("111065"), values=6042),
        Row("9", 2, "INFERRED FROM", "INCLUDE", template="4016", requirement="MC",
            when=value_is_not(NOT_ATTEMPTED), parameters=(("performed", analyses),)),
    )  # fmt: skip


def _runs(successful: str, failed: str, one: str) -> tuple[Row, ...]:
    return (
        Row("1", 0, "", "CONTAINER", dcm(successful), requirement="MC", when=value_is("111222", "111223")),
        Row("2", 1, "CONTAINS", "INCLUDE", template=one, most=MANY),
        Row("3", 0, "", "CONTAINER", dcm(failed), requirement="MC", when=value_is("111224", "111223")),
        Row("4", 1, "CONTAINS", "INCLUDE", template=one, most=MANY),
    )


def _run(name: str) -> tuple[Row, ...]:
    return (
        Row("1", 0, "", "CODE", dcm(name), values=-1),  # $DetectionCode, $AnalysisCode
        Row("2", 1, "HAS PROPERTIES", "INCLUDE", template="4019"),
        # the image library is there, so row 4 and none of rows 3 (by value) and 5 (series)
        Row("4", 1, "HAS PROPERTIES", "IMAGE", by_reference=True, most=MANY),
    )


def _geometry(outline: str, requirement: str) -> tuple[Row, ...]:
    """Return TID 4021 or TID 4107; with an image library, images are referred to and not repeated."""
    chest = requirement == "MC"  # at least one of centre and outline
    return (
        Row("1", 0, "", "SCOORD", dcm("111010"), requirement="MC" if chest else "M", graphics=("POINT",),
            when=(lambda place: not place.has("111041")) if chest else None, may=True),
        Row("3" if chest else "2", 1, "SELECTED FROM", "IMAGE", by_reference=True),
        Row(outline, 0, "", "SCOORD", dcm("111041"), requirement="MC" if chest else "U",
            when=(lambda place: not place.has("111010")) if chest else None, may=True,
            graphics=("POLYLINE", "CIRCLE", "ELLIPSE")),
        Row("6" if chest else "4", 1, "SELECTED FROM", "IMAGE", by_reference=True),
    )  # fmt: skip


def _percent(row: str, level: int, relation: str, code: str, **more: object) -> Row:
    return Row(row, level, relation, "NUM", dcm(code), units=("%",), **more)  # type: ignore[arg-type]


TEMPLATES: dict[str, tuple[Row, ...]] = {
    "1204": (
        Row("1", 0, "", "CODE", dcm("121049"), values=("en",)),
        Row("2", 1, "HAS CONCEPT MOD", "CODE", dcm("121046"), requirement="U"),
    ),
    "1400": (
        Row("1", 0, "", "NUM", 7470, most=MANY, units=("mm", "cm", "um")),
        Row("2", 1, "INFERRED FROM", "SCOORD", dcm("121055"), requirement="UC", when=lambda place: True,
            graphics=("POLYLINE", "CIRCLE", "ELLIPSE")),
        Row("3", 2, "SELECTED FROM", "IMAGE", by_reference=True),
    ),
    "4000": _document_root("111036", "4001", images=(6022, 4014, 4015), detections=6014, analyses=6043),
    "4001": (
        Row("1", 0, "", "CODE", dcm("111017"), values=6047),
        Row("2", 1, "HAS PROPERTIES", "INCLUDE", template="4002", requirement="U"),
        Row("3", 1, "INFERRED FROM", "INCLUDE", template="4003", most=MANY, requirement="MC",
            when=value_is("111242", "111244")),
    ),
    "4002": (
        # at least one of rows 1, 3, 5, 6, 8, 9; of them only the description is written
        Row("5", 0, "", "TEXT", dcm("111033"), requirement="MC", when=lambda place: True),
        _percent("10", 0, "", "111013", requirement="UC", when=lambda place: place.has("111033")),
        Row("11", 0, "", "INCLUDE", template="4019", most=MANY),
    ),
    "4003": (
        Row("1", 0, "", "CONTAINER", dcm("111034")),
        Row("2", 1, "HAS CONCEPT MOD", "CODE", dcm("111056"), values=6034),
        Row("3", 1, "HAS PROPERTIES", "INCLUDE", template="4002", requirement="U"),
        Row("4", 1, "CONTAINS", "INCLUDE", template="4004", most=MANY, requirement="MC",
            when=lambda place: not place.has("111059"), may=True),
        Row("5", 1, "CONTAINS", "INCLUDE", template="4006", most=MANY, requirement="MC",
            when=lambda place: not place.has("111015"), may=True),
    ),
    "4004": (
        Row("1", 0, "", "CODE", dcm("111015"), values=6016),
        Row("2", 1, "HAS CONCEPT MOD", "CODE", dcm("111056"), values=6034),
        Row("3", 1, "HAS OBS CONTEXT", "INCLUDE", template="4108", requirement="U"),
        Row("4", 1, "HAS PROPERTIES", "INCLUDE", template="4005"),
        Row("5", 1, "INFERRED FROM", "INCLUDE", template="4004", most=MANY, requirement="MC",
            when=two_of("111015", "111059"), may=True),
        Row("6", 1, "INFERRED FROM", "INCLUDE", template="4006", most=MANY, requirement="MC",
            when=two_of("111015", "111059"), may=True),
    ),
    "4005": (
        Row("1", 0, "", "CODE", dcm("111016"), values=6035),
        Row("2", 0, "", "CODE", dcm("111057"), values=6036),
        Row("3", 0, "", "INCLUDE", template="4019"),
        _percent("4", 0, "", "111011", requirement="U"),
        _percent("5", 0, "", "111047", requirement="UC", when=value_is_not(NON_LESION)),
    ),
    "4006": (
        Row("1", 0, "", "CODE", dcm("111059"), values=6014),
        Row("2", 1, "HAS CONCEPT MOD", "CODE", dcm("111056"), values=6034),
        Row("3", 2, "HAS PROPERTIES", "NUM", dcm("111071"), requirement="UC", when=never),
        Row("4", 1, "HAS OBS CONTEXT", "INCLUDE", template="4108", requirement="U"),
        Row("5", 1, "HAS PROPERTIES", "INCLUDE", template="4019"),
        _percent("6", 1, "HAS PROPERTIES", "111012", requirement="U"),
        _percent("7", 1, "HAS PROPERTIES", "111047", requirement="UC", when=value_is_not(
            BREAST_COMPOSITION, BREAST_GEOMETRY, NIPPLE, SELECTED_REGION, IMAGE_QUALITY, NON_LESION)),
        Row("8", 1, "HAS PROPERTIES", "INCLUDE", template="4021", requirement="MC",
            when=value_is_not(BREAST_COMPOSITION, BREAST_GEOMETRY, IMAGE_QUALITY)),
        Row("14", 1, "HAS PROPERTIES", "INCLUDE", template="4011", requirement="UC", when=value_is(DENSITY)),
    ),
    "4011": (
        # at least one of rows 1 to 5; lesion density, shape, margin and area are not written
        Row("4", 0, "", "INCLUDE", template="1400", most=MANY, requirement="MC", when=lambda place: True),
    ),
    "4015": _runs("111063", "111025", "4017"),
    "4016": _runs("111062", "111024", "4018"),
    "4017": _run("111022"),
    "4018": _run("111004"),
    "4019": (
        Row("1", 0, "", "TEXT", dcm("111001")),
        Row("2", 0, "", "TEXT", dcm("111003")),
        Row("3", 0, "", "TEXT", dcm("111002"), most=MANY, requirement="U"),
        Row("4", 0, "", "CODE", dcm("111000"), requirement="U"),
    ),
    "4020": (
        Row("1", 0, "", "IMAGE", None),
        # what the image does not state may be derived
        Row("2", 1, "HAS ACQ CONTEXT", "CODE", dcm("111027"), requirement="MC", when=states_side, may=True,
            values=-2),
        Row("3", 1, "HAS ACQ CONTEXT", "CODE", dcm("111031"), requirement="MC", may=True, values=-3,
            when=source_has("ViewCodeSequence")),
        Row("4", 2, "HAS CONCEPT MOD", "CODE", dcm("111032"), requirement="MC", most=MANY, when=never,
            may=True, values=-4),
        Row("5", 1, "HAS ACQ CONTEXT", "TEXT", dcm("111044"), requirement="MC", when=states_orientation),
        Row("6", 1, "HAS ACQ CONTEXT", "TEXT", dcm("111043"), requirement="MC", when=states_orientation),
        _moment("7", "DATE", "111060", "StudyDate"),
        _moment("8", "TIME", "111061", "StudyTime"),
        _moment("9", "DATE", "111018", "ContentDate"),
        _moment("10", "TIME", "111019", "ContentTime"),
        Row("11", 1, "HAS ACQ CONTEXT", "NUM", dcm("111026"), requirement="MC", when=states_spacing,
            units=("um", "mm")),
        Row("12", 1, "HAS ACQ CONTEXT", "NUM", dcm("111066"), requirement="MC", when=states_spacing,
            units=("um", "mm")),
        _num("13", "112011", "deg", "PositionerPrimaryAngle"),
        _num("14", "112012", "deg", "PositionerSecondaryAngle"),
        _num("15", "112226", "mm", "SpacingBetweenSlices"),
        _num("16", "112225", "mm", "SliceThickness"),
        Row("17", 1, "HAS ACQ CONTEXT", "UIDREF", dcm("112227"), requirement="UC",
            when=source_has("FrameOfReferenceUID")),
        _num("27", "110910", "{pixels}", "Rows"),
        Row("28", 1, "HAS ACQ CONTEXT", "NUM", dcm("110911"), requirement="MC", units=("{pixels}",),
            when=lambda place: place.has("110910")),
    ),
    "4021": _geometry("3", "U"),
    "4100": _document_root("112000", "4101", images=(244, 4010, 4011), detections=6102, analyses=6137),
    "4101": (
        Row("1", 0, "", "CODE", dcm("111017"), values=6047),
        # rows 2 and 4, composite features (TID 4102) and the response to treatment, are not written; row 3
        # is a user option, and what "with findings" means
        Row("3", 1, "INFERRED FROM", "INCLUDE", template="4104", most=MANY, requirement="MC",
            when=value_is("111242", "111244")),
    ),
    "4104": (
        Row("1", 0, "", "CODE", dcm("111059"), values=6101),
        Row("2", 1, "HAS CONCEPT MOD", "CODE", dcm("112024"), requirement="U", values=6102),
        Row("3", 1, "HAS CONCEPT MOD", "TEXT", dcm("112050"), requirement="U"),
        Row("4", 1, "HAS CONCEPT MOD", "CODE", dcm("112003"), requirement="MC", when=value_is("112005"),
            values=6100),
        Row("5", 1, "HAS CONCEPT MOD", "CODE", dcm("112037"), requirement="UC", when=value_is(NON_LESION),
            values=6139),
        Row("6", 1, "HAS CONCEPT MOD", "CODE", dcm("111056"), values=6034),
        Row("7", 2, "HAS PROPERTIES", "NUM", dcm("111071"), requirement="UC", when=never),
        Row("8", 1, "HAS OBS CONTEXT", "INCLUDE", template="4108", requirement="U"),
        Row("11", 1, "HAS OBS CONTEXT", "INCLUDE", template="4019"),
        _percent("12", 1, "HAS PROPERTIES", "111012", requirement="U"),
        Row("13", 1, "HAS PROPERTIES", "TEXT", dcm("111058"), requirement="MC",
            when=value_is(SELECTED_REGION)),
        Row("14", 1, "HAS PROPERTIES", "INCLUDE", template="4107", requirement="MC",
            when=value_is_not(IMAGE_QUALITY)),
        Row("15", 1, "HAS PROPERTIES", "INCLUDE", template="1400", most=MANY, requirement="U"),
    ),
    "4107": _geometry("4", "MC"),
    "4108": (
        Row("1", 0, "", "TEXT", dcm("112039"), requirement="MC", when=lambda place: not place.has("112040"),
            may=True),
        Row("2", 0, "", "UIDREF", dcm("112040"), requirement="MC", when=lambda place: not place.has("112039"),
            may=True),
    ),
}  # fmt: skip
PARAMETERS = {-1: "performed", -2: "laterality", -3: "view", -4: "modifiers"}
ROOTS = {"1.2.840.10008.5.1.4.1.1.88.50": "4000", "1.2.840.10008.5.1.4.1.1.88.65": "4100"}

"""The worked examples of PS3.17 (annexes E and F): the same cases give the same trees.

Concept names, values and nesting are compared line by line. What the examples leave out "for brevity", and
what they cannot know, is named in ``EXTRA``; where a report must differ, the expected tree says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_io.results.cad import encode_chest_cad_report, encode_mammography_cad_report
from models.mammography_results import LesionGroup, MammographyExam
from tests.dicom_io.results.cad import cases
from tests.dicom_io.results.factory import ONE, context

# TID 1204 is mandatory and not in the examples; the rest are optional rows, or left out for brevity.
EXTRA = {
    "Language of Content Item and Descendants",
    "Patient Orientation Row",
    "Patient Orientation Column",
    "Study Time",
    "Content Date",
    "Content Time",
    "Horizontal Pixel Spacing",
    "Vertical Pixel Spacing",
    "Positioner Primary Angle",
    "Frame of Reference UID",
    "Pixel Data Rows",
    "Pixel Data Columns",
    "Tracking Identifier",
    "Tracking Unique Identifier",
    "Algorithm Parameters",
    "Certainty of Finding",
    "Certainty of Feature",
}
WORDS = {
    "right breast": "right",
    "left breast": "left",
    "mammographic breast mass": "mass",
    "presentation required: rendering device is expected to present": "presentation required",
    "feature detected on multiple images": "feature was detected on multiple images",
}

F31 = """
Chest CAD Report
  Image Library
    IMAGE 1
      Image View = Postero-anterior
      Study Date
  CAD Processing and Findings Summary = All algorithms succeeded; without findings
  Summary of Detections = Succeeded
    Successful Detections
      Detection Performed = Nodule
        Algorithm Name
        Algorithm Version
        Reference to IMAGE 1
  Summary of Analyses = Not Attempted
"""
# 1.2.1.7 is a Diameter of 2 cm there; here height and width of the box, each with its path.
F32 = """
Chest CAD Report
  Image Library
    IMAGE 1
      Image View = Postero-anterior
      Study Date
  CAD Processing and Findings Summary = All algorithms succeeded; with findings
    Single Image Finding = Abnormal Opacity
      Single Image Finding Modifier = Nodule
      Rendering Intent = Presentation Required
      Algorithm Name
      Algorithm Version
      Center = POINT
        Reference to IMAGE 1
      Outline = POLYLINE
        Reference to IMAGE 1
      Height
        Path = POLYLINE
          Reference to IMAGE 1
      Width
        Path = POLYLINE
          Reference to IMAGE 1
  Summary of Detections = Succeeded
    Successful Detections
      Detection Performed = Nodule
        Algorithm Name
        Algorithm Version
        Reference to IMAGE 1
  Summary of Analyses = Not Attempted
"""
FOUR_VIEWS = """
  Image Library
    IMAGE 1
      Image Laterality = Right
      Image View = Cranio-caudal
      Study Date
    IMAGE 2
      Image Laterality = Left
      Image View = Cranio-caudal
      Study Date
    IMAGE 3
      Image Laterality = Right
      Image View = Medio-lateral oblique
      Study Date
    IMAGE 4
      Image Laterality = Left
      Image View = Medio-lateral oblique
      Study Date
"""
DENSITY_DETECTION = """
  Summary of Detections = Succeeded
    Successful Detections
      Detection Performed = Mammography breast density
        Algorithm Name
        Algorithm Version
        Reference to IMAGE 1
        Reference to IMAGE 2
        Reference to IMAGE 3
        Reference to IMAGE 4
"""
# 1.3.1.2, the detection of calcifications, is left out: there is none. The impression in words is added.
E31 = f"""
Mammography CAD Report
{FOUR_VIEWS}
  CAD Processing and Findings Summary = All algorithms succeeded; without findings
    Impression Description
    Algorithm Name
    Algorithm Version
{DENSITY_DETECTION}
  Summary of Analyses = Not Attempted
"""
# 1.2.1 and 1.2.2, the density detection of 1.3, the correlation of 1.4; no calcifications (1.2.3, 1.2.4).
# The lone density is shown (there: Not for Presentation). Sizes are height and width (there: an area).
# The correlation names all four views that it had (there: the two with a mass) by its present meaning.
SIZES = """
          Height
            Path = POLYLINE
              Reference to IMAGE {0}
          Width
            Path = POLYLINE
              Reference to IMAGE {0}
"""
PLACES = """
          Rendering Intent = Presentation Required
          Algorithm Name
          Algorithm Version
          Center = POINT
            Reference to IMAGE {0}
          Outline = POLYLINE
            Reference to IMAGE {0}
"""


def indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line if by > 0 else line[-by:] for line in text.splitlines() if line.strip())


E32 = f"""
Mammography CAD Report
{FOUR_VIEWS}
  CAD Processing and Findings Summary = All algorithms succeeded; with findings
    Impression Description
    Algorithm Name
    Algorithm Version
    Individual Impression/Recommendation
      Rendering Intent = Presentation Required
      Composite Feature = Mass
        Rendering Intent = Presentation Required
        Composite type = Target content items are related spatially
        Scope of Feature = Feature was detected on multiple images
        Algorithm Name
        Algorithm Version
        Single Image Finding = Mammography breast density
{(PLACES + SIZES).format(2)}
        Single Image Finding = Mammography breast density
{(PLACES + SIZES).format(4)}
    Individual Impression/Recommendation
      Rendering Intent = Presentation Required
      Single Image Finding = Mammography breast density
{indented((PLACES + SIZES).format(2), -2)}
{DENSITY_DETECTION}
  Summary of Analyses = Succeeded
    Successful Analyses
      Analysis Performed = Spatial collocation analysis
        Algorithm Name
        Algorithm Version
        Reference to IMAGE 1
        Reference to IMAGE 2
        Reference to IMAGE 3
        Reference to IMAGE 4
"""


def tree(text: str) -> list[str]:
    return [line.lower() for line in text.splitlines() if line.strip()]


def shown(report: Dataset) -> list[str]:
    """Return the tree of a report as the examples print it, without what they leave out."""
    return [line.lower() for line in _lines(report, report, 0, 1)]


def _lines(report: Dataset, item: Dataset, depth: int, position: int) -> Iterator[str]:
    name = item.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in item else ""
    if name in EXTRA:
        return
    place = item.get("ReferencedContentItemIdentifier")
    if place:
        assert list(place)[:2] == [1, 2]
        yield f"{'  ' * depth}Reference to IMAGE {place[2]}"
        return
    value = ""
    if item.ValueType == "CODE":
        meaning = item.ConceptCodeSequence[0].CodeMeaning.lower()
        value = f" = {WORDS.get(meaning, meaning)}"
    elif item.ValueType == "SCOORD":
        value = f" = {item.GraphicType}"
    yield f"{'  ' * depth}{name or f'IMAGE {position}'}{value}"
    for number, child in enumerate(item.get("ContentSequence", ()), start=1):
        yield from _lines(report, child, depth + 1, number)


def test_chest_example_1_no_findings() -> None:
    assert shown(encode_chest_cad_report(context())) == tree(F31)


def test_chest_example_2_with_a_finding() -> None:
    assert shown(encode_chest_cad_report(context(boxes=ONE))) == tree(F32)


def test_mammography_example_1_no_findings() -> None:
    views = tuple(cases.MammographyView(v.sop_instance_uid, v.laterality, v.view) for v in cases.VIEWS)
    report = encode_mammography_cad_report(cases.breasts(), MammographyExam(views))
    assert shown(report) == tree(E31)


def test_mammography_example_2_a_mass_on_two_views() -> None:
    views = tuple(cases.MammographyView(v.sop_instance_uid, v.laterality, v.view) for v in cases.VIEWS)
    made = cases.breasts({2: (cases.SPOT, cases.OTHER), 4: (cases.SPOT,)})
    exam = MammographyExam(views, (LesionGroup(1, (1, 3), 0.9),), views_compared=True)
    assert shown(encode_mammography_cad_report(made, exam)) == tree(E32)

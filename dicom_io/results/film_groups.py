"""Measurement groups of films: one per finding, one per film, read or not."""

from __future__ import annotations

import numpy as np
from highdicom.sr import (
    CodedConcept,
    ContentSequence,
    FindingSite,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from dicom_io.reading.attributes import text
from dicom_io.reading.spacing import film_spacing
from dicom_io.results.film_context import FilmContext
from dicom_io.results.mammography_context import MammographyContext, view_words
from dicom_io.results.measurement_groups import (
    add_comment,
    algorithm,
    box_corners,
    measurement,
    summary_code,
    tracking,
)
from dicom_io.results.vocabulary import AI_NOTICE, component_concept, concept, own
from models.mammography_results import Breast, MammographyView
from models.results import FilmReading, Finding, ImageFailure

__all__ = [
    "CALIBRATED_PLANE",
    "DETECTOR_PLANE",
    "ESTIMATED_PLANE",
    "IMAGE_SCORE",
    "breast_site",
    "failure_group",
    "film_group",
    "finding_group",
    "source_film",
]

_CROSS_SECTIONAL = frozenset({"CT", "MR", "PT"})
_THORAX = concept("51185008", "SCT", "Chest")
_BREAST = concept("76752008", "SCT", "Breast")
_SIDES = {"L": codes.SCT.Left, "R": codes.SCT.Right}

IMAGE_SCORE = own("image-score", "Score that the image is abnormal as the package means it")
DETECTOR_PLANE = own("detector-plane", "Detector or film plane, not corrected for magnification")
ESTIMATED_PLANE = own("estimated-plane", "Corrected by the estimated magnification factor")
CALIBRATED_PLANE = own("calibrated-plane", "Plane that the pixel spacing is calibrated for")
_PLANE_WORDS = {
    DETECTOR_PLANE.value: "Sizes are those of the outlining box in the plane of the detector: in the patient "
    "it is smaller, by the magnification of the projection.",
    ESTIMATED_PLANE.value: "Sizes are those of the outlining box, corrected by the estimated magnification "
    "that the source states or its distances imply: an estimate.",
    CALIBRATED_PLANE.value: "Sizes are those of the outlining box in the plane that the pixel spacing is "
    "calibrated for.",
}


def finding_group(context: FilmContext, finding: Finding) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return TID 1410 for one finding: where, how sure, how large."""
    header, candidate = context.header_of(finding.sop_instance_uid), finding.candidate
    region = ImageRegion(
        graphic_type="POLYLINE",
        graphic_data=np.array(
            box_corners(candidate.box, int(header.Rows), int(header.Columns)), dtype=np.float32
        ),
        source_image=SourceImageForRegion(str(header.SOPClassUID), str(header.SOPInstanceUID)),
    )
    measurements = [
        measurement(codes.DCM.CertaintyOfFinding, 100 * candidate.score, codes.UCUM.Percent),
        measurement(component_concept("member_support"), candidate.support, codes.UCUM.Ratio),
        measurement(component_concept("score_spread"), candidate.score_spread, codes.UCUM.NoUnits),
        measurement(component_concept("mean_iou"), candidate.mean_iou, codes.UCUM.Ratio),
        *_sizes(header, finding),
    ]
    meaning = context.package.finding.meaning
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, f"{meaning} {finding.number}", f"finding-{finding.number}"),
        referenced_region=region,
        finding_type=concept(context.package.finding.code, context.package.finding.scheme, meaning),
        algorithm_id=algorithm(context),
        finding_sites=_sites(context, header),
        measurements=measurements,
    )
    add_comment(group, AI_NOTICE)
    _add_view(group, context, header)
    lesion = _lesion_words(context, finding)
    if lesion is not None:
        add_comment(group, lesion)
    if finding.size_mm is None:
        add_comment(group, "The source image states no pixel spacing: sizes in millimetres are not known.")
    else:
        add_comment(group, _PLANE_WORDS[_plane(header, finding).value])
    return group


def film_group(
    context: FilmContext, reading: FilmReading, position: int
) -> MeasurementsAndQualitativeEvaluations:
    """Return TID 1501 for one film as a whole, also where nothing was found."""
    header = context.header_of(reading.sop_instance_uid)
    found = context.findings_on(reading.sop_instance_uid)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(
            context, _name(context, header, position), f"film:{reading.sop_instance_uid}"
        ),
        finding_type=summary_code(findings=bool(found), partial=False),
        algorithm_id=algorithm(context),
        finding_sites=_sites(context, header),
        measurements=[
            measurement(_score_name(context), 100 * reading.case_score, codes.UCUM.Percent),
            measurement(own("findings", "Number of findings"), len(found), codes.UCUM.NoUnits),
            measurement(own("members", "Number of ensemble members"), reading.members, codes.UCUM.NoUnits),
            measurement(own("operating-point", "Score from which a candidate is a finding"),
                    100 * reading.operating_point, codes.UCUM.Percent),
        ],
        source_images=[source_film(header)],
    )  # fmt: skip
    words = f"{len(found)} finding(s) at or above the operating point." if found else (
        "No finding at or above the operating point. This does not exclude disease."
    )  # fmt: skip
    add_comment(group, f"{AI_NOTICE}. {words}")
    _add_view(group, context, header)
    return group


def _score_name(context: FilmContext) -> CodedConcept:
    """Return what the score of an image is one of: of mammograms it is that of all that is abnormal."""
    if isinstance(context, MammographyContext):
        return IMAGE_SCORE
    return own("film-score", f"Score that the film shows: {context.package.finding.meaning}")


def failure_group(
    context: FilmContext, failure: ImageFailure, position: int
) -> MeasurementsAndQualitativeEvaluations:
    """Return TID 1501 for one film that could not be read: silence is not a negative reading."""
    header = context.header_of(failure.sop_instance_uid)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(
            context, _name(context, header, position), f"film:{failure.sop_instance_uid}"
        ),
        finding_type=summary_code(findings=False, partial=True, failed=True),
        algorithm_id=algorithm(context),
        finding_sites=_sites(context, header),
        source_images=[source_film(header)],
    )
    add_comment(group, f"{AI_NOTICE}. The algorithm did not read this image: {failure.reason}")
    _add_view(group, context, header)
    return group


def _sizes(header: Dataset, finding: Finding) -> list[Measurement]:
    if finding.size_mm is None:
        return []
    method, (height, width) = _plane(header, finding), finding.size_mm
    return [
        measurement(codes.DCM.Height, height, codes.UCUM.Millimeter, method),
        measurement(codes.SCT.Width, width, codes.UCUM.Millimeter, method),
    ]


def _plane(header: Dataset, finding: Finding) -> CodedConcept:
    if finding.size_is_calibrated:
        return CALIBRATED_PLANE
    return ESTIMATED_PLANE if film_spacing(header).corrected else DETECTOR_PLANE


def _sites(context: FilmContext, header: Dataset) -> list[FindingSite] | None:
    view = _view(context, header)
    if isinstance(context, MammographyContext) or text(header, "Modality") == "MG":
        return [breast_site(None if view is None else view.laterality)]
    is_chest = text(header, "BodyPartExamined") in {"CHEST", "THORAX", "LUNG"}
    return [FindingSite(_THORAX)] if is_chest else None


def breast_site(laterality: Breast | None) -> FindingSite:
    """Return one breast as the site of a finding, its side with the laterality that TID 1410 has for it."""
    return FindingSite(_BREAST, None if laterality is None else _SIDES[laterality])


def _view(context: FilmContext, header: Dataset) -> MammographyView | None:
    if not isinstance(context, MammographyContext):
        return None
    return context.exam.view_of(str(header.SOPInstanceUID))


def _name(context: FilmContext, header: Dataset, position: int) -> str:
    """Return what people call an image of the reading."""
    view = _view(context, header)
    return (
        f"{_kind(header)} {position}" if view is None else f"{_kind(header)} {position}, {view_words(view)}"
    )


def _add_view(group: ContentSequence, context: FilmContext, header: Dataset) -> None:
    view = _view(context, header)
    if view is not None:
        add_comment(group, f"Breast and view: {view_words(view)}.")


def _lesion_words(context: FilmContext, finding: Finding) -> str | None:
    lesion = context.lesion_of(finding) if isinstance(context, MammographyContext) else None
    if lesion is None:
        return None
    others = ", ".join(str(number) for number in sorted(lesion.findings) if number != finding.number)
    return f"Taken for one lesion, lesion {lesion.number}, with finding {others}."


def source_film(header: Dataset) -> SourceImageForMeasurementGroup:
    """Refer to a film from a measurement group."""
    return SourceImageForMeasurementGroup(str(header.SOPClassUID), str(header.SOPInstanceUID))


def _kind(header: Dataset) -> str:
    """Return what people call an image: of a volume it is no film, of a breast a mammogram."""
    modality = text(header, "Modality")
    if modality == "MG":
        return "Mammogram"
    return "Image" if modality in _CROSS_SECTIONAL else "Film"

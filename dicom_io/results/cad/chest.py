"""Chest CAD SR: what a CAD workstation shows of chest films (PS3.3 A.35.6, PS3.16 TID 4100)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import ChestCADSRStorage

from dicom_io.reading.attributes import items as items_in
from dicom_io.reading.attributes import text
from dicom_io.results.cad import codes, items, parts
from dicom_io.results.cad.checks import check_cad_report
from dicom_io.results.cad.codes import dcm
from dicom_io.results.cad.document import begin, detection_run
from dicom_io.results.cad.image_library import ImageLibrary, LibraryView
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from models.concepts import Concept
from models.results import Finding

__all__ = ["encode_chest_cad_report"]


def encode_chest_cad_report(context: FilmContext, *, attempted: bool = True) -> Dataset:
    """Return the Chest CAD SR of a reading, with findings, without, or of a reading that failed.

    Parameters
    ----------
    context : FilmContext
        The reading. The same context gives the same data set.
    attempted : bool
        False where the detection was never started, so that nothing failed either.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta information, ready for
        :func:`dicom_io.results.write.write_object`.

    Raises
    ------
    ResultInvalid
        The finding of the package has no code in CID 6102 here, or the report does not say what the
        reading says; nothing of it must be sent.

    References
    ----------
    PS3.16 TID 4100, 4101, 4104, 4107, 4108, 4015, 4017, 4019, 4020, 1204, 1400.
    """
    kind = _modifier(context)
    run = detection_run(context, kind, attempted=attempted)
    library = ImageLibrary(context.headers, _view_of)
    root = items.container(
        None,
        dcm("112000", "Chest CAD Report"),
        [  # TID 4100
            parts.language(),  # row 2
            library.content(),  # rows 3, 4
            _findings_summary(context, kind, library),  # row 5
            parts.summary_of_detections(run, context, library),  # rows 6, 7
            parts.summary_of_analyses(None, context, library),  # row 8
        ],
        template="4100",
    )
    report = begin(context, ChestCADSRStorage)
    report.update(root)
    check_cad_report(report, context)
    return report


def _modifier(context: FilmContext) -> Concept:
    finding = context.package.finding
    found = codes.CHEST_FINDINGS.get((finding.code, finding.scheme))
    if found is None:
        raise ResultInvalid(
            f"a Chest CAD SR cannot code ({finding.code}, {finding.scheme}), the finding of "
            f"{context.package.name}: known are nodule (27925004, SCT) and mass (4147007, SCT)"
        )
    return found


def _findings_summary(context: FilmContext, kind: Concept, library: ImageLibrary) -> Dataset:
    """Return TID 4101; its row 2, composite features, would need the same thing on several images."""
    ordered = sorted(context.findings, key=lambda finding: finding.number)
    return items.code(
        "CONTAINS",
        dcm("111017", "CAD Processing and Findings Summary"),  # row 1
        parts.findings_code(context),
        [_single_image_finding(context, finding, kind, library) for finding in ordered],  # row 3
    )


def _single_image_finding(
    context: FilmContext, finding: Finding, kind: Concept, library: ImageLibrary
) -> Dataset:
    """Return TID 4104."""
    name = dcm("111059", "Single Image Finding")
    below = list(_finding_rows(context, finding, kind, library))
    return items.code("INFERRED FROM", name, codes.ABNORMAL_OPACITY, below)  # row 1


def _finding_rows(
    context: FilmContext, finding: Finding, kind: Concept, library: ImageLibrary
) -> Iterator[Dataset]:
    header = context.header_of(finding.sop_instance_uid)
    words = f"{context.package.finding.meaning} {finding.number}"
    yield items.code("HAS CONCEPT MOD", dcm("112024", "Single Image Finding Modifier"), kind)  # row 2
    yield parts.rendering_intent(context)  # row 6
    yield from parts.tracking(context, words, f"finding-{finding.number}")  # row 8
    yield from parts.algorithm("HAS OBS CONTEXT", context)  # row 11
    yield parts.certainty(finding)  # row 12
    yield from parts.geometry(finding, header, library)  # row 14
    yield from parts.sizes(finding, header, library)  # row 15


def _view_of(header: Dataset) -> LibraryView:
    side = codes.SIDES.get(text(header, "ImageLaterality") or text(header, "Laterality"))
    for stated in items_in(header, "ViewCodeSequence"):
        view = codes.CHEST_VIEWS.get(text(stated, "CodeValue"))
        if view is not None:
            named = (text(item, "CodeValue") for item in items_in(stated, "ViewModifierCodeSequence"))
            known = (codes.CHEST_VIEW_MODIFIERS.get(value) for value in named)
            return LibraryView(side, view, tuple(modifier for modifier in known if modifier is not None))
    return LibraryView(side, codes.CHEST_VIEWS.get(text(header, "ViewPosition")))

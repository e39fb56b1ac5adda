"""Enhanced objects of one frame as if they were plain ones.

A Breast Projection X-Ray image (PS3.3 A.74) says in functional groups what a mammogram says at the top.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, texts

__all__ = ["functional_groups", "with_functional_groups"]

_MACROS = {
    "FrameVOILUTSequence": (
        "VOILUTSequence",
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
    ),
    "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope"),
    "FramePixelDataPropertiesSequence": ("ImagerPixelSpacing",),
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PatientOrientationInFrameSequence": ("PatientOrientation",),
    "FrameAnatomySequence": ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence"),
}


def functional_groups(header: Dataset) -> Iterator[Dataset]:
    """Return the shared functional groups, then those of every frame; nothing where the object has none."""
    yield from items(header, "SharedFunctionalGroupsSequence")
    yield from items(header, "PerFrameFunctionalGroupsSequence")


def with_functional_groups(header: Dataset) -> Dataset:
    """Return the header with what its functional groups say of the first frame at the top.

    What the top says itself stays. A header without functional groups is returned as it is, and one with
    them is not changed.
    """
    shared = items(header, "SharedFunctionalGroupsSequence")[:1]
    groups = (*items(header, "PerFrameFunctionalGroupsSequence")[:1], *shared)
    if not groups:
        return header
    # The constructor would share the elements: what is lifted would then stand in the header itself.
    plain = Dataset()
    plain.update(header)
    for group in groups:
        for macro, keywords in _MACROS.items():
            for item in items(group, macro)[:1]:
                _lift(item, plain, keywords)
    return plain


def _lift(item: Dataset, plain: Dataset, keywords: tuple[str, ...]) -> None:
    for keyword in keywords:
        if _says(item, keyword) and not _says(plain, keyword):
            plain[keyword] = item[keyword]


def _says(dataset: Dataset, keyword: str) -> bool:
    return any(texts(dataset, keyword)) or bool(items(dataset, keyword))

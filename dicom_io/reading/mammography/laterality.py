"""Which breast an image shows, from every place where the standard lets it be said."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, text
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.codes import REGIONS, SIDES, known
from dicom_io.reading.mammography.functional_groups import functional_groups
from dicom_io.reading.mammography.position import read_position
from models.mammography_results import Breast

__all__ = ["laterality_of", "sides_named"]

_WORDS = {"L": "L", "LEFT": "L", "R": "R", "RIGHT": "R", "B": "B", "BOTH": "B", "BILATERAL": "B"}


def laterality_of(header: Dataset) -> Breast:
    """Return the breast that is shown; it is never guessed.

    Image Laterality says it (PS3.3 C.8.11.7), in enhanced objects Frame Laterality (C.7.6.16.2.8), and codes
    of the anatomy may say it too. Laterality, which is of the whole series, counts only where neither of the
    first two has a value (C.7.3.1). Whatever else names a side must agree.

    Raises
    ------
    UnsuitableImage
        ``missing-laterality``: nothing says which breast; ``both-breasts``: the image shows both;
        ``laterality-contradiction``: two attributes name different breasts.
    """
    stated = [(name, _WORDS[word]) for name, word in _of_the_image(header) if word in _WORDS]
    coded = list(_of_the_anatomy(header))
    if any(side == "B" for _, side in (*stated, *coded)):
        raise UnsuitableImage("both-breasts", "the image shows both breasts, or is said to")
    found = [*stated, *coded]
    series = _WORDS.get(text(header, "Laterality"), "")
    image_says = any(True for _ in _of_the_image(header))
    # The series is no side of an image that says U, unpaired, of itself.
    if series in ("L", "R") and (found or not image_says):
        found.append(("Laterality of the series", series))
    if not found:
        raise UnsuitableImage("missing-laterality", "no attribute says which breast the image shows")
    position = read_position(text(header, "ViewPosition"))
    if position.laterality:
        found.append(("View Position", position.laterality))
    first, side = found[0]
    for name, other in found[1:]:
        if other != side:
            raise UnsuitableImage("laterality-contradiction", f"{first} is {side}, but {name} is {other}")
    return "L" if side == "L" else "R"


def sides_named(header: Dataset) -> frozenset[str]:
    """Return every side that any attribute names, ``L``, ``R`` and ``B``, also where they contradict."""
    written = [word for _, word in _of_the_image(header)] + [text(header, "Laterality")]
    found = {_WORDS[word] for word in written if word in _WORDS}
    found |= {side for _, side in _of_the_anatomy(header)}
    if side := read_position(text(header, "ViewPosition")).laterality:
        found.add(side)
    return frozenset(found)


def _of_the_image(header: Dataset) -> Iterator[tuple[str, str]]:
    if word := text(header, "ImageLaterality"):
        yield "Image Laterality", word
    for group in functional_groups(header):
        for anatomy in items(group, "FrameAnatomySequence"):
            if word := text(anatomy, "FrameLaterality"):
                yield "Frame Laterality", word


def _of_the_anatomy(header: Dataset) -> Iterator[tuple[str, str]]:
    """Return the sides that Anatomic Region, Primary Anatomic Structure and their modifiers name."""
    places = [header]
    for group in functional_groups(header):
        places.extend(items(group, "FrameAnatomySequence"))
    for place in places:
        for kind in ("AnatomicRegion", "PrimaryAnatomicStructure"):
            for structure in items(place, f"{kind}Sequence"):
                name = "Anatomic Region" if kind == "AnatomicRegion" else "Primary Anatomic Structure"
                if side := REGIONS.get(known(structure)):
                    yield name, side
                for modifier in items(structure, f"{kind}ModifierSequence"):
                    if side := SIDES.get(known(modifier)):
                        yield f"{name} Modifier", side

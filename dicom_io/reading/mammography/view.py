"""Which view of the breast an image is, and with which modifiers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, shown, text
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.codes import MODIFIERS, SPECIMEN, VIEWS, known
from dicom_io.reading.mammography.position import read_position

__all__ = ["StatedView", "is_specimen_view", "view_of_mammogram"]

_NO_BREAST = frozenset({"PA", "AP", "LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT", "LLD", "RLD"})


@dataclass(frozen=True, slots=True)
class StatedView:
    """A view in the abbreviations of CID 4014, and its modifiers in those of CID 4015, sorted."""

    view: str
    modifiers: tuple[str, ...] = ()


def view_of_mammogram(header: Dataset) -> StatedView:
    """Return the view: View Code Sequence, else the text of View Position; both must agree.

    Modifiers are those of View Modifier Code Sequence, inside the view code or beside it, and those that
    View Position spells (``SMLO``, ``CCID``).

    Raises
    ------
    UnsuitableImage
        ``missing-view``, ``view-contradiction``, ``wrong-view`` (a view, but none of the breast) or
        ``unknown-view-modifier`` (CID 4015 is not extensible: what another code does to the view is unknown).
    """
    coded, others = _coded(header)
    if len(coded) > 1:
        raise UnsuitableImage("view-contradiction", f"the view is coded as {' and as '.join(coded)}")
    position = text(header, "ViewPosition")
    written = read_position(position)
    view = coded[0] if coded else written.view
    if not view:
        if others or position in _NO_BREAST:
            what = shown(position or others[0])
            raise UnsuitableImage("wrong-view", f"the view is {what}, which is no view of the breast")
        raise UnsuitableImage("missing-view", "no attribute names a view of the breast")
    if coded and (position in _NO_BREAST or not _agree(view, written.view)):
        raise UnsuitableImage(
            "view-contradiction", f"the view is coded as {view}, but View Position is {shown(position)}"
        )
    return StatedView(view, tuple(sorted({*_modifiers(header), *written.modifiers})))


def is_specimen_view(header: Dataset) -> bool:
    """Return whether the view is that of a tissue specimen."""
    codes = (VIEWS.get(known(item)) for item in items(header, "ViewCodeSequence"))
    return SPECIMEN in codes or text(header, "ViewPosition") == SPECIMEN


def _coded(header: Dataset) -> tuple[list[str], list[str]]:
    """Return the views that are coded, each once, and codes that are none of mammography."""
    views: dict[str, None] = {}
    others = []
    for item in items(header, "ViewCodeSequence"):
        if view := VIEWS.get(known(item)):
            views[view] = None
        elif code := text(item, "CodeValue"):
            others.append(code)
    return list(views), others


def _agree(coded: str, written: str) -> bool:
    """Return whether a text may stand beside a code; XCC leaves open where the view is exaggerated to."""
    return written in ("", coded) or (written == "XCC" and coded in ("XCCL", "XCCM"))


def _modifiers(header: Dataset) -> Iterator[str]:
    places = [header, *items(header, "ViewCodeSequence")]
    for place in places:
        for item in items(place, "ViewModifierCodeSequence"):
            if modifier := MODIFIERS.get(known(item)):
                yield modifier
            elif code := text(item, "CodeValue"):
                raise UnsuitableImage(
                    "unknown-view-modifier",
                    f"the view has the modifier {shown(code)}, which is none of mammography",
                )

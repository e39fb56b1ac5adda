"""Presentation states: what they outline, and what they leave of the film's own display."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.results import (
    FilmContext,
    ResultInvalid,
    encode_presentation_state,
    encoded_bytes,
    is_own_result,
)
from tests.dicom_io.results.factory import MANY, ONE, context, header


def state_of(made: FilmContext) -> Dataset:
    return dcmread(io.BytesIO(encoded_bytes(encode_presentation_state(made, made.headers[0], 1))))


def test_a_film_without_findings_has_none() -> None:
    made = context(header(), header(2), boxes=ONE)
    with pytest.raises(ResultInvalid, match="has none"):
        encode_presentation_state(made, made.headers[1], 1)


def test_every_finding_is_outlined_and_named() -> None:
    made = context(boxes=MANY[:3])
    state = state_of(made)
    assert len(state.GraphicAnnotationSequence) == 3
    for annotation, finding in zip(state.GraphicAnnotationSequence, made.findings, strict=True):
        (graphic,), (words,) = annotation.GraphicObjectSequence, annotation.TextObjectSequence
        points = np.array(graphic.GraphicData).reshape(-1, 2)
        box = finding.candidate.box
        assert points.min(axis=0) == pytest.approx([box.left, box.top])
        assert points.max(axis=0) == pytest.approx([box.right, box.bottom])
        assert words.UnformattedTextValue.startswith(f"Nodule {finding.number}: ")
        assert "AI result, research use" in words.UnformattedTextValue
    (series,) = state.ReferencedSeriesSequence
    (image,) = series.ReferencedImageSequence
    assert image.ReferencedSOPInstanceUID == made.headers[0].SOPInstanceUID


@pytest.mark.parametrize(("photometric", "shape"), [("MONOCHROME1", "INVERSE"), ("MONOCHROME2", "IDENTITY")])
def test_the_film_looks_as_it_did(photometric: str, shape: str) -> None:
    attributes: dict[str, Any] = {"WindowCenter": "2000", "WindowWidth": "1500", "RescaleSlope": "1"}
    source = header(
        PhotometricInterpretation=photometric, RescaleIntercept="0", RescaleType="US", **attributes
    )
    state = state_of(context(source, boxes=ONE))
    assert state.PresentationLUTShape == shape
    (window,) = state.SoftcopyVOILUTSequence
    assert (window.WindowCenter, window.WindowWidth) == (2000, 1500)
    assert (state.RescaleSlope, state.RescaleIntercept) == (1, 0)


def test_it_is_an_own_result_of_its_own_series() -> None:
    state = state_of(context(boxes=ONE))
    assert is_own_result(state)
    assert (state.Modality, state.SeriesNumber) == ("PR", 9305)
    assert state.PresentationCreationDate == "20260304"


def test_a_repeat_is_the_same_bytes() -> None:
    one, two = (
        encoded_bytes(encode_presentation_state(made, made.headers[0], 1))
        for made in (context(boxes=ONE), context(boxes=ONE))
    )
    assert one == two


@pytest.mark.parametrize(
    ("attributes", "spacing", "ratio"),
    [
        ({"ImagerPixelSpacing": ["0.5", "0.4"]}, None, [5, 4]),
        ({"PixelSpacing": ["0.1", "0.5"]}, [0.1, 0.5], None),
        ({"ImagerPixelSpacing": ..., "PixelAspectRatio": ["2", "1"]}, None, [2, 1]),
        ({"ImagerPixelSpacing": ...}, None, [1, 1]),
    ],
)
def test_the_film_keeps_its_proportions(
    attributes: dict[str, Any], spacing: list[float] | None, ratio: list[int] | None
) -> None:
    (area,) = state_of(context(header(**attributes), boxes=ONE)).DisplayedAreaSelectionSequence
    stated = area.get("PresentationPixelSpacing")
    assert (None if stated is None else [float(value) for value in stated]) == spacing
    kept = area.get("PresentationPixelAspectRatio")
    assert (None if kept is None else [int(value) for value in kept]) == ratio


@pytest.mark.parametrize(
    "attributes",
    [
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": "100"},
        {"WindowCenter": "100", "WindowWidth": "0"},
        {"WindowCenter": ["1", "2"], "WindowWidth": ["10"]},
        {"RescaleSlope": "2"},
        {"RescaleSlope": "0", "RescaleIntercept": "1"},
        {"VOILUTFunction": "CURVED", "WindowCenter": "100", "WindowWidth": "50"},
    ],
)
def test_odd_display_attributes_of_the_source_are_left_out(attributes: dict[str, Any]) -> None:
    state = state_of(context(header(**attributes), boxes=ONE))
    assert len(state.GraphicAnnotationSequence) == 1
    assert ("RescaleSlope" in state) == ("RescaleIntercept" in state)
    assert state.get("RescaleSlope") != 0

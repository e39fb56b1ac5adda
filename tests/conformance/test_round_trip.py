"""Results through a real archive and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.results import FilmContext, encode_structured_report, is_own_result, write_object
from dicom_io.results.cad import encode_mammography_cad_report
from dicom_io.send import NodeAddress, send_files
from dicom_io.send.dicomweb import DicomwebAddress, store_over_web
from tests import peers
from tests.conformance.checker import header_errors
from tests.conformance.test_results import written
from tests.dicom_io.results.cad.cases import OTHER, PAIRED, SPOT, breasts
from tests.dicom_io.results.every_kind import film_objects, volume_objects
from tests.dicom_io.results.factory import IDENTITY, ONE, STUDY, context, header
from tests.dicom_io.results.test_source import raw
from tests.dicom_io.results.volume_factory import volume_context

LabelMapSegmentationStorage = "1.2.840.10008.5.1.4.1.1.66.7"

pytestmark = pytest.mark.peer


def objects() -> dict[str, Dataset]:
    """Return every kind of object, with findings and without, of a patient with a Japanese name."""
    name = {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": "Yamada^Tarou=山田^太郎"}
    empty = replace(IDENTITY, fingerprint="e" * 64)
    volumes = replace(IDENTITY, fingerprint="d" * 64)
    other_types = {
        kind: volume_objects(
            volume_context(
                findings=2,
                probabilities=kind == "fractional",
                attributes=name,
                identity=replace(IDENTITY, fingerprint=letter * 64),
            ),
            kind=kind,
        )["segmentation"]
        for kind, letter in (("fractional", "1"), ("labelmap", "2"))
    }
    breast = mammogram_reading(identity=replace(IDENTITY, fingerprint="b" * 64))
    mammography = {
        "structured-report": encode_structured_report(breast),
        "cad-report": encode_mammography_cad_report(breast, PAIRED),
    }
    sets = {
        "mammogram": mammography,
        "film": film_objects(context(header(**name), boxes=ONE)),
        "film without findings": film_objects(context(header(**name), identity=empty)),
        "volume": volume_objects(volume_context(findings=2, attributes=name, identity=volumes)),
        "volume without findings": volume_objects(
            volume_context(empty=True, attributes=name, identity=replace(IDENTITY, fingerprint="c" * 64))
        ),
        "types": other_types,
    }
    return {f"{name}, {kind}": one for name, made in sets.items() for kind, one in made.items()}


def mammogram_reading(**more: Any) -> FilmContext:
    """Return one lesion on two of four views."""
    return breasts({1: (SPOT,), 3: (OTHER,)}, **more)


def by_c_store(paths: list[Path], orthanc: peers.Orthanc) -> None:
    node = NodeAddress(orthanc.ae_title, orthanc.host, orthanc.dicom_port)
    assert [one.error for one in send_files(paths, node)] == [None] * len(paths)


def by_stow(paths: list[Path], orthanc: peers.Orthanc) -> None:
    assert [one.error for one in store_over_web(paths, DicomwebAddress(orthanc.dicomweb_url))] == [
        None
    ] * len(paths)


@pytest.mark.parametrize("send", [by_c_store, by_stow])
def test_results_come_back_from_an_archive_as_they_left(
    send: Callable[[list[Path], peers.Orthanc], None], tmp_path: Path
) -> None:
    made = objects()
    paths = [
        write_object(one, tmp_path / f"{number}.dcm", kind).path
        for number, (kind, one) in enumerate(made.items())
    ]
    back = tmp_path / "back"
    back.mkdir()
    with peers.start_orthanc(tmp_path) as orthanc:
        send(paths, orthanc)
        returned = [
            orthanc.download(str(one.SOPInstanceUID), back / f"{number}.dcm")
            for number, one in enumerate(made.values())
        ]
    for sent_path, path in zip(paths, returned, strict=True):
        sent, received = dcmread(sent_path), dcmread(path)
        assert is_own_result(received)
        assert raw(received, "PatientName") == raw(sent, "PatientName")
        assert received == sent
    checked = [
        path
        for path, one in zip(returned, made.values(), strict=True)
        if one.SOPClassUID != LabelMapSegmentationStorage
    ]
    assert header_errors(*checked) == []


def test_an_archive_lists_results_with_their_series(orthanc: peers.Orthanc, tmp_path: Path) -> None:
    source = header()
    for path in written(context(source, boxes=ONE), tmp_path):
        orthanc.upload(path)
    found = orthanc.instances(STUDY)
    assert {instance["00080060"]["Value"][0] for instance in found} == {"SR", "OT"}
    assert {instance["0020000E"]["Value"][0] for instance in found} != {STUDY}


def test_an_archive_draws_the_key_image(orthanc: peers.Orthanc, tmp_path: Path) -> None:
    _, image = written(context(boxes=ONE), tmp_path)
    identifier = orthanc.upload(image)["ID"]
    assert orthanc.get(f"/instances/{identifier}/simplified-tags")["PhotometricInterpretation"] == "RGB"
    assert len(orthanc.get(f"/instances/{identifier}/frames")) == 1

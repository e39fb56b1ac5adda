from __future__ import annotations

import io

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, ImplicitVRLittleEndian

from dicom_io.results import encode_overview, encode_structured_report, encoded_bytes, is_own_result
from tests.dicom_io.results.factory import ONE, context, film, header


def results() -> list[Dataset]:
    made = context(boxes=ONE)
    source = made.headers[0]
    return [encode_structured_report(made), encode_overview(made, [film(source)])]


@pytest.mark.parametrize("result", results(), ids=["report", "key image"])
def test_own_results_are_recognised_after_a_round_trip(result: Dataset) -> None:
    assert is_own_result(result)
    back = dcmread(io.BytesIO(encoded_bytes(result)), stop_before_pixels=True)
    assert is_own_result(back)
    buffer = io.BytesIO()
    back.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dcmwrite(buffer, back, implicit_vr=True, little_endian=True)
    buffer.seek(0)
    assert is_own_result(dcmread(buffer, force=True))


@pytest.mark.parametrize("result", results(), ids=["report", "key image"])
def test_own_results_are_recognised_with_less_than_they_left_with(result: Dataset) -> None:
    stripped = dcmread(io.BytesIO(encoded_bytes(result)))
    del stripped.ContributingEquipmentSequence
    stripped.Manufacturer = "SECONDREAD "
    assert is_own_result(stripped)
    other = dcmread(io.BytesIO(encoded_bytes(result)))
    del other.ManufacturerModelName
    assert is_own_result(other)


@pytest.mark.parametrize("result", results(), ids=["report", "key image"])
def test_results_of_others_are_not_own_ones(result: Dataset) -> None:
    foreign = dcmread(io.BytesIO(encoded_bytes(result)))
    foreign.Manufacturer = "Somebody else"
    foreign.ManufacturerModelName = "SecondRead viewer"
    assert not is_own_result(foreign)


def test_a_film_is_never_an_own_result() -> None:
    source = header(Manufacturer="SecondRead", ManufacturerModelName="SecondRead")
    assert source.SOPClassUID == ComputedRadiographyImageStorage
    assert not is_own_result(source)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Manufacturer": ["SecondRead", "x"]},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Manufacturer": None},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Manufacturer": "SecondRead"},
        {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.34",
            "Manufacturer": "SecondRead",
            "ContributingEquipmentSequence": [Dataset()],
        },
    ],
)
def test_a_poor_header_is_no_own_result_and_no_error(attributes: dict[str, object]) -> None:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    assert not is_own_result(dataset)

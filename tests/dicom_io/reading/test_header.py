from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DigitalXRayImageStorageForProcessing,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
)

from dicom_io.reading import UnsuitableImage, check_header, read_header
from models.package import InputContract
from tests.dicom_io.reading.films import CONTRACT, code, film, save


def refusal(dataset: Dataset, contract: InputContract = CONTRACT) -> UnsuitableImage:
    with pytest.raises(UnsuitableImage) as caught:
        check_header(dataset, contract)
    return caught.value


def test_a_frontal_chest_film_is_accepted() -> None:
    check_header(film(), CONTRACT)


def test_a_header_without_pixel_data_is_enough() -> None:
    check_header(film(PixelData=None), CONTRACT)


@pytest.mark.parametrize("modality", ["MR", "", None, "cr "])
def test_modality(modality: str | None) -> None:
    dataset = film(Modality=modality)
    if modality == "cr ":
        check_header(dataset, CONTRACT)
    else:
        assert refusal(dataset).code == "wrong-modality"


def test_for_processing_by_class_and_by_intent() -> None:
    assert refusal(film(SOPClassUID=DigitalXRayImageStorageForProcessing)).code == "for-processing"
    assert refusal(film(Modality="DX", PresentationIntentType="FOR PROCESSING")).code == "for-processing"
    check_header(film(Modality="DX", PresentationIntentType="FOR PRESENTATION"), CONTRACT)


def test_a_secondary_capture_of_a_film_is_accepted_unless_it_is_ours() -> None:
    check_header(film(SOPClassUID=SecondaryCaptureImageStorage), CONTRACT)
    own = film(
        SOPClassUID=SecondaryCaptureImageStorage,
        Manufacturer="SecondRead",
        ManufacturerModelName="SecondRead",
    )
    assert refusal(own).code == "own-result"


def test_sop_classes_of_the_contract() -> None:
    contract = CONTRACT.model_copy(update={"sop_classes": ("1.2.840.10008.5.1.4.1.1.1",)})
    check_header(film(), contract)
    error = refusal(film(SOPClassUID=SecondaryCaptureImageStorage), contract)
    assert error.code == "wrong-sop-class"
    assert "Secondary Capture Image Storage" in str(error)


@pytest.mark.parametrize("position", ["LL", "RL", "LAT", "LATERAL", "lateral "])
def test_lateral_by_position(position: str) -> None:
    assert refusal(film(ViewPosition=position)).code == "lateral-view"


@pytest.mark.parametrize(("position", "word"), [("LLD", "decubitus"), ("RPO", "oblique")])
def test_other_views(position: str, word: str) -> None:
    error = refusal(film(ViewPosition=position))
    assert error.code == "wrong-view"
    assert word in str(error)


@pytest.mark.parametrize("value", ["399067008", "399173006", "399198007", "R-10232", "R-10236", "R-102CD"])
def test_lateral_by_code(value: str) -> None:
    assert refusal(film(ViewPosition="", ViewCodeSequence=[code(value)])).code == "lateral-view"


@pytest.mark.parametrize("value", ["272479007", "399348003", "R-10206", "R-40888"])
def test_frontal_by_code(value: str) -> None:
    strict = CONTRACT.model_copy(update={"accept_unknown_view": False})
    check_header(film(ViewPosition=None, ViewCodeSequence=[code(value)]), strict)


def test_a_stated_position_wins_over_a_code() -> None:
    check_header(film(ViewPosition="PA", ViewCodeSequence=[code("399067008")]), CONTRACT)


@pytest.mark.parametrize("orientation", [["A", "F"], ["P", "F"], ["AL", "FR"]])
def test_lateral_by_orientation(orientation: list[str]) -> None:
    assert refusal(film(ViewPosition=None, PatientOrientation=orientation)).code == "lateral-view"


def test_a_frontal_orientation_says_nothing_of_pa_or_ap() -> None:
    dataset = film(ViewPosition=None, PatientOrientation=["L", "F"])
    check_header(dataset, CONTRACT)
    strict = CONTRACT.model_copy(update={"accept_unknown_view": False})
    assert refusal(dataset, strict).code == "wrong-view"


def test_ap_is_refused_where_only_pa_is_read() -> None:
    error = refusal(film(ViewPosition="AP"), CONTRACT.model_copy(update={"views": ("PA",)}))
    assert (error.code, str(error)) == ("wrong-view", "the view is AP, not PA")


@pytest.mark.parametrize("part", ["CHEST", "chest", "THORAX", "RIBS", "CHEST PA", "LEFT RIBS"])
def test_body_parts_that_are_read(part: str) -> None:
    check_header(film(BodyPartExamined=part), CONTRACT)


@pytest.mark.parametrize("part", ["HAND", "ABDOMEN", "BREAST", "CSPINE"])
def test_body_parts_that_are_not_read(part: str) -> None:
    error = refusal(film(BodyPartExamined=part))
    assert error.code == "wrong-body-part"
    assert part in str(error)


def test_body_part_by_region_code() -> None:
    strict = CONTRACT.model_copy(update={"accept_unknown_body_part": False})
    check_header(film(BodyPartExamined="", AnatomicRegionSequence=[code("51185008")]), strict)
    assert refusal(film(BodyPartExamined=""), strict).code == "wrong-body-part"
    check_header(film(BodyPartExamined=None), CONTRACT)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"Rows": None}, "no-pixel-data"),
        ({"Rows": 0}, "bad-dimensions"),
        ({"Columns": 65535}, "bad-dimensions"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "bad-photometric"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "bad-photometric"),
        ({"PhotometricInterpretation": None}, "bad-photometric"),
        ({"NumberOfFrames": 2}, "multi-frame"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "bad-bit-depth"),
        ({"BitsStored": 17}, "bad-bit-depth"),
        ({"HighBit": 15}, "bad-bit-depth"),
        ({"PixelRepresentation": 2}, "bad-bit-depth"),
    ],
)
def test_geometry(attributes: dict[str, object], expected: str) -> None:
    assert refusal(film(**attributes)).code == expected


def test_one_frame_that_is_said_aloud_is_no_multi_frame() -> None:
    check_header(film(NumberOfFrames=1), CONTRACT)


def test_an_object_that_is_no_image() -> None:
    dataset = film(SOPClassUID=GrayscaleSoftcopyPresentationStateStorage, Modality="PR", PixelData=None)
    assert refusal(dataset).code == "wrong-modality"


def test_reasons_hold_no_patient() -> None:
    dataset = film(
        PatientName="LEAK^LEAK",
        PatientID="LEAK",
        BodyPartExamined="HAND",
        InstitutionName="LEAK",
        Modality="OT",
    )
    contract = CONTRACT.model_copy(update={"modalities": ("OT",)})
    for one in (CONTRACT, contract):
        assert "LEAK" not in str(refusal(dataset, one))


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 131, b"GIF89a" * 100, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 64],
)
def test_files_that_are_no_dicom(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(content)
    with pytest.raises(UnsuitableImage) as caught:
        read_header(path)
    assert caught.value.code in ("not-dicom", "truncated")


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_header(tmp_path / "nothing.dcm")


def test_a_header_keeps_its_file_meta(tmp_path: Path) -> None:
    header = read_header(save(film(), tmp_path / "film.dcm"))
    assert "PixelData" not in header
    assert header.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_values_never_reach_warnings_or_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    dataset = film(AccessionNumber="LEAK" * 9, StudyID="LEAK" * 9)
    dataset.add_new("PatientBirthDate", "DA", "LEAK")
    dataset.add_new("PatientAge", "AS", "LEAKLEAK")
    path = save(dataset, tmp_path / "film.dcm")
    recwarn.clear()
    caplog.clear()
    for element in read_header(path):
        assert element is not None
    assert not [one for one in recwarn if "LEAK" in str(one.message)]
    assert "LEAK" not in caplog.text

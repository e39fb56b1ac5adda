from __future__ import annotations

import io
import warnings

import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from dicom_io.results import encode_overview, encode_structured_report, encoded_bytes
from dicom_io.results.segmentation import encode_film_segmentation, encode_segmentation
from tests.dicom_io.results.every_kind import film_objects, volume_objects
from tests.dicom_io.results.factory import ONE, context, film, header
from tests.dicom_io.results.volume_factory import volume_context, volume_header

NAMES = {
    "ISO_IR 100": "Müller^Änne",
    "ISO_IR 101": "Dvořák^Antonín",
    "ISO_IR 144": "Люкceмбypг^Роза",
    "ISO_IR 126": "Διονυσιος^Αννα",
    "ISO_IR 138": "שרון^דבורה",
    "ISO_IR 192": "Wang^XiaoDong=王^小东=ł",
    "GB18030": "Wang^XiaoDong=王^小东",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
    "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126": "Äneas=Люкceмбypг=Διονυσιος",
}
# PS3.5 annexes H to K, as their authors encode them
EXAMPLES = {
    "\\ISO 2022 IR 87": b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B="
    b"\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    "ISO 2022 IR 13\\ISO 2022 IR 87": b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J="
    b"\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
    "\\ISO 2022 IR 149": b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7="
    b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
    "\\ISO 2022 IR 58": b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
    "ISO_IR 13": b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3",
    "ISO_IR 166": b"\xca\xc1\xaa\xd2\xc2",
    "GB18030": b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=",
}


def sets(value: str) -> str | list[str]:
    return value.split("\\") if "\\" in value else value


def with_bytes(source: Dataset, keyword: str, value: bytes) -> Dataset:
    """Replace an element as if it had been read like that."""
    tag = Tag(keyword)
    value += b" " * (len(value) % 2)
    source[tag] = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)
    return source


def raw(dataset: Dataset, keyword: str) -> bytes:
    item = dataset.get_item(keyword)
    return bytes(item.value or b"")


@pytest.mark.parametrize("character_set", list(NAMES))
def test_a_name_arrives_as_it_left_byte_for_byte(character_set: str) -> None:
    name = {
        "SpecificCharacterSet": sets(character_set),
        "PatientName": NAMES[character_set],
        "PatientComments": NAMES[character_set].split("=")[0],
    }
    source = header(**name)
    volume = volume_context(findings=1, probabilities=True, attributes=name)
    for dataset in [
        *film_objects(context(source, boxes=ONE)).values(),
        *volume_objects(volume).values(),
        *volume_objects(volume, kind="fractional").values(),
        *volume_objects(volume, kind="labelmap").values(),
    ]:
        back = dcmread(io.BytesIO(encoded_bytes(dataset)))
        assert raw(back, "PatientName") == raw(source, "PatientName")
        assert str(back.PatientName) == NAMES[character_set]
        assert back.PatientComments == NAMES[character_set].split("=")[0]
        assert back.SpecificCharacterSet == sets(character_set)


@pytest.mark.parametrize("character_set", list(EXAMPLES))
def test_the_examples_of_the_standard_survive(character_set: str) -> None:
    source = with_bytes(
        header(SpecificCharacterSet=sets(character_set), PatientName="x"),
        "PatientName",
        EXAMPLES[character_set],
    )
    wanted = raw(source, "PatientName")
    for dataset in film_objects(context(source, boxes=ONE)).values():
        back = dcmread(io.BytesIO(encoded_bytes(dataset)))
        assert raw(back, "PatientName") == wanted
        assert back.PatientName == source.PatientName


def test_nested_text_survives_too() -> None:
    issuer = Dataset()
    issuer.PatientID = "номер"
    issuer.IssuerOfPatientID = "Больница"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", "Рентген"
    source = header(
        SpecificCharacterSet="ISO_IR 144",
        PatientName="Иванов^Иван",
        OtherPatientIDsSequence=Sequence([issuer]),
        ProcedureCodeSequence=Sequence([code]),
    )
    back = dcmread(io.BytesIO(encoded_bytes(encode_structured_report(context(source)))))
    assert back.OtherPatientIDsSequence[0].IssuerOfPatientID == "Больница"
    assert back.ProcedureCodeSequence[0].CodeMeaning == "Рентген"


def test_a_name_in_no_known_encoding_is_neither_lost_nor_warned_about() -> None:
    broken = b"M\xfcller^\xff\xfe"
    source = with_bytes(header(SpecificCharacterSet="ISO_IR 6"), "PatientName", broken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = encoded_bytes(encode_structured_report(context(source)))
    assert raw(dcmread(io.BytesIO(data)), "PatientName").rstrip() == broken


def test_a_misspelt_character_set_is_put_right() -> None:
    source = with_bytes(header(PatientName="Müller"), "SpecificCharacterSet", b"ISO-IR 100")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        back = dcmread(io.BytesIO(encoded_bytes(encode_structured_report(context(source)))))
    assert back.SpecificCharacterSet == "ISO_IR 100"
    assert str(back.PatientName) == "Müller"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientAge", b"62"),
        ("PatientBirthDate", b"1950.01.01"),
        ("PatientSex", b"female"),
        ("PatientSex", b"U"),
        ("StudyTime", b"12:30:00"),
        ("PatientWeight", b"seventy "),
        ("PatientSize", b"1.7\\1.8"),
    ],
)
def test_what_is_no_value_of_its_kind_is_left_out(keyword: str, value: bytes) -> None:
    source = with_bytes(header(), keyword, value)
    report = encode_structured_report(context(source))
    assert not report.get(keyword)


def test_a_source_without_optional_attributes_gives_empty_ones() -> None:
    missing = dict.fromkeys(
        ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"), ...
    )
    missing |= dict.fromkeys(
        ("ReferringPhysicianName", "StudyDate", "StudyTime", "SpecificCharacterSet", "BodyPartExamined"), ...
    )
    source = header(**missing)
    made = context(source, boxes=ONE)
    for dataset in (
        encode_structured_report(made),
        encode_overview(made, [film(source)]),
    ):
        for keyword in missing:
            if keyword not in {"SpecificCharacterSet", "BodyPartExamined"}:
                assert keyword in dataset
                assert not dataset[keyword].value


def test_a_source_that_was_read_already_gives_the_same_bytes() -> None:
    untouched, touched = header(PatientAge="062Y"), header(PatientAge="062Y")
    for element in touched:
        assert element.value is not None or True
    one, other = (encoded_bytes(encode_structured_report(context(h))) for h in (untouched, touched))
    assert one == other


def test_private_and_pixel_attributes_stay_behind() -> None:
    source = header()
    source.private_block(0x0011, "ACME", create=True).add_new(1, "LO", "secret")
    report = encode_structured_report(context(source))
    assert not [tag for tag in report if tag.tag.is_private]
    assert "BitsStored" not in report


@pytest.mark.parametrize("value", ["1.2.03.4", "1.2.3." + "4" * 70, "00.1"])
def test_the_study_is_that_of_the_source_whatever_its_form(value: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attributes = {"StudyInstanceUID": value}
        films = film_objects(context(header(**attributes), boxes=ONE))
        volumes = [
            volume_objects(volume_context(findings=1, attributes=attributes), kind=kind)
            for kind in ("binary", "labelmap")
        ]
        for dataset in [*films.values(), *(one for objects in volumes for one in objects.values())]:
            back = dcmread(io.BytesIO(encoded_bytes(dataset)))
            assert raw(back, "StudyInstanceUID").rstrip(b"\0") == value.encode()


@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", b"P\\1"),
        ("PatientName", b"One^A\\Two^B"),
        ("AccessionNumber", b"A1\\A2"),
        ("StudyID", b"1\\2"),
        ("StudyDescription", b"x" * 65),
        ("StudyDescription", b"Chest\\Lung"),
        ("PatientComments", b"x" * 10241),
        ("PatientOrientation", b"L"),
        ("PatientOrientation", b"L\\F\\H"),
        ("RequestingService", b"x" * 65),
        ("IssuerOfPatientID", b"a\\b"),
        ("EthnicGroup", b"x" * 17),
        ("Occupation", b"x" * 17),
    ],
)
def test_too_many_values_and_too_long_ones_are_left_out(keyword: str, value: bytes, touched: bool) -> None:
    source = with_bytes(header(), keyword, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if touched:
            assert source[keyword].value is not None
        objects = film_objects(context(source, boxes=ONE))
    for kind, dataset in objects.items():
        assert not dataset.get(keyword), kind
    assert "PatientID" in objects["segmentation-1"]


def test_what_identifies_is_kept_however_long_it_is() -> None:
    source = header()
    for keyword in ("PatientID", "PatientName", "AccessionNumber", "StudyID"):
        with_bytes(source, keyword, b"9" * 70)
    report = encode_structured_report(context(source))
    for keyword in ("PatientID", "PatientName", "AccessionNumber", "StudyID"):
        assert raw(report, keyword) == b"9" * 70


@pytest.mark.parametrize(
    ("character_set", "text"),
    [
        ("GB18030", "\u8a8c" * 40),  # its second byte is that of a backslash
        ("ISO_IR 192", "\u0416" * 60),
        ("\\ISO 2022 IR 87", "\u3061\u6d5c\u9edb" * 3),
        ("\\ISO 2022 IR 149", "\uae40" * 30),
    ],
)
def test_characters_count_and_no_byte_of_them_divides_values(character_set: str, text: str) -> None:
    source = header(SpecificCharacterSet=sets(character_set), PatientName="", StudyDescription=text)
    report = encode_structured_report(context(source))
    assert raw(report, "StudyDescription") == raw(source, "StudyDescription") != b""


def test_a_film_without_orientation_states_that_it_has_none() -> None:
    for value in (..., "", ["L"]):
        made = film_objects(context(header(PatientOrientation=value), boxes=ONE))["segmentation-1"]
        assert "PatientOrientation" in made
        assert not made.PatientOrientation


NEEDED = {
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Rows", "Columns"),
    *("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"),
}
OPTIONAL = {
    **dict.fromkeys(("LossyImageCompressionRatio", "LossyImageCompressionMethod", "NumberOfFrames")),
    **dict.fromkeys(("SpacingBetweenSlices", "SliceThickness", "PositionReferenceIndicator", "Laterality")),
    **dict.fromkeys(("PregnancyStatus", "SmokingStatus", "PatientSize", "ImageType", "RescaleType")),
    **dict.fromkeys(("TimezoneOffsetFromUTC", "PatientAge", "LastMenstrualDate", "ViewPosition")),
    **dict.fromkeys(("OtherPatientIDsSequence", "ProcedureCodeSequence", "PatientBirthTime")),
}


@pytest.mark.parametrize("value", [b"10:1", b"junk\\-1", b"\xff\xfe\x00", b"-5", b"1e999", b""])
def test_no_optional_attribute_of_the_source_costs_the_segmentation(value: bytes) -> None:
    film_header, lossy = header(), {"LossyImageCompression": "01"}
    names = dict.fromkeys([*(element.keyword for element in film_header), *OPTIONAL])
    volume_names = dict.fromkeys([*(element.keyword for element in volume_header()), *OPTIONAL])
    failed = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in (name for name in names if name not in NEEDED):
            made = context(with_bytes(header(**lossy), name, value), boxes=ONE)
            try:
                encoded_bytes(encode_film_segmentation(made, str(made.headers[0].SOPInstanceUID)))
            except Exception as error:
                failed.append(f"film {name}: {error!r}")
        for name in (name for name in volume_names if name not in NEEDED):
            made_volume = volume_context(findings=1, attributes=lossy, shape=(3, 9, 9))
            for one in made_volume.headers:
                with_bytes(one, name, value)
            try:
                encoded_bytes(encode_segmentation(made_volume))
            except Exception as error:
                failed.append(f"volume {name}: {error!r}")
    assert failed == []


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (b"10:1", None),
        (b"10\\x", None),
        (b"1e999", None),
        (b"10", 10.0),
        (b"7.5\\10", [7.5, 10.0]),
        (b"-3", None),
    ],
)
def test_ratios_that_are_not_all_numbers_are_left_out(value: bytes, kept: object) -> None:
    source = with_bytes(header(LossyImageCompression="01"), "LossyImageCompressionRatio", value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = film_objects(context(source, boxes=ONE))["segmentation-1"]
    assert made.LossyImageCompression == "01"
    assert made.get("LossyImageCompressionRatio") == kept

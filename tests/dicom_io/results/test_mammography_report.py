"""What a measurement report says of a mammography examination."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import highdicom as hd
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.results import FilmContext, MammographyContext, ResultInvalid, encode_structured_report
from dicom_io.results.asserts import children_of, concept_code, measurement_groups, number_of, walk
from dicom_io.results.mammography_asserts import check_mammography_report
from dicom_io.results.write import encoded_bytes
from models.mammography_results import BreastReading, DensityReading, LesionGroup, MammographyExam
from tests.dicom_io.results.cad.context_groups import group as context_group
from tests.dicom_io.results.mammography_factory import FOUR, TISSUE, Shot, examination


def paired() -> MammographyContext:
    """Return four views with one lesion of the left breast on both of its views."""
    made = examination(FOUR).context
    return replace(made, exam=replace(made.exam, groups=(LesionGroup(1, (1, 2), 0.9),), views_compared=True))


def read_back(made: FilmContext) -> Dataset:
    return dcmread(io.BytesIO(encoded_bytes(encode_structured_report(made))))


def group_of(report: Dataset, made: FilmContext, kind: str) -> Dataset:
    wanted = made.identity.uid(f"tracking:{kind}")
    (found,) = (
        group
        for group in measurement_groups(report)
        if [str(item.UID) for item in children_of(group, "112040")] == [wanted]
    )
    return found


def codes_of(item: Dataset, name: str) -> list[str]:
    return [str(child.ConceptCodeSequence[0].CodeValue) for child in children_of(item, name)]


def comments(group: Dataset) -> str:
    return " | ".join(str(child.TextValue) for child in children_of(group, "121106"))


def images_of(group: Dataset) -> list[str]:
    return [
        str(child.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for child in children_of(group, "121112")
    ]


def side_of(group: Dataset) -> list[str]:
    (site,) = children_of(group, "363698007")
    assert site.ConceptCodeSequence[0].CodeValue == "76752008"
    return codes_of(site, "272741003")


RIGHT, LEFT = "24028007", "7771000"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exam": MammographyExam(())}, "whose breast and view are not stated"),
        (
            {"breasts": (BreastReading("R", 0.5, ("2.25.3331",)),)},
            "the views of the right breast are not those",
        ),
        (
            {
                "breasts": (
                    BreastReading("L", 0.5, ("2.25.3331", "2.25.3333")),
                    BreastReading("R", 0.5, ("2.25.3332", "2.25.3334")),
                )
            },
            "the views of the right breast",
        ),
        ({"breasts": (BreastReading("R", 0.5, ("2.25.3331", "2.25.3333")),)}, "the views of the left breast"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ResultInvalid, match=words):
        replace(examination(FOUR).context, **change)


def test_two_classes_of_tissue_are_refused() -> None:
    made = examination(FOUR).context
    with pytest.raises(ResultInvalid, match="two classes of tissue"):
        replace(made, exam=replace(made.exam, density="fatty"))


NOT_LOOKED_FOR = "Microcalcifications are not looked for."


def stating(made: MammographyContext) -> MammographyContext:
    return replace(made, package=replace(made.package, statements=(NOT_LOOKED_FOR,)))


def test_a_report_without_what_the_package_states_is_refused() -> None:
    made = paired()
    with pytest.raises(ResultInvalid, match="does not say what its package states: Microcalcifications"):
        check_mammography_report(encode_structured_report(made), stating(made))


@pytest.mark.parametrize("shots", [FOUR, tuple(replace(shot, fails=True) for shot in FOUR)])
def test_every_report_says_what_the_package_states(shots: tuple[Shot, ...]) -> None:
    made = stating(examination(shots).context)
    assert NOT_LOOKED_FOR in comments(group_of(read_back(made), made, "reading"))


def test_a_report_with_another_score_of_an_image_is_refused() -> None:
    made = paired()
    report = encode_structured_report(made)
    readings = (replace(made.readings[0], case_score=0.123), *made.readings[1:])
    with pytest.raises(ResultInvalid, match="the score of an image is not the one of the reading"):
        check_mammography_report(report, replace(made, readings=readings))


def test_the_score_of_an_image_and_of_a_breast_is_of_all_that_is_abnormal() -> None:
    made = paired()
    report = read_back(made)
    names = {
        str(item.ConceptNameCodeSequence[0].CodeMeaning)
        for group in measurement_groups(report)
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    }
    assert {
        "Score that the image is abnormal as the package means it",
        "Score that the breast is abnormal as the package means it",
    } <= names
    assert not any(name.startswith("Score that the film shows") for name in names)
    first = made.readings[0]
    group = group_of(report, made, f"film:{first.sop_instance_uid}")
    assert number_of(group, "image-score") == pytest.approx(100 * first.case_score)


@pytest.mark.parametrize(
    ("modality", "stated"), [("MG", "MG"), ("RG", "RG"), ("CR", "CR"), ("OT", "OT"), ("SC", "MG")]
)
def test_scanned_films_are_mammography_by_their_own_modality(modality: str, stated: str) -> None:
    made = examination((replace(FOUR[0], more=(("Modality", modality),)),)).context
    report = read_back(made)
    (library,) = children_of(report, "111028")
    (group,) = children_of(library, "126200")
    (entry,) = children_of(group, "260753009")
    assert codes_of(entry, "121139") == [stated]
    assert codes_of(report, "121058") == ["71651007"]


def test_a_finding_says_breast_and_view() -> None:
    made = paired()
    group = group_of(read_back(made), made, "finding-1")
    assert side_of(group) == [LEFT]
    assert "Breast and view: L CC." in comments(group)
    assert "lesion 1, with finding 2" in comments(group)


def test_the_coordinates_are_those_of_the_source_however_it_is_stored() -> None:
    mirrored = (Shot("R", "MLO", wall="left", lesion=(400.0, 100.0, 20.0)),)
    made = examination(mirrored).context
    (region,) = children_of(group_of(read_back(made), made, "finding-1"), "111030")
    assert list(region.GraphicData)[:4] == [80.0, 380.0, 120.0, 380.0]


def test_every_image_is_in_the_library_with_breast_and_view() -> None:
    made = examination((*FOUR, Shot("L", "MLO", modifiers=("M", "S")))).context
    report = read_back(made)
    (library,) = children_of(report, "111028")
    (group,) = children_of(library, "126200")
    entries = children_of(group, "260753009")
    assert [codes_of(e, "111027") for e in entries] == [[RIGHT], [LEFT], [RIGHT], [LEFT], [LEFT]]
    cranio_caudal, oblique = "399162004", "399368009"
    assert [codes_of(e, "111031") for e in entries] == [
        [cranio_caudal],
        [cranio_caudal],
        [oblique],
        [oblique],
        [oblique],
    ]
    (view,) = children_of(entries[-1], "111031")
    assert codes_of(view, "111032") == ["399163009", "399055006"]
    names = [concept_code(item) for item in report.ContentSequence]
    assert names.index("111028") < names.index("126010")


def test_an_image_is_named_by_its_view() -> None:
    made = examination(FOUR).context
    group = group_of(read_back(made), made, "film:2.25.3333")
    (words,) = children_of(group, "112039")
    assert words.TextValue == "Mammogram 3, R MLO"
    assert side_of(group) == [RIGHT]


def test_each_breast_is_evaluated() -> None:
    made = examination(FOUR).context
    report = read_back(made)
    right, left = group_of(report, made, "breast-R"), group_of(report, made, "breast-L")
    assert (side_of(right), side_of(left)) == ([RIGHT], [LEFT])
    assert images_of(right) == ["2.25.3331", "2.25.3333"]
    assert number_of(right, "breast-score") == 12.5 and number_of(left, "breast-score") == 87.5
    assert number_of(left, "breast-asymmetry") == 0.375
    assert codes_of(right, "121071") == ["111241"] and codes_of(left, "121071") == ["111242"]
    assert "views read: L CC, L MLO" in comments(left)


def test_one_breast_alone_has_no_asymmetry() -> None:
    made = examination((Shot("L", "MLO"), Shot("L", "MLO"))).context
    report = read_back(made)
    assert number_of(group_of(report, made, "breast-L"), "breast-asymmetry") is None
    assert "not read: R CC, L CC, R MLO" in comments(group_of(report, made, "examination"))


def test_a_lesion_on_two_views_is_one_group_and_its_marks_keep_theirs() -> None:
    made = paired()
    report = read_back(made)
    lesion = group_of(report, made, "lesion-1")
    assert images_of(lesion) == ["2.25.3332", "2.25.3334"]
    assert number_of(lesion, "111012") == 90
    assert "finding 1 on L CC, finding 2 on L MLO" in comments(lesion)
    uids = [str(item.UID) for item in walk(report) if concept_code(item) == "112040"]
    assert len(set(uids)) == len(uids)


def test_tissue_is_said_in_the_words_of_the_data_and_in_no_code_of_breast_composition() -> None:
    made = examination(FOUR).context
    report = read_back(made)
    group = group_of(report, made, "examination")
    (value,) = (item.ConceptCodeSequence[0] for item in children_of(group, "tissue-class"))
    assert (value.CodeMeaning, value.CodingSchemeDesignator) == ("fatty-glandular", "99SECONDREAD")
    assert number_of(group, "p-tissue-g") == 70
    refused = {code for number in (6000, 6001) for code, _ in context_group(number)}
    codes = [
        code
        for item in walk(report)
        for sequence in ("ConceptNameCodeSequence", "ConceptCodeSequence")
        for code in item.get(sequence) or ()
    ]
    assert not refused & {str(code.CodeValue) for code in codes}
    assert "BI" not in {str(code.CodingSchemeDesignator) for code in codes}


def test_what_was_not_read_is_said_with_the_reason() -> None:
    made = examination((*FOUR[:3], replace(FOUR[3], fails=True))).context
    report = read_back(made)
    assert report.CompletionFlag == "PARTIAL"
    failed = group_of(report, made, "film:2.25.3334")
    assert "did not read this image: The pixels cannot be decoded." in comments(failed)
    assert "Breast and view: L MLO." in comments(failed) and side_of(failed) == [LEFT]
    left = group_of(report, made, "breast-L")
    assert "Not read: L MLO." in comments(left) and codes_of(left, "121071") == ["111244"]
    assert "not read: L MLO" in comments(group_of(report, made, "examination"))


def test_an_examination_of_which_nothing_was_read_has_a_report() -> None:
    made = examination([replace(shot, fails=True, lesion=None) for shot in FOUR[:2]]).context
    report = read_back(made)
    group = group_of(report, made, "examination")
    assert codes_of(group, "121071") == ["111245"]
    assert number_of(group, "exam-score") is None and not children_of(group, "tissue-class")
    assert "Views read: none." in comments(group)


def test_an_image_without_a_view_that_was_not_read_has_none_in_the_report() -> None:
    whole = examination((FOUR[2], replace(FOUR[3], fails=True, lesion=None))).context
    made = replace(whole, exam=MammographyExam(whole.exam.views[:1]))
    report = read_back(made)
    assert side_of(group_of(report, made, "film:2.25.3332")) == []


def test_statements_pass_through() -> None:
    words = "CC views were not part of training"
    made = examination(FOUR, statements=(words,)).context
    assert words in comments(group_of(read_back(made), made, "reading"))


def test_highdicom_reads_the_report() -> None:
    report = hd.sr.Comprehensive3DSR.from_dataset(read_back(paired()))
    content: Any = report.content
    assert len(content.get_planar_roi_measurement_groups()) == 2


def test_the_same_reading_gives_the_same_bytes() -> None:
    assert encoded_bytes(encode_structured_report(paired())) == encoded_bytes(
        encode_structured_report(paired())
    )


def other_side(report: Dataset, made: MammographyContext) -> None:
    (site,) = children_of(group_of(report, made, "finding-1"), "363698007")
    site.ContentSequence[0].ConceptCodeSequence[0].CodeValue = RIGHT


def other_view(report: Dataset, _: MammographyContext) -> None:
    view = next(item for item in walk(report) if concept_code(item) == "111031")
    view.ConceptCodeSequence[0].CodeValue = "399368009"


def image_twice(report: Dataset, _: MammographyContext) -> None:
    (group,) = (item for item in walk(report) if concept_code(item) == "126200")
    group.ContentSequence.append(group.ContentSequence[0])


def other_score(kind: str, name: str) -> Callable[[Dataset, MammographyContext], None]:
    def change(report: Dataset, made: MammographyContext) -> None:
        (item,) = children_of(group_of(report, made, kind), name)
        item.MeasuredValueSequence[0].NumericValue = "1"

    return change


def other_image(report: Dataset, made: MammographyContext) -> None:
    item = children_of(group_of(report, made, "breast-L"), "121112")[0]
    item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.25.3331"


def other_tissue(report: Dataset, made: MammographyContext) -> None:
    (item,) = children_of(group_of(report, made, "examination"), "tissue-class")
    item.ConceptCodeSequence[0].CodeValue = "tissue-d"


def bi_rads(report: Dataset, made: MammographyContext) -> None:
    (item,) = children_of(group_of(report, made, "examination"), "tissue-class")
    item.ConceptCodeSequence[0].CodeValue = "129717001"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (other_side, "the site of finding 1 is not its breast"),
        (other_view, "another breast or view"),
        (image_twice, "image library is not the images"),
        (other_score("breast-R", "breast-score"), "the score of the right breast"),
        (other_score("breast-L", "breast-asymmetry"), "the asymmetry of the left breast"),
        (other_score("lesion-1", "111012"), "the certainty of lesion 1"),
        (other_score("examination", "exam-score"), "the score of the examination"),
        (other_score("examination", "p-tissue-f"), "the probability of the tissue fatty"),
        (other_image, "the images of the left breast"),
        (other_tissue, "the class of the tissue"),
        (bi_rads, "breast composition or of BI-RADS"),
    ],
)
def test_a_wrong_report_is_refused(spoil: Callable[[Dataset, MammographyContext], None], words: str) -> None:
    made = paired()
    report = deepcopy(encode_structured_report(made))  # codes are shared between reports
    check_mammography_report(report, made)
    spoil(report, made)
    with pytest.raises(ResultInvalid, match=words):
        check_mammography_report(report, made)


def test_a_report_that_lacks_a_breast_is_refused() -> None:
    made = paired()
    with pytest.raises(ResultInvalid, match="the images of the right breast"):
        check_mammography_report(encode_structured_report(replace(made, breasts=())), made)


def test_a_small_share_is_not_called_wrong() -> None:
    density = DensityReading("fatty", {"fatty": 0.99996, "fatty-glandular": 3.3e-5, "dense-glandular": 7e-6})
    encode_structured_report(examination(FOUR, density=density).context)
    assert TISSUE.label == "fatty-glandular"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((("ImageLaterality", "L"),), "an image was read as R MLO, and its header states L MLO"),
        ((("ViewPosition", "CC"),), "an image was read as R MLO, and its header states R CC"),
        ((("ImageLaterality", ""),), "whose header does not state breast and view: missing-laterality"),
    ],
)
def test_an_image_that_its_header_calls_otherwise_is_refused(more: Any, words: str) -> None:
    made = examination((Shot("R", "MLO", more=(*more, ("PatientOrientation", "")), lesion=(260, 400, 20)),))
    with pytest.raises(ResultInvalid, match=words):
        encode_structured_report(made.context)

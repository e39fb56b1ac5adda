from __future__ import annotations

import random

import pytest
from pydicom.dataset import Dataset

from dicom_io.reading.sequences.describe import describe_series
from tests.dicom_io.reading.sequences import series as made
from tests.dicom_io.reading.sequences.series import enhanced, series


def test_no_header_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one header"):
        describe_series([])


def test_an_empty_header_is_set_aside() -> None:
    assert describe_series([Dataset()]).set_aside is not None


def test_malformed_attributes_count_as_absent() -> None:
    headers = series("FLAIR", **made.FLAIR)
    for header in headers:
        header["InversionTime"].value = None
        del header.RepetitionTime
    found = describe_series(headers)
    assert (found.sequence, found.certainty) == ("FLAIR", "likely")


@pytest.mark.parametrize(
    ("description", "acquisition", "more", "expected"),
    [
        # Siemens
        ("t2_tirm_tra_dark-fluid", made.FLAIR, {"SequenceName": "*tir2d1_16"}, "FLAIR"),
        ("t2_spc_da-fl_sag_p2_iso", made.FLAIR_3D, {"SequenceName": "*spcir_242ns"}, "FLAIR"),
        ("t1_mprage_sag_p2_iso", made.MPRAGE, {"SequenceName": "*tfl3d1_16ns"}, "T1"),
        ("t1_mpr_tra_gk_v4", made.MPRAGE, {"SequenceName": "*tfl3d1"}, "T1"),
        ("t1_mprage_sag +C", made.MPRAGE, {"SequenceName": "*tfl3d1_16ns"}, "T1C"),
        ("t1_fl2d_tra", made.FL2D, {"SequenceName": "*fl2d1"}, "T1"),
        ("t1_se_tra KM", made.T1, {}, "T1C"),
        ("t1_tse_tra_nativ", made.T1, {}, "T1"),
        ("t1_tirm_tra", made.T1_FLAIR, {}, "T1"),
        ("t2_tse_tra_512", made.T2, {"SequenceName": "*tse2d1_15"}, "T2"),
        ("t2_blade_tra", made.T2, {}, "T2"),
        # GE
        ("Ax T2 FLAIR PROPELLER", made.FLAIR, {}, "FLAIR"),
        ("Sag CUBE T2 FLAIR", made.times(["SE", "IR"], 6500, 125, 1850), {}, "FLAIR"),
        ("AX T1 FLAIR", made.T1_FLAIR, {}, "T1"),
        ("+C Ax T1 FLAIR", made.T1_FLAIR, {}, "T1C"),
        ("Sag 3D BRAVO", made.SPGR, {}, "T1"),
        ("AX FSPGR 3D +C", made.SPGR, {}, "T1C"),
        ("Ax T1 post", made.T1, {"ContrastBolusAgent": "GADAVIST"}, "T1C"),
        ("ax t1 pre", made.T1, {}, "T1"),
        ("Ax T2 FSE", made.T2, {}, "T2"),
        # Philips
        ("T2W_FLAIR", made.times("IR", 11000, 125, 2800), {}, "FLAIR"),
        ("3D_Brain_VIEW_FLAIR_SHC", made.times("IR", 4800, 340, 1650), {}, "FLAIR"),
        ("sT1W_3D_TFE", made.times("GR", 8.1, 3.7, None, 8), {}, "T1"),
        ("T1W_SE", made.T1, {}, "T1"),
        ("T1W_TSE_GADO", made.T1, {}, "T1C"),
        ("T2W_TSE", made.T2, {}, "T2"),
        # Canon, Fujifilm
        ("FLAIR Axial MultiVane", made.times(["SE", "IR"], 10000, 105, 2700), {}, "FLAIR"),
        ("Ax 3D MPRAGE CE", made.times("GR", 7.0, 3.0, 900, 9), {}, "T1C"),
        ("T1WI TRS", made.T1, {}, "T1"),
        ("isoFSE T2 FLAIR", made.times(["SE", "IR"], 6000, 300, 1900), {}, "FLAIR"),
        # spellings
        ("AXT2FLAIR", made.FLAIR, {}, "FLAIR"),
        ("3DT1", made.SPGR, {}, "T1"),
        ("T1C", made.T1, {}, "T1C"),
        ("T1GD TRA", made.T1, {}, "T1C"),
        ("T1 w/ contrast", made.T1, {}, "T1C"),
        ("T1 w/o contrast", made.T1, {}, "T1"),
        ("T1 sans gado", made.T1, {}, "T1"),
        ("T1 apres injection", made.T1, {}, "T1C"),
        ("T1 ohne KM", made.T1, {}, "T1"),
        ("T1 C-", made.T1, {}, "T1"),
    ],
)  # fmt: skip
def test_makers_and_their_words(description: str, acquisition: dict, more: dict, expected: str) -> None:
    found = describe_series(series(description, **{**acquisition, **more}))
    assert found.set_aside is None
    assert found.sequence == expected
    assert found.certainty in ("sure", "likely")


def test_name_and_times_that_agree_are_sure() -> None:
    assert describe_series(series("T2 FLAIR", **made.FLAIR)).certainty == "sure"
    assert describe_series(series("T1 pre", **made.T1)).certainty == "sure"
    assert describe_series(series("T1", **made.T1)).certainty == "likely", "nothing is said of contrast"


def test_times_alone_are_likely_for_each_sequence() -> None:
    expected = {"FLAIR": made.FLAIR, "T1": made.MPRAGE, "T2": made.T2}
    for name, acquisition in expected.items():
        found = describe_series(series("Axial", **acquisition))
        assert (found.sequence, found.certainty) == (name, "likely")


def test_the_name_alone_is_likely() -> None:
    found = describe_series(series("AX T2 FLAIR"))
    assert (found.sequence, found.certainty) == ("FLAIR", "likely")


def test_silent_tags_say_nothing() -> None:
    found = describe_series(series("Axial"))
    assert (found.sequence, found.set_aside) == (None, None)
    assert found.evidence == ("no attribute names the sequence",)


def test_the_protocol_speaks_where_the_description_is_silent() -> None:
    assert describe_series(series("Axial", protocol="t2_tirm_dark-fluid")).sequence == "FLAIR"
    assert describe_series(series("", protocol="T1W_TSE_GD", **made.T1)).sequence == "T1C"


def test_an_examination_with_and_without_contrast_says_nothing_of_one_series() -> None:
    found = describe_series(series("AX T1", protocol="BRAIN W/WO CONTRAST", **made.T1))
    assert (found.sequence, found.contrast) == ("T1", "unknown")


@pytest.mark.parametrize(
    ("description", "acquisition"),
    [
        ("T2 FLAIR", made.T1),
        ("T1", made.FLAIR),
        ("AX T2", made.FLAIR),
        ("T1 FLAIR", made.FLAIR),
        ("FLAIR", made.T1_FLAIR),
        ("T1", made.T2_STAR),
        ("T1", made.PD),
        ("T2", made.T1),
    ],
)
def test_name_and_times_that_contradict_each_other_leave_it_to_the_image(
    description: str, acquisition: dict
) -> None:
    found = describe_series(series(description, **acquisition))
    assert (found.sequence, found.certainty, found.set_aside) == (None, "none", None)
    assert "name and times contradict each other" in found.evidence


def test_two_names_are_none_unless_the_times_tell() -> None:
    assert describe_series(series("T1 T2")).sequence is None
    assert describe_series(series("T1/T2", **made.T2)).sequence == "T2"


def test_flair_after_contrast_is_flair() -> None:
    found = describe_series(series("FLAIR post gd", **made.FLAIR))
    assert (found.sequence, found.contrast) == ("FLAIR", "yes")


@pytest.mark.parametrize(
    "description", ["T1 post op", "AX T1 POST-OP", "T1 pre-op", "T1 post RT", "T1 post fossa"]
)
def test_post_op_is_no_word_of_contrast(description: str) -> None:
    assert describe_series(series(description, **made.T1)).contrast == "unknown"


def test_the_agent_speaks_where_words_are_silent() -> None:
    found = describe_series(series("AX T1", ContrastBolusAgent="Gadovist 7 ml", **made.T1))
    assert (found.sequence, found.contrast) == ("T1C", "yes")
    assert describe_series(series("AX T1", ContrastBolusAgent="NONE", **made.T1)).contrast == "no"
    assert describe_series(series("AX T1", ContrastBolusVolume=10, **made.T1)).sequence == "T1C"


def test_an_agent_against_the_word_pre_leaves_contrast_open() -> None:
    found = describe_series(series("AX T1 PRE", ContrastBolusAgent="Gadovist", **made.T1))
    assert (found.sequence, found.contrast, found.certainty) == ("T1", "unknown", "likely")
    assert any("contradict" in words for words in found.evidence)


def test_a_reformat_is_a_candidate_and_says_that_it_is_derived() -> None:
    for kind in (
        ["DERIVED", "SECONDARY", "MPR", "CSA MPR", "", "CSAPARALLEL"],
        ["DERIVED", "SECONDARY", "REFORMATTED"],
    ):
        found = describe_series(series("T1 MPR cor", ImageType=kind, **made.MPRAGE))
        assert (found.sequence, found.derived, found.set_aside) == ("T1", True, None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"contrast": "FLUID_ATTENUATED", "repetition": 9000, "echo": 120, "inversion": 2500}, "FLAIR"),
        ({"contrast": "FLUID_ATTENUATED"}, "FLAIR"),
        ({"contrast": "T1", "repetition": 600, "echo": 12}, "T1"),
        ({"contrast": "T1", "repetition": 600, "echo": 12, "administered": "YES"}, "T1C"),
        ({"contrast": "T2", "repetition": 4500, "echo": 100}, "T2"),
        ({"contrast": "T2", "repetition": 8000, "echo": 120, "inversion": 2400}, "FLAIR"),
        (
            {"contrast": "T1", "pulse": "GRADIENT", "repetition": 8, "echo": 4, "flip": 8, "inversion": 900},
            "T1",
        ),
        ({"repetition": 2000, "echo": 3, "inversion": 900, "pulse": "GRADIENT"}, "T1"),
    ],
)
def test_enhanced_images_say_it_in_functional_groups(arguments: dict, expected: str) -> None:
    found = describe_series(enhanced(**arguments))
    assert found.sequence == expected
    assert (found.slices, found.gap_mm) == (24, 6.0)


def test_geometry_is_described() -> None:
    found = describe_series(series("T1", orientation=made.SAGITTAL, slices=160, gap=1.0, **made.MPRAGE))
    assert (found.plane, found.slices, found.gap_mm, found.pixel_mm, found.covers_head) == (
        "sagittal", 160, 1.0, 0.9, True)  # fmt: skip
    thin = describe_series(series("T1", slices=5, **made.T1))
    assert (thin.plane, thin.covers_head) == ("axial", False)


def test_the_order_of_headers_is_no_matter() -> None:
    headers = series("t1_mprage KM", **made.MPRAGE)
    shuffled = list(headers)
    random.Random(4).shuffle(shuffled)
    assert describe_series(headers) == describe_series(shuffled)


def test_free_text_is_never_repeated() -> None:
    found = describe_series(series("T1 Mr Miller left 0815", protocol="secret KM Jones", **made.T1))
    said = " ".join(found.evidence).upper()
    assert not any(word in said for word in ("MILLER", "0815", "SECRET", "JONES", "LEFT"))
    aside = describe_series(series("scout Mr Miller")).set_aside
    assert aside is not None
    assert "MILLER" not in aside.reason.upper()

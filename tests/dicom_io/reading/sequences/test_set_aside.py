from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dicom_io.reading import sequences
from dicom_io.reading.sequences import SET_ASIDE_CODES
from dicom_io.reading.sequences.describe import describe_series
from dicom_io.reading.sequences.kinds import KINDS
from tests.dicom_io.reading.sequences import series as made
from tests.dicom_io.reading.sequences.series import enhanced, series

_ONE = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
ANOTHER_KIND = [
    ("3-plane loc", {}, "localiser"),
    ("Survey_SHC", {}, "localiser"),
    ("AAHead_Scout", {}, "localiser"),
    ("", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
    ("ASSET calibration", {}, "calibration"),
    ("ep2d_diff_3scan_trace_p2_ADC", made.DIFFUSION, "diffusion"),
    ("DWI", made.DIFFUSION, "diffusion"),
    ("Ax b1000", {}, "diffusion"),
    ("eADC (10^-6 mm/s)", {}, "diffusion"),
    ("", {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}, "diffusion"),
    ("", {"SequenceName": "*ep_b1000t"}, "diffusion"),
    ("resting state", made.DIFFUSION, "perfusion"),
    ("ep2d_perf", made.DIFFUSION, "perfusion"),
    ("rCBV", {}, "perfusion"),
    ("3D ASL", {}, "perfusion"),
    ("T1 DCE", made.SPGR, "perfusion"),
    ("SWI_Images", {}, "susceptibility"),
    ("AX SWAN", {}, "susceptibility"),
    ("t2_fl2d_tra_hemo", made.T2_STAR, "susceptibility"),
    ("T2* GRE", made.T2_STAR, "susceptibility"),
    ("T2_star", {}, "susceptibility"),
    ("Ax GRE", made.T2_STAR, "susceptibility"),
    ("AX T2 GRE", made.T2_STAR, "susceptibility"),
    ("TOF_3D_multi-slab", {}, "angiography"),
    ("MRA COW", {}, "angiography"),
    ("Axial", {"SequenceName": "*fl3d1r_t70"}, "angiography"),
    ("Axial", {"AngioFlag": "Y"}, "angiography"),
    ("TOF MIP", {}, "angiography"),
    ("T1 MIP COR", {}, "projection"),
    ("", {"ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE"]}, "projection"),
    ("T1 post SUB", made.T1, "subtraction"),
    ("", {"ImageType": ["DERIVED", "PRIMARY", "M", "SUB"]}, "subtraction"),
    ("T1 map", {}, "map"),
    ("SVS PRESS 30", {}, "spectroscopy"),
    ("t1_vibe_dixon_tra_F", made.SPGR, "fat-image"),
    ("", {"ImageType": ["DERIVED", "PRIMARY", "DIXON", "FAT"]}, "fat-image"),
    ("STIR cor", made.STIR, "fat-nulled"),
    ("T2 TRA", made.STIR, "fat-nulled"),
    ("CISS 3D", {}, "steady-state"),
    ("Ax PD", made.PD, "proton-density"),
    ("Axial", made.PD, "proton-density"),
    ("MP2RAGE_INV1", {}, "inversion-image"),
    ("T1", {"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"]}, "phase-image"),
    ("Axial", made.DIFFUSION, "echo-planar"),
    ("T1 cervical spine", made.T1, "wrong-body-part"),
    ("T1", {"BodyPartExamined": "KNEE"}, "wrong-body-part"),
    ("T1", {"Modality": "CT"}, "wrong-modality"),
    ("T1", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "screenshot"),
    ("T1", {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "screenshot"),
    ("T1", {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screenshot"),
    ("T1", {"ImageType": ["DERIVED", "SECONDARY"], "ImagePositionPatient": None}, "screenshot"),
    ("T1", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.2"}, "spectroscopy"),
    ("T1", {"slices": 2}, "few-slices"),
    ("T1", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "wrong-sop-class"),
    ("T2", {**made.T2, "EchoTime": [20, 100]}, "several-echoes"),
    (
        "T1",
        {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33",
            "Manufacturer": "SecondRead",
            "ManufacturerModelName": "SecondRead",
        },
        "own-result",
    ),
    ("AX FLAIR CALIBRATION", made.FLAIR, "calibration"),
    ("ASSET CAL", {}, "calibration"),
    ("B1", {}, "diffusion"),
    ("Ax b 0", {}, "diffusion"),
    ("AX T2 B1000", {}, "diffusion"),
    ("T1 COR HAND", made.T1, "wrong-body-part"),
    ("T2 HAND", made.T2, "wrong-body-part"),
    # Certain by other facts, whatever the words.
    ("FLAIR HAND INJ", {"BodyPartExamined": "HAND", **made.FLAIR}, "wrong-body-part"),
    ("T1 POST HAND INJ", {"BodyPartExamined": "HAND", **made.T1}, "wrong-body-part"),
    ("T2 B0", made.DIFFUSION, "echo-planar"),
    ("T2 B0", {"DiffusionBValue": 1000.0, **made.T2}, "diffusion"),
    ("T2 B0", {"SequenceName": "*ep_b0"}, "diffusion"),
    ("T2 B0", {"ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]}, "diffusion"),
    ("FLAIR B1", {"ImageType": ["DERIVED", "PRIMARY", "B1"]}, "map"),
]
# Of the kind that is read, but not readable: "unread" must be said of these.
UNREADABLE = [
    ({"ImagePositionPatient": None}, "no-position"),
    ({"ImageOrientationPatient": None}, "no-orientation"),
    ({"ImageOrientationPatient": None, "ImagePositionPatient": None}, "no-position"),
    ({"ImageOrientationPatient": list(_ONE)}, "bad-orientation"),
    ({"PixelSpacing": None}, "no-pixel-spacing"),
    ({"Rows": 0}, "no-pixel-data"),
    ({"PhotometricInterpretation": "MONOCHROME1"}, "bad-photometric"),
    ({"NumberOfFrames": 5}, "multi-frame"),
    ({"RescaleSlope": 0}, "bad-rescale"),
    ({"SOPInstanceUID": None}, "no-position"),
]


def _codes_in_the_source() -> set[str]:
    """Return every code that the package writes down: of SetAside, of kinds, of what times allow."""
    codes = set()
    for file in Path(sequences.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="SetAside" | "_kind"), args=[ast.Constant(value=str(code)), *_]
                ):
                    codes.add(code)
                case ast.Tuple(elts=[ast.Constant(value=str(code)), ast.Constant(value=str(reason))]) if (
                    reason.startswith(("it is ", "its "))
                ):
                    codes.add(code)
    return codes


def test_the_codes_of_other_kinds_are_all_codes_of_the_source() -> None:
    assert _codes_in_the_source() == SET_ASIDE_CODES
    assert {kind.code for kind in KINDS} < SET_ASIDE_CODES


def test_each_code_of_another_kind_is_met() -> None:
    assert {code for _, _, code in ANOTHER_KIND} == SET_ASIDE_CODES
    assert SET_ASIDE_CODES.isdisjoint(code for _, code in UNREADABLE)


@pytest.mark.parametrize(("more", "code"), UNREADABLE)
def test_what_cannot_be_read_is_no_other_kind(more: dict, code: str) -> None:
    found = describe_series(series("T2 FLAIR", **{**made.FLAIR, **more}))
    assert found.set_aside is not None
    assert found.set_aside.code == code


@pytest.mark.parametrize(("description", "more", "code"), ANOTHER_KIND)
def test_what_is_set_aside(description: str, more: dict, code: str) -> None:
    found = describe_series(series(description, **more))
    assert found.set_aside is not None
    assert found.set_aside.code == code
    assert found.set_aside.reason
    assert found.sequence is None


def test_slices_of_several_orientations_are_a_localiser() -> None:
    headers = series("", name="a") + series("", name="a", orientation=made.SAGITTAL)
    found = describe_series(headers)
    assert found.set_aside is not None
    assert found.set_aside.code == "localiser"


def test_two_echo_times_are_no_single_volume() -> None:
    headers = series("T2", **made.T2)
    for header in headers[::2]:
        header.EchoTime = 20
    found = describe_series(headers)
    assert found.set_aside is not None
    assert found.set_aside.code == "several-echoes"


@pytest.mark.parametrize(
    "description",
    ["T1 3D isotropic", "T1 flow comp", "T2 DRIVE TSE", "T1 fat sat", "t1 FA 15", "T1 radial",
     "T1 SUB MM", "T1 sub-mm", "T1 submillimeter"],
)  # fmt: skip
def test_words_that_only_sound_like_what_is_set_aside(description: str) -> None:
    assert describe_series(series(description)).set_aside is None


def test_a_b_value_of_nothing_is_no_diffusion() -> None:
    assert describe_series(series("T2 FLAIR", DiffusionBValue=0.0, **made.FLAIR)).sequence == "FLAIR"
    found = describe_series(series("Axial", DiffusionBValue=1000.0))
    assert found.set_aside is not None
    assert found.set_aside.code == "diffusion"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"contrast": "DIFFUSION"}, "diffusion"),
        ({"b_value": 1000.0}, "diffusion"),
        ({"contrast": "T2_STAR"}, "susceptibility"),
        ({"contrast": "PERFUSION"}, "perfusion"),
        ({"component": "PHASE"}, "phase-image"),
        ({"contrast": "STIR"}, "fat-nulled"),
        ({"contrast": "TOF"}, "angiography"),
        ({"contrast": "PROTON_DENSITY"}, "proton-density"),
    ],
)
def test_enhanced_images_are_set_aside(arguments: dict, code: str) -> None:
    found = describe_series(enhanced(**arguments))
    assert found.set_aside is not None
    assert found.set_aside.code == code


@pytest.mark.parametrize(
    "words",
    ["HAND INJ", "HAND-INJ", "HAND_INJ", "HAND INJECTED", "HAND INJECTION", "INJ BY HAND", "HAND PUSH",
     "BY HAND", "INJ HAND", "HAND BOLUS", "HANDINJ", "B0", "B1", "B1 CORR", "B 1", "CAL", "ASSET", "SHIM",
     "PRESCAN NORM", "BODYCOIL"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "acquisition"), [("FLAIR", made.FLAIR), ("T1", made.T1), ("T2", made.T2), ("T1 POST", made.T1)]
)
def test_a_named_sequence_is_not_set_aside_for_a_weak_word(name: str, acquisition: dict, words: str) -> None:
    for description in (f"AX {name} {words}", f"{words} {name}".lower()):
        found = describe_series(series(description, **acquisition))
        assert found.set_aside is None
        assert found.sequence == ("T1C" if found.contrast == "yes" and "T1" in name else name)
        assert found.contrast == "yes" or not ("POST" in name or "INJ" in words)


def test_no_flair_is_of_a_hand() -> None:
    assert describe_series(series("FLAIR HAND", **made.FLAIR)).sequence == "FLAIR"

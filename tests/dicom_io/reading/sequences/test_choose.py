from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from highdicom import Volume

from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.sequences import (
    RANKING_RULES,
    RECOGNITION_RULES,
    SET_ASIDE_CODES,
    SeriesDescription,
    choose_series,
    describe_series,
)
from dicom_io.reading.sequences.choose import choose_by_features, head_features
from models.phantoms.brain import BrainPhantom
from models.sequences import SEQUENCES
from tests.dicom_io.reading.sequences import series as made
from tests.dicom_io.reading.sequences.looks import Features, features_like
from tests.dicom_io.reading.sequences.series import series

ALL = ("T1", "T1C", "T2", "FLAIR")


def described(description: str, name: str, **more: Any) -> SeriesDescription:
    return describe_series(series(description, name=name, **more))


class Images:
    """Features of the images by series, and which were asked for."""

    def __init__(self, looks: dict[str, str]) -> None:
        self.looks = looks
        self.asked: list[str] = []

    def __call__(self, uid: str) -> Features | None:
        self.asked.append(uid)
        return features_like(self.looks[uid])


def images(*pairs: tuple[SeriesDescription, str]) -> Images:
    return Images({one.series_instance_uid: look for one, look in pairs})


def study() -> dict[str, SeriesDescription]:
    return {
        "T1": described("AX T1 pre", "t1", SeriesNumber=3, **made.T1),
        "T1C": described("AX T1 post", "t1c", SeriesNumber=6, **made.T1),
        "T2": described("AX T2", "t2", SeriesNumber=4, **made.T2),
        "FLAIR": described("AX T2 FLAIR", "flair", SeriesNumber=5, **made.FLAIR),
    }


def test_each_sequence_of_a_usual_study_is_found() -> None:
    all_four = study()
    found = choose_by_features(
        all_four.values(), images(*((one, name) for name, one in all_four.items())), ALL
    )
    assert found.by_sequence == {name: all_four[name].series_instance_uid for name in SEQUENCES}
    assert found.remarks == ()
    assert found.not_used == {}


def test_an_unknown_sequence_and_a_series_twice_are_errors() -> None:
    one = described("T1", "a", **made.T1)
    with pytest.raises(ValueError, match="unknown"):
        choose_by_features([one], images((one, "T1")), ["PD"])
    with pytest.raises(ValueError, match="twice"):
        choose_by_features([one, one], images((one, "T1")), ["T1"])


def test_nothing_is_found_among_what_is_set_aside() -> None:
    scout, diffusion = described("scout", "a"), described("DWI", "b", **made.DIFFUSION)
    seen = images()
    found = choose_by_features([scout, diffusion], seen, ALL)
    assert found.by_sequence == {}
    assert found.codes == {scout.series_instance_uid: "localiser", diffusion.series_instance_uid: "diffusion"}
    assert seen.asked == []


def test_a_series_that_is_no_volume_is_not_used_and_the_next_is() -> None:
    broken = described("AX FLAIR", "a", slices=40, gap=4.0, **made.FLAIR)
    whole = described("AX FLAIR", "b", **made.FLAIR)

    def read(uid: str) -> Features | None:
        if uid == broken.series_instance_uid:
            raise UnsuitableImage("missing-slice", "1 slice is missing")
        return features_like("FLAIR")

    found = choose_by_features([broken, whole], read, ["FLAIR"])
    assert found.by_sequence == {"FLAIR": whole.series_instance_uid}
    assert found.not_used == {broken.series_instance_uid: "1 slice is missing"}
    assert found.codes == {broken.series_instance_uid: "missing-slice"}


def test_the_order_of_series_is_no_matter() -> None:
    some = [
        described("AX T1 pre", "a", **made.T1),
        described("SAG T1 pre", "b", orientation=made.SAGITTAL, **made.T1),
        described("AX T1 pre", "c", gap=5.0, slices=30, **made.T1),
    ]
    looks = images(*((one, "T1") for one in some))
    answers = [choose_by_features(order, looks, ["T1"]) for order in itertools.permutations(some)]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"ImageType": ["DERIVED", "SECONDARY", "MPR"], "slices": 120, "gap": 1.2}),
        ({}, {"slices": 6, "gap": 2.0}),
        ({}, {"orientation": made.SAGITTAL}),
        ({"slices": 48, "gap": 3.0}, {}),
        ({"Rows": 512, "Columns": 512, "PixelSpacing": [0.45, 0.45]}, {}),
        ({"AcquisitionTime": "093000"}, {}),
        ({"SeriesNumber": 9}, {}),
    ],
    ids=["original", "whole head", "axial", "thin", "fine", "later", "number"],
)
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_ranking_rules(better: dict[str, Any], worse: dict[str, Any], names: tuple[str, str]) -> None:
    first = described("T2 FLAIR", names[0], **{**made.FLAIR, **better})
    second = described("T2 FLAIR", names[1], **{**made.FLAIR, **worse})
    found = choose_by_features([first, second], images((first, "FLAIR"), (second, "FLAIR")), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": first.series_instance_uid}
    assert found.codes == {second.series_instance_uid: "other-chosen"}


def test_sure_tags_come_before_likely_ones() -> None:
    sure, likely = described("T2 FLAIR", "a", **made.FLAIR), described("T2 FLAIR", "b", slices=48, gap=3.0)
    found = choose_by_features([sure, likely], images((sure, "FLAIR"), (likely, "FLAIR")), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": sure.series_instance_uid}


def test_a_three_dimensional_series_of_any_plane_is_as_good_as_an_axial_one() -> None:
    thin = described("SAG FLAIR", "a", orientation=made.SAGITTAL, slices=160, gap=1.0, **made.FLAIR_3D)
    thick = described("AX FLAIR", "b", **made.FLAIR)
    found = choose_by_features([thin, thick], images((thin, "FLAIR"), (thick, "FLAIR")), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": thin.series_instance_uid}


def test_a_reformat_is_used_with_a_remark_where_there_is_nothing_else() -> None:
    one = described("FLAIR MPR", "a", ImageType=["DERIVED", "SECONDARY", "MPR"], **made.FLAIR)
    found = choose_by_features([one], images((one, "FLAIR")), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": one.series_instance_uid}
    assert found.remarks == ("series 5: used as FLAIR, although derived from other images",)


def test_flair_after_contrast_is_used_with_a_remark() -> None:
    one = described("FLAIR post gd", "a", **made.FLAIR)
    found = choose_by_features([one], images((one, "FLAIR")), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": one.series_instance_uid}
    assert found.remarks == ("series 5: FLAIR after contrast",)


@pytest.mark.parametrize("look", SEQUENCES)
def test_the_image_decides_where_tags_are_silent(look: str) -> None:
    one = described("Axial", "a")
    found = choose_by_features([one], images((one, look)), ALL)
    assert found.by_sequence == {look: one.series_instance_uid}
    assert "no attribute names the sequence; the image looks like" in found.remarks[0]


def test_the_image_decides_where_name_and_times_contradict_each_other() -> None:
    one = described("AX T1", "a", **made.FLAIR)
    found = choose_by_features([one], images((one, "FLAIR")), ALL)
    assert found.by_sequence == {"FLAIR": one.series_instance_uid}
    assert found.remarks[0].startswith(
        "series 5: name and times contradict each other; the image looks like FLAIR"
    )


def test_a_series_that_nothing_recognises_is_not_used() -> None:
    one = described("Axial", "a", BodyPartExamined="HEAD")
    found = choose_by_features([one], images((one, "nothing")), ALL)
    assert found.by_sequence == {}
    assert found.codes == {one.series_instance_uid: "unrecognised"}


def test_tags_are_followed_where_the_image_says_nothing() -> None:
    one = described("FLAIR BRAIN", "a", **made.FLAIR)
    found = choose_by_features([one], images((one, "nothing")), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": one.series_instance_uid}
    assert found.remarks == ()


def test_likely_tags_that_the_image_clearly_contradicts_are_not_followed() -> None:
    one = described("FLAIR", "a")
    found = choose_by_features([one], images((one, "T2")), ["FLAIR"])
    assert found.by_sequence == {}
    assert found.not_used == {one.series_instance_uid: "tags say FLAIR, the image looks like T2"}
    assert found.codes == {one.series_instance_uid: "image-contradicts-tags"}


def test_sure_tags_are_followed_with_a_remark() -> None:
    one = described("FLAIR", "a", **made.FLAIR)
    found = choose_by_features([one], images((one, "T2")), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": one.series_instance_uid}
    assert found.remarks == ("series 5: tags say FLAIR, the image looks like T2; the tags are followed",)


def test_of_equal_candidates_the_one_whose_image_agrees_is_used() -> None:
    silent = described("FLAIR", "a", BodyPartExamined="HEAD", slices=48, gap=3.0, **made.FLAIR)
    agrees = described("FLAIR", "b", **made.FLAIR)
    found = choose_by_features([silent, agrees], images((silent, "nothing"), (agrees, "FLAIR")), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": agrees.series_instance_uid}


def test_a_t1_after_contrast_that_is_not_named_so_is_relabelled() -> None:
    before, after = described("AX T1", "a", SeriesNumber=3, **made.T1), described("AX T1", "b", **made.T1)
    found = choose_by_features([before, after], images((before, "T1"), (after, "T1C")), ["T1", "T1C"])
    assert found.by_sequence == {"T1": before.series_instance_uid, "T1C": after.series_instance_uid}
    assert found.remarks == (
        "series 5: tags say T1 and nothing of contrast, the image shows enhancement: used as T1 with "
        "contrast",
    )


def test_a_post_contrast_series_named_as_pre_is_relabelled() -> None:
    before = described("AX T1 pre", "a", SeriesNumber=3, **made.T1)
    after = described("AX T1 pre", "b", SeriesNumber=8, **made.T1)
    found = choose_by_features([before, after], images((before, "T1"), (after, "T1C")), ["T1", "T1C"])
    assert found.by_sequence == {"T1": before.series_instance_uid, "T1C": after.series_instance_uid}
    assert found.remarks == (
        "series 8: tags say T1 without contrast, the image shows enhancement: used as T1 with contrast",
    )


def test_the_only_t1_is_relabelled_where_the_image_is_sure() -> None:
    one = described("AX T1", "a", **made.T1)
    found = choose_by_features([one], images((one, "T1C")), ["T1C", "FLAIR"])
    assert found.by_sequence == {"T1C": one.series_instance_uid}


def test_two_t1_the_wrong_way_round_are_remarked_upon() -> None:
    before = described("AX T1 pre", "a", SeriesNumber=3, **made.T1)
    after = described("AX T1 post", "b", SeriesNumber=8, **made.T1)
    found = choose_by_features([before, after], images((before, "T1 or T1C"), (after, "T1")), ["T1", "T1C"])
    assert found.by_sequence == {"T1": before.series_instance_uid, "T1C": after.series_instance_uid}
    assert found.remarks == (
        "series 3 and series 8: the images look as if T1 without and with contrast were named the wrong way "
        "round; the tags are followed",
    )


def test_a_named_pre_contrast_series_stays_one_where_nothing_confirms_enhancement() -> None:
    before, other = described("AX T1 pre", "a", **made.T1), described("AX T1 pre", "b", **made.T1)
    found = choose_by_features([before, other], images((before, "T1C"), (other, "T1C")), ["T1", "T1C"])
    assert set(found.by_sequence) == {"T1"}


def between(first: str, second: str, share: float) -> Features:
    """Return features on the way from one typical head to another."""
    one, other = features_like(first), features_like(second)
    assert one is not None
    assert other is not None
    return (1 - share) * one + share * other


@pytest.mark.parametrize("wanted", [("T1", "FLAIR"), ("T1C", "FLAIR"), ALL])
@pytest.mark.parametrize("share", [0.0, 0.35])
def test_t1_and_flair_that_look_swapped_are_remarked_upon_where_tags_are_only_likely(
    wanted: tuple[str, ...], share: float
) -> None:
    name = "AX T1 post" if "T1" not in wanted else "AX T1 pre"
    first, second = described(name, "a", SeriesNumber=3), described("AX FLAIR", "b", SeriesNumber=4)
    looks = {
        first.series_instance_uid: between("FLAIR", "T1", share),
        second.series_instance_uid: between("T1", "FLAIR", share),
    }
    found = choose_by_features([first, second], looks.__getitem__, wanted)
    if not share:
        # Each alone is clear enough not to be used as what it is named.
        assert set(found.codes.values()) == {"image-contradicts-tags"}
        return
    assert set(found.by_sequence.values()) == set(looks)
    assert found.remarks == (
        "series 3 and series 4: the images look as if "
        f"{'T1' if 'T1' in wanted else 'T1 with contrast'} and FLAIR were named the wrong way round; "
        "the tags are followed",
    )


@pytest.mark.parametrize(
    ("looks", "times"),
    [
        ((0.65, 0.65), ({}, {})),  # as named
        ((0.35, 0.65), ({}, {})),  # one of them only
        ((0.35, 0.35), ({}, made.FLAIR)),  # one of them sure
        ((0.35, 0.35), (made.T1, {})),
    ],
)
def test_nothing_is_said_where_t1_and_flair_do_not_speak_together(
    looks: tuple[float, float], times: tuple[dict, dict]
) -> None:
    first, second = described("AX T1 pre", "a", **times[0]), described("AX FLAIR", "b", **times[1])
    seen = {
        first.series_instance_uid: between("FLAIR", "T1", looks[0]),
        second.series_instance_uid: between("T1", "FLAIR", looks[1]),
    }
    assert choose_by_features([first, second], seen.__getitem__, ["T1", "FLAIR"]).remarks == ()


def test_what_is_not_wanted_says_so() -> None:
    four = study()
    found = choose_by_features(four.values(), images(*((one, name) for name, one in four.items())), ["FLAIR"])
    assert found.by_sequence == {"FLAIR": four["FLAIR"].series_instance_uid}
    assert found.not_used[four["T2"].series_instance_uid] == "it is T2, which is not read"
    assert set(found.codes.values()) == {"not-wanted"}


def test_each_image_is_read_at_most_once() -> None:
    four = study()
    seen = images(*((one, name) for name, one in four.items()))
    choose_by_features(four.values(), seen, ALL)
    assert sorted(seen.asked) == sorted(set(seen.asked))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_volumes_of_any_orientation_are_seen_axially(order: tuple[int, int, int]) -> None:
    affine = np.array([[0, 0, 2.0, -95], [0, 2.0, 0, -110], [6.0, 0, 0, -75], [0, 0, 0, 1]])
    array = BrainPhantom(5).sample((24, 110, 96), affine).image("T1")
    axial = Volume(array, affine, coordinate_system="PATIENT", frame_of_reference_uid="2.25.77")
    turned = axial.permute_spatial_axes(list(order)).flip_spatial([1])
    expected, found = head_features(axial), head_features(turned)
    assert expected is not None
    assert found is not None
    np.testing.assert_allclose(found, expected)


def test_a_constant_volume_is_no_head_and_tags_decide_where_they_name_one() -> None:
    named = described("T2 FLAIR", "a", BodyPartExamined="HEAD", **made.FLAIR)
    silent = described("T2 FLAIR", "a", **made.FLAIR)
    blank = Volume(np.full((5, 64, 64), 3), np.eye(4), coordinate_system="PATIENT")
    assert choose_series([named], lambda _: blank, ["FLAIR"]).by_sequence == {
        "FLAIR": named.series_instance_uid
    }
    found = choose_series([silent], lambda _: blank, ["FLAIR"])
    assert set(found.codes.values()) == {"no-head"}
    assert SET_ASIDE_CODES.isdisjoint(found.codes.values())


def test_rules_are_short_lines_for_a_manifest() -> None:
    for rule in (*RANKING_RULES, *RECOGNITION_RULES):
        assert rule.isascii()
        assert rule.isprintable()
        assert rule == " ".join(rule.split())
        assert len(rule) < 500

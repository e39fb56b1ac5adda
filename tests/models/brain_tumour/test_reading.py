from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.brain_tumour.reading import reading_of, segment_of
from models.concepts import Concept
from models.geometry import AlignedStudy
from models.package import FindingConcept
from models.study_results import Classification
from tests.models.brain_tumour.answers import HEAD, MANIFEST, answer
from tests.models.brain_tumour.studies import LESION, sample, study


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.asarray(sample(HEAD.grid).lesions > 0)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"probability": np.zeros((2, 3, 4))}, "float32"),
        ({"probability": np.zeros((3, 4), np.float32)}, "float32"),
        ({"probability": np.zeros((2, 3, 5), np.float32)}, "on the grid of probability"),
        ({"mask": np.zeros((2, 3, 4), np.uint8)}, "mask is bool"),
        ({"pairwise_dice": ()}, "one Dice per pair"),
        ({"member_paths": ()}, "at least one member"),
        ({"case_score": 1.2}, "case_score"),
    ],
)
def test_an_answer_fits_together(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        answer(**{"mask": np.zeros((2, 3, 4), bool)} | values)


def test_nothing_found_is_a_reading_of_what_was_searched(truth: np.ndarray) -> None:
    reading = reading_of(answer(np.zeros_like(truth)), HEAD, MANIFEST)
    assert reading.findings == () and reading.probabilities is None and not reading.labels.array.any()
    (searched,) = reading.searched
    assert searched.type == Concept("108369006", "SCT", "Neoplasm")
    assert reading.case_score == 0.8 and reading.members == 2 and reading.operating_point == 0.5


def test_what_is_marked_is_one_finding_measured_on_the_source(truth: np.ndarray) -> None:
    reading = reading_of(answer(truth), HEAD, MANIFEST)
    (finding,) = reading.findings
    assert finding.volume_ml == pytest.approx(LESION.volume_ml, rel=0.05)
    assert finding.centre_mm == pytest.approx(LESION.centre_mm, abs=1.0)
    assert finding.side == "left" and finding.parts == 1 and finding.probability is None
    assert finding.diameters is not None and finding.diameters.longest_mm == pytest.approx(28.4, rel=0.1)
    assert finding.components["mean_probability"] == pytest.approx(0.75)
    np.testing.assert_array_equal(reading.mask(1), truth)
    assert reading.probabilities is not None
    np.testing.assert_array_equal(reading.probabilities.array[..., 0][truth], np.float32(0.75))
    np.testing.assert_allclose(reading.labels.affine, HEAD.source.volume.affine)
    assert reading.labels.frame_of_reference_uid == "1.2.3" and reading.slices == HEAD.source.slices


def test_parts_of_one_finding_are_counted(truth: np.ndarray) -> None:
    two = truth.copy()
    two[3:5, 50:53, 20:24] = True
    (finding,) = reading_of(answer(two), HEAD, MANIFEST).findings
    assert finding.parts == 2


def test_a_reading_says_what_was_read_and_what_is_missing(truth: np.ndarray) -> None:
    full = reading_of(answer(truth), HEAD, MANIFEST)
    assert (full.series_used, full.series_missing) == (("T1", "FLAIR"), ())
    part = reading_of(answer(truth, plan=MANIFEST.choose(["FLAIR"]), members=1), HEAD, MANIFEST)
    assert (part.series_used, part.series_missing, part.members) == (("FLAIR",), ("T1",), 1)


def test_a_branch_has_its_own_operating_point_and_types(truth: np.ndarray) -> None:
    contrast = study(["T1C"], reference="T1C", shape=(43, 104, 96), spacing=(4.0, 1.84, 1.84))
    suggested = Classification(Concept("1", "SCT", "Type"), Concept("2", "SCT", "Glioma"), 0.7)
    made = answer(truth, plan=MANIFEST.choose(["T1C"]), classifications=(suggested,))
    reading = reading_of(made, contrast, MANIFEST)
    assert reading.operating_point == 0.4 and reading.series_used == ("T1 with contrast",)
    assert reading.series_missing == ("T1", "FLAIR") and reading.classifications == (suggested,)


def test_without_a_head_that_mirrors_no_side_is_stated(truth: np.ndarray) -> None:
    noise = np.random.default_rng(0).random(truth.shape, dtype=np.float32)
    volume = HEAD.source.volume.with_array(noise)
    source = type(HEAD.source)("FLAIR", volume, HEAD.source.slices, "1.2")
    head = AlignedStudy({"FLAIR": noise}, HEAD.grid, source)
    (finding,) = reading_of(answer(truth), head, MANIFEST).findings
    assert finding.side is None and finding.centre_mm is not None


def test_category_and_place_of_a_segment_come_from_the_manifest() -> None:
    code = {"scheme": "SCT", "meaning": "m"}
    plain = {"key": "k", "code": "1", "scheme": "SCT", "meaning": "Neoplasm"}
    full = {**plain, "category": {"code": "2", **code}, "site": {"code": "3", **code}}
    assert segment_of(FindingConcept.model_validate(plain)).category.code == "49755003"
    segment = segment_of(FindingConcept.model_validate(full), 4)
    assert segment.number == 4 and segment.label == "Neoplasm"
    assert segment.category.code == "2" and segment.site == Concept("3", "SCT", "m")

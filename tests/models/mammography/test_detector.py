"""The detector on phantoms with the real networks of a test package, and with scripted answers."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector import check_networks, open_detector, open_exam_detector, open_film_detector
from models.film import Film
from models.mammogram import Mammogram
from models.mammography.answers import member_answer
from models.mammography.detector import MammographyDetector, NoBreast, ViewAnswer
from models.mammography.settings import settings_of
from models.mammography_results import Breast, BreastAnatomy, MammographyView
from models.package import Package, PackageError, load_package
from models.phantoms.breast import PhantomMass, breast_phantom
from models.results import FilmReading
from models.runtime import TensorSpec, open_session
from tests.packages.mammograms import build_mammogram_package

Spot = tuple[float, float, float, float]


def breast(spots: Sequence[Spot] = (), *, right: bool = False, rows: int = 800, columns: int = 640) -> Any:
    """Return a half ellipse on the left with Gaussian spots of (row, column, sigma, height)."""
    row, column = np.mgrid[:rows, :columns].astype(np.float64)
    radius = np.hypot((row - rows / 2) / (0.42 * rows), column / (0.75 * columns))
    grey = 0.5 - 0.2 * radius
    for y, x, sigma, height in spots:
        grey += height * np.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * sigma**2))
    grey += np.random.default_rng(0).normal(0, 0.01, grey.shape)
    pixels = np.where(radius < 1, np.clip(grey, 0.1, 1.0), 0.0).astype(np.float32)
    return np.ascontiguousarray(pixels[:, ::-1]) if right else pixels


def mammogram(uid: str, side: Breast, view: str, spots: Sequence[Spot] = ()) -> Mammogram:
    film = Film(uid, breast(spots, right=side == "R"), pixel_spacing_mm=(0.25, 0.25))
    return Mammogram(film, MammographyView(uid, side, view))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(build_mammogram_package(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="module")
def detector(package: Package) -> MammographyDetector:
    return MammographyDetector(package, lambda path: open_session(path, threads=1))


@pytest.fixture(scope="module")
def textured(tmp_path_factory: pytest.TempPathFactory) -> MammographyDetector:
    package = load_package(build_mammogram_package(tmp_path_factory.mktemp("packages"), textured=True))
    return MammographyDetector(package, lambda path: open_session(path, threads=1))


def edited(package: Package, folder: Path, old: str, new: str) -> Package:
    shutil.copytree(package.folder, folder)
    text = (folder / "package.toml").read_text()
    assert old in text
    (folder / "package.toml").write_text(text.replace(old, new, 1))
    return load_package(folder)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("height = 576\n", "", "lacks height"),
        ("height = 576", "height = 570", "multiple of 32"),
        ("candidate_floor = 0.05", "candidate_floor = 0.0", "candidate_floor"),
        ("overlap = 0.2", "overlap = 1.0", "overlap"),
        ("case = { slope = 1.0", "case = { slope = -1.0", "slopes of all maps"),
        ('[[outputs]]\nname = "malignant"\nshape = ["batch"]\n', "", "outputs lack malignant"),
    ],
)
def test_a_package_that_cannot_be_read_is_refused(
    package: Package, tmp_path: Path, old: str, new: str, says: str
) -> None:
    with pytest.raises(PackageError, match=says):
        settings_of(edited(package, tmp_path / "p", old, new))


@pytest.mark.parametrize("members", [0, 4, -1])
def test_a_number_of_members_that_there_are_not_is_refused(package: Package, members: int) -> None:
    with pytest.raises(PackageError, match="has 3 members"):
        open_exam_detector(package, members=members)


def test_other_families_are_refused(package: Package, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="nothing here reads detect/mammography-exam; known for films"):
        open_film_detector(package)
    other = edited(package, tmp_path / "p", 'family = "mammography-exam"', 'family = "centre-heatmap"')
    with pytest.raises(PackageError, match="known for mammograms are detect/mammography-exam"):
        open_detector(other)


def test_an_image_without_breast_is_an_error_of_that_image(detector: MammographyDetector) -> None:
    view = MammographyView("9", "L", "CC")
    blank = Mammogram(Film("9", np.full((800, 640), 0.5, np.float32)), view)
    with pytest.raises(NoBreast, match="no contrast"):
        detector.prepare_view(blank)
    with pytest.raises(NoBreast):
        detector.read([blank])


def test_an_examination_without_images_or_with_one_twice_is_refused(detector: MammographyDetector) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        detector.read([])
    answer = detector.read_view(mammogram("1", "L", "MLO"))
    with pytest.raises(ValueError, match="read once"):
        detector.combine([answer, answer])


def test_a_prepared_view_of_another_image_is_refused(detector: MammographyDetector) -> None:
    prepared = detector.prepare_view(mammogram("1", "L", "MLO"))
    with pytest.raises(ValueError, match="another image"):
        detector.read_view(mammogram("2", "L", "MLO"), prepared)


class Scripted:
    """Answers with one peak at a network cell, and with whatever else is given."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, cell: tuple[int, int] | None, score: float = 0.8, **answers: Any) -> None:
        self.cell, self.score, self.answers = cell, score, answers

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        (tensor,) = inputs.values()
        rows, columns = tensor.shape[2] // 4, tensor.shape[3] // 4
        centre = np.zeros((1, 1, rows, columns), np.float32)
        if self.cell is not None:
            centre[0, 0, self.cell[0], self.cell[1]] = self.score
        return {
            "centre": centre,
            "extent": np.full((1, 2, rows, columns), 32, np.float32),
            "abnormal": np.array([0.4], np.float32),
            "malignant": np.array([0.1], np.float32),
            "density": np.array([[0.2, 0.5, 0.3]], np.float32),
        } | self.answers


def scripted(package: Package, sessions: Sequence[Scripted]) -> MammographyDetector:
    remaining = iter(sessions)
    return MammographyDetector(package, lambda path: next(remaining), len(sessions))


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"abnormal": np.array([np.nan], np.float32)}, "'abnormal' is no probability"),
        ({"malignant": np.array([1.5], np.float32)}, "'malignant' is no probability"),
        ({"density": np.array([[0.2, 0.2, 0.2]], np.float32)}, "3 shares"),
        ({"density": np.array([[0.5, 0.5]], np.float32)}, "3 shares"),
        ({"centre": np.zeros((1, 1, 8, 8), np.float32)}, "maps have shapes"),
        ({"extent": np.full((1, 2, 16, 16), np.inf, np.float32)}, "'extent' is not finite"),
    ],
)
def test_answers_that_are_no_answers_are_refused(
    package: Package, answers: dict[str, Any], says: str
) -> None:
    tensor = np.zeros((1, 3, 64, 64), np.float32)
    with pytest.raises(ValueError, match=says):
        member_answer(Scripted(None, **answers), tensor, settings_of(package))


def test_silent_members_count(package: Package) -> None:
    reader = scripted(package, [Scripted((70, 30), 0.9), Scripted(None), Scripted(None)])
    (candidate,) = reader.read_view(mammogram("1", "L", "MLO")).reading.candidates
    assert candidate.score == pytest.approx(0.3, abs=1e-4) and candidate.support == pytest.approx(1 / 3)


def test_a_peak_outside_the_breast_is_dropped(package: Package) -> None:
    image = mammogram("1", "L", "MLO")
    prepared = scripted(package, [Scripted(None)]).prepare_view(image)
    outside = np.argwhere(~prepared.mask[2::4, 2::4])[0]
    reader = scripted(package, [Scripted((int(outside[0]), int(outside[1])))])
    assert reader.read_view(image, prepared).reading.candidates == ()


def test_members_have_their_own_maps(package: Package, tmp_path: Path) -> None:
    maps = ", ".join(f"{{ slope = 1.0, offset = {offset} }}" for offset in (0.0, 2.0, -2.0))
    mapped = edited(
        package, tmp_path / "p", "abnormal = 0.5 }", f"abnormal = 0.5, abnormal_members = [{maps}] }}"
    )
    quiet = [Scripted(None), Scripted(None)]
    plain = scripted(package, quiet).read_view(mammogram("1", "L", "MLO"))
    raised = scripted(mapped, quiet).read_view(mammogram("1", "L", "MLO"))
    assert raised.reading.case_score > plain.reading.case_score


def test_a_mass_is_found_where_it_is_on_both_sides(detector: MammographyDetector) -> None:
    spot = (360.0, 200.0, 16.0, 0.3)
    for side, column in (("L", 200.0), ("R", 440.0)):
        answer = detector.read_view(mammogram("1", "R" if side == "R" else "L", "MLO", [spot]))
        (found,) = answer.reading.above_operating_point
        assert found.box.centre == pytest.approx((360.0, column), abs=6.0)
        assert found.support == 1.0
        assert answer.anatomy.chest_wall == ("left" if side == "L" else "right")


@pytest.mark.parametrize(
    ("side", "view", "film"), [("L", "MLO", False), ("R", "CC", False), ("R", "MLO", True)]
)
def test_a_mass_in_a_textured_breast_is_found(
    textured: MammographyDetector, side: Breast, view: Literal["MLO", "CC"], film: bool
) -> None:
    shown = MammographyView("1", side, view)
    for masses in ((), (PhantomMass(130.0, 45.0, 8.0, 0.3),)):
        phantom = breast_phantom(1, side, view, masses, rows=720, columns=540, film=film)
        pixels = Film("1", phantom.pixels, pixel_spacing_mm=phantom.pixel_spacing_mm)
        marks = textured.read_view(Mammogram(pixels, shown, digitised=film)).reading.above_operating_point
        assert len(marks) == len(masses)
        for mark, truth in zip(marks, phantom.masses, strict=True):
            assert mark.box.centre == pytest.approx(truth.centre, abs=4.0 / phantom.pixel_spacing_mm[0])


def test_four_views_become_two_breasts_and_an_examination(detector: MammographyDetector) -> None:
    spot = (360.0, 200.0, 16.0, 0.3)
    exam = [
        mammogram("1", "R", "MLO", [spot]),
        mammogram("2", "L", "CC"),
        mammogram("3", "R", "CC", [spot]),
        mammogram("4", "L", "MLO"),
    ]
    reading = detector.read(exam)
    left, right = reading.breasts
    assert (left.laterality, right.laterality) == ("L", "R")
    assert left.views == ("2", "4") and right.views == ("1", "3")
    assert right.score == reading.exam_score > 0.5 > left.score
    assert right.asymmetry is not None and left.asymmetry is not None
    assert right.asymmetry == pytest.approx(-left.asymmetry) and right.asymmetry > 0.5
    assert [one.sop_instance_uid for one in reading.images] == ["1", "2", "3", "4"]
    assert reading.members == 3 and reading.density is not None


def test_the_same_examination_in_any_order_reads_the_same(detector: MammographyDetector) -> None:
    spot = (360.0, 200.0, 16.0, 0.3)
    answers = [
        detector.read_view(mammogram("1", "R", "MLO", [spot])),
        detector.read_view(mammogram("2", "L", "CC")),
        detector.read_view(mammogram("3", "L", "MLO")),
    ]
    first = detector.combine(answers)
    for order in permutations(answers):
        reading = detector.combine(order)
        assert reading.exam_score == first.exam_score and reading.density == first.density
        assert [(b.laterality, b.score, b.asymmetry) for b in reading.breasts] == [
            (b.laterality, b.score, b.asymmetry) for b in first.breasts
        ]


def test_one_breast_alone_has_no_asymmetry_and_reads_twice_alike(detector: MammographyDetector) -> None:
    reading = detector.read([mammogram("1", "L", "MLO")])
    assert reading.breasts[0].asymmetry is None
    assert reading == detector.read([mammogram("1", "L", "MLO")])


def test_density_that_the_package_withholds_is_not_told(package: Package, tmp_path: Path) -> None:
    quiet = edited(package, tmp_path / "p", "density = true", "density = false")
    assert scripted(quiet, [Scripted(None)]).read([mammogram("1", "L", "MLO")]).density is None


def test_members_in_another_order_agree(package: Package) -> None:
    members = [Scripted((70, 30), 0.9), Scripted((71, 30), 0.6), Scripted(None, abnormal=np.array([0.9]))]
    image = mammogram("1", "L", "MLO")
    scores = [scripted(package, order).read_view(image).reading.case_score for order in permutations(members)]
    assert scores == pytest.approx([scores[0]] * len(scores))


def test_the_package_opens_by_its_contract_and_warms_up(package: Package) -> None:
    opened = open_detector(package, threads=1, members=2)
    assert isinstance(opened, MammographyDetector)
    opened.warm_up()
    assert opened.read([mammogram("1", "L", "MLO")]).members == 2
    check_networks(package)


def view_answer(uid: str, side: Breast, view: str, score: float) -> ViewAnswer:
    return ViewAnswer(
        MammographyView(uid, side, view),
        FilmReading(uid, score, (), 3, 0.5),
        BreastAnatomy(uid, "left", (10.0, 10.0)),
        (0.2, 0.5, 0.3),
        0.1,
    )


images = st.lists(
    st.tuples(st.sampled_from(["L", "R"]), st.sampled_from(["CC", "MLO"]), st.floats(0, 1)),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(images, st.data())
def test_a_more_suspicious_image_never_lowers_the_examination(
    detector: MammographyDetector, found: list[tuple[Breast, str, float]], data: st.DataObject
) -> None:
    answers = [view_answer(str(i), *one) for i, one in enumerate(found, start=1)]
    which = data.draw(st.integers(0, len(found) - 1))
    side, view, score = found[which]
    higher = view_answer(str(which + 1), side, view, data.draw(st.floats(score, 1.0)))
    before = detector.combine(answers)
    after = detector.combine([*answers[:which], higher, *answers[which + 1 :]])
    assert after.exam_score >= before.exam_score
    assert {b.laterality: b.views for b in after.breasts} == {b.laterality: b.views for b in before.breasts}
    assert before.exam_score == max(breast.score for breast in before.breasts)

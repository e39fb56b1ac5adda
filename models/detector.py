"""From a package to something that reads studies: which code of the core reads which family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from models.chest_nodule.detector import ChestNoduleDetector
from models.film import Film
from models.onnx_header import read_onnx_versions
from models.package import Package, PackageError, Plan, Tensor
from models.results import FilmReading
from models.runtime import Provider, Session, TensorSpec, open_session

if TYPE_CHECKING:
    from models.brain_tumour.answer import BrainAnswer
    from models.geometry import AlignedStudy
    from models.mammogram import Mammogram
    from models.mammography.detector import ViewAnswer
    from models.mammography.preprocess import PreparedView
    from models.mammography_results import MammographyReading

__all__ = [
    "Detector",
    "ExamDetector",
    "FilmDetector",
    "VolumeDetector",
    "check_graph",
    "check_members",
    "check_networks",
    "open_detector",
    "open_exam_detector",
    "open_film_detector",
    "open_volume_detector",
]

_Opener: TypeAlias = Callable[[Path], Session]
_Maker = TypeVar("_Maker")


class FilmDetector(Protocol):
    """Reads one film with the members of a package."""

    def detect(self, film: Film) -> FilmReading:
        """Return every candidate and the score of the film."""

    def warm_up(self) -> None:
        """Run once on made-up pixels, so that all memory is claimed."""


class VolumeDetector(Protocol):
    """Reads the volumes of one study with the members of a package."""

    def read(self, study: AlignedStudy, plan: Plan, folder: Path) -> BrainAnswer:
        """Return what the members see; the probability of each is kept in ``folder``."""

    def warm_up(self) -> None:
        """Run once on a made-up study, so that all memory is claimed."""


class ExamDetector(Protocol):
    """Reads the mammograms of one examination with the members of a package."""

    def prepare_view(self, mammogram: Mammogram) -> PreparedView:
        """Find the breast of one image; ``NoBreast`` where there is no single one."""

    def read_view(self, mammogram: Mammogram, prepared: PreparedView | None = None) -> ViewAnswer:
        """Return what the members say of one image."""

    def combine(self, answers: Sequence[ViewAnswer]) -> MammographyReading:
        """Combine images to breasts and to the examination."""

    def read(self, exam: Sequence[Mammogram]) -> MammographyReading:
        """Read all images: :meth:`read_view` of each, then :meth:`combine`."""

    def warm_up(self) -> None:
        """Run once on a made-up mammogram, so that all memory is claimed."""


Detector: TypeAlias = FilmDetector | VolumeDetector | ExamDetector


def _centre_heatmap(package: Package, opener: _Opener, members: int | None) -> FilmDetector:
    check_members(package, members)
    return ChestNoduleDetector(package, opener)


def _slice_ensemble(package: Package, opener: _Opener, members: int | None) -> VolumeDetector:
    from models.brain_tumour.detector import (  # noqa: PLC0415 - SimpleITK, which films do not need
        BrainTumourDetector,
    )

    return BrainTumourDetector(package, opener, members)


def _mammography_exam(package: Package, opener: _Opener, members: int | None) -> ExamDetector:
    from models.mammography.detector import (  # noqa: PLC0415 - the search for the breast, which others do not need
        MammographyDetector,
    )

    return MammographyDetector(package, opener, members)


_FILMS = {("detect", "centre-heatmap"): _centre_heatmap}
_VOLUMES = {("segment", "slice-ensemble"): _slice_ensemble}
_EXAMS = {("detect", "mammography-exam"): _mammography_exam}
_DTYPES = {"float32": "float", "float16": "float16", "uint8": "uint8", "int64": "int64"}


def open_detector(
    package: Package, provider: Provider = "cpu", threads: int = 0, members: int | None = None
) -> Detector:
    """Open the members of a package and check their graphs against the manifest.

    Parameters
    ----------
    package : Package
        A loaded and verified package.
    provider, threads
        See :class:`models.runtime.OnnxSession`.
    members : int or None
        How many members take part, from the first; None for the number that the manifest states.

    Raises
    ------
    PackageError
        The family is unknown, or a network is not what the manifest says.
    RuntimeUnavailable
        The runtime is missing.
    """
    if package.manifest.input.volume is not None:
        return open_volume_detector(package, provider, threads, members)
    if package.manifest.input.mammography is not None:
        return open_exam_detector(package, provider, threads, members)
    return open_film_detector(package, provider, threads, members)


def open_film_detector(
    package: Package, provider: Provider = "cpu", threads: int = 0, members: int | None = None
) -> FilmDetector:
    """Open a package that reads films, see :func:`open_detector`."""
    return _maker(package, _FILMS, "films")(
        package, partial(_open_checked, package, provider, threads), members
    )


def open_volume_detector(
    package: Package, provider: Provider = "cpu", threads: int = 0, members: int | None = None
) -> VolumeDetector:
    """Open a package that reads volumes, see :func:`open_detector`."""
    return _maker(package, _VOLUMES, "volumes")(
        package, partial(_open_checked, package, provider, threads), members
    )


def open_exam_detector(
    package: Package, provider: Provider = "cpu", threads: int = 0, members: int | None = None
) -> ExamDetector:
    """Open a package that reads mammography examinations, see :func:`open_detector`."""
    return _maker(package, _EXAMS, "mammograms")(
        package, partial(_open_checked, package, provider, threads), members
    )


def check_members(package: Package, members: int | None) -> None:
    """Check that a package can be read with so many of its members; None is the number of its manifest.

    Raises
    ------
    PackageError
        It has fewer, or reads with all of them or not at all.
    """
    about, whole = package.manifest.package, len(package.manifest.members)
    if members is None:
        return
    if (about.task, about.family) in _FILMS and members != whole:
        raise PackageError(
            f"{package.reference}: is calibrated for all of its members and reads with those {whole}, "
            f"not with {members}"
        )
    if not 1 <= members <= whole:
        raise PackageError(f"{package.reference}: has {whole} members; {members} cannot take part")


def check_networks(package: Package) -> None:
    """Open every network of a package, one after another, also those that take no part by default.

    Raises
    ------
    PackageError
        A network is not what the manifest says.
    RuntimeUnavailable
        The runtime is missing.
    """
    for member in package.manifest.all_members:
        _open_checked(package, "cpu", 1, package.folder / member.file)


def _maker(package: Package, families: dict[tuple[str, str], _Maker], kind: str) -> _Maker:
    about = package.manifest.package
    maker = families.get((about.task, about.family))
    if maker is None:
        known = ", ".join(f"{task}/{family}" for task, family in sorted(families))
        raise PackageError(
            f"{package.reference}: nothing here reads {about.task}/{about.family}; "
            f"known for {kind} are {known}"
        )
    return maker


def _open_checked(package: Package, provider: Provider, threads: int, path: Path) -> Session:
    _check_versions(package, path)
    session = open_session(path, provider, threads)
    check_graph(package, path, session)
    return session


def _check_versions(package: Package, path: Path) -> None:
    _, stated = package.network_of(path)
    try:
        found = read_onnx_versions(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PackageError(f"{path}: is no ONNX network: {error}") from error
    if (found.ir_version, found.opset) != (stated.ir_version, stated.opset):
        raise PackageError(
            f"{path}: has IR version {found.ir_version} and opset {found.opset}, the manifest says "
            f"{stated.ir_version} and {stated.opset}; correct the manifest or export the network again"
        )


def check_graph(package: Package, path: Path, session: Session) -> None:
    """Compare a network's inputs and outputs with the manifest: names, element types and fixed axes.

    Raises
    ------
    PackageError
        They differ.
    """
    network, _ = package.network_of(path)
    pairs = ((network.tensor,), session.inputs), (network.outputs, session.outputs)
    for stated, found in pairs:
        names = [tensor.name for tensor in stated], [spec.name for spec in found]
        if sorted(names[0]) != sorted(names[1]):
            raise PackageError(f"{path}: the manifest names {names[0]}, the network has {names[1]}")
        by_name = {spec.name: spec for spec in found}
        for tensor in stated:
            _check_tensor(path, tensor, by_name[tensor.name])


def _check_tensor(path: Path, tensor: Tensor, spec: TensorSpec) -> None:
    if spec.dtype != f"tensor({_DTYPES[tensor.dtype]})":
        raise PackageError(f"{path}: {tensor.name} is {spec.dtype}, the manifest says {tensor.dtype}")
    fits = len(spec.shape) == len(tensor.shape) and all(
        axis is None or not isinstance(wanted, int) or axis == wanted
        for axis, wanted in zip(spec.shape, tensor.shape, strict=True)
    )
    if not fits:
        raise PackageError(f"{path}: {tensor.name} has shape {spec.shape}, the manifest says {tensor.shape}")
